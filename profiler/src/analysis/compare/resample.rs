//! Which difference between two samples of runs is none of chance: the percentile bootstrap.
//!
//! The runs of each side are drawn from again and again, with replacement. What the difference of the medians then varies
//! by is what it varies by from sample to sample (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng as _};
use serde::Serialize;

use crate::analysis::{median::median, random::below};

/// How often is drawn: of the rarest tails that are asked for, of a time among fifty, a few draws are beyond.
const DRAWS: usize = 4000;
/// The same runs give the same intervals.
const SEED: u64 = 0x696f_7072_6f66;

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// How often each run was drawn, of both sides.
type Draw = [Vec<u32>; 2];

/// What is drawn from two samples, the same for all figures of them.
pub struct Resamples {
    runs: [usize; 2],
    draws: Vec<Draw>,
}

/// A figure of some runs of a side, by how often each of them was drawn; none where there is none.
pub type Figure<'a> = &'a dyn Fn(&[u32]) -> Option<f64>;

impl Resamples {
    /// Of samples whose intervals nobody asks for: nothing is drawn.
    pub const fn undrawn(runs: [usize; 2]) -> Self {
        Self {
            runs,
            draws: Vec::new(),
        }
    }

    /// Of samples of so many runs.
    pub fn of(runs: [usize; 2]) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut side = |runs: usize| {
            let mut drawn = vec![0_u32; runs];
            for _ in 0..runs {
                if let Some(times) = drawn.get_mut(below(runs, &mut random)) {
                    *times = times.saturating_add(1);
                }
            }
            drawn
        };
        // One run each varies by nothing that is known.
        let draws = if runs.iter().all(|runs| *runs > 1) {
            DRAWS
        } else {
            0
        };
        let draws = (0..draws).map(|_| runs.map(&mut side)).collect();
        Self { runs, draws }
    }

    /// Whether there are so many runs that chance alone seldom enough, with the probability `alpha`, sets the two sides
    /// wholly apart.
    pub fn are_enough(&self, alpha: f64) -> bool {
        apart_by_chance(self.runs) <= alpha
    }

    /// Whether each side has so many runs as it needs for an interval where both have as many. How far the runs of one
    /// side are apart is told by these alone, however many the other has.
    pub fn are_enough_for_intervals(&self, alpha: f64) -> bool {
        self.runs.iter().all(|runs| *runs >= fewest_runs(alpha))
    }

    /// A figure of both sides in each draw, for intervals that are wrong with the probability `alpha`; none where a draw
    /// has no such figure.
    pub fn draws(&self, figures: [Figure<'_>; 2], alpha: f64) -> Option<Draws> {
        let of_draw = |[before, after]: &Draw| Some([figures[0](before)?, figures[1](after)?]);
        let pairs = self.draws.iter().map(of_draw).collect::<Option<Vec<_>>>()?;
        Some(Draws { pairs, alpha })
    }
}

/// A figure of both sides, in each draw.
#[derive(Clone, PartialEq)]
pub struct Draws {
    pairs: Vec<[f64; 2]>,
    /// How probably an interval is wrong.
    alpha: f64,
}

impl Draws {
    /// Of a figure that is 0 in all runs.
    pub fn of_nothing() -> Self {
        Self {
            pairs: vec![[0.0; 2]],
            alpha: 1.0,
        }
    }

    /// The interval of what is made of the figures of the first side and of the second.
    pub fn interval(&self, of: impl Fn(f64, f64) -> f64) -> Option<Interval> {
        let values = self.pairs.iter().map(|[before, after]| of(*before, *after));
        percentiles(values.collect(), self.alpha)
    }

    /// That of the difference.
    pub fn difference(&self) -> Option<Interval> {
        self.interval(|before, after| after - before)
    }

    /// That of the change as a part of the first side's; none where that is 0 at times.
    pub fn change(&self) -> Option<Interval> {
        let is_always = self.pairs.iter().all(|[before, _]| *before > 0.0);
        is_always
            .then(|| self.interval(|before, after| after / before - 1.0))
            .flatten()
    }
}

impl std::fmt::Debug for Draws {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // There are thousands.
        to.debug_struct("Draws").finish_non_exhaustive()
    }
}

fn percentiles(mut values: Vec<f64>, alpha: f64) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a part of some thousand"
    )]
    let beyond = (values.len() as f64 * alpha / 2.0) as usize;
    let low = *values.get(beyond)?;
    let high = *values.iter().rev().nth(beyond)?;
    Some(Interval { low, high })
}

/// How probable it is that all runs of one side are above all of the other where nothing differs: of the orders of the
/// runs, two are so.
fn apart_by_chance([before, after]: [usize; 2]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "they are a few")]
    let orders = (1..=before).fold(1.0, |orders, run| {
        orders * (after as f64 + run as f64) / run as f64
    });
    2.0 / orders
}

/// How many runs on each side can tell anything at all with that probability of being wrong.
pub fn fewest_runs(alpha: f64) -> usize {
    let enough = |runs: &usize| apart_by_chance([*runs; 2]) <= alpha;
    (1..).find(enough).unwrap_or(usize::MAX)
}

/// Values of the runs of a side, to take the median of those that are drawn.
pub struct Sample {
    /// Ascending, with the place of the run.
    values: Vec<(f64, usize)>,
}

impl Sample {
    /// Of the values of all runs, in their order.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter().zip(0..);
        let mut values: Vec<_> = values.collect();
        values.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self { values }
    }

    /// The median of all.
    pub fn median_of_all(&self) -> Option<f64> {
        let values: Vec<_> = self.values.iter().map(|(value, _)| *value).collect();
        median(&values)
    }

    /// The median of those that are drawn.
    pub fn median(&self, drawn: &[u32]) -> Option<f64> {
        let all = drawn
            .iter()
            .fold(0_u32, |all, times| all.saturating_add(*times));
        // Two ranks where their number is even.
        let (lower, upper) = (all.div_ceil(2), (all / 2).saturating_add(1));
        let (mut seen, mut below) = (0_u32, None);
        for (value, run) in &self.values {
            seen = seen.saturating_add(drawn.get(*run).copied().unwrap_or(0));
            if seen >= lower && below.is_none() {
                below = Some(*value);
            }
            if seen >= upper {
                return Some(f64::midpoint(below?, *value));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_what_is_drawn() {
        let sample = Sample::of([3.0, 1.0, 2.0, 10.0]);
        assert_eq!(sample.median(&[1, 1, 1, 1]), Some(2.5));
        assert_eq!(sample.median(&[1, 1, 1, 0]), Some(2.0));
        assert_eq!(sample.median(&[0, 0, 1, 3]), Some(10.0));
        assert_eq!(sample.median(&[0, 4, 0, 0]), Some(1.0));
        assert_eq!(sample.median(&[0; 4]), None);
    }

    #[test]
    fn so_many_runs_are_needed_as_their_orders_tell() {
        // 2 of 252 orders of five and five; 2 of 70 of four and four.
        assert_eq!(fewest_runs(0.01), 5);
        assert_eq!(fewest_runs(0.05), 4);
        assert!(!Resamples::of([1, 1]).are_enough(0.05));
        assert!(!Resamples::of([3, 3]).are_enough(0.05));
        assert!(Resamples::of([1, 39]).are_enough(0.05));
        assert!(Resamples::of([4, 4]).are_enough(0.05));
        for (runs, are_enough) in [([1, 39], false), ([3, 39], false), ([4, 4], true)] {
            let resamples = Resamples::of(runs);
            assert_eq!(resamples.are_enough_for_intervals(0.05), are_enough);
        }
    }

    #[test]
    fn an_interval_has_the_difference_and_is_narrower_where_runs_are_alike() {
        let resamples = Resamples::of([10, 10]);
        let width = |spread: f64| {
            let runs = |base: f64| (0..10).map(move |run| base + spread * f64::from(run));
            let [before, after] = [100.0, 150.0].map(|base| Sample::of(runs(base)));
            let figures: [Figure<'_>; 2] =
                [&|drawn| before.median(drawn), &|drawn| after.median(drawn)];
            let draws = resamples.draws(figures, 0.05).expect("it is known");
            let difference = draws.difference().expect("there are draws");
            assert!(difference.low <= 50.0 && difference.high >= 50.0);
            assert!(draws.change().expect("none is 0").low > 0.2);
            difference.high - difference.low
        };
        assert!(width(0.0) == 0.0);
        assert!(width(0.1) < width(1.0));
    }
}
