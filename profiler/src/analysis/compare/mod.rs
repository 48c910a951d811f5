//! Reports of the same work, before and after a change: what differs.
//!
//! Counts are exact, so that any difference is one. Times are not: of one run each they are told without a verdict, and of
//! several with what chance may do.

mod conditions;
mod counts;
mod gate;
pub(super) mod latency;
mod metrics;
mod repeated;
pub(super) mod resample;
pub(super) mod times;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub(super) use conditions::cache_state;
pub use conditions::{CacheState, Condition, Side};
pub use counts::{Row, Span};
pub use gate::{EXPECTED, Fails, Gate, Limit, Operator, Outcome, Refused, Verdict};
pub use metrics::{Amount, total};
pub use repeated::{Repeated, Spread, repeated};
pub use resample::Interval;
pub use times::{Certainty, Timing};

use self::{counts::Counts, resample::Resamples, times::Times};
use crate::{
    model::report::{Report, Workload},
    text::Text,
};

/// The most reports of a side.
pub const MOST_RUNS: usize = 100;

/// What the reports of two sides have in common, and what not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// How many runs each side has.
    pub runs: Both<u64>,
    /// What else differs than the work, or puts figures in doubt.
    pub conditions: Vec<Condition>,
    /// The workloads, in the order of the reports.
    pub workloads: Vec<Compared>,
    /// The counts that differ, the largest relative change first; then those that are not known on one side.
    pub differing: Vec<Row>,
    /// Those that vary from run to run, and by no more from side to side than chance may do.
    pub varying: Vec<Row>,
    /// Those that are the same in all runs.
    pub equal: Vec<Row>,
    /// Those that neither side knows.
    pub unknown: Vec<Row>,
}

impl Comparison {
    /// All counts, those that differ first.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let rows = self.differing.iter().chain(&self.varying);
        rows.chain(&self.equal).chain(&self.unknown)
    }

    /// All times.
    pub fn timings(&self) -> impl Iterator<Item = &Timing> {
        let workloads = self.workloads.iter();
        workloads.flat_map(|one| {
            [&one.wall]
                .into_iter()
                .chain(&one.time)
                .chain(&one.latencies)
        })
    }
}

/// A workload on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Compared {
    /// Its name in the last report.
    pub name: Text,
    /// Its wall time.
    pub wall: Timing,
    /// The wall time divided as the time of its threads is: what the difference is made of, the largest part first. Empty
    /// where a run does not know that.
    pub time: Vec<Timing>,
    /// Nanoseconds of the difference of the wall time that the parts leave, as medians of parts do not add up; null where
    /// they do.
    pub rest_ns: Option<i64>,
    /// The 99th percentiles of calls and of requests to devices, the largest difference first.
    pub latencies: Vec<Timing>,
    /// The rules that find something, by the reports in which they do.
    pub findings: Vec<Found>,
}

/// A rule that finds something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// The rule.
    pub id: Text,
    /// In how many runs of each side.
    #[serde(flatten)]
    pub runs: Both<u64>,
}

/// The same figure of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Both<T> {
    /// Of the first side.
    pub before: T,
    /// Of the second.
    pub after: T,
}

/// Compares the reports of two sides, whose workloads are matched by their order; an error with the numbers of workloads
/// of the first report and of one that has others.
///
/// # Errors
///
/// Where one has more workloads than another, and where a side has no report.
pub fn compare(before: &[Report], after: &[Report]) -> Result<Comparison, Both<usize>> {
    compare_for(before, after, &[])
}

/// Compares them as [`compare`] does, and what the gates name in any case.
///
/// # Errors
///
/// As for [`compare`].
pub fn compare_for(
    before: &[Report],
    after: &[Report],
    gates: &[Gate],
) -> Result<Comparison, Both<usize>> {
    let resamples = Resamples::of([before.len(), after.len()]);
    compare_by(before, after, (&resamples, gates))
}

fn compare_by(
    before: &[Report],
    after: &[Report],
    drawn: (&Resamples, &[Gate]),
) -> Result<Comparison, Both<usize>> {
    let mut numbers = before
        .iter()
        .chain(after)
        .map(|report| report.workloads.len());
    let first = numbers.next().unwrap_or_default();
    let other = numbers.find(|number| *number != first);
    if let Some(other) = other.or((before.is_empty() || after.is_empty()).then_some(0)) {
        return Err(Both {
            before: first,
            after: other,
        });
    }
    let counts = Counts::of(before, after, drawn.0);
    let compared = |at| compared([before, after], at, first, drawn);
    Ok(Comparison {
        runs: Both {
            before: before.len() as u64,
            after: after.len() as u64,
        },
        conditions: conditions::of(before, after),
        workloads: (0..first).filter_map(compared).collect(),
        differing: counts.differing,
        varying: counts.varying,
        equal: counts.equal,
        unknown: counts.unknown,
    })
}

/// The workload at a place of all reports; none where one has none there.
fn compared<'a>(
    sides: [&'a [Report]; 2],
    at: usize,
    workloads: usize,
    (resamples, gates): (&Resamples, &[Gate]),
) -> Option<Compared> {
    let of = |report: &'a Report| report.workloads.get(at);
    let [before, after] = sides.map(|runs| runs.iter().filter_map(of).collect::<Vec<_>>());
    let prefix = match workloads {
        1 => String::new(),
        _ => format!("{}:", at.saturating_add(1)),
    };
    let name = after.last()?.name.clone();
    let compared = times::Compared {
        runs: Both {
            before: &before,
            after: &after,
        },
        resamples,
        workloads,
        gates,
    };
    let Times {
        wall,
        parts,
        rest_ns,
        latencies,
    } = compared.times(&prefix);
    Some(Compared {
        name,
        wall,
        time: parts,
        rest_ns,
        latencies,
        findings: findings(sides, at),
    })
}

/// The rules that find something in the workload at a place.
fn findings([before, after]: [&[Report]; 2], at: usize) -> Vec<Found> {
    let mut found = BTreeMap::<&Text, Both<u64>>::new();
    let none = Both {
        before: 0,
        after: 0,
    };
    for (runs, is_after) in [(before, false), (after, true)] {
        for report in runs {
            let Some(workload) = report.workloads.get(at) else {
                continue;
            };
            for id in ids(report, workload) {
                let runs = found.entry(id).or_insert(none);
                let runs = match is_after {
                    true => &mut runs.after,
                    false => &mut runs.before,
                };
                *runs = runs.saturating_add(1);
            }
        }
    }
    let found = found.into_iter().map(|(id, runs)| Found {
        id: id.clone(),
        runs,
    });
    found.collect()
}

/// The rules that found something in a workload.
fn ids<'a>(report: &'a Report, workload: &Workload) -> BTreeSet<&'a Text> {
    let findings = report.findings.iter();
    findings
        .filter(|one| one.workload == workload.name)
        .map(|one| &one.id)
        .collect()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod runs;
