//! A setting beside the best one: whether it is slower, and what the longer time went into.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Compared, Run, Trial, bytes_per_second};
use crate::analysis::compare::{
    Certainty, Interval,
    resample::{Draws, Figure, Resamples, Sample},
    times::{float, names},
};

/// A setting beside the best one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Beside {
    /// Whether it is slower: whether the interval of `change` has 0.
    pub verdict: Certainty,
    /// The interval of its bytes per second, or of its runs in a time, less those of the best, as a part of these; null
    /// where there are too few runs.
    pub change: Option<Interval>,
    /// How many nanoseconds of wall time more it takes for as many bytes as a run of the best moves, or for a run.
    pub longer_ns: u64,
    /// What these went into, the most first: parts of the wall time, divided as the time of threads is. Null where that is
    /// not known.
    pub parts: Option<Vec<Longer>>,
}

/// A part of the wall time that is longer than that of the best setting, or shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Longer {
    /// What threads did, as in the names of metrics of comparisons: `time.PART`.
    pub part: String,
    /// Nanoseconds more than of the best; below 0 where it is shorter.
    pub more_ns: i64,
}

/// How fast the runs of a setting are.
pub struct Pace {
    /// That of each run, the more the better.
    of_runs: Sample,
    /// The median.
    pub median: f64,
    /// How many runs there are.
    runs: usize,
    /// The median of the bytes of a run; 1 where they are not asked for.
    bytes: f64,
    /// What the wall time of each run went into, for each byte, or for each run; none where that is not known.
    parts: Option<Vec<BTreeMap<String, f64>>>,
}

impl Pace {
    /// That of a setting; none where it has not run, or failed.
    pub fn of(trial: &Trial, by: Compared) -> Option<Self> {
        if trial.failed.is_some() {
            return None;
        }
        let runs = &trial.runs;
        let pace = |run: &Run| match by {
            Compared::BytesPerSecond => bytes_per_second(run),
            Compared::WallTime => (run.wall_ns > 0).then(|| 1e9 / float(run.wall_ns)),
        };
        let bytes = |run: &Run| match by {
            Compared::BytesPerSecond => run.bytes.map_or(1.0, float),
            Compared::WallTime => 1.0,
        };
        let of_runs = Sample::of(runs.iter().map(pace).collect::<Option<Vec<_>>>()?);
        let for_each = |run: &Run| {
            let parts = run.parts.as_ref()?.iter();
            let parts = parts.map(|(part, ns)| (part.clone(), ns / bytes(run)));
            Some(parts.collect::<BTreeMap<_, _>>())
        };
        Some(Self {
            median: of_runs.median_of_all()?,
            of_runs,
            runs: runs.len(),
            bytes: Sample::of(runs.iter().map(bytes)).median_of_all()?,
            parts: runs.iter().map(for_each).collect(),
        })
    }

    /// Beside the best, with the probability `error` of being wrong.
    pub fn beside(&self, best: &Self, error: f64) -> Beside {
        let resamples = Resamples::of([best.runs, self.runs]);
        let figures: [Figure<'_>; 2] = [&|drawn| best.of_runs.median(drawn), &|drawn| {
            self.of_runs.median(drawn)
        }];
        let are_enough = resamples.are_enough_for_intervals(error);
        let draws = are_enough
            .then(|| resamples.draws(figures, error))
            .flatten();
        let change = draws.as_ref().and_then(Draws::change);
        let verdict = match change {
            None => Certainty::TooFewRuns,
            Some(Interval { low, high }) if low > 0.0 || high < 0.0 => Certainty::Differs,
            Some(_) => Certainty::NotSignificant,
        };
        let of_a_second = |pace: f64| best.bytes * 1e9 / pace;
        let longer = of_a_second(self.median) - of_a_second(best.median);
        #[expect(clippy::cast_sign_loss, reason = "the best is no slower")]
        Beside {
            verdict,
            change,
            longer_ns: longer.max(0.0).round() as u64,
            parts: self.longer(best),
        }
    }

    fn longer(&self, best: &Self) -> Option<Vec<Longer>> {
        let (own, of_best) = (self.parts.as_ref()?, best.parts.as_ref()?);
        let median = |runs: &[BTreeMap<String, f64>], part: &str| {
            let values = runs.iter().map(|run| run.get(part).copied().unwrap_or(0.0));
            Sample::of(values).median_of_all()
        };
        let parts = names(own.iter().chain(of_best)).into_iter().map(|part| {
            let more = median(own, part)? - median(of_best, part)?;
            Some(Longer {
                part: part.to_owned(),
                more_ns: (more * best.bytes).round() as i64,
            })
        });
        let mut parts = parts.collect::<Option<Vec<_>>>()?;
        parts.sort_by_key(|one| std::cmp::Reverse(one.more_ns));
        Some(parts)
    }
}
