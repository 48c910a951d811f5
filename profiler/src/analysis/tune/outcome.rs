//! What runs of the same settings came to.

use std::collections::BTreeMap;

use crate::{
    analysis::median::median,
    model::{sum::sum, tune::Outcome},
};

/// How often an operation took at most so many nanoseconds, and longer than the entry before.
pub type Latencies = BTreeMap<u64, u64>;

/// From so many calls on one of them can be longer than the p99.
const MANY: u64 = 100;

/// A run of a workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// What it moved; of one that was cut off and can be compared only when whole, what it would have moved.
    pub bytes: u64,
    /// How long it took.
    pub elapsed_ns: u64,
    /// Its CPU time.
    pub cpu_ns: u64,
    /// Whether it was ended before it was done.
    pub is_cut_off: bool,
    /// How long its operations took, by their names: those that move data or make it durable.
    pub latencies: BTreeMap<String, Latencies>,
}

impl Run {
    /// Bytes in a second.
    pub fn rate(&self) -> Option<f64> {
        (self.elapsed_ns > 0).then(|| self.bytes as f64 * 1e9 / self.elapsed_ns as f64)
    }

    /// CPU time for a byte, in nanoseconds.
    pub fn cpu_for_a_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.cpu_ns as f64 / self.bytes as f64)
    }
}

/// What they came to; none where there are none.
pub fn outcome(runs: &[Run]) -> Option<Outcome> {
    let middle = |of: fn(&Run) -> Option<f64>| {
        let mut values: Vec<f64> = runs.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        median(&values)
    };
    let (p99_of, p99_ns) = longest_p99(runs).unzip();
    Some(Outcome {
        runs: runs.len() as u64,
        cut_off: runs.iter().filter(|run| run.is_cut_off).count() as u64,
        bytes_per_second: middle(Run::rate)?,
        cpu_ns_per_byte: middle(Run::cpu_for_a_byte),
        p99_ns,
        p99_of: p99_of.map(Into::into),
    })
}

fn longest_p99(runs: &[Run]) -> Option<(String, u64)> {
    let mut all: BTreeMap<&str, Latencies> = BTreeMap::new();
    for (name, latencies) in runs.iter().flat_map(|run| &run.latencies) {
        let of = all.entry(name).or_default();
        for (ns, times) in latencies {
            let known = of.entry(*ns).or_default();
            *known = known.saturating_add(*times);
        }
    }
    // Of a few calls, such as the one sync of a copy, it is the longest of them.
    let is_many = |all: &Latencies| sum(all.values().copied()) >= MANY;
    if all.values().any(is_many) {
        all.retain(|_, all| is_many(all));
    }
    let each = all
        .into_iter()
        .filter_map(|(name, all)| Some((name.to_owned(), p99(&all)?)));
    each.max_by_key(|(_, ns)| *ns)
}

/// The least time that 99 of 100 do not exceed.
fn p99(latencies: &Latencies) -> Option<u64> {
    let all = sum(latencies.values().copied());
    let needed = all.saturating_sub(all / 100);
    let mut seen = 0_u64;
    let reached = latencies.iter().find(|(_, times)| {
        seen = seen.saturating_add(**times);
        seen >= needed
    });
    reached.map(|(ns, _)| *ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies: &[(u64, u64)]) -> Run {
        let latencies = latencies.iter().copied().collect();
        Run {
            bytes: 1000,
            elapsed_ns: 1_000_000_000,
            cpu_ns: 500,
            latencies: [("read".to_owned(), latencies)].into(),
            ..Run::default()
        }
    }

    #[test]
    fn the_p99_is_that_of_all_runs_together_and_of_the_slowest_operation() {
        let mut other = of(&[(10, 99)]);
        let sync = [(700, 100)].into_iter().collect();
        other.latencies.insert("fsync".into(), sync);
        let found = outcome(&[of(&[(10, 100), (90, 1)]), other.clone()]).expect("two runs");
        assert_eq!((found.p99_ns, found.runs), (Some(700), 2));
        assert_eq!(found.p99_of.expect("it is known"), "fsync");
        // The one sync of a copy.
        let sync = [(700, 1)].into_iter().collect();
        other.latencies.insert("fsync".into(), sync);
        let found = outcome(&[of(&[(10, 100), (90, 1)]), other]).expect("two runs");
        assert_eq!(found.p99_ns, Some(10));
        let one_of_99 = outcome(&[of(&[(10, 98), (90, 1)])]).expect("a run");
        assert_eq!(one_of_99.p99_ns, Some(90));
    }

    #[test]
    fn rates_are_medians() {
        let slow = Run {
            elapsed_ns: 100_000_000_000,
            is_cut_off: true,
            ..of(&[])
        };
        let found = outcome(&[of(&[]), slow, of(&[])]).expect("three runs");
        assert!((found.bytes_per_second - 1000.0).abs() < 1e-9);
        assert!((found.cpu_ns_per_byte.expect("bytes") - 0.5).abs() < 1e-9);
        assert_eq!((found.cut_off, found.p99_ns), (1, None));
        assert_eq!(outcome(&[]), None);
        assert_eq!(outcome(&[Run::default()]), None);
    }
}
