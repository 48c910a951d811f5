//! `ioprof compare`: what it exits with, and what it refuses.

use std::{fs, path::Path};

use serde_json::Value;

use super::{
    assert_refused, refused,
    support::{folder, plain, text},
};

/// The report of a real run.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sqlite.json");

/// What the schema of comparisons minds.
fn complaints(json: &Value) -> Vec<String> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compare.schema.json");
    let schema = fs::read(schema).expect("it is in docs/");
    let schema: Value = serde_json::from_slice(&schema).expect("it is JSON");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let schema = jsonschema::draft202012::new(&schema).expect("it can be used");
    let errors = schema.iter_errors(json);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn a_comparison_exits_by_its_gates() {
    let folder = folder();
    let file = folder.path().join("after.json");
    let name = plain(&file);
    let mut after: Value = serde_json::from_slice(&fs::read(SAMPLE).expect("it is read"))
        .expect("the fixture is JSON");
    let call = &mut after["workloads"][0]["syscalls"][0];
    assert_eq!(
        (&call["name"], &call["calls"]),
        (&"fdatasync".into(), &244.into())
    );
    call["calls"] = 24.into();
    fs::write(&file, after.to_string()).expect("a file can be written");
    for (gate, status) in [
        ("fdatasync.calls<=-90%", 0),
        ("fdatasync.calls<=-91%", 3),
        ("device.written_bytes<=+0%", 0),
    ] {
        let compared = refused(&["compare", SAMPLE, name, "--gate", gate]);
        assert_eq!(compared.status.code(), Some(status), "{compared:?}");
        assert!(text(&compared.stdout).contains(gate), "{compared:?}");
        assert!(compared.stderr.is_empty(), "{compared:?}");
    }
    let json = [
        "compare",
        SAMPLE,
        name,
        "--format",
        "json",
        "--gate",
        "fsyncs==24",
    ];
    let json = refused(&json);
    let json: Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(complaints(&json), [""; 0]);
    let mut other = json.clone();
    other["differing"][0]["change"] = 1.into();
    assert!(!complaints(&other).is_empty());
    assert_eq!(json["schema"], "ioprof.compare.v1");
    assert_eq!(json["differing"][0]["metric"], "fdatasync.calls");
    assert_eq!(json["differing"][0]["before"]["min"], 244);
    assert_eq!(json["gates"][0]["passes"], true);
    assert_eq!(json["gates"][0]["count"]["after"]["max"], 24);
}

#[test]
fn what_cannot_be_compared_is_refused_in_a_line() {
    let folder = folder();
    let file = folder.path().join("other.json");
    let name = plain(&file);
    fs::write(&file, r#"{"schema": "ioprof.report.v2"}"#).expect("a file can be written");
    for both in [[SAMPLE, name], [name, SAMPLE]] {
        let compared = refused(&["compare", both[0], both[1]]);
        assert_refused(&compared, 125, &[name, "newer ioprof"]);
    }
    fs::write(&file, "{}").expect("a file can be written");
    let compared = refused(&["compare", SAMPLE, name]);
    assert_refused(&compared, 125, &[name, "not a report"]);
    for (gate, words) in [
        ("fsyncs", "METRIC<=LIMIT is expected"),
        ("fsyncs<=5%", "-90%"),
        ("a\n<=b", "METRIC<=LIMIT is expected"),
        ("nothing<=1", "no such count"),
        ("wall<=5", "percentage"),
        ("walls>+5%:fail", "no such count"),
    ] {
        let compared = refused(&["compare", SAMPLE, SAMPLE, "--gate", gate]);
        assert_refused(&compared, 2, &["--gate", words]);
    }
    for reports in [&[SAMPLE][..], &[SAMPLE, SAMPLE, SAMPLE]] {
        let compared = refused(&[&["compare"], reports].concat());
        assert_refused(&compared, 2, &["before --", "a1.json a2.json -- b1.json"]);
    }
    let many = [&["compare", SAMPLE, "--"][..], &[SAMPLE; 101]].concat();
    let compared = refused(&many);
    assert_refused(&compared, 2, &["more than 100 reports"]);
    let behind = ["compare", SAMPLE, "--", SAMPLE, "--gate", "fsyncs<=1"];
    let compared = refused(&behind);
    assert_refused(&compared, 2, &["--gate", "options go before --"]);
    let compared = refused(&["compare", SAMPLE, plain(folder.path())]);
    assert_refused(&compared, 125, &[name, "not a report"]);
    fs::remove_file(&file).expect("it is there");
    let compared = refused(&["compare", SAMPLE, plain(folder.path())]);
    assert_refused(&compared, 125, &[plain(folder.path()), "has no report"]);
}

#[test]
fn several_reports_stand_on_each_side_as_files_or_folders() {
    let folder = folder();
    for run in 1..=3 {
        let file = folder.path().join(format!("{run}.json"));
        fs::copy(SAMPLE, file).expect("a file can be written");
    }
    fs::write(folder.path().join("notes.txt"), "none").expect("a file can be written");
    let name = plain(folder.path());
    for words in [
        &[SAMPLE, SAMPLE, "--", name][..],
        &[SAMPLE, SAMPLE, "--", SAMPLE, SAMPLE, SAMPLE],
    ] {
        let words = [&["compare", "--format", "json"], words].concat();
        let json = refused(&words);
        let json: Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
        assert_eq!(complaints(&json), [""; 0]);
        assert_eq!(json["runs"], serde_json::json!({"before": 2, "after": 3}));
        assert_eq!(json["after"].as_array().map(Vec::len), Some(3));
    }
    let compared = refused(&["compare", name, name]);
    assert!(text(&compared.stdout).starts_with("runs  3 -> 3\n"));
}

/// Runs that differ in their wall times by little, and whose sides differ by much.
fn write_runs(folder: &Path, wall_ns: u64) {
    let sample = fs::read(SAMPLE).expect("it is read");
    let mut report: Value = serde_json::from_slice(&sample).expect("the fixture is JSON");
    for run in 0..6 {
        report["workloads"][0]["span_ns"] = (wall_ns + run * 1_000_000).into();
        let file = folder.join(format!("{run}.json"));
        fs::write(file, report.to_string()).expect("a file can be written");
    }
}

#[test]
fn a_time_is_told_with_its_interval_in_every_form_and_gates_are_decided_by_it() {
    let (before, after) = (folder(), folder());
    write_runs(before.path(), 1_000_000_000);
    write_runs(after.path(), 1_200_000_000);
    let sides = [plain(before.path()), plain(after.path())];
    let compare = |words: &[&str]| refused(&[&["compare"], &sides[..], words].concat());
    for (gate, status, how) in [
        ("wall>+5%:fail", 3, "GATE FAILS: "),
        ("wall>+50%:fail", 0, "gate holds: "),
        ("wall>+20%:fail", 0, "gate undecided: "),
        ("wall<=+20%", 3, "GATE FAILS, undecided: "),
        ("wall<=+25%", 0, "gate holds: "),
        ("fsyncs>+0%:fail", 0, "gate holds: "),
    ] {
        let compared = compare(&["--gate", gate]);
        assert_eq!(compared.status.code(), Some(status), "{compared:?}");
        let said = text(&compared.stdout);
        assert!(said.contains(&format!("\n{how}{gate} (")), "{said}");
        assert!(
            said.contains("wall  1.00 s -> 1.20 s  +20.0 % (+"),
            "{said}"
        );
    }
    let gates = ["--gate", "wall>+5%:fail", "--gate", "fsyncs<=+0%"];
    let form = |form: &str| {
        let words = [&gates[..], &["--format", form]].concat();
        let compared = compare(&words);
        assert_eq!(compared.status.code(), Some(3), "{compared:?}");
        text(&compared.stdout)
    };
    let json: Value = serde_json::from_str(&form("json")).expect("it is JSON");
    assert_eq!(complaints(&json), [""; 0]);
    assert_eq!(json["workloads"][0]["wall"]["verdict"], "differs");
    assert_eq!(json["gates"][0]["time"]["metric"], "wall");
    let junit = form("junit");
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
    let markdown = form("markdown");
    assert!(
        markdown.contains("- GATE FAILS: wall\\>+5%:fail ("),
        "{markdown}"
    );
    assert!(
        markdown.contains("| wall | 1.00 s | 1.20 s | +20.0 % |"),
        "{markdown}"
    );
}
