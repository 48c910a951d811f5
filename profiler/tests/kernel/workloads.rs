//! A built-in workload under the probes: what it says it did is what the probes counted.

use std::path::Path;

use crate::support::{
    self, Report,
    device::Loop,
    ioprof,
    report::{Exit, Kind, known},
};

/// The report of a run of async in a folder, with these options.
fn run_async(dir: &Path, options: &[&str]) -> Report {
    let folder = support::folder();
    let file = folder.path().join("run.json");
    support::succeed(
        ioprof()
            .args(["run", "async", "--dir"])
            .arg(dir)
            .arg("-o")
            .arg(&file)
            .args(options),
    );
    let report = Report::read(&file);
    report.assert_nothing_lost();
    report
}

#[test]
fn what_a_builtin_workload_says_it_did_by_system_calls_was_counted() {
    requires!();
    let folder = support::folder();
    let options = "--engine tokio --files 1000 --file-size 16K";
    let options: Vec<_> = options.split(' ').collect();
    let report = run_async(folder.path(), &options);
    let workload = report.workload(0);
    assert_eq!(workload.name, "async");
    assert_eq!(workload.kind, Kind::Builtin);
    assert_eq!(workload.exit, Some(Exit::Code(0)));
    let said = |name: &str| {
        let mut operations = known(&workload.self_reported).operations.iter();
        operations
            .find(|operation| operation.name == name)
            .unwrap_or_else(|| panic!("it did no {name}"))
    };
    // The measured phase alone is profiled: neither the making of its data nor clearing up.
    for (name, call) in [
        ("read", "pread64"),
        ("write", "pwrite64"),
        ("fsync", "fsync"),
    ] {
        let counted = report.call(call);
        assert_eq!(counted.calls, said(name).calls, "{name}");
        assert_eq!(counted.bytes.unwrap_or(0), said(name).bytes, "{name}");
    }
    report.assert_never_called("unlinkat");
    assert_eq!(workload.threads_running, 0);
    // The runtime closes and writes a little for itself.
    let checks = &workload.self_checks;
    assert!(checks.len() >= 5, "{checks:?}");
    for check in checks {
        let beside = check.counted_calls - check.reported_calls;
        assert!(beside < 10, "{check:?}");
        assert!(check.counted_bytes >= check.reported_bytes, "{check:?}");
    }
}

#[test]
fn what_a_device_did_for_the_setup_is_not_counted() {
    requires!("losetup mkfs.ext4");
    const FILES: u64 = 16;
    let disk = Loop::new(128 << 20);
    let options = format!("--engine tokio --files {FILES} --file-size 1M --read-percent 100");
    let options: Vec<_> = options.split(' ').collect();
    let report = run_async(&disk.mounted(), &options);
    let device = report.device(disk.name());
    // It read what the setup has written.
    assert!(device.read_bytes >= FILES << 20, "{device:#?}");
    assert!(device.written_bytes < FILES << 20, "{device:#?}");
}

#[test]
fn several_builtin_workloads_have_each_their_own_section() {
    requires!();
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
    let names: Vec<_> = report
        .workloads
        .iter()
        .map(|workload| workload.name.clone())
        .collect();
    assert_eq!(names, ["async", "mmap"]);
    for workload in &report.workloads {
        assert!(!workload.syscalls.is_empty());
    }
}
