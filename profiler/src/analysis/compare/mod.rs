//! Two reports of the same work, before and after a change: what differs.
//!
//! Counts are exact, so that any difference is one. Times of one run each are not: they are told without a verdict.

mod conditions;
mod gate;
mod metrics;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

pub use conditions::{Condition, Side};
pub use gate::{EXPECTED, Gate, Limit, Operator, Refused, Verdict};
pub use metrics::{Amount, total};

use super::time_spent::time_spent;
use crate::{
    model::report::{Report, Workload},
    text::Text,
};

/// What two reports have in common, and what not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What else differs than the work, or puts figures in doubt.
    pub conditions: Vec<Condition>,
    /// The workloads, in the order of the reports.
    pub workloads: Vec<Compared>,
    /// The counts that differ, the largest relative change first; then those that are not known on one side.
    pub differing: Vec<Row>,
    /// Those that are equal.
    pub equal: Vec<Row>,
    /// Those that neither report knows.
    pub unknown: Vec<Row>,
}

impl Comparison {
    /// All counts, those that differ first.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let rows = self.differing.iter().chain(&self.equal);
        rows.chain(&self.unknown)
    }
}

/// A workload in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its name in the later report.
    pub name: Text,
    /// Nanoseconds of wall time.
    pub wall_ns: Both<u64>,
    /// Nanoseconds of its threads by what they went into, the largest difference first; empty where that is not known.
    pub time: Vec<Part>,
    /// The rules that found something before, and find nothing now.
    pub findings_gone: Vec<Text>,
    /// Those that find something now alone.
    pub findings_new: Vec<Text>,
    /// Those that find something in both.
    pub findings_left: Vec<Text>,
}

/// The same figure of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// In the first report.
    pub before: T,
    /// In the second.
    pub after: T,
}

/// What the time of threads went into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// In a word.
    pub activity: &'static str,
    /// Nanoseconds of all threads.
    pub ns: Both<u64>,
}

/// A count of both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// As gates name it.
    pub metric: String,
    /// What it is.
    #[serde(flatten)]
    pub amount: Both<Amount>,
}

/// Compares two reports, whose workloads are matched by their order; an error with the number of each where these differ.
///
/// # Errors
///
/// Where one has more workloads than the other.
pub fn compare(before: &Report, after: &Report) -> Result<Comparison, Both<usize>> {
    let workloads = [before, after].map(|report| report.workloads.len());
    let [first, second] = workloads;
    if first != second {
        return Err(Both {
            before: first,
            after: second,
        });
    }
    let pairs = || before.workloads.iter().zip(&after.workloads);
    let (same, mut differing): (Vec<_>, Vec<_>) = rows(before, after)
        .into_iter()
        .partition(|row| row.amount.before == row.amount.after);
    let (unknown, equal) = same
        .into_iter()
        .partition(|row| row.amount.before == Amount::Unknown);
    // Stable: the order of names where changes are alike.
    differing.sort_by_key(|row| Reverse(row.rank()));
    Ok(Comparison {
        conditions: conditions::of(before, after),
        workloads: pairs()
            .map(|(one, other)| compared((before, one), (after, other)))
            .collect(),
        differing,
        equal,
        unknown,
    })
}

fn rows(before: &Report, after: &Report) -> Vec<Row> {
    let [mut before, mut after] = [before, after].map(metrics::of);
    let names: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    // What is in no row was not done.
    let mut take = |metric: &str| {
        let [before, after] = [&mut before, &mut after].map(|all| all.remove(metric));
        let none = before.or(after).map_or(Amount::NONE, Amount::none);
        Both {
            before: before.unwrap_or(none),
            after: after.unwrap_or(none),
        }
    };
    let row = |metric: String| {
        let amount = take(&metric);
        Row { metric, amount }
    };
    names.into_iter().map(row).collect()
}

impl Row {
    /// By how much it differs, to sort by: how many times the lesser the greater is, each and one, so that what was not
    /// done before comes behind what changed by more.
    fn rank(&self) -> u128 {
        let Some((before, after)) = self
            .amount
            .before
            .thousandths()
            .zip(self.amount.after.thousandths())
        else {
            return 0;
        };
        let one = 1000_u128;
        let greater = before.max(after).saturating_add(one);
        let lesser = before.min(after).saturating_add(one);
        // Both have 75 bits at most.
        greater
            .saturating_mul(1 << 40)
            .checked_div(lesser)
            .unwrap_or(0)
    }
}

fn compared(before: (&Report, &Workload), after: (&Report, &Workload)) -> Compared {
    let [was, is] = [before, after].map(|(report, workload)| found(report, workload));
    Compared {
        name: after.1.name.clone(),
        wall_ns: Both {
            before: before.1.wall_ns,
            after: after.1.wall_ns,
        },
        time: parts(before.1, after.1),
        findings_gone: was.difference(&is).map(|id| (*id).clone()).collect(),
        findings_new: is.difference(&was).map(|id| (*id).clone()).collect(),
        findings_left: was.intersection(&is).map(|id| (*id).clone()).collect(),
    }
}

/// The rules that found something in a workload.
fn found<'a>(report: &'a Report, workload: &Workload) -> BTreeSet<&'a Text> {
    let findings = report.findings.iter();
    findings
        .filter(|one| one.workload == workload.name)
        .map(|one| &one.id)
        .collect()
}

fn parts(before: &Workload, after: &Workload) -> Vec<Part> {
    let Some((before, after)) = time_spent(before).zip(time_spent(after)) else {
        return Vec::new();
    };
    let nothing = Both {
        before: 0,
        after: 0,
    };
    let mut times = BTreeMap::<&'static str, Both<u64>>::new();
    for part in &before.parts {
        times.entry(part.activity.word()).or_insert(nothing).before = part.ns;
    }
    for part in &after.parts {
        times.entry(part.activity.word()).or_insert(nothing).after = part.ns;
    }
    let mut parts: Vec<_> = times
        .into_iter()
        .map(|(activity, ns)| Part { activity, ns })
        .collect();
    parts.sort_by_key(|part| Reverse(part.ns.before.abs_diff(part.ns.after)));
    parts
}

#[cfg(test)]
mod tests;
