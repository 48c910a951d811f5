//! Files.

use std::{cmp::Reverse, path::Path};

use ioprof_ebpf::abi::file::{FileKey, FileStats, SIZES};

use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{self, Snapshot},
        system::lead::Lead,
    },
    model::file::{File, FileCounts, FileKind, Files, KindBytes, PathState, RANKINGS},
    text::Text,
};

/// How many files of each ranking are in the report.
const TOP: usize = 50;

/// The files of a workload; none where the probes could not see them.
pub fn files(snapshot: &Snapshot, workload: u32) -> Option<Files> {
    snapshot.knows_files.then(|| seen(snapshot, workload))
}

fn seen(snapshot: &Snapshot, workload: u32) -> Files {
    let known = Known::of(snapshot, workload);
    let own = snapshot.files.iter();
    let (without_row, mut own): (Vec<_>, Vec<_>) = own
        .filter(|file| file.key.workload == workload)
        .partition(|file| file.key.inode == 0 && !file.key.is_class());
    own.sort_by_key(|file| identity(file));
    // There may be tens of thousands: none is copied before it is known to be reported.
    let mut rows: Vec<(bool, &[&snapshot::File])> = own
        .chunk_by(|one, next| is_same(one, next))
        .map(|same| (is_class(kind(same[0].stats.mode)), same))
        .filter(|(_, same)| !known.sum(same).is_nothing())
        .collect();
    for ranking in 0..RANKINGS {
        rows.sort_by_cached_key(|(_, same)| Reverse(known.sum(same).ranks()[ranking]));
        for (is_reported, _) in rows.iter_mut().take(TOP) {
            *is_reported = true;
        }
    }
    let mut other_counts = known.sum(&without_row);
    let by_kind = by_kind(&own, &other_counts);
    let (mut top, mut others) = (Vec::new(), 0);
    for (is_reported, same) in rows {
        if is_reported {
            top.push(known.file(same));
        } else {
            other_counts.add(&known.sum(same));
            others += 1;
        }
    }
    top.sort_by_key(|file| Reverse(file.counts.ranks()));
    Files {
        top,
        others,
        other_counts,
        by_kind,
    }
}

/// The bytes of each kind that has any, the most first. What has no row for lack of room is a file: what has no name
/// shares the row of its kind, which is always there.
fn by_kind(own: &[&snapshot::File], without_row: &FileCounts) -> Vec<KindBytes> {
    let mut kinds: Vec<_> = own
        .chunk_by(|one, next| kind(one.stats.mode) == kind(next.stats.mode))
        .map(|same| KindBytes {
            kind: kind(same[0].stats.mode),
            read_bytes: same.iter().map(|file| file.stats.calls.read_bytes).sum(),
            written_bytes: same.iter().map(|file| file.stats.calls.written_bytes).sum(),
        })
        .collect();
    if !kinds.iter().any(|one| one.kind == FileKind::File) {
        kinds.push(KindBytes {
            kind: FileKind::File,
            read_bytes: 0,
            written_bytes: 0,
        });
    }
    for one in &mut kinds {
        if one.kind == FileKind::File {
            one.read_bytes += without_row.read_bytes;
            one.written_bytes += without_row.written_bytes;
        }
    }
    kinds.retain(|one| one.bytes() > 0);
    kinds.sort_by_key(|one| Reverse(one.bytes()));
    kinds
}

/// The identity of a file for the user; sorting by it brings equal ones together.
fn identity(file: &snapshot::File) -> (FileKind, Option<&Path>, Option<u32>) {
    (
        kind(file.stats.mode),
        file.place.path.as_deref(),
        file.place.namespace,
    )
}

/// Whether two inodes are one file to the user: a file that is deleted and created again keeps its path.
fn is_same(one: &snapshot::File, other: &snapshot::File) -> bool {
    identity(one) == identity(other) && (one.place.path.is_some() || one.key.is_class())
}

/// Whether all of a kind are one row.
const fn is_class(kind: FileKind) -> bool {
    !matches!(kind, FileKind::File | FileKind::BlockDevice)
}

/// The type in `i_mode`, see inode(7).
pub const fn kind(mode: u64) -> FileKind {
    match (mode >> 12) & 0xf {
        0o1 => FileKind::Pipes,
        0o2 => FileKind::CharacterDevices,
        0o4 => FileKind::Directories,
        0o6 => FileKind::BlockDevice,
        0o10 => FileKind::File,
        0o14 => FileKind::Sockets,
        _ => FileKind::Anonymous,
    }
}

/// Whether a path leads to one of these inodes.
fn path_state(same: &[&snapshot::File]) -> PathState {
    let leads = |wanted: fn(Lead) -> bool| same.iter().any(|file| wanted(file.place.lead));
    match () {
        () if leads(|lead| lead == Lead::There) => PathState::Current,
        () if leads(|lead| lead == Lead::Unknown) => PathState::Unknown,
        () => PathState::Gone,
    }
}

/// Whether none of these inodes has a name any more, where it is known.
fn is_deleted(same: &[&snapshot::File]) -> Option<bool> {
    match path_state(same) {
        PathState::Current => Some(false),
        PathState::Gone => {
            let deleted = same.iter().all(|file| file.place.lead == Lead::Deleted);
            deleted.then_some(true)
        }
        PathState::Unknown => None,
    }
}

/// What is known of files besides calls, by the attached probes.
struct Known {
    requests: bool,
    direct: bool,
    dirty_pages: bool,
    faults: bool,
    dirtying: bool,
}

impl Known {
    fn of(snapshot: &Snapshot, workload: u32) -> Self {
        let others = FileKey::others(workload);
        let others = snapshot.files.iter().find(|file| file.key == others);
        let faults = snapshot.has(Feature::Faults) && snapshot.has(Feature::FaultsOnFiles);
        Self {
            requests: snapshot.has(Feature::Block),
            direct: others.is_none_or(|others| others.stats.unknown_direct_bytes == 0),
            dirty_pages: snapshot.has(Feature::Writeback),
            faults,
            dirtying: faults && snapshot.has(Feature::DirtyingFaults),
        }
    }

    /// One file, of however many inodes, of which there is at least one.
    fn file(&self, same: &[&snapshot::File]) -> File {
        let mut sizes = [0_u64; SIZES];
        for file in same {
            for (sum, one) in sizes.iter_mut().zip(file.stats.calls.sizes) {
                *sum += one;
            }
        }
        let most = (0..SIZES).rev().max_by_key(|class| sizes[*class]);
        let most = most.filter(|class| sizes[*class] > 0);
        File {
            path: same[0].place.path.as_ref().map(Text::of),
            path_state: same[0].place.path.as_ref().map(|_| path_state(same)),
            is_deleted: is_deleted(same),
            mount_namespace: same[0].place.namespace,
            kind: kind(same[0].stats.mode),
            counts: self.sum(same),
            typical_size_bytes: most.map(|class| if class == 0 { 0 } else { 512 << class }),
        }
    }

    fn sum(&self, files: &[&snapshot::File]) -> FileCounts {
        let mut sum = self.counts(&FileStats::default(), 0);
        for file in files {
            sum.add(&self.counts(&file.stats, file.dirtied_bytes()));
        }
        if files.iter().any(|file| !file.has_pages) {
            sum.forget_pages();
        }
        sum
    }

    fn counts(&self, stats: &FileStats, dirtied: u64) -> FileCounts {
        let calls = &stats.calls;
        let read = stats.device_read_bytes + calls.device_read_bytes;
        let written = stats.device_written_bytes + calls.device_written_bytes;
        let requests = self.requests && (self.direct || calls.asynchronous_direct_bytes == 0);
        FileCounts {
            opens: calls.opens,
            reads: calls.reads,
            read_bytes: calls.read_bytes,
            writes: calls.writes,
            written_bytes: calls.written_bytes,
            time_ns: calls.ns,
            max_ns: calls.max_ns,
            device_read_bytes: requests.then_some(read),
            device_written_bytes: requests.then_some(written),
            dirtied_bytes: self.dirty_pages.then_some(dirtied),
            minor_faults: self.faults.then_some(stats.minor_faults),
            major_faults: self.faults.then_some(stats.major_faults),
            dirtying_faults: self.dirtying.then_some(stats.dirtying_faults),
            major_fault_ns: self.faults.then_some(stats.major_fault_ns),
            sequential: calls.sequential,
            unaligned: calls.unaligned,
        }
    }
}
