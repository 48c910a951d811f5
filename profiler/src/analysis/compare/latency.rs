//! The 99th percentiles of calls and requests, of all runs of a side together.

use std::collections::{BTreeMap, BTreeSet};

use super::times::float;
use crate::model::{
    block::{Block, BlockOperation},
    histogram::Histogram,
    report::Workload,
};

/// Below so many values on a side, the 99th percentile is the largest, which tells little.
pub const FEWEST: u64 = 100;
/// So many calls are compared, those that take the most time: each that is makes an interval of all wider.
const MOST_CALLS: usize = 16;
/// More bounds than histograms of the same kind can have.
const MOST_BUCKETS: usize = 8192;

/// The row of all calls that have none of their own.
const OTHER: &str = "other";

/// The requests whose service is compared, and what it is called.
const REQUESTS: [(BlockOperation, &str); 4] = [
    (BlockOperation::Read, "device.read"),
    (BlockOperation::Write, "device.write"),
    (BlockOperation::Flush, "device.flush"),
    (BlockOperation::Discard, "device.discard"),
];

/// Latencies of the same kind on both sides.
pub struct Latencies {
    /// Of what.
    pub name: String,
    /// On each side.
    pub sides: [Merged; 2],
}

/// Histograms of several runs that are merged by how often each run is drawn.
pub struct Merged {
    /// The middle of each bucket, ascending, and how many values of each run are in it and those below.
    buckets: Vec<(u64, Vec<u64>)>,
    /// The extremes of all.
    extremes: (u64, u64),
}

impl Merged {
    /// Of all runs; none where a run has not all values, or all have fewer than these.
    pub fn of(runs: &[Vec<&Histogram>], fewest: u64) -> Option<Self> {
        let all = || runs.iter().flatten();
        let held = all().fold(0_u64, |held, one| held.saturating_add(one.held()));
        if held < fewest || all().any(|one| one.missing() > 0) {
            return None;
        }
        let buckets = all().flat_map(|one| &one.buckets);
        let middles: BTreeSet<_> = buckets.map(|bucket| bucket.middle()).collect();
        if middles.len() > MOST_BUCKETS {
            return None;
        }
        let mut buckets: Vec<_> = middles
            .into_iter()
            .map(|middle| (middle, vec![0_u64; runs.len()]))
            .collect();
        for (run, histograms) in runs.iter().enumerate() {
            for bucket in histograms.iter().flat_map(|one| &one.buckets) {
                let at = buckets.binary_search_by_key(&bucket.middle(), |(middle, _)| *middle);
                let counts = at.ok().and_then(|at| buckets.get_mut(at)?.1.get_mut(run));
                if let Some(count) = counts {
                    *count = count.saturating_add(bucket.count);
                }
            }
        }
        let mut below = vec![0_u64; runs.len()];
        for (_, counts) in &mut buckets {
            for (count, below) in counts.iter_mut().zip(&mut below) {
                *below = below.saturating_add(*count);
                *count = *below;
            }
        }
        let has_values = || all().filter(|one| one.count > 0);
        let least = has_values().map(|one| one.min).min()?;
        let most = has_values().map(|one| one.max).max()?;
        Some(Self {
            buckets,
            extremes: (least, most.max(least)),
        })
    }

    /// The 99th percentile of the runs that are drawn; none where they have no values.
    pub fn p99(&self, drawn: &[u32]) -> Option<f64> {
        self.of_rank(drawn, |all| all.saturating_sub(all / 100))
    }

    /// The median of the same.
    pub fn p50(&self, drawn: &[u32]) -> Option<f64> {
        self.of_rank(drawn, |all| all.div_ceil(2))
    }

    /// The value of a rank, which is told by how many values there are.
    fn of_rank(&self, drawn: &[u32], rank: impl Fn(u64) -> u64) -> Option<f64> {
        let all = up_to(&self.buckets.last()?.1, drawn);
        let rank = rank(all).max(1);
        (all > 0).then_some(())?;
        let at = self
            .buckets
            .partition_point(|(_, counts)| up_to(counts, drawn) < rank);
        let (middle, _) = self.buckets.get(at)?;
        let (least, most) = self.extremes;
        Some(float((*middle).clamp(least, most)))
    }
}

/// Whether this is what the 99th percentile of requests is called.
pub fn is_of_requests(metric: &str) -> bool {
    let of = metric.strip_suffix(".p99");
    of.is_some_and(|of| REQUESTS.iter().any(|(_, name)| *name == of))
}

/// How many values are in a bucket and those below, of the runs that are drawn.
fn up_to(counts: &[u64], drawn: &[u32]) -> u64 {
    counts.iter().zip(drawn).fold(0, |all, (count, times)| {
        all.saturating_add(count.saturating_mul((*times).into()))
    })
}

/// The latencies that both sides have enough of: of the calls that take the most time, and of those that are named.
pub fn latencies<'a>(
    before: &[&'a Workload],
    after: &[&'a Workload],
    named: impl Iterator<Item = String>,
) -> Vec<Latencies> {
    let sides = [before, after];
    let mut calls = common_calls(sides);
    calls.extend(named.filter(|name| name != OTHER));
    let of_calls = calls.into_iter().map(|name| {
        let of_run = |run: &&'a Workload| of_call(run, &name);
        (
            name.clone(),
            sides.map(|runs| runs.iter().map(of_run).collect::<Vec<_>>()),
        )
    });
    let of_calls: Vec<_> = of_calls
        .filter_map(|(name, sides)| merged(name, &sides))
        .collect();
    let of_requests = REQUESTS.into_iter().filter_map(|(operation, name)| {
        let of_run = |run: &&'a Workload| of_operation(run, operation);
        merged(
            name.to_owned(),
            &sides.map(|runs| runs.iter().map(of_run).collect::<Vec<_>>()),
        )
    });
    of_calls.into_iter().chain(of_requests).collect()
}

fn merged(name: String, [before, after]: &[Vec<Vec<&Histogram>>; 2]) -> Option<Latencies> {
    let sides = [Merged::of(before, FEWEST)?, Merged::of(after, FEWEST)?];
    Some(Latencies { name, sides })
}

fn of_call<'a>(run: &'a Workload, name: &str) -> Vec<&'a Histogram> {
    let calls = run
        .syscalls
        .iter()
        .filter(|call| call.name.as_str() == name);
    calls.map(|call| &call.latency).collect()
}

fn of_operation(run: &Workload, operation: BlockOperation) -> Vec<&Histogram> {
    let rows = run.block.as_deref().unwrap_or_default();
    Block::once(rows, operation)
        .map(|row| &row.service)
        .collect()
}

/// The calls with a row of their own that take the most time on either side, by name.
fn common_calls(sides: [&[&Workload]; 2]) -> BTreeSet<String> {
    let mut times = BTreeMap::<&str, u64>::new();
    for call in sides
        .iter()
        .copied()
        .flatten()
        .flat_map(|run| &run.syscalls)
    {
        if call.name != OTHER && call.latency.count > 0 {
            let time = times.entry(call.name.as_str()).or_default();
            *time = time.saturating_add(call.time_ns);
        }
    }
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_by_key(|(name, time)| (std::cmp::Reverse(*time), *name));
    times
        .into_iter()
        .take(MOST_CALLS)
        .map(|(name, _)| name.to_owned())
        .collect()
}
