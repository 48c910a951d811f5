//! Files, and how the page cache served the calls that read from them.

use std::{cmp::Reverse, collections::BTreeSet};

use ioprof_ebpf::abi::{
    Totals,
    cache::{self, Served},
    file::{FileStats, SIZES},
    syscall::CallKind,
};

use super::{Snapshot, Unit, histogram};
use crate::{
    kernel::{self, probes::Need, syscalls::kinds},
    model::{
        file::{self, Cache, File, FileCounts, FileKind, Files},
        histogram::Histogram,
    },
};

/// How many files are told of for each thing they may be at the top of.
const TOP: usize = 50;

/// The files of a workload.
pub fn files(snapshot: &Snapshot, workload: u32) -> Files {
    let own: Vec<&kernel::File> = snapshot
        .files
        .iter()
        .filter(|file| file.key.workload == workload)
        .collect();
    let (named, unnamed): (Vec<_>, Vec<_>) = (0..own.len()).partition(|at| own[*at].key.inode != 0);
    let counted: Vec<FileCounts> = own.iter().map(|file| counts(&file.stats)).collect();
    let mut top = BTreeSet::new();
    let criteria: [fn(&FileCounts) -> u64; 3] = [
        |counts| counts.time_ns + counts.major_fault_ns,
        |counts| counts.read_bytes + counts.written_bytes,
        |counts| counts.device_read_bytes + counts.device_written_bytes,
    ];
    for value in criteria {
        let mut order = named.clone();
        order.sort_by_key(|at| (Reverse(value(&counted[*at])), *at));
        top.extend(order.into_iter().take(TOP));
    }
    let mut others = FileCounts::default();
    let mut rows: Vec<File> = Vec::new();
    for at in named.iter().chain(&unnamed) {
        let file = own[*at];
        let is_kind = file.key.inode == 0 && file.key.device != 0;
        if top.contains(at) || is_kind {
            rows.push(row(file, counted[*at]));
        } else {
            others.add(&counted[*at]);
        }
    }
    rows.retain(|row| row.counts != FileCounts::default());
    rows.sort_by_key(|row| Reverse((criteria[0](&row.counts), criteria[1](&row.counts))));
    Files {
        top: rows,
        others: (named.len() - top.len()) as u64,
        other_counts: others,
    }
}

fn row(file: &kernel::File, counts: FileCounts) -> File {
    let sizes = &file.stats.calls.sizes;
    let most = (0..SIZES).rev().max_by_key(|class| sizes[*class]);
    File {
        path: file
            .path
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned()),
        path_is_current: file.is_current,
        kind: kind(file.stats.mode as u32),
        counts,
        typical_size_bytes: most
            .filter(|class| sizes[*class] > 0)
            .map(|class| if class == 0 { 0 } else { 512 << class }),
    }
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

fn counts(stats: &FileStats) -> FileCounts {
    let calls = &stats.calls;
    FileCounts {
        opens: calls.opens,
        reads: calls.reads,
        read_bytes: calls.read_bytes,
        writes: calls.writes,
        written_bytes: calls.written_bytes,
        time_ns: calls.ns,
        max_ns: calls.max_ns,
        device_read_bytes: stats.device_read_bytes + calls.device_read_bytes,
        device_written_bytes: stats.device_written_bytes + calls.device_written_bytes,
        dirtied_bytes: stats.dirtied_bytes,
        minor_faults: stats.minor_faults,
        major_faults: stats.major_faults,
        dirtying_faults: stats.dirtying_faults,
        major_fault_ns: stats.major_fault_ns,
        sequential: calls.sequential,
        unaligned: calls.unaligned,
    }
}

/// How the cache served a workload; none where waits or requests are not known.
pub fn cache(snapshot: &Snapshot, workload: u32) -> Option<Cache> {
    if !snapshot.has(Need::Time) || !snapshot.has(Need::Block) {
        return None;
    }
    let of = |served: Served| {
        let index = cache::index(workload, served as u32);
        snapshot.cache.get(index as usize)
    };
    let told = |served: Served| {
        let (stats, buckets) = of(served)?;
        Some(file::Served {
            bytes: stats.bytes,
            latency: histogram(Unit::Ns, &stats.latency, buckets),
        })
    };
    let not_hits = [Served::Miss, Served::Wait, Served::Direct, Served::Neither];
    Some(Cache {
        hits: hits(snapshot, workload, &not_hits.map(|served| of(served)))?,
        misses: told(Served::Miss)?,
        read_ahead_waits: told(Served::Wait)?,
        direct: told(Served::Direct)?,
    })
}

/// All calls that read, without those that were no hits.
fn hits(
    snapshot: &Snapshot,
    workload: u32,
    not_hits: &[Option<&(cache::CacheStats, kernel::Buckets)>],
) -> Option<file::Served> {
    let mut buckets = std::collections::BTreeMap::<(u32, u32), u64>::new();
    let (mut totals, mut bytes) = (Totals::default(), 0_u64);
    let reading = kinds()
        .into_iter()
        .map(CallKind)
        .filter(|kind| kind.has(CallKind::READS | CallKind::COPIES | CallKind::SENDS));
    let reading: BTreeSet<u32> = reading.map(CallKind::operation).collect();
    let calls = snapshot.calls.iter();
    for call in calls.filter(|call| call.workload == workload && reading.contains(&call.operation))
    {
        totals.merge(&call.stats.latency);
        bytes += call.stats.bytes;
        for (octave, bucket, count) in &call.latency {
            *buckets.entry((*octave, *bucket)).or_default() += count;
        }
    }
    for other in not_hits {
        let (stats, of_other) = (*other)?;
        totals.count = totals.count.saturating_sub(stats.latency.count);
        totals.sum = totals.sum.saturating_sub(stats.latency.sum);
        bytes = bytes.saturating_sub(stats.bytes);
        for (octave, bucket, count) in of_other {
            let rest = buckets.entry((*octave, *bucket)).or_default();
            *rest = rest.saturating_sub(*count);
        }
    }
    let buckets: Vec<_> = buckets
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((octave, bucket), count)| (octave, bucket, count))
        .collect();
    Some(file::Served {
        bytes,
        latency: within_buckets(histogram(Unit::Ns, &totals, &buckets)),
    })
}

/// The extremes of what is left are known to a bucket.
fn within_buckets(mut histogram: Histogram) -> Histogram {
    if let (Some(first), Some(last)) = (histogram.buckets.first(), histogram.buckets.last()) {
        histogram.min = histogram.min.max(first.ge);
        histogram.max = histogram.max.min(last.le);
    }
    histogram
}
