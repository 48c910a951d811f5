//! Page faults are counted exactly, as the kernel itself counts them.

use std::{ffi::OsStr, path::Path, process::Stdio};

use crate::support::{
    self, Report,
    device::{Loop, device_below, written_file},
    folder, ioprof, output,
    program::Program,
    report::{items, number},
    requirements::{skip, tool},
    text,
};
use serde_json::Value;

const COUNT: u64 = 512;
const PAGE: u64 = 4096;
/// Room for as many pages, each so far from the next that no fault maps two.
const FILE_BYTES: usize = 40 * 1024 * 1024;
const TOOLS: &str = "cc losetup mkfs.ext4 setarch";

/// What one run of the program said and what the report says of it.
struct Run {
    report: Report,
    minor: u64,
    major: u64,
}

impl Run {
    fn faults(&self) -> &Value {
        &self.report.workload(0)["faults"]
    }

    fn count(&self, pointer: &str) -> u64 {
        let found = self.faults().pointer(pointer);
        number(found.unwrap_or_else(|| panic!("no {pointer} in {}", self.faults())))
    }

    /// Those on pages of files; none where this kernel has no tracepoint for that, which the report must say.
    fn on_files(&self) -> Option<u64> {
        if self.faults()["on_files"].is_null() {
            let probes = &self.report.0["ledger"]["probes"];
            let fault = items(probes).find(|probe| probe["tracepoint"] == "mm_filemap_fault");
            assert_eq!(fault.expect("it is listed")["verdict"], "absent");
            return None;
        }
        Some(self.count("/on_files/minor") + self.count("/on_files/major"))
    }

    /// How many more those are than in a run of none; as expected where that is not known.
    fn more_on_files(&self, none: &Self, expected: u64) -> u64 {
        let both = self.on_files().zip(none.on_files());
        both.map_or(expected, |(all, none)| all - none)
    }

    /// What the probes counted and what the kernel did.
    fn check(&self, what: &str) -> (u64, u64) {
        self.report.workload_check("page_faults", what)
    }
}

/// Profiles the program at `count` faults of a kind. Without randomised addresses, so that what it takes to
/// start is the same for each run.
fn run(program: &Program, file: &Path, kind: &str, count: u64, options: &[&str]) -> Run {
    let folder = folder();
    let out = folder.path().join("run.json");
    let file = file.to_str().expect("a plain path");
    let mut command = tool("setarch");
    command.arg("-R").arg(env!("CARGO_BIN_EXE_ioprof"));
    command.arg("run").args(options).arg("-o").arg(&out);
    command.arg("--");
    // As long whatever the number: it is part of what the program starts with.
    command.args(program.with(&[file, kind, &format!("{count:04}")]));
    let done = command
        .stdin(Stdio::null())
        .output()
        .expect("setarch can be started");
    assert!(done.status.success(), "{done:?}");
    let said = text(&done.stdout);
    let (minor, major) = said.trim().split_once(' ').expect("two numbers");
    let report = Report::read(&out);
    report.assert_nothing_lost();
    let run = Run {
        report,
        minor: minor.parse().expect("a number"),
        major: major.parse().expect("a number"),
    };
    let (counted, kernel) = run.check("major_faults");
    assert_eq!(counted, kernel, "major faults");
    assert_eq!(counted, run.count("/major"));
    assert_eq!(run.count("/major_latency/count"), counted);
    run
}

/// The same at none and at [`COUNT`], which must be so many minor and major faults by the program's own
/// reading. Another program may empty the page cache meanwhile: then once more.
fn both(
    program: &Program,
    file: &Path,
    kind: &str,
    options: &[&str],
    expected: (u64, u64),
) -> (Run, Run) {
    let mut found = (0, 0);
    for _ in 0..4 {
        // So that the program is in the cache for both.
        let warm = program.with(&[file.to_str().expect("a plain path"), kind, "0000"]);
        support::succeed(std::process::Command::new(&warm[0]).args(&warm[1..]));
        let none = run(program, file, kind, 0, options);
        let all = run(program, file, kind, COUNT, options);
        found = (all.minor, all.major);
        if found == expected && none.count("/major") == 0 {
            return (none, all);
        }
    }
    panic!("{kind}: {found:?} minor and major faults rather than {expected:?}");
}

#[test]
fn cold_pages_are_major_faults_and_a_request_each_on_a_loop_device() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    assert_cold(&program, &file, device.name());
}

#[test]
fn cold_pages_are_major_faults_and_a_request_each_on_the_machines_disk() {
    requires!("cc", "setarch");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
    let device = match device_below(folder.path()) {
        Ok(device) => device,
        Err(reason) => return skip(&reason),
    };
    let program = Program::compile("page_faults");
    let file = written_file(folder.path(), FILE_BYTES);
    assert_cold(&program, &file, &device);
}

fn assert_cold(program: &Program, file: &Path, device: &str) {
    let (none, cold) = both(program, file, "cold", &[], (0, COUNT));
    assert_eq!(cold.count("/major"), COUNT);
    assert_eq!(cold.count("/major_in_calls"), 0);
    assert_eq!(cold.more_on_files(&none, COUNT), COUNT);
    assert_eq!(cold.count("/dirtying"), 0);
    let (before, bytes_before) = none.report.block(0, device, "read");
    let (requests, bytes) = cold.report.block(0, device, "read");
    assert_eq!(
        (requests - before, bytes - bytes_before),
        (COUNT, COUNT * PAGE)
    );
    let rows = items(&cold.report.workload(0)["files"]["top"]);
    let path = file.to_str().expect("a plain path");
    let rows: Vec<_> = rows.filter(|row| row["path"] == path).collect();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(number(&rows[0]["device_read_bytes"]), COUNT * PAGE);
    if cold.on_files().is_some() {
        assert_eq!(cold.count("/on_files/major"), COUNT);
        assert_eq!(number(&rows[0]["major_faults"]), COUNT);
        assert!(number(&rows[0]["major_fault_ns"]) > 0);
    } else {
        assert!(rows[0]["major_faults"].is_null(), "{rows:#?}");
    }
}

#[test]
fn minor_faults_are_told_apart_by_what_they_are_on() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    // Kind, whether the faults are on the file, whether each makes a page dirty, whether they are in calls.
    for (kind, on_file, dirtying, in_calls) in [
        ("cached", true, false, false),
        ("write", true, true, false),
        ("private", true, false, false),
        ("call", true, true, true),
        ("anonymous", false, false, false),
    ] {
        let (none, all) = both(&program, &file, kind, &["--minor-fault-time"], (COUNT, 0));
        let more = |pointer| all.count(pointer) - none.count(pointer);
        let expected = |is: bool| if is { COUNT } else { 0 };
        assert_eq!(more("/minor"), COUNT, "{kind}");
        assert_eq!(more("/minor_time/faults"), COUNT, "{kind}");
        assert_eq!(more("/minor_time/in_calls"), expected(in_calls), "{kind}");
        let on_files = expected(on_file);
        assert_eq!(all.more_on_files(&none, on_files), on_files, "{kind}");
        assert_eq!(more("/dirtying"), expected(dirtying), "{kind}");
        assert!(more("/minor_time/time_ns") > 0, "{kind}");
        // What the kernel does for itself, as execve does in the new program's stack, is in its count only.
        let (counted, kernel) = all.check("minor_faults");
        let (counted_at_start, kernel_at_start) = none.check("minor_faults");
        assert_eq!(counted - counted_at_start, kernel - kernel_at_start);
    }
}

#[test]
fn a_page_that_was_read_before_it_is_written_to_is_one_dirtying_fault() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    let (none, all) = both(&program, &file, "upgrade", &[], (COUNT, 0));
    assert_eq!(all.count("/dirtying"), COUNT);
    // One to read it, one to write to it.
    assert_eq!(all.more_on_files(&none, 2 * COUNT), 2 * COUNT);
    assert!(all.faults()["minor_time"].is_null(), "{}", all.faults());
}

#[test]
fn faults_that_end_in_a_signal_are_none_and_leave_nothing_behind() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    let (none, all) = both(&program, &file, "failing", &["--minor-fault-time"], (0, 0));
    // The pages that are written to after each are made dirty by a call, and in no fault.
    assert_eq!(all.report.call("pwrite64").calls, COUNT);
    assert_eq!(all.count("/dirtying"), 0);
    assert_eq!(all.count("/minor"), none.count("/minor"));
    assert_eq!(
        all.count("/minor_time/faults"),
        none.count("/minor_time/faults")
    );
    assert_eq!(all.on_files(), none.on_files());
}

#[test]
fn without_a_probe_what_it_tells_is_unknown_and_not_zero() {
    requires!();
    for (probe, pointer) in [
        ("page_fault_user", ""),
        ("page_fault_kernel", ""),
        ("major-faults", ""),
        ("mm_filemap_fault", "/on_files"),
        ("mm_filemap_map_pages", "/on_files"),
        ("writeback_dirty_folio", "/dirtying"),
    ] {
        let folder = folder();
        let file = folder.path().join("run.json");
        let mut command = ioprof();
        command.args(["run", "--without-probe", probe, "-o"]);
        let done = output(command.arg(&file).args(["--", "true"].map(OsStr::new)));
        assert!(done.status.success(), "{done:?}");
        let report = Report::read(&file);
        let faults = &report.workload(0)["faults"];
        let unknown = faults.pointer(pointer).expect("it is there");
        assert!(unknown.is_null(), "{probe}: {faults}");
        if !pointer.is_empty() {
            assert!(number(&faults["minor"]) > 0, "{faults}");
        }
        let said = text(&done.stderr);
        assert!(
            said.contains(&format!("PROBE MISSING: {probe} (")),
            "{said}"
        );
    }
}
