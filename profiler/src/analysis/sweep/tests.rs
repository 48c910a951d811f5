//! What is said of runs whose figures are known.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "the numbers are those of the tests"
)]

use super::*;
use crate::{
    analysis::compare::Certainty,
    model::{
        histogram::{Bucket, Histogram, Unit},
        report::Report,
    },
    transfer::Direction,
};

fn parameters(texts: &[&str]) -> Vec<Parameter> {
    let parse = |text: &&str| Parameter::parse(text).expect("it is a parameter");
    texts.iter().map(parse).collect()
}

/// So many values of one latency.
fn latency(ns: u64, count: u64) -> Histogram {
    let mut histogram = Histogram::empty(Unit::Ns);
    histogram.buckets = vec![Bucket {
        ge: ns,
        le: ns,
        count,
    }];
    (histogram.count, histogram.min, histogram.max) = (count, ns, ns);
    histogram.sum = ns * count;
    histogram
}

/// A run that took so long for these bytes, half of it on the device, the rest in calls.
fn run(wall_ns: u64, bytes: u64, latency_ns: u64) -> Run {
    let half = float(wall_ns) / 2.0;
    Run {
        round: 1,
        number: 1,
        wall_ns,
        bytes: Some(bytes),
        calls: 10,
        operations: 100,
        cpu_ns: Some(bytes * 2),
        device_bytes: Some(bytes * 3),
        cache_state: Some(CacheState::AllCached),
        in_doubt: false,
        parts: Some([("device".into(), half), ("calls".into(), half)].into()),
        latencies: vec![(Direction::Read, latency(latency_ns, 100))],
    }
}

/// A setting whose runs vary a little around a time.
fn trial(places: &[usize], wall_ns: u64, latency_ns: u64) -> Trial {
    let runs = (0..5).map(|more| run(wall_ns + more * wall_ns / 1000, 1 << 20, latency_ns));
    Trial {
        places: places.to_vec(),
        runs: runs.collect(),
        ..Trial::default()
    }
}

fn swept(texts: &[&str], trials: Vec<Trial>) -> Sweep {
    sweep(parameters(texts), 5, trials)
}

/// A sweep of one parameter by the wall time and the latency of each setting.
fn of_one(text: &str, figures: &[(u64, u64)]) -> Sweep {
    let trials = (0..).zip(figures);
    let trials = trials.map(|(at, (wall, latency))| trial(&[at], *wall, *latency));
    swept(&[text], trials.collect())
}

#[test]
fn the_knee_is_the_least_setting_near_the_best() {
    let walls = [(4_000, 1), (2_000, 1), (1_040, 1), (1_000, 1), (1_100, 1)];
    let sweep = of_one("bs=1..16", &walls);
    assert_eq!((sweep.best, sweep.knee), (Some(3), Some(2)));
    // By the numbers, wherever they stand.
    let sweep = of_one(
        "bs=16,8,4,2,1",
        &[(1_000, 1), (1_040, 1), (1_020, 1), (2_000, 1), (4_000, 1)],
    );
    assert_eq!((sweep.best, sweep.knee), (Some(0), Some(2)));
    // 5 % less is near, 6 % is not.
    let sweep = of_one("bs=1,2", &[(1_060, 1), (1_000, 1)]);
    assert_eq!(sweep.knee, Some(1));
}

#[test]
fn of_two_parameters_the_first_decides_first() {
    let figures = [(0, 0, 2_000), (0, 1, 1_030), (1, 0, 1_010), (1, 1, 1_000)];
    let trials = figures.map(|(first, second, wall)| trial(&[first, second], wall, 1));
    let sweep = swept(&["bs=4k,8k", "depth=1,2"], trials.into());
    assert_eq!((sweep.best, sweep.knee), (Some(3), Some(1)));
}

#[test]
fn the_front_has_what_no_other_beats_in_both() {
    // The fastest; as fast and longer; slower and shorter; slower and longer; the slowest and the shortest.
    let figures = [
        (1_000, 50),
        (1_000, 60),
        (2_000, 20),
        (2_500, 30),
        (9_000, 10),
    ];
    let sweep = of_one("bs=1..16", &figures);
    let front: Vec<_> = sweep.settings.iter().map(|one| one.is_on_front).collect();
    assert_eq!(front, [true, false, true, false, true]);
}

#[test]
fn without_a_percentile_there_is_no_front() {
    let mut trials = [trial(&[0], 1_000, 5), trial(&[1], 2_000, 5)];
    for run in &mut trials[1].runs {
        run.latencies = vec![(Direction::Read, latency(1, 19))];
    }
    let sweep = swept(&["bs=1,2"], trials.into());
    let [first, second] = &sweep.settings[..] else {
        panic!("there are two");
    };
    assert_eq!((first.p50_ns, first.p99_ns), (Some(5), Some(5)));
    assert_eq!((second.p50_ns, second.p99_ns), (Some(1), None));
    assert!(first.is_on_front && !second.is_on_front);
}

#[test]
fn latencies_are_of_the_operations_that_take_more_time() {
    // Writes that take little, and a copy that counts as both.
    let mut one = trial(&[0], 1_000_000, 10);
    for run in &mut one.runs {
        run.latencies.push((Direction::Written, latency(1, 200)));
        run.latencies.push((Direction::Copied, latency(50, 2)));
    }
    let sweep = swept(&["bs=1"], vec![one.clone()]);
    assert_eq!(sweep.latencies_of, Operations::Reads);
    let setting = &sweep.settings[0];
    assert_eq!((setting.p50_ns, setting.p99_ns), (Some(10), Some(50)));
    for run in &mut one.runs {
        run.latencies.push((Direction::Written, latency(30, 50)));
    }
    let sweep = swept(&["bs=1"], vec![one]);
    assert_eq!(sweep.latencies_of, Operations::Writes);
    assert_eq!(sweep.settings[0].p50_ns, Some(1));
}

#[test]
fn figures_are_medians_and_counts_are_exact() {
    let mut one = trial(&[0], 1_000_000, 7);
    one.runs[2].calls = 12;
    // Of one that knows nothing the others tell.
    one.runs[0].cpu_ns = None;
    let sweep = swept(&["bs=1"], vec![one]);
    let setting = &sweep.settings[0];
    assert_eq!(setting.wall_ns, Some(1_002_000));
    assert_eq!(setting.bytes, Some(Span::same(Amount::Count(1 << 20))));
    let [min, max] = [10, 12].map(Amount::Count);
    assert_eq!(setting.calls, Some(Span { min, max }));
    assert_eq!(setting.cpu_ns_per_byte, Some(2.0));
    assert_eq!(setting.amplification, Some(3.0));
    let rate = setting.bytes_per_second.expect("it is known");
    assert!((rate - 1_048_576e9 / 1_002_000.0).abs() < 1.0, "{rate}");
    assert_eq!((sweep.best, setting.beside_best.as_ref()), (Some(0), None));
}

#[test]
fn what_is_slower_is_told_with_what_grew() {
    let mut trials = [trial(&[0], 1_000_000, 5), trial(&[1], 3_000_000, 5)];
    for run in &mut trials[1].runs {
        let wall = float(run.wall_ns);
        let parts = [("device", 0.8), ("calls", 0.1), ("user", 0.1)];
        run.parts = Some(
            parts
                .map(|(name, part)| (name.to_owned(), part * wall))
                .into(),
        );
    }
    let sweep = swept(&["bs=1,2"], trials.into());
    let beside = sweep.settings[1].beside_best.as_ref().expect("it ran");
    assert_eq!(beside.verdict, Certainty::Differs);
    let change = beside.change.expect("there are enough runs");
    assert!(
        change.low <= -0.666 && change.high >= -0.667 && change.high < -0.6,
        "{change:?}"
    );
    // The medians are those of the third runs.
    assert_eq!(beside.longer_ns, 2_004_000);
    let parts = beside.parts.as_ref().expect("they are known");
    let parts: Vec<_> = parts
        .iter()
        .map(|one| (one.part.as_str(), one.more_ns))
        .collect();
    let expected = [
        ("device", 2_404_800 - 501_000),
        ("user", 300_600),
        ("calls", 300_600 - 501_000),
    ];
    assert_eq!(parts, expected);
    assert_eq!(sweep.runs_needed, None);
}

#[test]
fn time_is_compared_for_as_many_bytes() {
    // As in a run of a fixed time: the second moves half of the bytes.
    let mut trials = [trial(&[0], 1_000_000, 5), trial(&[1], 1_000_000, 5)];
    for run in &mut trials[1].runs {
        run.bytes = Some(1 << 19);
    }
    let sweep = swept(&["bs=1,2"], trials.into());
    let beside = sweep.settings[1].beside_best.as_ref().expect("it ran");
    assert_eq!((sweep.best, beside.longer_ns), (Some(0), 1_002_000));
    let parts = beside.parts.as_ref().expect("they are known");
    assert!(
        parts.iter().all(|part| part.more_ns == 501_000),
        "{parts:?}"
    );
}

#[test]
fn what_may_be_chance_is_not_called_slower() {
    // Runs that are far apart, and of one setting somewhat later.
    let runs = |walls: [u64; 5]| walls.map(|wall| run(wall, 1 << 20, 5)).to_vec();
    let of = |place: usize, walls| Trial {
        places: vec![place],
        runs: runs(walls),
        ..Trial::default()
    };
    let trials = vec![
        of(0, [1_000, 3_000, 2_000, 5_000, 4_000]),
        of(1, [3_100, 1_100, 2_100, 4_100, 5_100]),
    ];
    let sweep = swept(&["bs=1,2"], trials);
    let beside = sweep.settings[1].beside_best.as_ref().expect("it ran");
    assert_eq!(beside.verdict, Certainty::NotSignificant);
}

#[test]
fn of_equals_few_sweeps_call_any_slower() {
    use rand_xoshiro::{
        Xoshiro256PlusPlus,
        rand_core::{Rng as _, SeedableRng as _},
    };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(15);
    let settings = 6;
    let rounds = rounds_that_tell(settings);
    let alarms = (0..100).filter(|_| {
        let mut trial = |place| {
            let walls = (0..rounds).map(|_| {
                let normal = (0..12).fold(-6.0, |sum, _| {
                    sum + float(random.next_u64() >> 11) / float(1 << 53)
                });
                run(whole(1e6 * (normal * 0.2).exp()), 1 << 20, 5)
            });
            Trial {
                places: vec![place],
                runs: walls.collect(),
                ..Trial::default()
            }
        };
        let trials = (0..settings).map(&mut trial).collect();
        let sweep = sweep(parameters(&["n=1,2,3,4,5,6"]), rounds, trials);
        let mut beside = sweep
            .settings
            .iter()
            .filter_map(|one| one.beside_best.as_ref());
        beside.any(|one| one.verdict == Certainty::Differs)
    });
    let alarms = alarms.count();
    println!("{alarms} of 100");
    assert!(alarms <= 5, "{alarms}");
}

#[test]
fn few_runs_tell_nothing_and_how_many_would() {
    let few = |place| Trial {
        runs: trial(&[place], 1_000 * (place as u64 + 1), 5)
            .runs
            .split_off(2),
        places: vec![place],
        ..Trial::default()
    };
    let sweep = sweep(parameters(&["bs=1,2"]), 3, vec![few(0), few(1)]);
    let beside = sweep.settings[1].beside_best.as_ref().expect("it ran");
    assert_eq!(
        (beside.verdict, beside.change),
        (Certainty::TooFewRuns, None)
    );
    assert_eq!(sweep.runs_needed, Some(4));
    assert!(sweep.is_complete);
    let needed = [2, 5, 9, 36, 100].map(rounds_that_tell);
    assert_eq!(needed, [5, 6, 7, 9, 11]);
}

#[test]
fn without_bytes_settings_are_compared_by_their_wall_time() {
    let mut trials = [trial(&[0], 2_000, 5), trial(&[1], 1_000, 5)];
    trials[0].runs[3].bytes = Some(0);
    let sweep = swept(&["bs=1,2"], trials.into());
    assert_eq!(
        (sweep.compared_by, sweep.best),
        (Compared::WallTime, Some(1))
    );
    let beside = sweep.settings[0].beside_best.as_ref().expect("it ran");
    assert_eq!(beside.longer_ns, 1_002);
    assert_eq!(sweep.settings[0].bytes_per_second, None);
}

#[test]
fn what_failed_is_in_no_figure_and_what_is_missing_is_incomplete() {
    let mut failed = trial(&[0], 10, 1);
    failed.failed = Some(Exit::Code(1));
    failed.runs[0].bytes = None;
    let all = vec![failed, trial(&[1], 1_000, 5), trial(&[2], 2_000, 5)];
    let sweep = swept(&["bs=1,2,3"], all.clone());
    assert!(sweep.is_complete);
    assert_eq!((sweep.best, sweep.knee), (Some(1), Some(1)));
    assert_eq!(sweep.compared_by, Compared::BytesPerSecond);
    let one = &sweep.settings[0];
    assert_eq!(
        (one.wall_ns, one.p99_ns, one.is_on_front),
        (None, None, false)
    );
    assert_eq!(one.beside_best, None);
    let mut stopped = all;
    stopped[2].runs.truncate(3);
    stopped[1].runs.clear();
    let sweep = swept(&["bs=1,2,3"], stopped);
    assert!(!sweep.is_complete);
    assert_eq!((sweep.best, sweep.knee), (Some(2), Some(2)));
    let nothing = ["bs=1", "depth=1,2"];
    let trials = (0..2).map(|place| Trial {
        places: vec![0, place],
        ..Trial::default()
    });
    let sweep = swept(&nothing, trials.collect());
    assert_eq!(
        (sweep.best, sweep.knee, sweep.is_complete),
        (None, None, false)
    );
}

#[test]
fn a_cache_that_served_some_runs_only_is_told() {
    let trials = || vec![trial(&[0], 1_000, 5), trial(&[1], 2_000, 5)];
    assert!(!swept(&["bs=1,2"], trials()).is_cache_mixed);
    let mut mixed = trials();
    mixed[1].runs[4].cache_state = Some(CacheState::ReadFromDevices);
    assert!(swept(&["bs=1,2"], mixed).is_cache_mixed);
    let mut unknown = trials();
    unknown[1].runs[4].cache_state = None;
    assert!(!swept(&["bs=1,2"], unknown).is_cache_mixed);
}

#[test]
fn a_run_is_that_of_its_report() {
    let text = include_str!("../../../tests/fixtures/sqlite.json");
    let report: Report = serde_json::from_str(text).expect("the fixture is a report");
    let (ended, run) = Run::of(&report, (2, 7)).expect("it has a workload");
    let workload = &report.workloads[0];
    assert_eq!(
        (ended.exit, &ended.command),
        (workload.exit, &workload.argv)
    );
    assert_eq!(
        (run.round, run.number, run.wall_ns),
        (2, 7, workload.wall_ns)
    );
    let calls = workload.syscalls.iter().map(|call| call.calls);
    assert_eq!(run.calls, sum(calls));
    let moves = ["read", "pread64", "write", "pwrite64"];
    let moving = workload.syscalls.iter();
    let moving = moving.filter(|call| moves.contains(&call.name.as_str()));
    assert_eq!(run.operations, sum(moving.map(|call| call.latency.count)));
    let rows = &workload.files.as_ref().expect("they are known").by_kind;
    let rows = rows
        .iter()
        .filter(|row| row.kind == crate::model::file::FileKind::File);
    assert_eq!(
        run.bytes,
        Some(sum(rows.map(|row| row.read_bytes + row.written_bytes)))
    );
    let parts = run.parts.expect("they are known");
    let wall = parts.values().fold(0.0, |sum, part| sum + part);
    assert!((wall - float(run.wall_ns)).abs() < 10.0, "{wall}");
}
