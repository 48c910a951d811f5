//! Several ioprof at once, and beside other tracers: each counts as if it were alone.

use std::{
    collections::BTreeMap,
    io::{BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::support::{
    Report,
    attached::Attached,
    device::{Loop, written_file},
    folder, ioprof, line, plain, profile,
    program::Program,
    reader,
    report::{CheckKind, known},
    requirements::tool,
    succeed, text,
    tracers::{self, Beside},
};
use nix::sys::signal::Signal;

/// What `together.c` does at the word.
const PREADS: u64 = 1000;
const PWRITES: u64 = 300;
const SYNCS: u64 = 3;
/// The major faults that a test has it take, where it does.
const FAULTS: u64 = 512;

/// What is profiled: the program, and a file on a file system whose pages can be dropped from the cache.
struct Prepared {
    program: Program,
    file: PathBuf,
    _device: Loop,
}

impl Prepared {
    fn new() -> Self {
        let device = Loop::new(32 * 1024 * 1024);
        Self {
            program: Program::compile("together"),
            file: written_file(&device.mounted(), FAULTS as usize * 4096),
            _device: device,
        }
    }

    /// Starts it behind other words of a command line, and returns when it waits for its own.
    fn start(&self, mut before: Command, faults: u64) -> Running {
        let file = plain(&self.file);
        let mut outer = before
            .args(self.program.with(&[file, &faults.to_string()]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{before:?} cannot be started: {error}"));
        let mut stdout = reader(&mut outer.stdout);
        let said = line(&mut stdout);
        let pid = said.trim().strip_prefix("ready ");
        let pid = pid.and_then(|pid| pid.parse().ok());
        Running {
            pid: pid.unwrap_or_else(|| panic!("{before:?} said {said:?}")),
            outer,
            stdout,
        }
    }

    /// Alone.
    fn alone(&self, faults: u64) -> Running {
        // As there has to be a command before it.
        self.start(Command::new("env"), faults)
    }
}

/// The program, which waits for the word, or for its end.
struct Running {
    outer: Child,
    stdout: BufReader<ChildStdout>,
    pid: u32,
}

impl Running {
    fn work(&mut self) {
        let stdin = self.outer.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"x").expect("the program waits for it");
        assert_eq!(line(&mut self.stdout), "done\n");
    }

    fn end(mut self) {
        drop(self.outer.stdin.take());
        let status = self.outer.wait().expect("a child");
        assert!(status.success(), "{status}");
    }
}

/// Fails where the report is not exactly what the program did.
fn assert_exact(report: &Report) {
    report.assert_nothing_lost();
    for (name, calls, bytes) in [
        ("pread64", PREADS, Some(PREADS * 512)),
        ("pwrite64", PWRITES, Some(PWRITES * 1000)),
        ("fdatasync", SYNCS, None),
    ] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, bytes), "{name}");
        assert!(call.errors.is_empty(), "{name}: {:?}", call.errors);
    }
}

/// Fails where the major faults are not these, or not those that the kernel has counted.
fn assert_major_faults(report: &Report, expected: u64) {
    let found = report.workload_check(CheckKind::MajorFaults);
    assert_eq!(found, (expected, expected));
}

/// The same of a program that is counted from its execve on, whose own pages may have to be read first.
fn assert_major_faults_from_start(report: &Report, least: u64) {
    let (counted, kernel) = report.workload_check(CheckKind::MajorFaults);
    assert_eq!(counted, kernel);
    assert!(counted >= least, "{counted} of {least} major faults");
}

const TOOLS: &str = "cc losetup mkfs.ext4";

#[test]
fn two_and_four_that_run_at_once_count_each_its_own() {
    requires!(TOOLS);
    let prepared = Prepared::new();
    let folder = folder();
    for together in [2, 4] {
        let out = |number: usize| folder.path().join(format!("run-{together}-{number}.json"));
        let run = |number| {
            let mut run = ioprof();
            run.arg("run").arg("-o").arg(out(number)).arg("--");
            prepared.start(run, 0)
        };
        // All profile before the first one is given the word.
        let mut all: Vec<_> = (0..together).map(run).collect();
        all.iter_mut().for_each(Running::work);
        all.into_iter().for_each(Running::end);
        for number in 0..together {
            assert_exact(&Report::read(&out(number)));
        }
    }
}

#[test]
fn four_attached_two_to_a_process_count_each_everything() {
    requires!(TOOLS);
    let prepared = Prepared::new();
    let mut processes = [prepared.alone(FAULTS), prepared.alone(0)];
    let attach = |process: &Running| Attached::to(&[process.pid], &[]);
    let all: Vec<_> = processes.iter().chain(&processes).map(attach).collect();
    processes.iter_mut().for_each(Running::work);
    for (number, attached) in all.into_iter().enumerate() {
        let report = attached.end(Signal::SIGINT);
        assert_exact(&report);
        assert_major_faults(&report, [FAULTS, 0][number % 2]);
    }
    processes.into_iter().for_each(Running::end);
}

#[test]
fn one_below_another_is_profiled_as_any_command() {
    requires!(TOOLS);
    let prepared = Prepared::new();
    let folder = folder();
    let [outer, inner] = ["outer", "inner"].map(|name| folder.path().join(name));
    let mut run = ioprof();
    run.arg("run").arg("-o").arg(&outer).arg("--");
    run.arg(env!("CARGO_BIN_EXE_ioprof"));
    run.arg("run").arg("-o").arg(&inner).arg("--");
    let mut process = prepared.start(run, FAULTS);
    process.work();
    process.end();
    let inner = Report::read(&inner);
    assert_exact(&inner);
    assert_major_faults_from_start(&inner, FAULTS);
    // The inner ioprof makes calls of its own, but none of these.
    let outer = Report::read(&outer);
    outer.assert_nothing_lost();
    for name in ["pwrite64", "fdatasync"] {
        let [outer, inner] = [&outer, &inner].map(|report| report.call(name));
        assert_eq!(outer.calls, inner.calls, "{name}");
        assert_eq!(outer.bytes, inner.bytes, "{name}");
    }
    assert!(outer.call("pread64").bytes > inner.call("pread64").bytes);
    assert_major_faults_from_start(&outer, FAULTS);
    assert!(outer.workload(0).processes >= 2);
}

/// Calls by name, as strace and `perf trace` have them.
fn assert_counted(counts: &BTreeMap<String, u64>) {
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let found = ["pread64", "pwrite64", "fdatasync"].map(count);
    assert_eq!(found, [PREADS, PWRITES, SYNCS], "{counts:?}");
}

#[test]
fn strace_and_ioprof_count_the_same_whoever_was_first() {
    requires!(TOOLS, "strace");
    let prepared = Prepared::new();
    let folder = folder();
    let table = folder.path().join("table");

    let mut traced = prepared.start(tracers::strace(&table), FAULTS);
    let attached = Attached::to(&[traced.pid], &[]);
    traced.work();
    let report = attached.end(Signal::SIGINT);
    traced.end();
    assert_exact(&report);
    assert_major_faults(&report, FAULTS);
    assert_counted(&tracers::strace_counts(&table));

    let mut profiled = prepared.alone(FAULTS);
    let attached = Attached::to(&[profiled.pid], &[]);
    let strace = Beside::strace(&table, profiled.pid);
    profiled.work();
    strace.end();
    let report = attached.end(Signal::SIGINT);
    profiled.end();
    assert_exact(&report);
    assert_major_faults(&report, FAULTS);
    assert_counted(&tracers::strace_counts(&table));

    // Below ioprof strace is part of the command: these calls it makes none of.
    let out = folder.path().join("run.json");
    let mut run = ioprof();
    run.arg("run")
        .arg("-o")
        .arg(&out)
        .arg("--")
        .arg(tool("strace").get_program());
    run.args(tracers::strace(&table).get_args());
    let mut below = prepared.start(run, 0);
    below.work();
    below.end();
    let report = Report::read(&out);
    report.assert_nothing_lost();
    assert_eq!(report.call("pwrite64").calls, PWRITES);
    assert_eq!(report.call("fdatasync").calls, SYNCS);
    assert_counted(&tracers::strace_counts(&table));
}

#[test]
fn bpftrace_and_ioprof_count_the_same() {
    requires!(TOOLS, "bpftrace", "unshare");
    let prepared = Prepared::new();
    let mut process = prepared.alone(0);
    let bpftrace = Beside::bpftrace(process.pid);
    let attached = Attached::to(&[process.pid], &[]);
    process.work();
    let report = attached.end(Signal::SIGINT);
    let said = bpftrace.end();
    process.end();
    assert_exact(&report);
    assert_counted(&tracers::bpftrace_counts(&said));
}

#[test]
fn perf_and_ioprof_count_the_same() {
    requires!(TOOLS, "perf", "unshare", "taskset");
    let prepared = Prepared::new();
    let folder = folder();
    let out = folder.path().join("out");
    // Each starts the program, and ioprof comes to it later.
    let beside = |perf: Command| {
        let mut process = prepared.start(perf, FAULTS);
        let attached = Attached::to(&[process.pid], &[]);
        process.work();
        let report = attached.end(Signal::SIGINT);
        process.end();
        assert_exact(&report);
        assert_major_faults(&report, FAULTS);
    };
    let perf = |words: &[&str]| {
        let mut perf = tool("perf");
        perf.args(words).arg("-o").arg(&out).arg("--");
        perf
    };
    beside(perf(&["stat", "-x,", "-e", "major-faults"]));
    assert!(tracers::perf_stat_count(&out, "major-faults") >= FAULTS);

    beside(perf(&["record", "-q", "-e", "major-faults", "-c", "1"]));
    let samples = succeed(tool("perf").args(["script", "-F", "event", "-i"]).arg(&out));
    assert!(text(&samples.stdout).lines().count() as u64 >= FAULTS);

    // On one CPU: perf reads the events of one after those of another, and counts no call whose end it reads before its
    // begin. With room for all of its events where it does not get to that CPU: it drops what does not fit.
    let perf = tracers::with_tracefs("perf");
    let mut trace = tool("taskset");
    trace
        .args(["-c", "0"])
        .arg(perf.get_program())
        .args(perf.get_args())
        .args(["trace", "-m", "4096", "-s", "-o"])
        .arg(&out)
        .arg("--");
    beside(trace);
    assert_counted(&tracers::perf_trace_counts(&out));
}

#[test]
fn all_of_them_at_once_count_the_same() {
    requires!(TOOLS, "perf", "strace", "bpftrace", "unshare");
    let prepared = Prepared::new();
    let folder = folder();
    let [stat, table] = ["stat", "table"].map(|name| folder.path().join(name));
    let mut perf = tool("perf");
    perf.args(["stat", "-x,", "-e", "major-faults", "-o"]);
    perf.arg(&stat).arg("--");
    let mut process = prepared.start(perf, FAULTS);
    let attach = || Attached::to(&[process.pid], &[]);
    let (first, bpftrace) = (attach(), Beside::bpftrace(process.pid));
    let (second, strace) = (attach(), Beside::strace(&table, process.pid));
    process.work();
    let said = bpftrace.end();
    strace.end();
    let reports = [first, second].map(|attached| attached.end(Signal::SIGINT));
    process.end();
    for report in &reports {
        assert_exact(report);
        assert_major_faults(report, FAULTS);
    }
    assert_counted(&tracers::bpftrace_counts(&said));
    assert_counted(&tracers::strace_counts(&table));
    assert!(tracers::perf_stat_count(&stat, "major-faults") >= FAULTS);
}

#[test]
fn statistics_that_others_have_on_are_not_taken_for_the_probes_cost() {
    requires!();
    let others = aya::sys::enable_stats(aya::sys::Stats::RunTime).expect("root may");
    let calls = 2_000_000;
    let count = format!("count={}", calls / 2);
    let dd = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", &count];
    let report = profile(&[], &dd);
    drop(others);
    assert!(report.call("write").calls >= calls / 2);
    // Longer than the beginning, which is measured whole, so that the most of the calls were not measured; the
    // kernel has measured all of them.
    let share = report.ledger.probe_cpu_measured_share;
    assert!(share.is_some_and(|share| share < 1.0), "{share:?}");
    let measured = known(&report.probe("sys_enter").measured_runs);
    assert!(
        *measured < calls,
        "{measured} runs in {share:?} of the time"
    );
}
