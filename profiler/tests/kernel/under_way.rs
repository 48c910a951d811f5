//! Calls that are under way as a thread comes into scope, and at the end.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{
    attached::Attached,
    folder, ioprof, plain,
    program::Program,
    report::{At, CallUnderWay, FileKind, Report},
    succeed, wait_for_call,
};
use nix::sys::signal::Signal;

/// Two named pipes in a folder.
struct Pipes {
    folder: tempfile::TempDir,
}

impl Pipes {
    fn new() -> Self {
        let pipes = Self { folder: folder() };
        succeed(
            Command::new("mkfifo")
                .arg(pipes.first())
                .arg(pipes.second()),
        );
        pipes
    }

    fn first(&self) -> PathBuf {
        self.folder.path().join("first")
    }

    fn second(&self) -> PathBuf {
        self.folder.path().join("second")
    }
}

/// Waits until a thread waits in read(2) of a descriptor.
fn wait_for_read(process: u32, thread: u32, descriptor: u32) {
    wait_for_call(process, thread, libc::SYS_read, descriptor);
}

/// The second thread of a process; waits for it.
fn second_thread(process: u32) -> u32 {
    loop {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
        let mut threads = tasks
            .flatten()
            .filter_map(|task| task.file_name().to_str()?.parse().ok());
        if let Some(thread) = threads.find(|thread| *thread != process) {
            return thread;
        }
        std::thread::yield_now();
    }
}

fn end(mut child: Child) {
    child.kill().and_then(|()| child.wait()).expect("a child");
}

/// The call of a thread at one end; there must be one.
fn under_way(report: &Report, at: At, tid: u32) -> &CallUnderWay {
    let under_way = report.workload(0).calls_under_way.as_ref();
    let calls = &under_way.expect("they were looked for").calls;
    let found = calls.iter().find(|call| call.at == at && call.tid == tid);
    found.unwrap_or_else(|| panic!("thread {tid} is not in {calls:#?}"))
}

/// Fails where it is not a read of a pipe, with a path or without.
fn assert_reads(call: &CallUnderWay, pipe: Option<&Path>) {
    assert_eq!(call.call.as_ref().map(|name| name.as_str()), Some("read"));
    let file = call.file.as_ref().expect("it has one");
    assert_eq!(file.kind, FileKind::Pipes);
    assert_eq!(
        file.path.as_ref().map(|path| path.as_str()),
        pipe.map(plain)
    );
}

#[test]
fn calls_that_wait_at_both_ends_are_told_with_their_file_and_age() {
    requires!("cc", "mkfifo");
    let program = Program::compile("under_way");
    let pipes = Pipes::new();
    let mut child = Command::new(program.path())
        .args([pipes.first(), pipes.second()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let first = child.id();
    let reader = second_thread(first);
    wait_for_read(first, first, 0);
    wait_for_read(first, reader, 3);
    let attached = Attached::to(&[first], &["--full"]);
    let stdin = child.stdin.as_mut().expect("a pipe");
    stdin.write_all(b"x").expect("it waits for it");
    wait_for_read(first, first, 4);
    let (report, said) = attached.end_saying(Signal::SIGINT);
    end(child);
    report.assert_nothing_lost();

    let all = report.workload(0).calls_under_way.as_ref().expect("known");
    assert_eq!((all.calls.len(), all.more), (4, 0), "{all:#?}");
    assert!(all.calls.iter().all(|call| call.pid == first));
    let began = under_way(&report, At::Beginning, first);
    assert_reads(began, None);
    assert_eq!(began.age_ns, None);
    let path = pipes.first();
    for at in [At::Beginning, At::End] {
        let waits = under_way(&report, at, reader);
        assert_reads(waits, Some(&path));
        // It began before anybody looked.
        assert_eq!((waits.age_ns, waits.thread_name.as_str()), (None, "reader"));
    }
    let ended = under_way(&report, At::End, first);
    assert_reads(ended, Some(&pipes.second()));
    let age = ended.age_ns.expect("it was seen to begin");
    assert!(age > 0 && age < report.duration_ns);
    // The one that has returned is the only one that counts as in flight at attach.
    assert_eq!(report.ledger.calls_in_flight_at_attach, 1);
    assert!(said.contains("at the end: read on "), "{said}");
    assert!(
        said.contains(&format!(", age unknown, reader ({reader})\n")),
        "{said}"
    );
}

#[test]
fn a_call_that_a_command_leaves_under_way_has_an_age_and_no_other_calls_file() {
    requires!("sh", "sleep");
    let folder = folder();
    let file = folder.path().join("run.json");
    // The last file that it has read is none of its sleep's.
    let script = "sleep 1000 > /dev/null 2>&1 & echo $! > \"$0\"
        while :; do
            read -r number rest < /proc/$!/syscall
            case $number in \"$1\" | \"$2\") exit ;; esac
        done";
    let pid = folder.path().join("pid");
    let sleeps = [libc::SYS_nanosleep, libc::SYS_clock_nanosleep];
    succeed(
        ioprof()
            .args(["run", "-o", plain(&file), "--", "sh", "-c", script])
            .arg(&pid)
            .args(sleeps.map(|number| number.to_string())),
    );
    let report = Report::read(&file);
    let sleeper = fs::read_to_string(&pid).expect("it was written");
    succeed(Command::new("kill").arg(sleeper.trim()));
    report.assert_nothing_lost();
    let workload = report.workload(0);
    assert_eq!(workload.threads_running, 1);
    let all = workload.calls_under_way.as_ref().expect("known");
    let [call] = &all.calls[..] else {
        panic!("{all:#?}");
    };
    assert_eq!((call.at, &call.file), (At::End, &None));
    let name = call.call.as_ref().expect("it has one").as_str();
    assert!(name.ends_with("nanosleep"), "{name}");
    assert!(call.age_ns.is_some_and(|age| age < report.duration_ns));
}
