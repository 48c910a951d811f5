//! A report may have been written by anybody: whatever its texts and numbers are, it is shown or refused.

use std::{fs, path::Path, ptr, slice};

use ioprof::{
    analysis::compare::compare,
    model::{
        read::{Refusal, read},
        report::Report,
    },
    output::{
        json,
        terminal::{self, Style, View},
        text::is_visible,
    },
    text::Text,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A name that does what a name may do to a terminal: a new line, colours, a title, the clipboard, C1, DEL, a change
/// of direction.
const HOSTILE: &str =
    "\n\r\u{1b}[31;1m\u{1b}]0;t\u{7}\u{1b}]52;c;eA==\u{1b}\\\u{9b}2J\u{7f}\u{202e}\u{2066}\u{0}";

/// A report of a real run, of each list the first few.
fn sample() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report.json");
    let text = fs::read(file).expect("the sample is there");
    let mut sample = serde_json::from_slice(&text).expect("the sample is JSON");
    shorten(&mut sample);
    sample
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.truncate(3);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}

fn parse(report: &Value) -> Result<Report, Refusal> {
    read(&serde_json::to_vec(report).expect("a value is written"))
}

/// The first screen, which has room on a terminal whatever the report has, and all of it.
fn both_views(report: &Report) -> String {
    let screen = terminal::render(report, &View::Screen, Style::PLAIN);
    assert!(screen.lines().count() < 40, "{screen}");
    screen + &terminal::render(report, &View::Full, Style::PLAIN)
}

/// Fails where a terminal would be given anything to act on, or JSON is not what it was made from.
fn assert_harmless(report: &Report) -> String {
    let text = both_views(report);
    assert_compared_harmlessly(report);
    let acted_on = text.chars().find(|c| *c != '\n' && !is_visible(*c));
    assert_eq!(acted_on, None, "{text}");
    let written = String::from_utf8(json::render(report)).expect("JSON is UTF-8");
    let acted_on = written.chars().find(|c| *c != '\n' && !is_visible(*c));
    assert_eq!(acted_on, None);
    assert!(
        read(written.as_bytes()).as_ref() == Ok(report),
        "it is not read back"
    );
    text
}

/// The same of what it is compared with: itself, and the sample, both ways.
fn assert_compared_harmlessly(report: &Report) {
    let sample = parse(&sample()).expect("it is a report");
    let name = Text::from(HOSTILE);
    for (before, after) in [(report, report), (report, &sample), (&sample, report)] {
        let [before, after] = [before, after].map(slice::from_ref);
        let Ok(compared) = compare(before, after) else {
            continue;
        };
        let same = ptr::eq(before, after);
        assert!(!same || compared.differing.is_empty(), "{compared:?}");
        let text = terminal::compare::render(
            &compared,
            &[],
            [slice::from_ref(&name); 2],
            true,
            Style::PLAIN,
        );
        let json = String::from_utf8(json::comparison(
            &compared,
            &[],
            [slice::from_ref(&name); 2],
        ));
        for text in [text, json.expect("JSON is UTF-8")] {
            let acted_on = text.chars().find(|c| *c != '\n' && !is_visible(*c));
            assert_eq!(acted_on, None, "{text}");
        }
    }
}

/// Each text and each key of the maps from names to numbers that a report may have anything in.
fn for_each_text(value: &mut Value, change: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(list) => list.iter_mut().for_each(|one| for_each_text(one, change)),
        Value::Object(map) => {
            for (key, one) in map.iter_mut() {
                // Of these there are only some.
                let is_word = [
                    "schema",
                    "kind",
                    "operation",
                    "origin",
                    "path_state",
                    "unit",
                    "verdict",
                    "what",
                    "via",
                ];
                if !is_word.contains(&key.as_str()) || one.is_object() {
                    for_each_text(one, change);
                }
            }
            for maps in ["errors", "lost", "events", "parameters"] {
                if let Some(Value::Object(map)) = map.get_mut(maps) {
                    let changed = map.iter().map(|(key, one)| (change(key), one.clone()));
                    *map = changed.collect();
                }
            }
        }
        _ => {}
    }
}

/// A sample that has what a real run does not have all at once.
fn full_sample() -> Value {
    let mut report = sample();
    let latency = report["workloads"][0]["syscalls"][0]["latency"].clone();
    let workload = &mut report["workloads"][0];
    workload["syscalls"][0]["errors"] = json!({"ENOENT": 3, "EIO": 1});
    let operation = json!({
        "name": "READ", "submissions": 9, "completions": 3, "silent": 1, "unseen_completions": 1,
        "errors": {"EIO": 1}, "bytes": 4096, "latency": latency, "inline": 1, "poll_armed": 1,
        "worker": 1, "asynchronous": 0,
    });
    workload["io_uring"]["operations"] = json!([operation]);
    workload["aio"]["operations"] = json!([operation]);
    workload["aio"]["submitted"] = json!(9);
    workload["self_checks"] = json!([{
        "operation": "read", "reported_calls": 1, "counted_calls": 2, "reported_bytes": 0, "counted_bytes": 0,
    }]);
    let ledger = &mut report["ledger"];
    ledger["messages"] = json!(["said"]);
    ledger["lost"]["histogram_full"] = json!(1);
    for (at, verdict) in ["absent", "refused", "not_needed"].into_iter().enumerate() {
        ledger["probes"][at]["verdict"] = json!(verdict);
        ledger["probes"][at]["reason"] = json!("why");
    }
    report
}

#[test]
fn every_text_of_a_report_is_shown_visibly() {
    let mut report = full_sample();
    let mut number = 0;
    for_each_text(&mut report, &mut |_| {
        number += 1;
        format!("{number}{HOSTILE}")
    });
    assert!(number > 100, "{number} texts");
    let text = assert_harmless(&parse(&report).expect("it is a report"));
    assert!(text.contains(r"\x0a\x0d\x1b[31;1m"), "{text}");
    // No line is made by a name.
    let plain = assert_harmless(&parse(&full_sample()).expect("it is a report"));
    assert!(text.lines().count() <= plain.lines().count() + 40, "{text}");
}

/// Names of files, calls and devices are as wide as the columns allow, whatever is in them.
#[test]
fn columns_stay_right_whatever_the_names_are() {
    for name in [
        "\u{1b}[31m".repeat(20),
        "\u{65e5}\u{672c}".repeat(40),
        "e\u{301}".repeat(200),
    ] {
        let mut report = full_sample();
        for_each_text(&mut report, &mut |_| name.clone());
        let text = assert_harmless(&parse(&report).expect("it is a report"));
        let heading = text
            .lines()
            .find(|line| line.starts_with("file "))
            .expect("a table");
        let at = heading.find("written").expect("a column") + "written".len();
        let rows = text.lines().skip_while(|line| *line != heading).skip(1);
        for row in rows.take_while(|row| !row.is_empty()) {
            let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
            let mut ends = row
                .char_indices()
                .filter(|(end, _)| width(&row[..*end]) == at);
            assert!(ends.any(|(end, c)| c == ' ' || end == row.len()), "{text}");
        }
    }
}

/// Each place of a report that has something else than a text.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            // One tells of all.
            for (index, one) in list.iter().enumerate().take(1) {
                places(one, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, one) in map {
                places(one, &format!("{at}/{key}"), found);
            }
        }
        Value::String(_) => {}
        _ => found.push(at.to_owned()),
    }
}

const ABSURD: [&str; 9] = [
    "0",
    "1",
    "-1",
    "18446744073709551615",
    "9223372036854775808",
    "18446744073709551616",
    "1e308",
    "1e999",
    "null",
];

#[test]
fn any_number_alone_is_shown_or_refused() {
    let sample = full_sample();
    let mut found = Vec::new();
    places(&sample, "", &mut found);
    let mut shown = 0;
    for place in &found {
        for absurd in ABSURD {
            let mut report = sample.clone();
            *report.pointer_mut(place).expect("it is there") = json!("HERE");
            let text = report.to_string().replace(r#""HERE""#, absurd);
            if let Ok(report) = read(text.as_bytes()) {
                both_views(&report);
                shown += 1;
            }
        }
    }
    assert!(shown > found.len(), "{shown} of {} places", found.len());
}

/// Found by `cargo xtask fuzz`: some numbers were read as their neighbours.
#[test]
fn a_fraction_is_read_as_it_is_written() {
    let mut report = sample();
    let number = 1_483.718_481_569_962_2;
    report["devices"][0]["queue_depth"]["mean"] = json!(number);
    let report = parse(&report).expect("it is a report");
    let devices = report.devices.as_deref().unwrap_or_default();
    assert_eq!(devices[0].queue_depth.mean.to_bits(), f64::to_bits(number));
}

#[test]
fn all_numbers_at_their_largest_are_shown() {
    fn largest(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_u64() => *value = json!(u64::MAX),
            Value::Array(list) => list.iter_mut().for_each(largest),
            Value::Object(map) => {
                let kept = ["buckets", "major", "minor", "root_pid", "exit"];
                map.iter_mut()
                    .filter(|(key, _)| !kept.contains(&key.as_str()))
                    .for_each(|(_, one)| largest(one));
                if let Some(Value::Array(buckets)) = map.get_mut("buckets") {
                    buckets
                        .iter_mut()
                        .for_each(|bucket| bucket["count"] = json!(u64::MAX));
                }
            }
            _ => {}
        }
    }
    let mut report = full_sample();
    largest(&mut report);
    let report = parse(&report).expect("absurd, but a report");
    let text = both_views(&report);
    assert!(text.contains("18,446,744,073,709,551,615"), "{text}");
    json::render(&report);
}

proptest! {
    #[test]
    fn bytes_after_a_beginning_are_shown_or_refused(cut in 0_usize..2000, tail in prop::collection::vec(any::<u8>(), 0..64)) {
        let sample = sample().to_string();
        let cut = sample.len() * cut / 2000;
        let bytes = [&sample.as_bytes()[..cut], &tail].concat();
        if let Err(Refusal::NotAReport(reason)) = read(&bytes) {
            prop_assert!(!reason.is_empty());
        }
    }

    #[test]
    fn json_has_a_names_bytes(name in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut report = sample();
        report["workloads"][0]["files"]["top"][0]["path"] = json!(Text::of_bytes(&name));
        let report = parse(&report).expect("it is a report");
        let written: Value = serde_json::from_slice(&json::render(&report)).expect("JSON");
        let path = written["workloads"][0]["files"]["top"][0]["path"].as_str().expect("a path").to_owned();
        prop_assert_eq!(Text::from(path).bytes(), name);
    }
}

/// The largest report that is read at all: what it takes stays in proportion.
#[test]
fn what_is_large_is_shown_in_little_more() {
    let mut report = full_sample();
    // One name as wide as all others together, and many rows: columns must not be as wide as the widest name.
    let device = report["devices"][0].clone();
    report["devices"] = json!(vec![device; 2000]);
    report["devices"][0]["name"] = json!("x".repeat(1 << 20));
    let text = both_views(&parse(&report).expect("a report"));
    assert!(text.len() < 4 << 20, "{} bytes", text.len());
}
