//! Probes that are not there: each of the table in turn. What hangs on one is unknown then, and never 0.

use std::{collections::BTreeSet, path::Path};

use crate::support::{
    self, Report, ioprof,
    report::{Probe, Verdict},
    text,
};
use serde_json::Value;

/// What is unknown without a probe, by the keys of a workload; `devices` is the report's.
enum Without {
    /// Everything: there is no run.
    All,
    Parts(&'static [&'static str]),
    /// Another takes its place, or nothing asks for it here: nothing is missing.
    Nothing,
}

/// By tracepoint. A probe that is not here fails the test: whoever adds one says what hangs on it.
fn without(tracepoint: &str) -> Without {
    const TIME: &[&str] = &["time", "page_cache"];
    const BLOCK: &[&str] = &["block", "devices", "page_cache", "writeback", FILE_READS];
    match tracepoint {
        "sched_process_exit" | "sys_enter" | "sys_exit" | "task_newtask" => Without::All,
        "sched_process_exec" => Without::Parts(&["executed"]),
        "sched_switch" | "sched_waking" | "balance_dirty_pages" => Without::Parts(TIME),
        "block_rq_complete"
        | "block_rq_merge"
        | "block_bio_complete"
        | "block_bio_queue"
        | "block_rq_requeue"
        | "block_rq_issue"
        | "block_bio_backmerge"
        | "block_bio_frontmerge" => Without::Parts(BLOCK),
        // What threads of the kernel read is nobody's then, which is a row of its own and no key.
        "mm_filemap_add_to_page_cache" => Without::Parts(&[]),
        "writeback_dirty_folio" => {
            Without::Parts(&["writeback", "faults/dirtying", FILE_DIRTY, FILE_DIRTYING])
        }
        "major-faults" | "page_fault_user" | "page_fault_kernel" => {
            Without::Parts(&["faults", FILE_FAULTS, FILE_DIRTYING])
        }
        "minor-faults" => Without::Parts(&["faults/minor_time"]),
        "mm_filemap_map_pages" | "mm_filemap_fault" => {
            Without::Parts(&["faults/on_files", FILE_FAULTS, FILE_DIRTYING])
        }
        "io_uring_complete"
        | "io_uring_queue_async_work"
        | "io_uring_poll_arm"
        | "io_uring_req_failed"
        | "io_uring_submit_req" => Without::Parts(&["io_uring"]),
        "block_io_start" | "block_getrq" | "io_uring_submit_sqe" => Without::Nothing,
        other => unreachable!("nothing is known of what hangs on {other}"),
    }
}

/// Every part that some probe is needed for.
const PARTS: [&str; 15] = [
    "executed",
    "time",
    "page_cache",
    "block",
    "devices",
    "writeback",
    "faults",
    "faults/minor_time",
    "faults/dirtying",
    "faults/on_files",
    "io_uring",
    FILE_READS,
    FILE_DIRTY,
    FILE_FAULTS,
    FILE_DIRTYING,
];

/// What is told of every file, of which that of all others is always there.
const FILE_READS: &str = "files/other_counts/device_read_bytes";
const FILE_DIRTY: &str = "files/other_counts/dirtied_bytes";
const FILE_FAULTS: &str = "files/other_counts/major_faults";
const FILE_DIRTYING: &str = "files/other_counts/dirtying_faults";

fn part<'a>(report: &'a Report, name: &str) -> &'a Value {
    if name == "devices" {
        return &report.json["devices"];
    }
    let pointer = format!("/{name}");
    let workload = &report.json["workloads"][0];
    workload.pointer(&pointer).unwrap_or(&Value::Null)
}

/// The probes of this ioprof, by its own list.
fn tracepoints() -> BTreeSet<String> {
    let examined = support::succeed(ioprof().arg("doctor"));
    text(&examined.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("probe "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn whatever_hangs_on_a_missing_probe_is_unknown_and_the_report_says_so() {
    requires!();
    let folder = support::folder();
    let tracepoints = tracepoints();
    assert!(tracepoints.len() >= 29, "{tracepoints:?}");
    for tracepoint in &tracepoints {
        match without(tracepoint) {
            Without::All => assert_refused(folder.path(), tracepoint),
            Without::Parts(unknown) => assert_unknown(folder.path(), tracepoint, unknown),
            Without::Nothing => assert_complete(folder.path(), tracepoint),
        }
    }
}

/// Runs something that reads, writes, syncs and maps without a probe; the report, and what was said.
fn run(folder: &Path, tracepoint: &str) -> (Report, String) {
    let (report, data) = (folder.join("run.json"), folder.join("data"));
    let command = format!(
        "dd if=/dev/zero of={0} bs=65536 count=4 conv=fsync status=none && cat {0} >/dev/null",
        data.display()
    );
    let mut run = ioprof();
    run.args(["run", "--full", "--minor-fault-time"])
        .args(["--without-probe", tracepoint])
        .arg("-o")
        .arg(&report);
    let done = support::succeed(run.args(["--", "sh", "-c", &command]));
    (Report::read(&report), text(&done.stderr))
}

fn assert_unknown(folder: &Path, tracepoint: &str, unknown: &[&str]) {
    let (report, said) = run(folder, tracepoint);
    for name in PARTS {
        // What hangs on a part is unknown with it.
        let is_unknown = unknown
            .iter()
            .any(|one| name == *one || name.starts_with(&format!("{one}/")));
        let found = part(&report, name);
        assert_eq!(
            found.is_null(),
            is_unknown,
            "without {tracepoint}: {name}: {found:#}"
        );
    }
    let probes = &report.ledger.probes;
    let mut own = probes.iter().filter(|probe| probe.tracepoint == tracepoint);
    let is_absent = |probe: &Probe| matches!(probe.verdict, Verdict::Absent { .. });
    assert!(own.all(is_absent), "{probes:#?}");
    let alarm = format!("PROBE MISSING: {tracepoint} (left out by --without-probe)");
    let first = said.lines().take_while(|line| !line.is_empty());
    assert!(first.clone().any(|line| line == alarm), "{said}");
    // The calls have been counted all the same.
    assert_eq!(report.call("fsync").calls, 1, "without {tracepoint}");
    assert_eq!(
        report.call("write").bytes,
        Some(8 * 65536),
        "without {tracepoint}"
    );
    // Where the time went is unknown of each call, too.
    let has_time = !unknown.contains(&"time");
    for call in &report.workload(0).syscalls {
        assert_eq!(
            call.breakdown.is_some(),
            has_time,
            "without {tracepoint}: {call:#?}"
        );
    }
}

fn assert_complete(folder: &Path, tracepoint: &str) {
    let (report, said) = run(folder, tracepoint);
    for name in PARTS {
        assert!(
            !part(&report, name).is_null(),
            "without {tracepoint}: {name}"
        );
    }
    let missing: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("PROBE MISSING"))
        .collect();
    // It is named where this kernel has it and it was left out by wish, though another does its work.
    assert!(missing.is_empty(), "without {tracepoint}: {missing:?}");
}

fn assert_refused(folder: &Path, tracepoint: &str) {
    let marker = folder.join("marker");
    let mut run = ioprof();
    run.args(["run", "--without-probe", tracepoint, "--", "touch"]);
    let refused = support::output(run.arg(&marker));
    assert_eq!(refused.status.code(), Some(125), "{refused:?}");
    let said = text(&refused.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("left out by --without-probe"), "{said}");
    assert!(!marker.exists(), "without {tracepoint} the command has run");
}

#[test]
fn the_kernel_refuses_no_probe() {
    requires!();
    let report = support::profile(&[], &["true"]);
    let is_refused = |probe: &&Probe| matches!(probe.verdict, Verdict::Refused { .. });
    let refused: Vec<_> = report.ledger.probes.iter().filter(is_refused).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
