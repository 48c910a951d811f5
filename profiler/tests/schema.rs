//! The report's JSON Schema: it accepts what ioprof writes, and refuses what it would not write.
//!
//! `IOPROF_UPDATE_EXPECTED=1 cargo test -p ioprof --test schema` writes tests/expected/*.txt anew.
#![expect(clippy::panic, reason = "a test may end so")]

use std::{fs, path::PathBuf};

use ioprof::{
    analysis,
    model::report::Report,
    output::{
        json,
        terminal::{self, Section, Style, View},
    },
};
use jsonschema::Validator;
use serde_json::{Value, json};

fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn read(of: &str) -> String {
    let path = path(of);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn value(of: &str) -> Value {
    serde_json::from_str(&read(of)).expect("the file is JSON")
}

fn schema() -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&value("../docs/report.schema.json"))
        .expect("the schema can be used")
}

/// A report of a real run.
fn sample() -> Value {
    value("tests/fixtures/report.json")
}

/// What the schema minds, with the place of each.
fn complaints(report: &Value) -> Vec<String> {
    schema()
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_schema_is_valid_and_accepts_a_real_report() {
    let schema = value("../docs/report.schema.json");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert_eq!(complaints(&sample()), [""; 0]);
}

/// The sample with one value replaced.
fn with(pointer: &str, new: Value) -> Value {
    let mut report = sample();
    *report
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("the sample has no {pointer}")) = new;
    report
}

/// The sample without one key.
fn without(object: &str, key: &str) -> Value {
    let mut report = sample();
    let removed = report
        .pointer_mut(object)
        .and_then(Value::as_object_mut)
        .and_then(|object| object.remove(key));
    assert!(removed.is_some(), "the sample has no {object}/{key}");
    report
}

/// The sample with one key more.
fn with_key(object: &str, key: &str) -> Value {
    let mut report = sample();
    report
        .pointer_mut(object)
        .and_then(Value::as_object_mut)
        .unwrap_or_else(|| panic!("the sample has no {object}"))
        .insert(key.to_owned(), json!(0));
    report
}

#[test]
fn what_ioprof_would_not_write_is_refused() {
    for (what, report) in [
        ("nothing at all", json!({})),
        ("another schema", with("/schema", json!("ioprof.report.v2"))),
        ("no ledger", without("", "ledger")),
        ("no kind of loss", without("/ledger/lost", "histogram_full")),
        (
            "a call without latency",
            without("/workloads/0/syscalls/0", "latency"),
        ),
        (
            "a negative count",
            with("/workloads/0/syscalls/0/calls", json!(-1)),
        ),
        (
            "a fraction of a call",
            with("/workloads/0/syscalls/0/calls", json!(1.5)),
        ),
        ("a count as text", with("/devices/0/reads", json!("1"))),
        (
            "a latency in bytes",
            with("/workloads/0/syscalls/0/latency/unit", json!("bytes")),
        ),
        (
            "a size in nanoseconds",
            with("/workloads/0/block/0/size/unit", json!("ns")),
        ),
        (
            "milliseconds",
            with("/workloads/0/block/0/service/unit", json!("ms")),
        ),
        (
            "an unknown operation",
            with("/workloads/0/block/0/operation", json!("trim")),
        ),
        (
            "an unknown kind",
            with("/workloads/0/kind", json!("container")),
        ),
        (
            "an exit of two kinds",
            with("/workloads/0/exit", json!({"code": 1, "signal": 9})),
        ),
        (
            "more than all of the time",
            with("/devices/0/utilization", json!(1.01)),
        ),
        (
            "an unknown verdict",
            with("/ledger/probes/0/verdict", json!("lost")),
        ),
        (
            "an absent probe without a reason",
            with("/ledger/probes/0/verdict", json!("absent")),
        ),
        (
            "a local time",
            with("/started_at", json!("2026-01-01 00:00")),
        ),
        ("an unknown key at the top", with_key("", "extra")),
        (
            "an unknown key of a workload",
            with_key("/workloads/0", "wall_ms"),
        ),
        (
            "an unknown key of a bucket",
            with_key("/workloads/0/syscalls/0/latency/buckets/0", "lt"),
        ),
        (
            "an unknown kind of loss",
            with_key("/ledger/lost", "others"),
        ),
        (
            "an unknown key of a probe",
            with_key("/ledger/probes/0", "extra"),
        ),
    ] {
        assert!(!complaints(&report).is_empty(), "{what} was accepted");
    }
}

#[test]
fn what_is_not_known_may_be_null() {
    for pointer in [
        "/workloads/0/exit",
        "/workloads/0/max_rss_bytes",
        "/workloads/0/block",
        "/workloads/0/self_reported",
        "/ledger/probes/0/missed",
        "/ledger/probe_cpu_ns",
        "/ledger/call_cost",
        "/workloads/0/time/cpu",
        "/ledger/probe_cpu_measured_share",
    ] {
        let report = with(pointer, Value::Null);
        assert_eq!(complaints(&report), [""; 0], "{pointer}");
        serde_json::from_value::<Report>(report).expect("it is read, too");
    }
    assert!(!complaints(&with("/workloads/0/wall_ns", Value::Null)).is_empty());
}

/// Neither the schema nor the sample may fall behind the model: what is read and written again is the same.
#[test]
fn the_sample_is_read_and_written_unchanged() {
    let sample = sample();
    let report: Report = serde_json::from_value(sample.clone()).expect("a report");
    let written = json::render(&report);
    let written: Value = serde_json::from_slice(&written).expect("it is JSON");
    assert_eq!(written, sample);
}

/// Everything that the model can hold is there in the sample, so that the tests above see it.
#[test]
fn the_sample_leaves_no_part_of_the_report_out() {
    let sample = sample();
    for pointer in [
        "/workloads/0/self_reported/operations/0/latency/p50_ns",
        "/workloads/0/syscalls/0/latency/buckets/0/le",
        "/workloads/0/block/0/queue/hdr",
        "/devices/0/shares/0/busy_share",
        "/ledger/probes/0/measured_ns",
        "/ledger/checks/0/kernel",
    ] {
        let there = sample
            .pointer(pointer)
            .is_some_and(|value| !value.is_null());
        assert!(there, "the sample has no {pointer}");
    }
    let all = |list: &str, is: &dyn Fn(&Value) -> bool| {
        sample["workloads"]
            .as_array()
            .expect("workloads")
            .iter()
            .filter_map(|workload| workload[list].as_array())
            .flatten()
            .any(is)
    };
    assert!(all("syscalls", &|call| call["bytes"].is_u64()
        && call["size"].is_object()));
    assert!(all("syscalls", &|call| call["bytes"].is_null()
        && call["size"].is_null()));
    assert!(all("syscalls", &|call| !call["errors"]
        .as_object()
        .expect("errors")
        .is_empty()));
    for operation in ["read", "write"] {
        assert!(all("block", &|block| block["operation"] == operation));
    }
}

fn shown(sample: &str, view: &View, columns: usize) -> String {
    let mut report: Report = serde_json::from_value(value(sample)).expect("a report");
    analysis::judge(&mut report);
    terminal::render(&report, view, Style::PLAIN.of_width(columns))
}

/// The samples, and for each its whole text and its first screen.
const TEXTS: [(&str, &View, &str); 4] = [
    ("report", &View::Full, "report"),
    ("report", &View::Screen, "screen"),
    ("sqlite", &View::Full, "sqlite"),
    ("sqlite", &View::Screen, "sqlite-screen"),
];

#[test]
fn the_samples_are_rendered_as_expected() {
    for (sample, view, expected) in TEXTS {
        let text = shown(&format!("tests/fixtures/{sample}.json"), view, 80);
        let expected = format!("tests/expected/{expected}.txt");
        if std::env::var_os("IOPROF_UPDATE_EXPECTED").is_some() {
            fs::write(path(&expected), &text).expect("the expected text is written");
        }
        assert_eq!(
            text,
            read(&expected),
            "{expected}: set IOPROF_UPDATE_EXPECTED=1 where this is meant"
        );
    }
}

#[test]
fn the_samples_fit_into_80_columns_and_the_first_screen_into_24_lines() {
    for (sample, view, _) in TEXTS {
        let text = shown(&format!("tests/fixtures/{sample}.json"), view, 80);
        let wide: Vec<_> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert_eq!(wide, [""; 0]);
        assert!(*view != View::Screen || text.lines().count() < 24, "{text}");
    }
}

#[test]
fn a_wide_terminal_shows_whole_paths() {
    const PATH: &str = "/srv/demo/orders.db-journal";
    // The first screen of it has no room for files.
    let files = |columns| {
        let text = shown("tests/fixtures/sqlite.json", &View::Full, columns);
        text.contains(PATH)
    };
    assert!(!files(80) && files(120));
}

#[test]
fn sections_are_those_of_the_whole_report() {
    let sample = "tests/fixtures/sqlite.json";
    let whole = shown(sample, &View::Full, 80);
    let all: String = Section::ALL
        .iter()
        .map(|section| shown(sample, &View::Sections(vec![*section]), 80))
        .collect();
    assert_eq!(all, whole);
    // In the order of the report, whatever the order they are asked for in.
    let two = View::Sections(vec![Section::Files, Section::Time]);
    let text = shown(sample, &two, 80);
    assert!(
        text.starts_with("time of all threads") && text.contains("file "),
        "{text}"
    );
    assert!(!text.contains("system call"), "{text}");
}
