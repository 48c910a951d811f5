//! A built-in workload under the probes: what it says it did is what the probes counted.

mod support;

use support::{
    Report, ioprof,
    report::{items, number},
    requirements::can_profile,
};

#[test]
fn what_a_builtin_workload_says_it_did_by_system_calls_was_counted() {
    if !can_profile(&[]) {
        return;
    }
    let folder = support::folder();
    let file = folder.path().join("run.json");
    support::succeed(
        ioprof()
            .args(["run", "async", "--dir"])
            .arg(folder.path())
            .arg("-o")
            .arg(&file),
    );
    let report = Report::read(&file);
    report.assert_nothing_lost();
    let workload = report.workload(0);
    assert_eq!(workload["name"], "async");
    assert_eq!(workload["kind"], "builtin");
    assert_eq!(workload["exit"]["code"], 0);
    let said = &workload["self_reported"];
    assert!(said.is_object(), "it reports what it did");
    // What it does before and after, to make its files and to remove them, is counted too: there are at
    // least as many calls as it says.
    let checks: Vec<_> = items(&workload["self_checks"]).collect();
    assert!(!checks.is_empty(), "there is something to compare");
    for check in checks {
        assert!(
            number(&check["counted_calls"]) >= number(&check["said_calls"])
                && number(&check["counted_bytes"]) >= number(&check["said_bytes"]),
            "{check}"
        );
    }
    for operation in items(&said["operations"]).filter(|one| one["via"] == "syscall") {
        let calls: &[&str] = match operation["name"].as_str() {
            Some("read") => &["read", "pread64", "readv", "preadv", "preadv2"],
            Some("write") => &["write", "pwrite64", "writev", "pwritev", "pwritev2"],
            Some("open") => &["open", "openat", "openat2", "creat"],
            Some("close") => &["close"],
            Some("fsync") => &["fsync"],
            _ => continue,
        };
        let counted = |value: fn(&support::report::Call) -> u64| -> u64 {
            calls.iter().map(|call| value(&report.call(call))).sum()
        };
        assert!(
            counted(|call| call.calls) >= number(&operation["calls"]),
            "{operation}"
        );
        assert!(
            counted(|call| call.bytes) >= number(&operation["bytes"]),
            "{operation}"
        );
    }
}

#[test]
fn several_builtin_workloads_have_each_their_own_section() {
    if !can_profile(&[]) {
        return;
    }
    let folder = support::folder();
    let file = folder.path().join("run.json");
    support::succeed(
        ioprof()
            .args(["run", "--parallel", "-o"])
            .arg(&file)
            .args(["async", "--dir"])
            .arg(folder.path())
            .args(["mmap", "--dir"])
            .arg(folder.path()),
    );
    let report = Report::read(&file);
    report.assert_nothing_lost();
    let names: Vec<_> = items(&report.0["workloads"])
        .map(|workload| workload["name"].clone())
        .collect();
    assert_eq!(names, ["async", "mmap"]);
    assert!(items(&report.workload(0)["syscalls"]).next().is_some());
    assert!(items(&report.workload(1)["syscalls"]).next().is_some());
}
