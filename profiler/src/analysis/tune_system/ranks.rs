//! By how much the times of two samples differ, and what chance leaves of that: the shift of Hodges and Lehmann with the
//! interval that the ranks give (Hollander, Wolfe, Nonparametric Statistical Methods, 1999, chapter 4).
//!
//! The interval is exact for any number of runs and any distribution: it is wrong no more often than is asked for. A
//! bootstrap is so only with many runs, and here an interval may be wrong one time in hundreds.

use crate::analysis::{compare::Interval, median::median};

/// The times after a change as parts of those before, of all pairs, ascending.
pub struct Ranks {
    ratios: Vec<f64>,
    runs: [usize; 2],
}

impl Ranks {
    /// Of wall times.
    pub fn of(before: &[u64], after: &[u64]) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "nanoseconds of 104 days are exact"
        )]
        let pair = |before: &u64, after: &u64| *after as f64 / (*before).max(1) as f64;
        let ratios = before
            .iter()
            .flat_map(|before| after.iter().map(move |after| pair(before, after)));
        let mut ratios: Vec<_> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        Self {
            ratios,
            runs: [before.len(), after.len()],
        }
    }

    /// The change as a part of the time before; none without pairs.
    pub fn change(&self) -> Option<f64> {
        Some(median(&self.ratios)? - 1.0)
    }

    /// Its interval, wrong with at most this probability; none where there are too few runs.
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let beyond = pairs_beyond(self.runs, alpha)?;
        let low = self.ratios.get(beyond)?;
        let high = self.ratios.iter().rev().nth(beyond)?;
        Some(Interval {
            low: low - 1.0,
            high: high - 1.0,
        })
    }
}

/// How many pairs at each end are beyond the interval; none where it would have all pairs and still be wrong too often.
fn pairs_beyond(runs: [usize; 2], alpha: f64) -> Option<usize> {
    let mut tail = 0.0;
    let mut beyond = None;
    for (pairs, probability) in (0..).zip(distribution(runs)) {
        tail += probability;
        if 2.0 * tail > alpha {
            break;
        }
        beyond = Some(pairs);
    }
    beyond
}

/// How probable it is, where nothing differs, that so many pairs have their second time below the first: 0, 1, 2 and so on
/// (Mann, Whitney, On a test of whether one of two random variables is stochastically larger, 1947).
fn distribution([first, second]: [usize; 2]) -> Vec<f64> {
    let most = first.saturating_mul(second);
    // Of one run of the first sample after the other: `row[m][u]` for m of the second.
    let none = || {
        let mut none = vec![0.0; most.saturating_add(1)];
        none[0] = 1.0;
        none
    };
    let mut row: Vec<Vec<f64>> = (0..=second).map(|_| none()).collect();
    for of_first in 1..=first {
        let mut next = vec![none()];
        for of_second in 1..=second {
            #[expect(clippy::cast_precision_loss, reason = "they are a hundred at most")]
            let (m, n) = (of_first as f64, of_second as f64);
            // The largest of all is of the first sample, and above all of the second; or it is of the second.
            let above = row.get(of_second).map_or(&[][..], Vec::as_slice);
            let beside = next.last().map_or(&[][..], Vec::as_slice);
            let shifted = std::iter::repeat_n(&0.0, of_second).chain(above);
            let both = shifted.zip(beside);
            next.push(
                both.map(|(above, beside)| (m * above + n * beside) / (m + n))
                    .collect(),
            );
        }
        row = next;
    }
    row.pop().unwrap_or_default()
}

/// The middle of some times; 0 of none.
pub fn median_ns(of: &[u64]) -> u64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0;
    };
    let at = |at: usize| sorted.get(at).copied().unwrap_or(0);
    u64::midpoint(at(last / 2), at(last.div_ceil(2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::compare::resample::fewest_runs;

    #[test]
    fn pairs_are_beyond_as_in_tables_of_mann_and_whitney() {
        // Critical values of U, two-sided: 4 of (8, 8) at 1 % is 7, at 5 % is 13; of (5, 5) 2, of (10, 10) 23.
        for (runs, alpha, expected) in [
            ([5, 5], 0.05, Some(2)),
            ([8, 8], 0.05, Some(13)),
            ([8, 8], 0.01, Some(7)),
            ([10, 10], 0.05, Some(23)),
            ([5, 8], 0.05, Some(6)),
            ([8, 5], 0.05, Some(6)),
            ([4, 4], 0.05, Some(0)),
            ([3, 3], 0.05, None),
            ([0, 5], 0.05, None),
        ] {
            assert_eq!(pairs_beyond(runs, alpha), expected, "{runs:?} {alpha}");
        }
        let all = distribution([7, 9])
            .into_iter()
            .fold(0.0, |all, one| all + one);
        assert!((all - 1.0).abs() < 1e-9, "{all}");
    }

    #[test]
    fn as_many_runs_are_needed_as_have_an_interval() {
        for alpha in [0.05, 0.01, 0.05 / 13.0] {
            let fewest = fewest_runs(alpha);
            assert_eq!(pairs_beyond([fewest; 2], alpha), Some(0), "{alpha}");
            assert_eq!(pairs_beyond([fewest - 1; 2], alpha), None, "{alpha}");
        }
        assert_eq!(fewest_runs(0.05 / 13.0), 6);
    }

    #[test]
    fn the_change_is_the_median_of_pairs_and_within_its_interval() {
        let before: Vec<u64> = (0..10).map(|run| 1000 + run).collect();
        let after: Vec<u64> = before.iter().map(|ns| ns * 9 / 10).collect();
        let ranks = Ranks::of(&before, &after);
        let change = ranks.change().expect("there are pairs");
        assert!((change + 0.1).abs() < 0.01, "{change}");
        let interval = ranks.interval(0.05).expect("there are enough");
        assert!(interval.low <= change && change <= interval.high && interval.high < 0.0);
        let same = Ranks::of(&before, &before).interval(0.05);
        let same = same.expect("there are enough");
        assert!(same.low < 0.0 && same.high > 0.0, "{same:?}");
        assert_eq!(Ranks::of(&[], &before).change(), None);
        assert_eq!(median_ns(&[3, 1, 2]), 2);
        assert_eq!(median_ns(&[1, 4]), 2);
        assert_eq!(median_ns(&[]), 0);
    }
}
