//! Page faults are counted exactly, as the kernel itself counts them.

use std::{ffi::OsStr, path::Path, process::Stdio};

use crate::support::{
    self, Report,
    device::{Loop, device_below, written_file},
    folder, ioprof, output,
    program::Program,
    report::{BlockOperation, CheckKind, FaultTime, Faults, Verdict, known},
    requirements::{skip, tool},
    text,
};

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
    fn faults(&self) -> &Faults {
        known(&self.report.workload(0).faults)
    }

    /// Those on pages of files; none where this kernel has no tracepoint for that, which the report must say.
    fn on_files(&self) -> Option<u64> {
        let Some(on_files) = self.faults().on_files else {
            let verdict = &self.report.probe("mm_filemap_fault").verdict;
            assert!(matches!(verdict, Verdict::Absent { .. }), "{verdict:?}");
            return None;
        };
        Some(on_files.minor + on_files.major)
    }

    /// How many more those are than in a run of none; as expected where that is not known.
    fn more_on_files(&self, none: &Self, expected: u64) -> u64 {
        let both = self.on_files().zip(none.on_files());
        both.map_or(expected, |(all, none)| all - none)
    }

    /// Those that made a page dirty.
    fn dirtying(&self) -> u64 {
        *known(&self.faults().dirtying)
    }

    /// What minor faults took.
    fn minor_time(&self) -> FaultTime {
        *known(&self.faults().minor_time)
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
    let (counted, kernel) = run.report.workload_check(CheckKind::MajorFaults);
    assert_eq!(counted, kernel, "major faults");
    assert_eq!(counted, run.faults().major);
    assert_eq!(counted, run.faults().major_latency.count);
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
        if found == expected && none.faults().major == 0 {
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
    assert_eq!(cold.faults().major, COUNT);
    assert_eq!(cold.faults().major_in_calls, 0);
    assert_eq!(cold.more_on_files(&none, COUNT), COUNT);
    assert_eq!(cold.dirtying(), 0);
    let (before, bytes_before) = none.report.block(0, device, BlockOperation::Read);
    let (requests, bytes) = cold.report.block(0, device, BlockOperation::Read);
    assert_eq!(
        (requests - before, bytes - bytes_before),
        (COUNT, COUNT * PAGE)
    );
    let row = &cold.report.file(file).counts;
    assert_eq!(row.device_read_bytes, Some(COUNT * PAGE));
    if let Some(on_files) = cold.faults().on_files {
        assert_eq!(on_files.major, COUNT);
        assert_eq!(row.major_faults, Some(COUNT));
        assert!(row.major_fault_ns > Some(0));
    } else {
        assert!(row.major_faults.is_none(), "{row:#?}");
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
        let more = |count: fn(&Run) -> u64| count(&all) - count(&none);
        let expected = |is: bool| if is { COUNT } else { 0 };
        assert_eq!(more(|run| run.faults().minor), COUNT, "{kind}");
        assert_eq!(more(|run| run.minor_time().faults), COUNT, "{kind}");
        assert_eq!(
            more(|run| run.minor_time().in_calls),
            expected(in_calls),
            "{kind}"
        );
        let on_files = expected(on_file);
        assert_eq!(all.more_on_files(&none, on_files), on_files, "{kind}");
        assert_eq!(more(Run::dirtying), expected(dirtying), "{kind}");
        assert!(more(|run| run.minor_time().time_ns) > 0, "{kind}");
        // What the kernel does for itself, as execve does in the new program's stack, is in its count only.
        let (counted, kernel) = all.report.workload_check(CheckKind::MinorFaults);
        let (counted_at_start, kernel_at_start) =
            none.report.workload_check(CheckKind::MinorFaults);
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
    assert_eq!(all.dirtying(), COUNT);
    // One to read it, one to write to it.
    assert_eq!(all.more_on_files(&none, 2 * COUNT), 2 * COUNT);
    assert!(all.faults().minor_time.is_none(), "{:?}", all.faults());
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
    assert_eq!(all.dirtying(), 0);
    assert_eq!(all.faults().minor, none.faults().minor);
    assert_eq!(all.minor_time().faults, none.minor_time().faults);
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
        let faults = &report.json["workloads"][0]["faults"];
        let unknown = faults.pointer(pointer).expect("it is there");
        assert!(unknown.is_null(), "{probe}: {faults}");
        if !pointer.is_empty() {
            assert!(known(&report.workload(0).faults).minor > 0, "{faults}");
        }
        let said = text(&done.stderr);
        assert!(
            said.contains(&format!("PROBE MISSING: {probe} (")),
            "{said}"
        );
    }
}
