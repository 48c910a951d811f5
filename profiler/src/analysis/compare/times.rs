//! The times of several runs on each side: the medians, and whether they differ by more than chance.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::{
    Both, Gate,
    latency::{Latencies, latencies},
    resample::{Draws, Figure, Interval, Resamples, Sample, fewest_runs},
};
use crate::{
    analysis::time_spent::time_spent,
    model::{report::Workload, sum::sum},
};

/// So seldom is any time of a comparison said to differ where none does.
const ERROR: f64 = 0.04;
/// The most runs that are said to be needed; more is not known.
const MOST_NEEDED: usize = 1000;

/// A time of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timing {
    /// As gates name it.
    pub metric: String,
    /// Nanoseconds: the median of the runs of each side; of a p99, that of all calls or requests of all runs.
    #[serde(flatten)]
    pub ns: Both<u64>,
    /// The interval of the difference of both, in nanoseconds; null where there are too few runs to have one, and where
    /// not every run has this time.
    pub difference_ns: Option<Interval>,
    /// The same as a part of `before`; null also where that may be 0.
    pub change: Option<Interval>,
    /// Whether they differ.
    pub verdict: Certainty,
    /// How many runs on each side would tell; null where they differ, where that is not known or above 1000, and where not
    /// every run has this time.
    pub runs_needed: Option<u64>,
    /// What a gate of any limit is decided by; none where there is no interval.
    #[serde(skip)]
    pub draws: Option<Draws>,
}

impl Timing {
    /// A part of the wall time that no run of these sides has, beside another that some have.
    pub fn of_nothing(metric: &str, beside: &Self) -> Self {
        let is_known = beside.verdict != Certainty::TooFewRuns;
        let draws = is_known.then(Draws::of_nothing);
        let verdict = match is_known {
            true => Certainty::NotSignificant,
            false => Certainty::TooFewRuns,
        };
        Self {
            metric: metric.to_owned(),
            ns: Both {
                before: 0,
                after: 0,
            },
            difference_ns: draws.as_ref().and_then(Draws::difference),
            change: None,
            verdict,
            runs_needed: beside.runs_needed.filter(|_| !is_known),
            draws,
        }
    }
}

/// What the runs say of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The interval does not have 0.
    Differs,
    /// It has.
    NotSignificant,
    /// There are too few runs for an interval.
    TooFewRuns,
    /// There are enough, of which so many have no such time that there is no interval.
    NotInEveryRun,
}

/// The times of a workload.
pub struct Times {
    /// The wall time.
    pub wall: Timing,
    /// What it went into, the largest difference first.
    pub parts: Vec<Timing>,
    /// What is left of its difference, where that is not the sum of those of the parts.
    pub rest_ns: Option<i64>,
    /// The 99th percentiles, the largest difference first.
    pub latencies: Vec<Timing>,
}

/// The runs of a workload on both sides, and what is drawn from them.
pub struct Compared<'a> {
    /// The runs.
    pub runs: Both<&'a [&'a Workload]>,
    /// What is drawn.
    pub resamples: &'a Resamples,
    /// How many workloads are compared.
    pub workloads: usize,
    /// What is asked of them.
    pub gates: &'a [Gate],
}

impl Compared<'_> {
    /// All times. Half of the error is left to the wall time, the other half to all others together.
    pub fn times(&self, prefix: &str) -> Times {
        let Both { before, after } = self.runs;
        let parts = parts(before).zip(parts(after));
        let parts = parts.map_or_else(Default::default, |(before, after)| [before, after]);
        let names = names(parts.iter().flatten());
        let named = self.gates.iter().filter_map(|gate| {
            let metric = gate.metric.strip_prefix(prefix)?;
            metric.strip_suffix(".p99").map(str::to_owned)
        });
        let latencies = latencies(before, after, named);
        let others = names.len().saturating_add(latencies.len());
        let half = part_of(ERROR, self.workloads.saturating_mul(2));
        let alpha = part_of(half, others);
        let wall = [before, after].map(|runs| {
            let values = runs.iter().map(|workload| float(workload.span_ns()));
            Sample::of(values)
        });
        let wall = self.of_medians(format!("{prefix}wall"), &wall, half);
        let timed = |name: &str| {
            let samples = parts.each_ref().map(|runs| {
                Sample::of(runs.iter().map(|run| run.get(name).copied().unwrap_or(0.0)))
            });
            self.of_medians(format!("{prefix}time.{name}"), &samples, alpha)
        };
        let parts: Vec<_> = names.into_iter().map(timed).collect();
        let rest_ns = rest(&wall, &parts);
        let of_latencies = |one: Latencies| {
            let figures: [Figure<'_>; 2] = [&|drawn| one.sides[0].p99(drawn), &|drawn| {
                one.sides[1].p99(drawn)
            }];
            self.timing(format!("{prefix}{}.p99", one.name), figures, alpha)
        };
        Times {
            wall,
            parts: largest_first(parts),
            rest_ns,
            latencies: largest_first(latencies.into_iter().map(of_latencies).collect()),
        }
    }

    fn of_medians(&self, metric: String, [before, after]: &[Sample; 2], alpha: f64) -> Timing {
        let figures: [Figure<'_>; 2] =
            [&|drawn| before.median(drawn), &|drawn| after.median(drawn)];
        self.timing(metric, figures, alpha)
    }

    fn timing(&self, metric: String, figures: [Figure<'_>; 2], alpha: f64) -> Timing {
        let runs = [self.runs.before, self.runs.after].map(<[_]>::len);
        let [before, after] = [0, 1].map(|side: usize| {
            let all = vec![1; runs[side]];
            figures[side](&all).unwrap_or(0.0)
        });
        let are_enough = self.resamples.are_enough_for_intervals(alpha);
        let draws = are_enough.then(|| self.resamples.draws(figures, alpha));
        let draws = draws.flatten();
        let difference_ns = draws.as_ref().and_then(Draws::difference);
        let verdict = match difference_ns {
            None if are_enough => Certainty::NotInEveryRun,
            None => Certainty::TooFewRuns,
            Some(Interval { low, high }) if low > 0.0 || high < 0.0 => Certainty::Differs,
            Some(_) => Certainty::NotSignificant,
        };
        let fewest = fewest_runs(alpha);
        let needed = match (verdict, difference_ns) {
            (Certainty::NotSignificant, Some(interval)) => {
                needed(runs[0].min(runs[1]), after - before, interval)
            }
            (Certainty::TooFewRuns, _) => Some(fewest),
            _ => None,
        };
        let needed = needed.filter(|runs| *runs <= MOST_NEEDED);
        Timing {
            metric,
            ns: Both {
                before: whole(before),
                after: whole(after),
            },
            difference_ns,
            change: draws.as_ref().and_then(Draws::change),
            verdict,
            runs_needed: needed.map(|runs| runs.max(fewest) as u64),
            draws,
        }
    }
}

/// An interval is narrower by the root of the number of runs.
fn needed(runs: usize, difference: f64, interval: Interval) -> Option<usize> {
    // The side of it on which 0 is.
    let reach = if difference > 0.0 {
        difference - interval.low
    } else {
        interval.high - difference
    };
    let times = (reach / difference).powi(2);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "it is an estimate, and a square"
    )]
    let needed = (times * runs as f64).ceil() as usize;
    // Where the estimate is no more than there are, one more is.
    times
        .is_finite()
        .then(|| needed.max(runs.saturating_add(1)))
}

/// The parts of a run's wall time, by their names.
pub type Parts = BTreeMap<String, f64>;

/// What the wall time of each run went into: divided as the time of its threads is. None where a run does not know.
pub fn parts(runs: &[&Workload]) -> Option<Vec<Parts>> {
    runs.iter().map(|run| of_run(run)).collect()
}

/// The names of the parts that any run has.
pub fn names<'a>(runs: impl IntoIterator<Item = &'a Parts>) -> BTreeSet<&'a str> {
    let names = runs.into_iter().flat_map(BTreeMap::keys);
    names.map(String::as_str).collect()
}

/// What the wall time of a run went into; none where it does not know.
pub fn of_run(workload: &Workload) -> Option<Parts> {
    let spent = time_spent(workload)?;
    let wall = float(workload.span_ns());
    let mut parts = BTreeMap::new();
    for part in &spent.parts {
        *parts.entry(part.activity.key()).or_insert(0.0) += wall * part.share;
    }
    Some(parts)
}

/// What the parts leave of the difference of the wall time, beyond what is rounded.
fn rest(wall: &Timing, parts: &[Timing]) -> Option<i64> {
    let differs = |before: u64, after: u64| i128::from(after).saturating_sub(before.into());
    let side = |of: fn(&Timing) -> u64| sum(parts.iter().map(of));
    let parts_differ = differs(side(|part| part.ns.before), side(|part| part.ns.after));
    let wall_differs = differs(wall.ns.before, wall.ns.after);
    let rest = i64::try_from(wall_differs.saturating_sub(parts_differ)).ok()?;
    (!parts.is_empty() && rest.unsigned_abs() > parts.len() as u64).then_some(rest)
}

fn largest_first(mut timings: Vec<Timing>) -> Vec<Timing> {
    let is_sure = |one: &Timing| one.verdict == Certainty::Differs;
    timings.sort_by_key(|one| Reverse((is_sure(one), one.ns.before.abs_diff(one.ns.after))));
    timings
}

fn part_of(whole: f64, parts: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "they are a few")]
    let parts = parts.max(1) as f64;
    whole / parts
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds of 104 days are exact"
)]
pub const fn float(ns: u64) -> f64 {
    ns as f64
}

#[expect(clippy::cast_sign_loss, reason = "no time is below 0")]
pub fn whole(ns: f64) -> u64 {
    ns.round() as u64
}
