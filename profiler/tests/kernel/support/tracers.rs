//! Other tracers, each started beside the program under test, and what they counted.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;

use super::{line, reader, requirements::tool, signal, text};

/// Calls by name.
pub type Counts = BTreeMap<String, u64>;

/// `strace -c`, with its table to a file; what it is to trace comes behind.
pub fn strace(table: &Path) -> Command {
    let mut strace = tool("strace");
    strace.args(["-f", "-c", "-U", "name,calls,errors", "-o"]);
    strace.arg(table);
    strace
}

/// The counts in strace's table.
pub fn strace_counts(table: &Path) -> Counts {
    let table = fs::read_to_string(table).expect("strace has written its table");
    let counts = super::strace::parse(&table).into_iter();
    counts.map(|(name, (calls, _))| (name, calls)).collect()
}

/// A tracer that is attached to the process from outside.
pub struct Beside(Child);

impl Beside {
    /// `strace -p`, which has attached to the process when this returns.
    pub fn strace(table: &Path, pid: u32) -> Self {
        let mut child = strace(table)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace can be started");
        let mut stderr = reader(&mut child.stderr);
        let said = line(&mut stderr);
        assert!(said.contains("attached"), "{said}");
        // It has more to say when it ends.
        child.stderr = Some(stderr.into_inner());
        Self(child)
    }

    /// bpftrace, which counts the calls of a process by their numbers.
    pub fn bpftrace(pid: u32) -> Self {
        // One program for both: where it sees us, it sees the process.
        let script = format!(
            "tracepoint:raw_syscalls:sys_enter {{ \
             if (pid == {us} && args->id == {word}) {{ printf(\"seen\\n\"); }} \
             if (pid == {pid}) {{ @[args->id] = count(); }} }}",
            us = std::process::id(),
            word = libc::SYS_getpgrp,
        );
        let mut command = with_tracefs("bpftrace");
        let mut child = command
            .args(["-B", "line", "-e", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bpftrace can be started");
        let mut stdout = reader(&mut child.stdout);
        let (sender, seen) = std::sync::mpsc::channel();
        let reading = std::thread::spawn(move || {
            while !["seen\n", ""].contains(&line(&mut stdout).as_str()) {}
            sender.send(()).expect("it is waited for");
            stdout
        });
        while seen.try_recv().is_err() {
            nix::unistd::getpgrp();
            std::thread::yield_now();
        }
        let stdout = reading.join().expect("it can be read");
        child.stdout = Some(stdout.into_inner());
        Self(child)
    }

    /// Ends it by Ctrl-C, with what it wrote to stdout.
    pub fn end(self) -> String {
        signal(&self.0, Signal::SIGINT);
        let done = self.0.wait_with_output().expect("a child");
        text(&done.stdout)
    }
}

/// A program that finds tracefs mounted where it looks for it, whether or not it is for everybody else.
pub fn with_tracefs(name: &str) -> Command {
    let mut command = tool("unshare");
    command.args(["--mount", "sh", "-c"]).arg(
        "cd /sys/kernel && for fs in tracefs:tracing debugfs:debug; do \
         mountpoint -q ${fs#*:} || mount -t ${fs%:*} none ${fs#*:} || exit; done; exec \"$@\"",
    );
    command.arg("sh").arg(tool(name).get_program());
    command
}

/// The counts of bpftrace's map, by the names of the calls.
pub fn bpftrace_counts(said: &str) -> Counts {
    let names = [
        (libc::SYS_pread64, "pread64"),
        (libc::SYS_pwrite64, "pwrite64"),
        (libc::SYS_fdatasync, "fdatasync"),
    ];
    let row = |line: &str| {
        let (number, count) = line.strip_prefix("@[")?.split_once("]: ")?;
        let number: i64 = number.parse().ok()?;
        let (_, name) = names.iter().find(|(known, _)| *known == number)?;
        Some(((*name).to_owned(), count.parse().ok()?))
    };
    said.lines().filter_map(row).collect()
}

/// The count of an event, as `perf stat -x,` has it.
pub fn perf_stat_count(out: &Path, event: &str) -> u64 {
    let table = fs::read_to_string(out).expect("perf has written its counts");
    let row = table.lines().find(|line| line.contains(event));
    let count = row.and_then(|line| line.split(',').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("no {event} in {table}"))
}

/// The calls that `perf trace -s` counted.
pub fn perf_trace_counts(out: &Path) -> Counts {
    let table = fs::read_to_string(out).expect("perf has written its table");
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    table.lines().filter_map(row).collect()
}
