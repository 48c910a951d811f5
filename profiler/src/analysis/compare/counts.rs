//! The counts of several runs on each side.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::{
    Both,
    metrics::{self, Amount, Metrics},
    resample::Resamples,
};
use crate::model::report::Report;

/// So seldom is any count said to differ that varies from run to run, where none does.
const ERROR: f64 = 0.01;

/// A count of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Row {
    /// As gates name it.
    pub metric: String,
    /// What the runs of each side counted; null where a run does not know.
    #[serde(flatten)]
    pub amount: Both<Option<Span>>,
}

/// What the runs of a side counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Span {
    /// The least.
    pub min: Amount,
    /// The most.
    pub max: Amount,
}

impl Span {
    /// The same in all runs.
    pub const fn same(amount: Amount) -> Self {
        Self {
            min: amount,
            max: amount,
        }
    }

    /// Whether runs of the side differ.
    pub fn varies(self) -> bool {
        self.min != self.max
    }

    /// Whether each of its runs has less than each of the other.
    pub fn is_below(self, other: Self) -> bool {
        self.max.thousandths() < other.min.thousandths()
    }
}

/// The counts by what can be said of them.
#[derive(Default)]
pub struct Counts {
    /// They differ.
    pub differing: Vec<Row>,
    /// They vary from run to run, and by no more from side to side than chance may do.
    pub varying: Vec<Row>,
    /// All runs have the same.
    pub equal: Vec<Row>,
    /// Neither side knows.
    pub unknown: Vec<Row>,
}

impl Counts {
    /// Of the reports of both sides.
    pub fn of(before: &[Report], after: &[Report], resamples: &Resamples) -> Self {
        let rows = rows(before, after);
        let varying = rows.iter().filter(|row| row.varies()).count();
        #[expect(clippy::cast_precision_loss, reason = "they are a few hundred")]
        let alpha = ERROR / varying.max(1) as f64;
        let are_enough = resamples.are_enough(alpha);
        let mut counts = Self::default();
        for row in rows {
            let Both { before, after } = row.amount;
            let list = match (before, after) {
                (None, None) => &mut counts.unknown,
                (Some(_), None) | (None, Some(_)) => &mut counts.differing,
                _ if row.varies() => match row.are_apart() && are_enough {
                    true => &mut counts.differing,
                    false => &mut counts.varying,
                },
                _ if before == after => &mut counts.equal,
                _ => &mut counts.differing,
            };
            list.push(row);
        }
        // Stable: the order of names where changes are alike.
        counts.differing.sort_by_key(|row| Reverse(row.rank()));
        counts
    }
}

fn rows(before: &[Report], after: &[Report]) -> Vec<Row> {
    let [before, after] =
        [before, after].map(|runs| runs.iter().map(metrics::of).collect::<Vec<_>>());
    let names: BTreeSet<_> = before
        .iter()
        .chain(&after)
        .flat_map(BTreeMap::keys)
        .collect();
    let row = |metric: &String| {
        // What is in no row was not done.
        let known = before
            .iter()
            .chain(&after)
            .filter_map(|run| run.get(metric));
        let none = known
            .map(|amount| amount.none())
            .next()
            .unwrap_or(Amount::NONE);
        Row {
            metric: metric.clone(),
            amount: Both {
                before: span(&before, metric, none),
                after: span(&after, metric, none),
            },
        }
    };
    names.into_iter().map(row).collect()
}

fn span(runs: &[Metrics], metric: &str, none: Amount) -> Option<Span> {
    let amounts = || {
        runs.iter()
            .map(|run| run.get(metric).copied().unwrap_or(none))
    };
    let is_known = amounts().all(|amount| amount != Amount::Unknown);
    let min = amounts().min_by_key(|amount| amount.thousandths())?;
    let max = amounts().max_by_key(|amount| amount.thousandths())?;
    is_known.then_some(Span { min, max })
}

impl Row {
    /// Whether runs of the same side differ.
    fn varies(&self) -> bool {
        let Both { before, after } = self.amount;
        [before, after].into_iter().flatten().any(Span::varies)
    }

    /// Whether each run of one side has more than each of the other.
    fn are_apart(&self) -> bool {
        let Both { before, after } = self.amount;
        let both = before.zip(after);
        both.is_some_and(|(before, after)| before.is_below(after) || after.is_below(before))
    }

    /// By how much it differs, to sort by: how many times the lesser the greater is, each and one, so that what was not
    /// done before comes behind what changed by more.
    fn rank(&self) -> u128 {
        let Both { before, after } = self.amount;
        let far = |span: Option<Span>, other: Option<Span>| {
            // Between those of the two sides that are the nearest.
            let (span, other) = span.zip(other)?;
            match span.is_below(other) {
                true => span.max.thousandths(),
                false => span.min.thousandths(),
            }
        };
        let Some((before, after)) = far(before, after).zip(far(after, before)) else {
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
