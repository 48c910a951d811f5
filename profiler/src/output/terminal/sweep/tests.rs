//! The text of sweeps whose figures are known.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "the numbers are those of the tests"
)]

use super::*;
use crate::{
    analysis::sweep::{Trial, settings, sweep},
    model::{
        histogram::{Bucket, Histogram, Unit},
        report::{Host, Report},
    },
    output::{json::SWEEP, terminal::line::WIDTH, text::width},
    transfer::Direction,
};

/// A run that took so long, most of it on the device, with operations of so long.
fn run(number: u64, wall_ns: u64, latency_ns: u64) -> Run {
    let mut latency = Histogram::empty(Unit::Ns);
    latency.buckets = vec![Bucket {
        ge: latency_ns,
        le: latency_ns,
        count: 1000,
    }];
    (latency.count, latency.min, latency.max) = (1000, latency_ns, latency_ns);
    let parts = [("device", 0.75), ("calls", 0.25)];
    Run {
        round: 1,
        number,
        wall_ns,
        bytes: Some(256 << 20),
        calls: 123_456,
        operations: 1000,
        cpu_ns: Some(1 << 27),
        device_bytes: Some(512 << 20),
        cache_state: None,
        in_doubt: false,
        parts: Some(
            parts
                .map(|(name, part)| (name.to_owned(), part * wall_ns as f64))
                .into(),
        ),
        latencies: vec![(Direction::Read, latency)],
    }
}

/// A sweep of these parameters, whose settings are slower and slower, with shorter and shorter operations.
fn slower(texts: &[&str], rounds: u64) -> Sweep {
    let parse = |text: &&str| Parameter::parse(text).expect("it is a parameter");
    let parameters: Vec<_> = texts.iter().map(parse).collect();
    let trials = settings(&parameters).expect("they are a few").into_iter();
    let trials = (1..).zip(trials).map(|(at, places)| {
        let runs = (1..=rounds).map(|number| {
            let wall = 10_000_000 * at + 1000 * number;
            run(number, wall, 1_000_000 / at)
        });
        Trial {
            places,
            runs: runs.collect(),
            ..Trial::default()
        }
    });
    let trials = trials.collect();
    sweep(parameters, rounds, trials)
}

fn rendered(sweep: &Sweep, stopped_by: Option<&'static str>, full: bool) -> String {
    let text = include_str!("../../../../tests/fixtures/sqlite.json");
    let report: Report = serde_json::from_str(text).expect("the fixture is a report");
    let host: Host = report.host;
    let swept = Swept {
        schema: SWEEP,
        ioprof_version: "0",
        host: &host,
        started_at: "2026-01-01T00:00:00Z".into(),
        duration_ns: 1,
        kind: Kind::Command,
        command: &[],
        cache: Some("as-is"),
        warm_up: true,
        stopped_by,
        sweep,
    };
    let text = render(&swept, &"fio".into(), full, Style::PLAIN);
    let wide: Vec<_> = text.lines().filter(|line| width(line) > WIDTH).collect();
    assert_eq!(wide, [""; 0], "{text}");
    text
}

#[test]
fn the_best_comes_first_and_each_setting_has_a_row() {
    let sweep = slower(&["bs=4k,8k", "depth=1,2"], 6);
    let text = rendered(&sweep, None, false);
    let lines: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        text.lines().next(),
        Some("fio: best, and knee, bs=4k depth=1 with 25.0 GiB/s"),
        "{text}"
    );
    let row = |first: &[&str]| lines.iter().find(|line| line.starts_with(first)).cloned();
    let best = row(&["K*", "4k", "1"]).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        best[3..],
        ["25591", "1000", "1000", "0.50", "123,456", "2.00", "best"],
        "{text}"
    );
    let last = row(&["*", "8k", "2"]).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        last[3..],
        [
            "6399", "250", "250", "0.50", "123,456", "2.00", "device", "75", "%"
        ],
        "{text}"
    );
    assert!(!text.contains('~'), "{text}");
}

#[test]
fn few_runs_are_marked_and_how_many_would_tell_is_said() {
    let text = rendered(&slower(&["bs=4k,8k"], 2), None, false);
    assert!(text.contains(" ~12799 "), "{text}");
    assert!(
        text.contains("~ not told from the best (4 runs of each may)"),
        "{text}"
    );
    assert!(!text.contains("device"), "{text}");
}

#[test]
fn what_is_not_all_says_so_first() {
    let mut sweep = slower(&["bs=4k,8k"], 2);
    sweep.is_complete = false;
    sweep.is_cache_mixed = true;
    sweep.settings[1].runs[0].in_doubt = true;
    let text = rendered(&sweep, Some("SIGINT"), false);
    let begins: Vec<_> = text.lines().map(|line| line.split(':').next()).collect();
    let expected = ["INCOMPLETE", "FIGURES IN DOUBT", "MIXED CACHE STATE"].map(Some);
    assert_eq!(begins[..3], expected, "{text}");
    assert!(
        text.starts_with("INCOMPLETE: SIGINT, after 4 of 4 runs\n"),
        "{text}"
    );
    assert!(text.contains("the ledger of 1 of 4 runs"), "{text}");
}

#[test]
fn many_settings_fit_on_a_screen_and_all_are_shown_where_asked_for() {
    let values = ["engine=io_uring,libaio", "bs=4k..32m", "depth=1,16,256"];
    let sweep = slower(&values, 3);
    let text = rendered(&sweep, None, false);
    assert!(text.lines().count() <= 50, "{text}");
    assert!(
        text.contains("64 slower settings left out; --full shows all"),
        "{text}"
    );
    let full = rendered(&sweep, None, true);
    let rows = full
        .lines()
        .filter(|line| line.contains("io_uring") || line.contains("libaio"));
    assert!(rows.count() >= 84, "{full}");
}

#[test]
fn long_names_and_values_leave_room_for_figures() {
    let long = "a-very-long-name=with-a-value-that-is-long,and-another-one-that-is-long";
    let text = rendered(&slower(&[long, "b=x,y", "c=1,2", "d=3,4"], 8), None, true);
    assert!(text.contains("slower by"), "{text}");
    let hostile = rendered(&slower(&["a=\u{1b}[31m,\u{202e}x"], 5), None, false);
    assert!(
        hostile.is_ascii() && !hostile.contains('\u{1b}'),
        "{hostile}"
    );
}

#[test]
fn all_that_is_longer_is_told_where_asked_for() {
    let text = rendered(&slower(&["bs=4k,8k"], 5), None, true);
    let told = text
        .lines()
        .find(|line| line.starts_with("bs=8k: +10.0 ms"));
    assert!(
        told.is_some_and(|line| line.ends_with("device +7.50 ms, calls +2.50 ms")),
        "{text}"
    );
    let none = rendered(&slower(&["bs=4k"], 5), Some("SIGINT"), false);
    assert!(none.contains("best, and knee, bs=4k"), "{none}");
}

#[test]
fn progress_is_a_line_with_the_setting_and_how_it_went() {
    let parameters = [Parameter::parse("bs=4k,8k").expect("it is one")];
    let told = |failed| {
        progress(
            ("run", 3, 10),
            (&parameters, &vec![1]),
            (&run(1, 1_500_000, 1), failed),
        )
    };
    assert_eq!(told(None), "ioprof: run 3 of 10: bs=8k: 1.50 ms, 256 MiB");
    let failed = told(Some(Exit::Signal(9)));
    assert!(
        failed.ends_with(", signal 9: this setting is left out"),
        "{failed}"
    );
}
