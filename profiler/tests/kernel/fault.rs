//! Page faults are counted exactly, as the kernel itself counts them.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::support::{
    Report,
    attached::Attached,
    device::{Loop, device_below, written_file},
    folder, ioprof, line, output, plain,
    program::Program,
    reader,
    report::{BlockOperation, CheckKind, FaultTime, Faults, FileFaults, Verdict, known},
    requirements::skip,
    text,
};

const COUNT: u64 = 512;
const PAGE: u64 = 4096;
/// Room for as many pages, each so far from the next that no fault maps two.
const FILE_BYTES: usize = 40 * 1024 * 1024;
const TOOLS: &str = "cc losetup mkfs.ext4";

/// What the report says of the faults of one run of the program, and nothing but those.
struct Run(Report);

impl Run {
    fn faults(&self) -> &Faults {
        known(&self.0.workload(0).faults)
    }

    /// Those on pages of files; none where this kernel has no tracepoint for that, which the report must say.
    fn on_files(&self) -> Option<FileFaults> {
        let on_files = self.faults().on_files;
        if on_files.is_none() {
            let verdict = &self.0.probe("mm_filemap_fault").verdict;
            assert!(matches!(verdict, Verdict::Absent { .. }), "{verdict:?}");
        }
        on_files
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

/// Minor and major faults.
type Counts = (u64, u64);

/// Attaches to the program while it takes faults of a kind: the report, and the kernel's count from before the
/// attaching to after the detaching.
fn profile(program: &Program, file: &Path, kind: &str, options: &[&str]) -> (Run, [Counts; 2]) {
    let mut child = Command::new(program.path())
        .args([plain(file), kind, &COUNT.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = reader(&mut child.stdout);
    let mut go_on = || stdin.write_all(b"x").expect("the program waits for it");
    assert_eq!(line(&mut stdout), "ready\n");
    let attached = Attached::to(&[child.id()], options);
    go_on();
    assert_eq!(line(&mut stdout), "done\n");
    let report = attached.end(Signal::SIGINT);
    go_on();
    let said = line(&mut stdout);
    assert!(child.wait().expect("a child").success());
    let numbers: Vec<u64> = said
        .split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [minor, major, all_minor, all_major] = numbers[..] else {
        panic!("{said:?}");
    };
    (Run(report), [(minor, major), (all_minor, all_major)])
}

/// The same, where the kernel counted so many faults and none besides. What is in the page cache may change at any time,
/// and a page of the program's own that is not there is another fault: then once more.
fn run(program: &Program, file: &Path, kind: &str, options: &[&str], expected: [Counts; 2]) -> Run {
    let mut found = [(0, 0); 2];
    for _ in 0..10 {
        let (run, kernel) = profile(program, file, kind, options);
        found = kernel;
        run.0.assert_nothing_lost();
        let (counted, kernel) = run.0.workload_check(CheckKind::MajorFaults);
        assert_eq!(counted, kernel, "major faults");
        if found == expected {
            let faults = run.faults();
            assert_eq!((faults.minor, faults.major), expected[1], "{kind}");
            assert_eq!(faults.major_latency.count, faults.major, "{kind}");
            return run;
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
    requires!("cc");
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
    let cold = run(program, file, "cold", &[], [(0, COUNT); 2]);
    assert_eq!(cold.faults().major_in_calls, 0);
    assert_eq!(cold.dirtying(), 0);
    let requests = cold.0.block(0, device, BlockOperation::Read);
    assert_eq!(requests, (COUNT, COUNT * PAGE));
    let row = &cold.0.file(file).counts;
    assert_eq!(row.device_read_bytes, Some(COUNT * PAGE));
    if let Some(on_files) = cold.on_files() {
        assert_eq!((on_files.minor, on_files.major), (0, COUNT));
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
        let all = run(
            &program,
            &file,
            kind,
            &["--minor-fault-time"],
            [(COUNT, 0); 2],
        );
        let expected = |is: bool| if is { COUNT } else { 0 };
        if let Some(on_files) = all.on_files() {
            assert_eq!(on_files.minor, expected(on_file), "{kind}");
        }
        assert_eq!(all.dirtying(), expected(dirtying), "{kind}");
        let time = all.minor_time();
        assert_eq!(time.faults, COUNT, "{kind}");
        assert_eq!(time.in_calls, expected(in_calls), "{kind}");
        assert!(time.time_ns > 0, "{kind}");
        let (counted, kernel) = all.0.workload_check(CheckKind::MinorFaults);
        assert_eq!(counted, kernel, "{kind}");
    }
}

#[test]
fn a_page_that_was_read_before_it_is_written_to_is_one_dirtying_fault() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    let all = run(
        &program,
        &file,
        "upgrade",
        &[],
        [(COUNT, 0), (2 * COUNT, 0)],
    );
    assert_eq!(all.dirtying(), COUNT);
    // One to read it, one to write to it.
    if let Some(on_files) = all.on_files() {
        assert_eq!(on_files.minor, 2 * COUNT);
    }
    assert!(all.faults().minor_time.is_none(), "{:?}", all.faults());
}

#[test]
fn faults_that_end_in_a_signal_are_none_and_leave_nothing_behind() {
    requires!(TOOLS);
    let program = Program::compile("page_faults");
    let device = Loop::new(96 * 1024 * 1024);
    let file = written_file(&device.mounted(), FILE_BYTES);
    let all = run(
        &program,
        &file,
        "failing",
        &["--minor-fault-time"],
        [(0, 0); 2],
    );
    // The pages that are written to after each are made dirty by a call, and in no fault.
    assert_eq!(all.0.call("pwrite64").calls, COUNT);
    assert_eq!(all.dirtying(), 0);
    assert_eq!(all.minor_time().faults, 0);
    if let Some(on_files) = all.on_files() {
        assert_eq!(on_files.minor + on_files.major, 0);
    }
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
