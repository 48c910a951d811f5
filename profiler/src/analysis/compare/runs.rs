//! Several runs on each side: what is found, and how seldom what is not there.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "the numbers are those of the fixture, and a test may end so"
)]

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::*;
use crate::model::histogram::{Bucket, Histogram};

/// Runs of a program whose times, and some of whose counts, vary by chance.
struct Program {
    sample: Report,
    random: Xoshiro256PlusPlus,
}

impl Program {
    fn new(seed: u64) -> Self {
        let text = include_str!("../../../tests/fixtures/sqlite.json");
        let mut sample: Report = serde_json::from_str(text).expect("the fixture is a report");
        // Enough calls for a 99th percentile, and no more of them than the test has time for.
        sample.workloads[0].syscalls.truncate(4);
        Self {
            sample,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        times::float(self.random.next_u64() >> 11) / times::float(1 << 53)
    }

    /// Around 1, with a tail to larger values, as times have.
    fn noise(&mut self, spread: f64) -> f64 {
        let normal = (0..12).fold(-6.0, |sum, _| sum + self.uniform());
        let late = if self.uniform() < 0.1 { 3.0 } else { 1.0 };
        (normal * spread * late).exp()
    }

    fn vary(&mut self, ns: u64, spread: f64) -> u64 {
        (times::float(ns) * self.noise(spread)) as u64
    }

    /// A run whose latencies are so many times as long above the median, and whose wall time so much longer.
    fn run(&mut self, tail: f64, wall: f64) -> Report {
        let mut report = self.sample.clone();
        let workload = &mut report.workloads[0];
        let longer = self.noise(0.05) * wall;
        workload.span_ns = Some((times::float(workload.wall_ns) * longer) as u64);
        let time = workload.time.as_mut().expect("it is known");
        let off = &mut time.off_cpu;
        for part in [
            &mut off.service_ns,
            &mut off.queue_ns,
            &mut off.runnable_ns,
            &mut off.sleep_ns,
        ] {
            *part = self.vary(*part, 0.2);
        }
        for call in &mut workload.syscalls {
            call.calls += self.random.next_u64() % 3;
            call.latency = self.latencies(tail);
        }
        report
    }

    /// 300 of a log-normal distribution, in the buckets of the report's histograms.
    fn latencies(&mut self, tail: f64) -> Histogram {
        let of_run = self.noise(0.02);
        let mut counts = BTreeMap::<u64, u64>::new();
        for _ in 0..300 {
            let normal = (0..12).fold(-6.0, |sum, _| sum + self.uniform());
            let stretched = if normal > 0.0 { tail } else { 1.0 };
            let value = (100_000.0 * of_run * (normal * 0.5).exp() * stretched) as u64;
            let width = (value.ilog2() - 5).min(40);
            *counts.entry(value >> width << width).or_default() += 1;
        }
        let buckets = counts.into_iter().map(|(ge, count)| {
            let le = ge + (1 << (ge.ilog2() - 5)) - 1;
            Bucket { ge, le, count }
        });
        let mut histogram = Histogram::empty(crate::model::histogram::Unit::Ns);
        histogram.buckets = buckets.collect();
        histogram.count = 300;
        histogram.max = u64::MAX;
        histogram
    }

    fn side(&mut self, runs: usize, tail: f64, wall: f64) -> Vec<Report> {
        (0..runs).map(|_| self.run(tail, wall)).collect()
    }
}

fn certain(comparison: &Comparison) -> Vec<&str> {
    let timings = comparison.timings();
    let timings = timings.filter(|one| one.verdict == Certainty::Differs);
    let timings = timings.map(|one| one.metric.as_str());
    let rows = comparison.differing.iter().map(|row| row.metric.as_str());
    timings.chain(rows).collect()
}

#[test]
fn two_samples_of_the_same_program_differ_in_nothing() {
    let mut program = Program::new(15);
    let alarms = (0..100).filter(|round| {
        let [before, after] = [(); 2].map(|()| program.side(10, 1.0, 1.0));
        let comparison = compare(&before, &after).expect("they have as many workloads");
        let walls = comparison
            .timings()
            .filter(|one| one.difference_ns.is_some());
        assert!(walls.count() > 5, "the times are judged");
        let certain = certain(&comparison);
        if !certain.is_empty() {
            println!("{round}: {certain:?}");
        }
        !certain.is_empty()
    });
    let alarms = alarms.count();
    println!("{alarms} false alarms in 100");
    assert!(alarms <= 5, "{alarms}");
}

#[test]
fn a_99th_percentile_that_is_a_fifth_longer_is_found_in_ten_runs() {
    let mut program = Program::new(20);
    let (before, after) = (program.side(10, 1.0, 1.0), program.side(10, 1.2, 1.0));
    let comparison = compare(&before, &after).expect("they have as many workloads");
    let one = &comparison.workloads[0];
    let call = one
        .latencies
        .iter()
        .find(|one| one.metric == "fdatasync.p99");
    let call = call.expect("it has enough calls");
    assert_eq!(call.verdict, Certainty::Differs, "{call:?}");
    let change = call.change.expect("it is known");
    assert!(
        change.low > 0.0 && change.low < 0.2 && change.high > 0.2,
        "{change:?}"
    );
    assert_eq!(
        one.wall.verdict,
        Certainty::NotSignificant,
        "{:?}",
        one.wall
    );
    let gate = |text: &str| {
        let gate = Gate::parse(text).expect("it is a gate");
        let verdict = gate.decide(&comparison, |_| false).expect("it is known");
        (verdict.condition, verdict.passes)
    };
    assert_eq!(gate("fdatasync.p99>+0%:fail"), (Outcome::Fails, false));
    assert_eq!(gate("fdatasync.p99<=+0%"), (Outcome::Fails, false));
    assert_eq!(gate("fdatasync.p99>+100%:fail"), (Outcome::Holds, true));
    assert_eq!(gate("fdatasync.p99>+20%:fail"), (Outcome::Undecided, true));
    assert_eq!(gate("fdatasync.p99<=+20%"), (Outcome::Undecided, false));
    assert_eq!(gate("fdatasync.p99<-50%:fail"), (Outcome::Holds, true));
    assert_eq!(gate("fdatasync.p99>=+100%"), (Outcome::Fails, false));
}

#[test]
fn a_longer_wall_time_is_found_and_its_parts_are_those_of_the_time_split() {
    let mut program = Program::new(30);
    let (before, after) = (program.side(10, 1.0, 1.0), program.side(10, 1.0, 1.3));
    let comparison = compare(&before, &after).expect("they have as many workloads");
    let one = &comparison.workloads[0];
    assert_eq!(one.wall.verdict, Certainty::Differs, "{:?}", one.wall);
    assert_eq!(one.wall.runs_needed, None);
    let differs = |ns: Both<u64>| i128::from(ns.after) - i128::from(ns.before);
    let parts = one.time.iter().fold(0, |sum, part| sum + differs(part.ns));
    let rest = i128::from(one.rest_ns.unwrap_or(0));
    let left = differs(one.wall.ns) - parts - rest;
    assert!(left.unsigned_abs() <= one.time.len() as u128, "{left}");
    assert!(one.time.iter().any(|part| part.metric == "time.device"));
}

#[test]
fn a_few_runs_say_nothing_about_times_and_how_many_would() {
    let mut program = Program::new(40);
    for (runs, verdict) in [
        (1, Certainty::TooFewRuns),
        (3, Certainty::TooFewRuns),
        (5, Certainty::Differs),
    ] {
        let (before, after) = (program.side(runs, 1.0, 1.0), program.side(runs, 1.0, 3.0));
        let comparison = compare(&before, &after).expect("they have as many workloads");
        let wall = &comparison.workloads[0].wall;
        assert_eq!(wall.verdict, verdict, "{runs} runs: {wall:?}");
        let needed = (verdict == Certainty::TooFewRuns).then_some(5);
        assert_eq!(wall.runs_needed, needed, "{runs} runs");
    }
    let (before, after) = (program.side(8, 1.0, 1.0), program.side(8, 1.0, 1.01));
    let comparison = compare(&before, &after).expect("they have as many workloads");
    let wall = &comparison.workloads[0].wall;
    assert_eq!(wall.verdict, Certainty::NotSignificant, "{wall:?}");
    assert!(wall.runs_needed.is_none_or(|runs| runs > 8), "{wall:?}");
}

#[test]
fn two_runs_say_nothing_about_times_whatever_they_are_compared_with() {
    let mut program = Program::new(45);
    for runs in [[2, 20], [20, 2], [4, 30]] {
        let [before, after] = runs.map(|runs| program.side(runs, 1.0, 1.0));
        let comparison = compare(&before, &after).expect("they have as many workloads");
        let wall = &comparison.workloads[0].wall;
        assert_eq!(wall.verdict, Certainty::TooFewRuns, "{runs:?}: {wall:?}");
        assert_eq!(wall.runs_needed, Some(5), "{runs:?}");
    }
}

#[test]
fn counts_that_vary_are_told_by_their_extremes_and_differ_where_chance_is_no_reason() {
    let mut program = Program::new(50);
    let mut side = |calls: [u64; 10]| {
        calls.map(|calls| {
            let mut report = program.run(1.0, 1.0);
            report.workloads[0].syscalls[0].calls = calls;
            report
        })
    };
    let before = side([244, 245, 246, 244, 244, 244, 244, 244, 244, 244]);
    let overlapping = side([246, 246, 247, 248, 246, 246, 246, 246, 246, 246]);
    let apart = side([247, 248, 250, 247, 247, 247, 247, 247, 247, 247]);
    let row = |after: &[Report]| {
        let comparison = compare(&before, after).expect("they have as many workloads");
        let in_list = |list: &[Row]| list.iter().any(|row| row.metric == "fdatasync.calls");
        let found = comparison
            .rows()
            .find(|row| row.metric == "fdatasync.calls");
        let span = found.and_then(|row| row.amount.after).expect("it is known");
        let holds = |gate: &str| {
            let gate = Gate::parse(gate).expect("it is a gate");
            gate.decide(&comparison, |_| false)
                .expect("it is known")
                .condition
        };
        let gates = ["fdatasync.calls<=+0%", "fdatasync.calls<=250"].map(holds);
        (
            in_list(&comparison.differing),
            in_list(&comparison.varying),
            span.max,
            gates,
        )
    };
    use Outcome::{Fails, Holds, Undecided};
    assert_eq!(
        row(&overlapping),
        (false, true, Amount::Count(248), [Undecided, Holds])
    );
    assert_eq!(
        row(&apart),
        (true, false, Amount::Count(250), [Fails, Holds])
    );
    // Two runs of a side may be apart by chance.
    assert!(!row(&apart[..1]).0);
}

/// Two sides of ten runs, the first of which has no such part of the wall time, or the second has none either.
#[test]
fn a_time_that_was_0_before_is_decided_without_a_division() {
    let mut program = Program::new(60);
    let mut side = |throttled_ns: [u64; 10]| {
        throttled_ns.map(|throttled_ns| {
            let mut report = program.run(1.0, 1.0);
            let time = report.workloads[0].time.as_mut().expect("it is known");
            time.off_cpu.throttled_ns = throttled_ns;
            report
        })
    };
    let (never, once, always) = (
        side([0; 10]),
        side([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        side([900_000_000; 10]),
    );
    let decided = |before: &[Report], after: &[Report], gate: &str| {
        let comparison = compare(before, after).expect("they have as many workloads");
        let gate = Gate::parse(gate).expect("it is a gate");
        let verdict = gate.decide(&comparison, |_| false).expect("it is known");
        let time = verdict.time.expect("the parts are known");
        assert_ne!(time.verdict, Certainty::TooFewRuns, "{time:?}");
        (verdict.condition, verdict.passes)
    };
    for before in [&never, &once] {
        let gate = decided(before, &always, "time.dirty_limit>+5%:fail");
        assert_eq!(gate, (Outcome::Fails, false));
        let gate = decided(before, &always, "time.dirty_limit<=+5%");
        assert_eq!(gate, (Outcome::Fails, false));
    }
    let gate = decided(&never, &never, "time.dirty_limit<=+5%");
    assert_eq!(gate, (Outcome::Holds, true));
}

#[test]
fn a_time_that_not_every_run_has_is_told_as_such_and_not_by_too_few_runs() {
    let mut program = Program::new(70);
    let [before, mut after] = [(); 2].map(|()| program.side(10, 1.0, 1.0));
    for report in after.iter_mut().skip(1) {
        let calls = &mut report.workloads[0].syscalls;
        calls.retain(|call| call.name != "fdatasync");
    }
    let comparison = compare(&before, &after).expect("they have as many workloads");
    let mut timings = comparison.timings();
    let timing = timings.find(|one| one.metric == "fdatasync.p99");
    let timing = timing.expect("one run has enough calls");
    assert_eq!(timing.verdict, Certainty::NotInEveryRun, "{timing:?}");
    assert_eq!((timing.runs_needed, timing.difference_ns), (None, None));
    let gate = Gate::parse("fdatasync.p99>+5%:fail").expect("it is a gate");
    let verdict = gate.decide(&comparison, |_| false).expect("it is known");
    assert_eq!(verdict.condition, Outcome::Undecided);
}

#[test]
fn the_99th_percentile_of_any_call_that_a_gate_names_is_compared() {
    let mut program = Program::new(80);
    let [before, after] = [1.0, 2.0].map(|tail| {
        let mut side = program.side(10, tail, 1.0);
        for report in &mut side {
            let workload = &mut report.workloads[0];
            let sample = workload.syscalls[0].clone();
            for number in 0..20 {
                let mut other = sample.clone();
                other.name = format!("call{number}").as_str().into();
                other.time_ns = workload.wall_ns / 100 * (number + 1);
                workload.syscalls.push(other);
            }
        }
        side
    });
    // That with the least time.
    let gates = [Gate::parse("call0.p99>+5%:fail").expect("it is a gate")];
    let comparison = compare_for(&before, &after, &gates).expect("they have as many workloads");
    let is_known = |metric: &str| metric == "call0.p99";
    let verdict = gates[0].decide(&comparison, is_known).expect("it is known");
    assert_eq!(verdict.condition, Outcome::Fails, "{verdict:?}");
    let all = compare(&before, &after).expect("they have as many workloads");
    let verdict = gates[0].decide(&all, is_known).expect("it is known");
    assert_eq!(verdict.time, None);
}
