//! Findings: the status that they give, and what is explained.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    assert_refused, refused,
    support::{folder, ioprof, output, plain, text},
};

/// The sample, with a thousand times as many syncs as before, that take nearly all of its time, and wait
/// for no CPU.
fn report_with_a_finding(folder: &Path) -> PathBuf {
    let text = include_str!("../fixtures/report.json");
    let mut report: Value = serde_json::from_str(text).expect("the fixture is JSON");
    let wall = report["workloads"][0]["wall_ns"].clone();
    let calls = report["workloads"][0]["syscalls"].as_array_mut();
    let mut calls = calls.expect("there are calls").iter_mut();
    let sync = calls.find(|call| call["name"] == "fsync");
    let sync = sync.expect("the fixture has one");
    (sync["calls"], sync["time_ns"]) = (8000.into(), wall);
    sync["breakdown"]["runnable_ns"] = 0.into();
    let file = folder.join("run.json");
    fs::write(&file, report.to_string()).expect("it can be written");
    file
}

#[test]
fn findings_fail_a_run_where_that_is_asked_for() {
    let folder = folder();
    let file = report_with_a_finding(folder.path());
    let healthy = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/report.json");
    for (fail_on, file, status) in [
        (None, plain(&file), 0),
        (Some("critical"), plain(&file), 123),
        (Some("info"), plain(&file), 123),
        (Some("critical"), healthy, 0),
    ] {
        let fail_on = fail_on.map(|least| format!("--fail-on={least}"));
        let told = output(ioprof().arg("report").args(fail_on.as_ref()).arg(file));
        assert_eq!(told.status.code(), Some(status), "{fail_on:?} {file}");
        assert_eq!(text(&told.stderr).lines().count(), usize::from(status > 0));
        assert_eq!(
            text(&told.stdout).contains("SYNC001"),
            file != healthy,
            "{fail_on:?}"
        );
    }
}

#[test]
fn findings_are_explained_and_an_unknown_one_is_refused() {
    let list = text(&output(ioprof().arg("explain")).stdout);
    for line in list.lines() {
        let id = line.split(':').next().expect("a line has an id");
        let page = output(ioprof().args(["explain", id]));
        assert!(text(&page.stdout).starts_with(&format!("# {line}")), "{id}");
    }
    assert!(list.contains("SYNC001: "));
    assert_refused(
        &refused(&["explain", "NONE\x1b"]),
        125,
        &["NONE\\x1b", "SYNC001"],
    );
}
