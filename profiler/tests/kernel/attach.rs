//! Attaching to what already runs: every thread is in scope from then on, and lives on afterwards.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
};

use crate::support::{
    self, assert_one_line,
    attached::Attached,
    folder, ioprof, line, plain,
    program::Program,
    reader,
    report::{CheckKind, Kind, known},
    steps::Steps,
    succeed,
};
use nix::sys::signal::Signal;

/// The threads of `many_threads.c` beside its main thread, and those of them that wait inside a call.
const THREADS: u64 = 64;
const BLOCKED: u64 = 62;

/// The program with all its threads where they are meant to be.
struct ManyThreads {
    child: Child,
    // The folder and the program must stay as long as the child runs.
    _folder: tempfile::TempDir,
    _program: Program,
}

impl ManyThreads {
    fn start() -> Self {
        let program = Program::compile("many_threads");
        let folder = folder();
        let file = folder.path().join("data");
        fs::write(&file, [1; 4096]).expect("a file can be written");
        let child = Command::new(program.path())
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let started = Self {
            child,
            _folder: folder,
            _program: program,
        };
        // The main thread is inside read(2) too, when all are where they wait.
        while started.blocked() < BLOCKED + 1 {
            std::thread::yield_now();
        }
        started
    }

    /// How many threads are inside a call that waits: /proc/PID/task/TID/syscall begins with its number.
    fn blocked(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let waits = |task: fs::DirEntry| {
            let call = fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
            let number = call.split(' ').next().and_then(|word| word.parse().ok());
            [Some(libc::SYS_read), Some(libc::SYS_futex)].contains(&number)
        };
        tasks
            .flatten()
            .filter_map(|task| waits(task).then_some(1))
            .sum()
    }

    /// Lets all threads work, and waits until they have.
    fn work(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"x").expect("the program waits for it");
        assert_eq!(line(&mut reader(&mut self.child.stdout)), "done\n");
    }

    /// Fails where the process does not run on as if nothing had been.
    fn assert_lives_on(mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it is there");
        let line = |key: &str| status.lines().find(|line| line.starts_with(key));
        let state = line("State:").expect("it has a state");
        assert!(state.contains('S') || state.contains('R'), "{state}");
        assert_eq!(line("TracerPid:"), Some("TracerPid:\t0"));
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("a child").success());
    }
}

#[test]
fn every_thread_that_already_runs_is_counted_from_then_on() {
    requires!("cc");
    let mut process = ManyThreads::start();
    let attached = Attached::to(&[process.child.id()], &[]);
    process.work();
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();

    // Ten by each thread, and twenty by the child that was made afterwards.
    let preads = report.call("pread64");
    assert_eq!((preads.calls, preads.bytes), (660, Some(660 * 512)));
    assert!(preads.errors.is_empty());
    // The calls that were under way are in no other count: all calls of read(2) were, and the main thread's
    // next has not returned.
    let ledger = &report.ledger;
    assert_eq!(ledger.calls_in_flight_at_attach, BLOCKED + 1);
    report.assert_never_called("read");

    let workload = report.workload(0);
    assert_eq!(workload.kind, Kind::Attached);
    assert_eq!(workload.root_pid, process.child.id().cast_signed());
    assert!(workload.exit.is_none());
    assert_eq!(workload.processes, 2);
    assert_eq!(workload.threads, THREADS + 2);
    assert_eq!(workload.threads_running, THREADS + 1);
    assert_eq!(report.workload_check(CheckKind::CallReadBytes).0, 660 * 512);
    process.assert_lives_on();
}

#[test]
fn calls_still_under_way_at_the_end_are_in_no_count() {
    requires!("cc");
    let process = ManyThreads::start();
    let report = Attached::to(&[process.child.id()], &[]).end(Signal::SIGTERM);
    report.assert_nothing_lost();
    report.assert_never_called("read");
    let ledger = &report.ledger;
    // Nothing is known of them before they return.
    assert_eq!(ledger.calls_in_flight_at_attach, 0);
    assert_eq!(report.workload(0).threads, THREADS + 1);
    process.assert_lives_on();
}

#[test]
fn attaching_ends_after_the_duration_and_leaves_the_process_running() {
    requires!("cc");
    let process = ManyThreads::start();
    let report = Attached::to(&[process.child.id()], &["-d", "0.2"]).ended();
    report.assert_nothing_lost();
    assert!(report.duration_ns >= 200_000_000);
    process.assert_lives_on();
}

#[test]
fn attaching_ends_with_the_process_and_counts_what_it_did() {
    requires!("cc");
    let mut process = ManyThreads::start();
    let attached = Attached::to(&[process.child.id()], &[]);
    process.work();
    process.assert_lives_on();
    let report = attached.ended();
    report.assert_nothing_lost();
    assert_eq!(report.call("pread64").calls, 660);
    assert_eq!(report.call("read").calls, 1, "the one that let it end");
    assert_eq!(report.workload(0).threads_running, 0);
}

#[test]
fn processes_of_one_program_are_one_workload_unless_they_are_to_be_separate() {
    requires!("cc", "cat");
    let (program, folder) = (Program::compile("steps"), folder());
    let sizes = [512, 1024, 2048];
    let start = |size: &u64| {
        let file = folder.path().join(size.to_string());
        Steps::start(&program, &[plain(&file), &size.to_string()])
    };
    let mut writers: Vec<_> = sizes.iter().map(start).collect();
    let mut other = Command::new("cat")
        .stdin(Stdio::piped())
        .spawn()
        .expect("cat can be started");
    let own: Vec<_> = writers.iter().map(Steps::pid).collect();
    let pids = [&own[..1], &[other.id()], &own[1..]].concat();
    let all = sizes.iter().sum::<u64>();

    let attached = Attached::to(&pids, &[]);
    writers.iter_mut().for_each(|writer| writer.tell("w"));
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();
    assert_eq!(report.workloads.len(), 2);
    let together = report.workload_of(own[0]);
    assert_eq!((together.processes, together.threads), (3, 3));
    let rows = &known(&together.process_rows).processes;
    let mut written: Vec<_> = rows
        .iter()
        .map(|row| (row.pid, row.did.written_bytes))
        .collect();
    // The answers go through pipes, a byte each.
    let mut expected: Vec<_> = own
        .iter()
        .zip(sizes)
        .map(|(pid, size)| (*pid, size + 1))
        .collect();
    written.sort_unstable();
    expected.sort_unstable();
    assert_eq!(written, expected);
    let files: u64 = known(&together.files)
        .top
        .iter()
        .map(|row| row.counts.written_bytes)
        .sum();
    assert!(files >= all, "{files} of {all}");
    assert_eq!(report.workload_of(other.id()).processes, 1);

    let attached = Attached::to(&pids, &["--separate"]);
    writers.iter_mut().for_each(|writer| writer.tell("w"));
    let report = attached.end(Signal::SIGINT);
    assert_eq!(report.workloads.len(), 4);
    for pid in &pids {
        assert_eq!(report.workload_of(*pid).processes, 1);
    }
    writers.into_iter().for_each(Steps::end);
    drop(other.stdin.take());
    assert!(other.wait().expect("a child").success());
}

/// Each by itself; what is still counted while the others' data are written is divided by a time that has it.
#[test]
fn the_wall_time_is_that_in_which_a_process_was_counted() {
    requires!("cc");
    let program = Program::compile("steps");
    let folder = folder();
    let start = |name: &str| {
        let file = folder.path().join(name);
        Steps::start(&program, &[plain(&file), "4096"])
    };
    let [mut one, mut other] = ["one", "other"].map(start);
    let pids = [one.pid(), other.pid()];
    let attached = Attached::to(&pids, &["--separate", "--sync"]);
    one.tell("w");
    one.end();
    other.tell("ws");
    let report = attached.end(Signal::SIGINT);
    other.end();
    let [ended, lived] = pids.map(|pid| report.workload_of(pid));
    assert!(ended.wall_ns < lived.wall_ns, "{ended:#?}");
    for own in [ended, lived] {
        let time = known(&own.time);
        assert!(own.wall_ns > 0 && time.thread_ns <= own.wall_ns, "{own:#?}");
        assert!(own.wall_ns <= report.duration_ns, "{own:#?}");
    }
}

#[test]
fn detaching_from_a_busy_process_loses_nothing() {
    requires!("dd");
    for _ in 0..support::requirements::turns(4) {
        let mut busy: Vec<_> = (0..2)
            .map(|_| {
                Command::new("dd")
                    .args(["if=/dev/zero", "of=/dev/null", "bs=1"])
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("dd can be started")
            })
            .collect();
        let pids: Vec<_> = busy.iter().map(Child::id).collect();
        let report = Attached::to(&pids, &["-d", "0.1"]).ended();
        for child in &mut busy {
            child.kill().expect("it runs");
            child.wait().expect("it is a child");
        }
        report.assert_nothing_lost();
    }
}

#[test]
fn a_thread_that_has_ended_is_none_of_those_that_run() {
    requires!("cc");
    let mut process = Steps::start(&Program::compile("first_ended"), &[]);
    // Its first thread has ended.
    process.tell(b"x");
    let attached = Attached::to(&[process.pid()], &[]);
    process.tell(b"x");
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();
    let calls = report.call("pwrite64");
    assert_eq!((calls.calls, calls.bytes), (10, Some(0)));
    let workload = report.workload(0);
    assert_eq!(
        (
            workload.processes,
            workload.threads,
            workload.threads_running
        ),
        (1, 1, 1)
    );
    process.end();
}

/// Whether a process waits for somebody to read from a pipe that it opens: its call is openat(2).
fn waits_for_reader(process: &Child) -> bool {
    let call = fs::read_to_string(format!("/proc/{}/syscall", process.id())).unwrap_or_default();
    let number = call.split(' ').next().and_then(|word| word.parse().ok());
    let state = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    number == Some(libc::SYS_openat) && state.contains("State:\tS")
}

#[test]
fn a_process_that_ends_before_its_probes_count_is_not_mistaken_for_the_next_of_its_number() {
    requires!("cc", "mkfifo");
    let same_number = Program::compile("same_number");
    let folder = folder();
    let pipe = folder.path().join("report");
    succeed(Command::new("mkfifo").arg(&pipe));
    let mut meant = Command::new("sleep")
        .arg("1000")
        .spawn()
        .expect("it can be started");
    let number = meant.id().to_string();
    // The report's file is opened when the process is known, and before its threads are.
    let attaching = ioprof()
        .args(["attach", "-d", "0.1", "-p", &number, "-o", plain(&pipe)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ioprof can be started");
    while !waits_for_reader(&attaching) {
        std::thread::yield_now();
    }
    meant.kill().and_then(|()| meant.wait()).expect("a child");
    let mut other = Command::new(same_number.path())
        .arg(&number)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut made = [0];
    let answer = other.stdout.as_mut().expect("a pipe");
    answer.read_exact(&mut made).expect("the number is free");
    let read = fs::File::open(&pipe).expect("the pipe can be read");
    let ended = attaching.wait_with_output().expect("ioprof is a child");
    drop((read, other.stdin.take()));
    assert!(other.wait().expect("a child").success());
    assert_one_line(&ended, &["no process", &number]);
}
