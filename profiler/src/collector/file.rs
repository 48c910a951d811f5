//! Files.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    path::Path,
};

use ioprof_ebpf::abi::file::{FileKey, FileStats, SIZES};

use super::file_group;
use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{self, Snapshot},
        system::lead::Lead,
    },
    model::file::{
        File, FileCounts, FileGroup, FileGroups, FileKind, Files, KindBytes, PathState, RANKINGS,
    },
    text::Text,
};

/// How many files of each ranking are in the report.
const TOP: usize = 50;

/// The files of a workload, of which all writes are known or not; none where the probes could not see them.
pub fn files(snapshot: &Snapshot, workload: u32, knows_writes: bool) -> Option<Files> {
    snapshot
        .knows_files
        .then(|| seen(snapshot, workload, knows_writes))
}

fn seen(snapshot: &Snapshot, workload: u32, knows_writes: bool) -> Files {
    let known = Known::of(snapshot, workload, knows_writes);
    let (without_row, mut own): (Vec<_>, Vec<_>) = snapshot
        .files_of(workload)
        .partition(|file| file.key.inode == 0 && !file.key.is_class());
    own.sort_by_key(|file| identity(file));
    // There may be tens of thousands: none is copied before it is known to be reported.
    let rows: Vec<&[&snapshot::File]> = own
        .chunk_by(|one, next| is_same(one, next))
        .filter(|same| !known.sum(same).is_nothing())
        .collect();
    let counts = |at: usize| known.sum(rows[at]);
    let is_class = |at: usize| is_class(kind(rows[at][0].stats.mode));
    let reported = first_of_each_ranking(rows.len(), counts, is_class);
    let without_row = known.sum(&without_row);
    let (groups, group_of) = groups(&known, &rows);
    let grouped = |at: usize| group_of.contains_key(&at);
    let rest = |is_rest: &dyn Fn(usize) -> bool| {
        let mut sum = without_row;
        let places = (0..rows.len()).filter(|at| !reported.contains(at) && is_rest(*at));
        let added = places.map(|at| sum.add(&counts(at))).count();
        (added as u64, sum)
    };
    let (others, other_counts) = rest(&|_| true);
    let (ungrouped, ungrouped_counts) = rest(&|at| !grouped(at));
    let mut top: Vec<_> = reported
        .iter()
        .map(|at| known.file(rows[*at], group_of.get(at).copied()))
        .collect();
    top.sort_by_key(|file| Reverse(file.counts.ranks()));
    Files {
        top,
        others,
        other_counts,
        by_kind: by_kind(&own, &without_row),
        groups: Some(FileGroups {
            top: groups,
            others: ungrouped,
            other_counts: ungrouped_counts,
        }),
    }
}

/// The places of the first of each ranking, and of those that are always told.
fn first_of_each_ranking(
    all: usize,
    counts: impl Fn(usize) -> FileCounts,
    is_always: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let mut first: BTreeSet<_> = (0..all).filter(|at| is_always(*at)).collect();
    let mut places: Vec<_> = (0..all).collect();
    for ranking in 0..RANKINGS {
        places.sort_by_cached_key(|at| Reverse(counts(*at).ranks()[ranking]));
        first.extend(places.iter().take(TOP));
    }
    first
}

/// The groups that are reported, by time, and the place of each one's rows among them.
fn groups(known: &Known, rows: &[&[&snapshot::File]]) -> (Vec<FileGroup>, HashMap<usize, usize>) {
    let found = file_group::groups(rows.iter().map(|same| {
        let (kind, path, namespace) = identity(same[0]);
        (namespace, path.filter(|_| kind == FileKind::File))
    }));
    let sum = |members: &Vec<usize>| {
        let mut sum = known.sum(&[]);
        let members = members.iter().map(|row| known.sum(rows[*row]));
        members.for_each(|counts| sum.add(&counts));
        sum
    };
    let sums: Vec<_> = found.iter().map(|group| sum(&group.members)).collect();
    let first = first_of_each_ranking(sums.len(), |at| sums[at], |_| false);
    let mut reported = Vec::from_iter(first);
    reported.sort_by_key(|at| Reverse(sums[*at].ranks()));
    let mut group_of = HashMap::new();
    let groups = reported.into_iter().enumerate().map(|(place, at)| {
        let group = &found[at];
        group_of.extend(group.members.iter().map(|row| (*row, place)));
        let inodes = group.members.iter().flat_map(|row| rows[*row]);
        let deleted = group.members.iter();
        let deleted = deleted.filter(|row| is_deleted(rows[**row]) == Some(true));
        FileGroup {
            pattern: group.pattern.clone(),
            mount_namespace: group.namespace,
            files: group.members.len() as u64,
            deleted_files: deleted.count() as u64,
            counts: sums[at],
            typical_size_bytes: typical_size(inodes.copied()),
        }
    });
    (groups.collect(), group_of)
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

/// How many inodes these are. One of overlayfs that is copied up has a row from before, which is no other inode.
fn inodes(same: &[&snapshot::File]) -> u64 {
    let after_copy = |before: FileKey| {
        let keys = same.iter().map(|file| file.key);
        keys.filter(|key| key.instance != 0).any(|key| {
            let instance = before.instance;
            before == FileKey { instance, ..key }
        })
    };
    let is_before_copy = |file: &snapshot::File| {
        file.stats.is_stacked != 0 && file.key.instance == 0 && after_copy(file.key)
    };
    same.iter().filter(|file| !is_before_copy(file)).count() as u64
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

/// The most frequent size of reads and writes of these inodes.
fn typical_size<'a>(inodes: impl Iterator<Item = &'a snapshot::File>) -> Option<u64> {
    let mut sizes = [0_u64; SIZES];
    for file in inodes {
        for (sum, one) in sizes.iter_mut().zip(file.stats.calls.sizes) {
            *sum += one;
        }
    }
    let most = (0..SIZES).rev().max_by_key(|class| sizes[*class]);
    let most = most.filter(|class| sizes[*class] > 0);
    most.map(|class| if class == 0 { 0 } else { 512 << class })
}

/// What is known of files besides calls, by the attached probes.
struct Known {
    requests: bool,
    /// Of which file all was that was read.
    direct_reads: bool,
    /// Of which file all was that was written.
    direct_writes: bool,
    /// The devices of which it is not known which of their files was read.
    unread: Vec<u32>,
    /// All that was written.
    writes: bool,
    dirty_pages: bool,
    faults: bool,
    dirtying: bool,
}

impl Known {
    fn of(snapshot: &Snapshot, workload: u32, writes: bool) -> Self {
        let own = snapshot.files_of(workload);
        let devices = own.filter(|file| file.key.is_of_device());
        let devices: Vec<_> = devices.map(|file| (file.key, file.stats)).collect();
        let faults = snapshot.has(Feature::Faults) && snapshot.has(Feature::FaultsOnFiles);
        Self {
            requests: snapshot.has(Feature::Block),
            direct_reads: devices
                .iter()
                .all(|(_, stats)| stats.device_read_bytes == 0),
            direct_writes: devices
                .iter()
                .all(|(_, stats)| stats.device_written_bytes == 0),
            // Those of direct I/O are of no file whose requests are all known.
            unread: devices
                .iter()
                .filter(|(_, stats)| stats.device_read_bytes > stats.unknown_direct_bytes)
                .map(|(key, _)| key.device)
                .collect(),
            writes,
            dirty_pages: snapshot.has(Feature::Writeback),
            faults,
            dirtying: faults && snapshot.has(Feature::DirtyingFaults),
        }
    }

    /// One file, of however many inodes, of which there is at least one.
    fn file(&self, same: &[&snapshot::File], group: Option<usize>) -> File {
        File {
            path: same[0].place.path.as_ref().map(Text::of),
            opened_as: same
                .iter()
                .find_map(|file| file.place.opened_as.as_deref().map(Text::of)),
            path_state: same[0].place.path.as_ref().map(|_| path_state(same)),
            is_deleted: is_deleted(same),
            mount_namespace: same[0].place.namespace,
            kind: kind(same[0].stats.mode),
            inodes: Some(inodes(same)),
            counts: self.sum(same),
            typical_size_bytes: typical_size(same.iter().copied()),
            group,
        }
    }

    fn sum(&self, files: &[&snapshot::File]) -> FileCounts {
        let mut sum = self.counts(&FileStats::default(), 0);
        for file in files {
            sum.add(&self.counts(&file.stats, file.dirtied_bytes(self.writes)));
            if !file.key.is_of_device() && self.unread.contains(&file.key.device) {
                sum.device_read_bytes = None;
            }
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
        // By its end, a bio of io_uring or io_submit may not tell its file.
        let is_told = calls.asynchronous_direct_bytes == 0;
        let reads = self.requests && (self.direct_reads || is_told);
        let writes = self.requests && (self.direct_writes || is_told);
        FileCounts {
            opens: calls.opens,
            reads: calls.reads,
            read_bytes: calls.read_bytes,
            writes: calls.writes,
            written_bytes: calls.written_bytes,
            time_ns: calls.ns,
            max_ns: calls.max_ns,
            device_read_bytes: reads.then_some(read),
            device_written_bytes: writes.then_some(written),
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
