//! What settings gain over the default, by rounds in which each was run once.

use super::outcome::Run;
use crate::{
    analysis::median::median,
    model::tune::{Bounds, Gain, Target, Verdict},
};

/// So seldom is a gain told where there is none.
const ERROR: f64 = 0.05;

/// The gain of settings that were run in the same rounds as the default, and so under the same conditions; `chosen_of` is
/// how many settings they were chosen from by these rounds, themselves included.
///
/// The interval is that of the median of the rounds' gains, by their order (David, Nagaraja, Order Statistics, 2003, 7.1):
/// it supposes nothing of how they are distributed. Each of the settings has its part of the error, so that
/// the best of them by chance is no gain.
pub fn gain(target: Target, rounds: &[(Run, Run)], chosen_of: usize) -> Gain {
    let gains = rounds
        .iter()
        .filter_map(|(default, run)| of_round(target, default, run));
    let mut gains: Vec<f64> = gains.filter(|gain| gain.is_finite()).collect();
    gains.sort_by(f64::total_cmp);
    let interval = interval(&gains, part_of_error(chosen_of));
    let verdict = match interval {
        None => Verdict::TooFewRounds,
        Some(Bounds { low, .. }) if low > 0.0 => Verdict::Better,
        Some(_) => Verdict::NoBetter,
    };
    Gain {
        change: median(&gains),
        interval,
        verdict,
    }
}

/// How many rounds an interval needs.
pub fn fewest_rounds(chosen_of: usize) -> usize {
    let most = part_of_error(chosen_of);
    (1..)
        .find(|rounds| depth(*rounds, most) > 0)
        .unwrap_or(usize::MAX)
}

fn part_of_error(chosen_of: usize) -> f64 {
    ERROR / chosen_of.max(1) as f64
}

fn of_round(target: Target, default: &Run, run: &Run) -> Option<f64> {
    match target {
        Target::Throughput | Target::P99 { .. } => Some(run.rate()? / default.rate()? - 1.0),
        Target::Cpu => Some(1.0 - run.cpu_for_a_byte()? / default.cpu_for_a_byte()?),
    }
}

/// The interval of the median of ascending values.
fn interval(values: &[f64], error: f64) -> Option<Bounds> {
    let beyond = depth(values.len(), error).checked_sub(1)?;
    let low = *values.get(beyond)?;
    let high = *values.iter().rev().nth(beyond)?;
    Some(Bounds { low, high })
}

/// The bounds are the values so deep from both ends; 0 where there are too few values. The median is below the k-th of n
/// where fewer than k are below the median, each of which is by a chance of one half.
fn depth(values: usize, error: f64) -> usize {
    let half = error / 2.0;
    // The chance that exactly so many are below, and that at most so many are.
    let (mut exactly, mut at_most) = (0.5_f64.powf(values as f64), 0.0);
    let mut depth = 0_usize;
    if exactly < f64::MIN_POSITIVE {
        return 0;
    }
    while depth < values {
        at_most += exactly;
        if at_most > half {
            break;
        }
        exactly *= values.saturating_sub(depth) as f64 / depth.saturating_add(1) as f64;
        depth = depth.saturating_add(1);
    }
    depth
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::{
        Xoshiro256PlusPlus,
        rand_core::{Rng as _, SeedableRng as _},
    };

    use super::*;

    fn run(bytes_per_second: f64, cpu_ns_per_byte: f64) -> Run {
        let bytes = 1_000_000_u64;
        Run {
            bytes,
            elapsed_ns: (bytes as f64 * 1e9 / bytes_per_second) as u64,
            cpu_ns: (bytes as f64 * cpu_ns_per_byte) as u64,
            ..Run::default()
        }
    }

    #[test]
    fn the_depth_of_bounds_is_that_of_the_binomial_distribution() {
        // 2/2^6 is 3 %, 2/2^5 is 6 %.
        assert_eq!([5, 6, 8, 9].map(|n| depth(n, 0.05)), [0, 1, 1, 2]);
        assert_eq!(depth(100, 0.05), 40);
        assert_eq!([1, 3].map(fewest_rounds), [6, 7]);
        // So many that the chance of none is no number any more.
        assert_eq!(depth(5000, 0.05), 0);
    }

    #[test]
    fn a_gain_has_its_interval_and_too_few_rounds_have_none() {
        let rounds: Vec<_> = (0..8)
            .map(|n| (run(100.0, 2.0), run(120.0 + f64::from(n), 1.0)))
            .collect();
        let found = gain(Target::Throughput, &rounds, 1);
        let Bounds { low, high } = found.interval.expect("there are enough");
        assert!((low - 0.20).abs() < 1e-3 && (high - 0.27).abs() < 1e-3);
        assert_eq!(found.verdict, Verdict::Better);
        let saved = gain(Target::Cpu, &rounds, 1);
        assert!((saved.change.expect("it is known") - 0.5).abs() < 1e-3);
        let few = gain(Target::Throughput, &rounds[..5], 1);
        assert_eq!((few.interval, few.verdict), (None, Verdict::TooFewRounds));
        assert!(few.change.is_some());
        assert_eq!(gain(Target::Throughput, &[], 1), Gain::default());
    }

    #[test]
    fn a_worse_one_and_an_absurd_one_are_no_gain() {
        let worse = vec![(run(100.0, 1.0), run(90.0, 1.0)); 10];
        let found = gain(Target::Throughput, &worse, 1);
        assert_eq!(found.verdict, Verdict::NoBetter);
        assert!(found.change < Some(0.0));
        let absurd = vec![(Run::default(), run(90.0, 1.0)); 10];
        assert_eq!(gain(Target::Throughput, &absurd, 1), Gain::default());
    }

    #[test]
    fn noise_is_no_gain_although_the_best_of_three_is_taken() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        // Up to twice as fast at times, the same of all.
        let mut noisy = || run(100.0 + (random.next_u64() % 100) as f64, 1.0);
        let mut told = 0;
        for _ in 0..400 {
            let rounds: Vec<_> = (0..10)
                .map(|_| (noisy(), [noisy(), noisy(), noisy()]))
                .collect();
            let gains = (0..3).map(|one| {
                let of: Vec<_> = rounds
                    .iter()
                    .map(|(default, runs)| (default.clone(), runs[one].clone()))
                    .collect();
                gain(Target::Throughput, &of, 3)
            });
            let best = gains.max_by(|a, b| a.change.partial_cmp(&b.change).expect("numbers"));
            let best = best.expect("there are three");
            told += u32::from(best.verdict == Verdict::Better);
        }
        // One side of 5 %; the rest is room for chance.
        assert!(told <= 16, "{told} of 400");
    }
}
