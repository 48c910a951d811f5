//! How the page cache served the calls that read from files.

use std::collections::BTreeMap;

use ioprof_ebpf::abi::{
    Aggregate,
    layout::page_cache_index,
    merge::Merge as _,
    page_cache::{self, CacheStats},
};

use super::histogram::histogram;
use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{self, Buckets, Snapshot},
        syscall::operation_name,
    },
    model::{
        block::{Block, BlockOperation, Origin},
        histogram::{Histogram, Unit},
        page_cache::{PageCache, Served},
    },
    transfer::{Direction, of_call},
};

/// How the cache served a workload; none where waits or requests are not known.
///
/// `is_known` says whether what it read by no system call is known.
pub fn page_cache(
    snapshot: &Snapshot,
    workload: u32,
    is_known: bool,
    block: Option<&[Block]>,
) -> Option<PageCache> {
    if !snapshot.knows_files || !snapshot.has(Feature::Time) || !snapshot.has(Feature::Block) {
        return None;
    }
    let of = |served: page_cache::Served| {
        let index = page_cache_index(workload, served as u32);
        snapshot.page_cache.get(index as usize)
    };
    let counted = |served: page_cache::Served| {
        let (stats, buckets) = of(served)?;
        Some(Served {
            bytes: stats.bytes,
            latency: histogram(Unit::Ns, &stats.latency, buckets),
        })
    };
    let not_hits = [
        page_cache::Served::Miss,
        page_cache::Served::Wait,
        page_cache::Served::Direct,
        page_cache::Served::NotApplicable,
        page_cache::Served::ReadAhead,
    ];
    let (hits, misses) = (
        hits(snapshot, workload, &not_hits.map(of))?,
        counted(page_cache::Served::Miss)?,
    );
    let (read_ahead, read_ahead_waits, direct) = (
        counted(page_cache::Served::ReadAhead)?,
        counted(page_cache::Served::Wait)?,
        counted(page_cache::Served::Direct)?,
    );
    let files = || snapshot.files_of(workload);
    let is_known = is_known && !files().any(snapshot::File::may_be_unasked);
    let requested = is_known.then(|| files().map(snapshot::File::read_of_device).sum());
    let unasked = files().map(snapshot::File::read_unasked).sum();
    Some(PageCache {
        read_amplification: amplification(block, unasked, requested),
        hits,
        misses,
        read_ahead: Some(read_ahead),
        read_ahead_waits,
        direct,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is for reading")]
fn amplification(block: Option<&[Block]>, unasked: u64, requested: Option<u64>) -> Option<f64> {
    let requested = requested.filter(|bytes| *bytes > 0)?;
    let read: u64 = Block::once(block?, BlockOperation::Read)
        .filter(|row| row.origin != Origin::Swap)
        .map(|row| row.bytes)
        .sum();
    Some(read.saturating_sub(unasked) as f64 / requested as f64)
}

/// All calls that read, without those that were not hits.
fn hits(
    snapshot: &Snapshot,
    workload: u32,
    not_hits: &[Option<&(CacheStats, Buckets)>],
) -> Option<Served> {
    let mut buckets = BTreeMap::<(u32, u32), u64>::new();
    let (mut totals, mut bytes, mut is_complete) = (Aggregate::default(), 0_u64, true);
    let reads = |operation: u32| {
        let direction = of_call(&operation_name(operation));
        matches!(direction, Some(Direction::Read | Direction::Copied))
    };
    let calls = snapshot.calls.iter();
    for call in calls.filter(|call| call.workload == workload && reads(call.operation)) {
        totals.merge(&call.stats.latency);
        is_complete &= holds_all(&call.stats.latency, &call.latency);
        bytes += call.stats.bytes;
        for (octave, bucket, count) in &call.latency {
            *buckets.entry((*octave, *bucket)).or_default() += count;
        }
    }
    for other in not_hits {
        let (stats, of_other) = (*other)?;
        is_complete &= holds_all(&stats.latency, of_other);
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
        // Where values are missing on either side, what is left over says nothing.
        .filter(|(_, count)| *count > 0 && is_complete)
        .map(|((octave, bucket), count)| (octave, bucket, count))
        .collect();
    Some(Served {
        bytes,
        latency: within_buckets(histogram(Unit::Ns, &totals, &buckets)),
    })
}

/// Whether the buckets hold all values.
fn holds_all(totals: &Aggregate, buckets: &Buckets) -> bool {
    buckets.iter().map(|(.., count)| count).sum::<u64>() == totals.count
}

/// The extremes of the rest are known to a bucket.
fn within_buckets(mut histogram: Histogram) -> Histogram {
    if let (Some(first), Some(last)) = (histogram.buckets.first(), histogram.buckets.last()) {
        histogram.min = histogram.min.max(first.ge);
        histogram.max = histogram.max.min(last.le);
    }
    histogram
}
