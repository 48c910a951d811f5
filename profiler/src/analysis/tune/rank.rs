//! Which settings are better than others, for a target.

use std::cmp::Ordering;

use crate::model::tune::{Outcome, Target};

/// For the least CPU time no more throughput is given away than the rest.
const THROUGHPUT_KEPT: f64 = 0.95;

/// Places of outcomes, the best first.
pub fn ranked(target: Target, outcomes: &[Outcome]) -> Vec<usize> {
    let most = outcomes.iter().map(|one| one.bytes_per_second);
    let most = most.fold(0.0, f64::max);
    let mut places: Vec<usize> = (0..outcomes.len()).collect();
    places.sort_by(
        |one, other| match (outcomes.get(*one), outcomes.get(*other)) {
            (Some(one), Some(other)) => better(target, most, one, other),
            _ => Ordering::Equal,
        },
    );
    places
}

/// Whether they keep the p99 that is asked for; none where none is.
pub fn meets(target: Target, outcome: &Outcome) -> Option<bool> {
    match target {
        Target::P99 { limit_ns } => Some(outcome.p99_ns.is_some_and(|ns| ns <= limit_ns)),
        Target::Throughput | Target::Cpu => None,
    }
}

/// `Less` where `one` is the better.
fn better(target: Target, most: f64, one: &Outcome, other: &Outcome) -> Ordering {
    let faster = || other.bytes_per_second.total_cmp(&one.bytes_per_second);
    match target {
        Target::Throughput => faster(),
        Target::Cpu => {
            let fast = |of: &Outcome| of.bytes_per_second >= most * THROUGHPUT_KEPT;
            let cpu = |of: &Outcome| of.cpu_ns_per_byte.unwrap_or(f64::INFINITY);
            match (fast(one), fast(other)) {
                (true, true) => cpu(one).total_cmp(&cpu(other)),
                (false, false) => faster(),
                (is_fast, _) => first(is_fast),
            }
        }
        Target::P99 { .. } => {
            let is_kept = |of: &Outcome| meets(target, of) == Some(true);
            let p99 = |of: &Outcome| of.p99_ns.unwrap_or(u64::MAX);
            match (is_kept(one), is_kept(other)) {
                (true, true) => faster(),
                (false, false) => p99(one).cmp(&p99(other)),
                (is_kept, _) => first(is_kept),
            }
        }
    }
}

const fn first(is_one: bool) -> Ordering {
    if is_one {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes_per_second: f64, cpu: f64, p99_ns: Option<u64>) -> Outcome {
        Outcome {
            runs: 1,
            cut_off: 0,
            bytes_per_second,
            cpu_ns_per_byte: Some(cpu),
            p99_ns,
            p99_of: None,
        }
    }

    #[test]
    fn each_target_has_its_order() {
        let all = [
            outcome(100.0, 5.0, Some(9)),
            outcome(96.0, 2.0, Some(4)),
            outcome(90.0, 1.0, Some(5)),
            outcome(10.0, 0.5, None),
        ];
        assert_eq!(ranked(Target::Throughput, &all), [0, 1, 2, 3]);
        // The third and the fourth use the least CPU time, and are too slow.
        assert_eq!(ranked(Target::Cpu, &all), [1, 0, 2, 3]);
        assert_eq!(ranked(Target::P99 { limit_ns: 5 }, &all), [1, 2, 0, 3]);
        // None is so fast: the closest.
        assert_eq!(ranked(Target::P99 { limit_ns: 1 }, &all), [1, 2, 0, 3]);
        assert_eq!(meets(Target::P99 { limit_ns: 4 }, &all[1]), Some(true));
        assert_eq!(meets(Target::P99 { limit_ns: 4 }, &all[3]), Some(false));
        assert_eq!(meets(Target::Cpu, &all[0]), None);
    }
}
