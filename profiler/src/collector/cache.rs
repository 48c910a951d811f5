//! How the page cache served the calls that read from files.

use std::collections::{BTreeMap, BTreeSet};

use ioprof_ebpf::abi::{
    Aggregate,
    page_cache::{self as cache, Served},
    syscall::CallKind,
};

use super::{Snapshot, Unit, histogram};
use crate::{
    kernel::{bpf::probes::Feature, snapshot::Buckets, syscall::kinds},
    model::{
        file::{self, Cache},
        histogram::Histogram,
        report::{Block, BlockOperation},
    },
};

/// How the cache served a workload; none where waits or requests are not known.
///
/// `beside` is what it read by no system call, where that is known.
pub fn cache(
    snapshot: &Snapshot,
    workload: u32,
    beside: Option<u64>,
    block: Option<&[Block]>,
) -> Option<Cache> {
    if !snapshot.knows_files || !snapshot.has(Feature::Time) || !snapshot.has(Feature::Block) {
        return None;
    }
    let of = |served: Served| {
        let index = cache::index(workload, served as u32);
        snapshot.page_cache.get(index as usize)
    };
    let told = |served: Served| {
        let (stats, buckets) = of(served)?;
        Some(file::Served {
            bytes: stats.bytes,
            latency: histogram(Unit::Ns, &stats.latency, buckets),
        })
    };
    let not_hits = [
        Served::Miss,
        Served::Wait,
        Served::Direct,
        Served::NotApplicable,
    ];
    let (hits, misses) = (
        hits(snapshot, workload, &not_hits.map(of))?,
        told(Served::Miss)?,
    );
    let (read_ahead_waits, direct) = (told(Served::Wait)?, told(Served::Direct)?);
    let asked = hits.bytes + misses.bytes + read_ahead_waits.bytes + direct.bytes;
    Some(Cache {
        read_amplification: amplification(block, beside.map(|bytes| bytes + asked)),
        hits,
        misses,
        read_ahead_waits,
        direct,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is for reading")]
fn amplification(block: Option<&[Block]>, asked: Option<u64>) -> Option<f64> {
    let asked = asked.filter(|bytes| *bytes > 0)?;
    let read: u64 = Block::once(block?, BlockOperation::Read)
        .map(|row| row.bytes)
        .sum();
    Some(read as f64 / asked as f64)
}

/// All calls that read, without those that were no hits.
fn hits(
    snapshot: &Snapshot,
    workload: u32,
    not_hits: &[Option<&(cache::CacheStats, Buckets)>],
) -> Option<file::Served> {
    let mut buckets = BTreeMap::<(u32, u32), u64>::new();
    let (mut totals, mut bytes) = (Aggregate::default(), 0_u64);
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
