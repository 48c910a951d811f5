//! When a rate is steady: by slope and deviation, as option `ss` of fio(1).

/// What was done in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Operations that completed.
    pub operations: u64,
    /// Nanoseconds.
    pub ns: u64,
}

impl Interval {
    /// Operations in a second.
    pub fn rate(self) -> f64 {
        self.operations as f64 * 1e9 / self.ns.max(1) as f64
    }
}

/// A rate, and how far its parts are from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Operations in a second.
    pub per_second: f64,
    /// The largest difference of two parts, as a part of the rate.
    pub spread: f64,
    /// What the later half does, as a part of what the earlier half did.
    pub late_to_early_ratio: f64,
}

/// The last intervals are compared in this many groups.
const GROUPS: usize = 6;
/// How far a group may be from the mean, as a part of it.
const DEVIATION: f64 = 0.1;
/// How far the fitted line may rise or fall over all groups, as a part of the mean.
const DRIFT: f64 = 0.05;

/// The rate of the last intervals, where it is steady.
///
/// A device that is limited in slices of time, or a slow one, is steady only over longer groups: groups of 1, 2, 4, ...
/// intervals are tried.
pub fn steady(intervals: &[Interval]) -> Option<Rate> {
    let mut size = 1;
    while size * GROUPS <= intervals.len() {
        let last = &intervals[intervals.len() - size * GROUPS..];
        let rates: Vec<f64> = last.chunks(size).map(|group| sum(group).rate()).collect();
        if is_steady(&rates) {
            return Some(rate(last, &rates));
        }
        size *= 2;
    }
    None
}

/// The rate of all intervals, steady or not; none of no operations.
pub fn overall(intervals: &[Interval]) -> Option<Rate> {
    if sum(intervals).operations == 0 {
        return None;
    }
    let size = intervals.len().div_ceil(GROUPS);
    let rates: Vec<f64> = intervals
        .chunks(size)
        .map(|group| sum(group).rate())
        .collect();
    Some(rate(intervals, &rates))
}

fn is_steady(rates: &[f64]) -> bool {
    let mean = mean(rates);
    let deviates = |rate: &f64| (rate - mean).abs() > DEVIATION * mean;
    mean > 0.0 && !rates.iter().any(deviates) && drift(rates).abs() <= DRIFT * mean
}

/// By how much the line through the rates, by least squares, rises from the first to the last.
fn drift(rates: &[f64]) -> f64 {
    let centre = (rates.len() as f64 - 1.0) / 2.0;
    let mean = mean(rates);
    let (mut products, mut squares) = (0.0, 0.0);
    for (at, rate) in rates.iter().enumerate() {
        let from_centre = at as f64 - centre;
        products += from_centre * (rate - mean);
        squares += from_centre * from_centre;
    }
    products / squares * (rates.len() as f64 - 1.0)
}

fn rate(intervals: &[Interval], rates: &[f64]) -> Rate {
    let per_second = sum(intervals).rate();
    let (least, most) = rates
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(least, most), rate| {
            (least.min(*rate), most.max(*rate))
        });
    let (early, late) = intervals.split_at(intervals.len() / 2);
    Rate {
        per_second,
        spread: (most - least).max(0.0) / per_second,
        late_to_early_ratio: match sum(early).operations {
            0 => 1.0,
            _ => sum(late).rate() / sum(early).rate(),
        },
    }
}

fn mean(rates: &[f64]) -> f64 {
    rates.iter().fold(0.0, |sum, rate| sum + rate) / rates.len().max(1) as f64
}

fn sum(intervals: &[Interval]) -> Interval {
    intervals
        .iter()
        .fold(Interval::default(), |sum, one| Interval {
            operations: sum.operations + one.operations,
            ns: sum.ns + one.ns,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn intervals(operations: impl IntoIterator<Item = u64>) -> Vec<Interval> {
        let of = |operations| Interval {
            operations,
            ns: 25 * MS,
        };
        operations.into_iter().map(of).collect()
    }

    #[test]
    fn six_equal_intervals_are_steady_and_five_are_not() {
        assert_eq!(steady(&intervals([100; 5])), None);
        let rate = steady(&intervals([100; 6])).expect("it is");
        assert!((rate.per_second - 4000.0).abs() < 1e-6, "{rate:?}");
        assert!(rate.spread.abs() < 1e-9, "{rate:?}");
    }

    #[test]
    fn what_falls_or_jumps_is_not_steady_and_its_later_part_is() {
        let falls = intervals((0..6).map(|at| 100 - at * 2));
        assert_eq!(steady(&falls), None);
        let jumps = intervals([100, 100, 60, 100, 100, 100]);
        assert_eq!(steady(&jumps), None);
        // Burst credits that are used up: the sustained rate counts.
        let burst = intervals([400; 5].into_iter().chain([100; 6]));
        let rate = steady(&burst).expect("it is");
        assert!((rate.per_second - 4000.0).abs() < 1e-6, "{rate:?}");
    }

    #[test]
    fn what_comes_in_slices_is_steady_over_longer_groups() {
        let slices = intervals((0..24).map(|at| if at % 4 == 0 { 40 } else { 0 }));
        let rate = steady(&slices).expect("it is");
        assert!((rate.per_second - 400.0).abs() < 1e-6, "{rate:?}");
        assert_eq!(steady(&slices[..12]), None);
    }

    #[test]
    fn of_no_operation_nothing_is_steady() {
        assert_eq!(steady(&intervals([0; 12])), None);
        assert_eq!(overall(&intervals([0; 12])), None);
        assert_eq!(overall(&[]), None);
    }

    #[test]
    fn the_rate_of_all_tells_late_against_early() {
        let rate = overall(&intervals([100, 100, 50, 50])).expect("there is one");
        assert!((rate.late_to_early_ratio - 0.5).abs() < 1e-9, "{rate:?}");
        assert!((rate.per_second - 3000.0).abs() < 1e-6, "{rate:?}");
    }
}
