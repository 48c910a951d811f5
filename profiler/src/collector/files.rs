//! Files.

use std::{cmp::Reverse, collections::BTreeMap};

use ioprof_ebpf::abi::file::{FileStats, SIZES};

use super::Snapshot;
use crate::{
    kernel::{self, probes::Need},
    model::{
        file::{File, FileCounts, FileKind, Files},
        text,
    },
};

/// How many files are told of for each thing they may be at the top of.
const TOP: usize = 50;

/// What files may be at the top of.
const CRITERIA: [fn(&FileCounts) -> u64; 3] = [
    |counts| counts.time_ns + counts.major_fault_ns.unwrap_or(0),
    |counts| counts.read_bytes + counts.written_bytes,
    |counts| counts.device_read_bytes.unwrap_or(0) + counts.device_written_bytes.unwrap_or(0),
];

/// The files of a workload; none where the probes could not see them.
pub fn files(snapshot: &Snapshot, workload: u32) -> Option<Files> {
    snapshot.knows_files.then(|| seen(snapshot, workload))
}

fn seen(snapshot: &Snapshot, workload: u32) -> Files {
    let own = snapshot.files.iter();
    let known = Known::of(snapshot);
    let mut others = known.counts(&FileStats::default());
    let mut rows = BTreeMap::<_, Row>::new();
    for (at, file) in (0_usize..).zip(own.filter(|file| file.key.workload == workload)) {
        if file.key.inode == 0 && !file.key.is_class() {
            others.add(&known.counts(&file.stats));
            continue;
        }
        // A file that is deleted and made again has the path of the one before, and is one to the user.
        let apart = (file.path.is_none() && !file.key.is_class()).then_some(at);
        let key = (kind(file.stats.mode as u32), file.path.clone(), apart);
        rows.entry(key).or_default().add(file, &known);
    }
    let mut rows: Vec<(bool, File)> = rows
        .into_iter()
        .map(|((kind, path, _), row)| {
            let path = path.map(text::of);
            (is_class(kind), row.file(kind, path))
        })
        .filter(|(_, file)| !file.counts.is_nothing())
        .collect();
    for value in CRITERIA {
        rows.sort_by_key(|(_, file)| Reverse(value(&file.counts)));
        for (is_told, _) in rows.iter_mut().take(TOP) {
            *is_told = true;
        }
    }
    let (top, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(is_told, _)| *is_told);
    for (_, file) in &rest {
        others.add(&file.counts);
    }
    let mut top: Vec<File> = top.into_iter().map(|(_, file)| file).collect();
    top.sort_by_key(|file| Reverse(CRITERIA.map(|value| value(&file.counts))));
    Files {
        top,
        others: rest.len() as u64,
        other_counts: others,
    }
}

/// One file, of however many inodes.
#[derive(Default)]
struct Row {
    counts: FileCounts,
    sizes: [u64; SIZES],
    is_current: bool,
}

impl Row {
    fn add(&mut self, file: &kernel::File, known: &Known) {
        self.counts.add(&known.counts(&file.stats));
        self.is_current |= file.is_current;
        for (sum, one) in self.sizes.iter_mut().zip(file.stats.calls.sizes) {
            *sum += u64::from(one);
        }
    }

    fn file(self, kind: FileKind, path: Option<String>) -> File {
        let most = (0..SIZES).rev().max_by_key(|class| self.sizes[*class]);
        let most = most.filter(|class| self.sizes[*class] > 0);
        File {
            path,
            path_is_current: self.is_current,
            kind,
            counts: self.counts,
            typical_size_bytes: most.map(|class| if class == 0 { 0 } else { 512 << class }),
        }
    }
}

/// Whether all of a kind are one row.
const fn is_class(kind: FileKind) -> bool {
    !matches!(kind, FileKind::File | FileKind::BlockDevice)
}

/// The type in `i_mode`, see inode(7).
const fn kind(mode: u32) -> FileKind {
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

/// What the probes that are there tell of a file, besides calls on it.
struct Known {
    requests: bool,
    dirty_pages: bool,
    faults: bool,
    dirtying: bool,
}

impl Known {
    fn of(snapshot: &Snapshot) -> Self {
        let faults = snapshot.has(Need::Faults) && snapshot.has(Need::FaultsOnFiles);
        Self {
            requests: snapshot.has(Need::Block),
            dirty_pages: snapshot.has(Need::Writeback),
            faults,
            dirtying: faults && snapshot.has(Need::DirtyingFaults),
        }
    }

    fn counts(&self, stats: &FileStats) -> FileCounts {
        let calls = &stats.calls;
        let read = stats.device_read_bytes + calls.device_read_bytes;
        let written = stats.device_written_bytes + calls.device_written_bytes;
        FileCounts {
            opens: calls.opens,
            reads: calls.reads,
            read_bytes: calls.read_bytes,
            writes: calls.writes,
            written_bytes: calls.written_bytes,
            time_ns: calls.ns,
            max_ns: calls.max_ns,
            device_read_bytes: self.requests.then_some(read),
            device_written_bytes: self.requests.then_some(written),
            dirtied_bytes: self.dirty_pages.then_some(stats.dirtied_bytes),
            minor_faults: self.faults.then_some(stats.minor_faults),
            major_faults: self.faults.then_some(stats.major_faults),
            dirtying_faults: self.dirtying.then_some(stats.dirtying_faults),
            major_fault_ns: self.faults.then_some(stats.major_fault_ns),
            sequential: calls.sequential,
            unaligned: calls.unaligned,
        }
    }
}
