//! Attaching to processes that have others below them.

use std::{
    fs,
    io::Write as _,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::support::{
    attached::Attached, folder, line, plain, program::Program, reader, report::Descendants,
};

/// What each thread of `tree.c` reads.
const READS: u64 = 10;

/// The program, with the processes below it.
struct Family {
    first: Child,
    /// The number of its child.
    child: u32,
    stdout: std::io::BufReader<ChildStdout>,
    // The folder and the program must stay as long as it runs.
    _folder: tempfile::TempDir,
    _program: Program,
}

impl Family {
    /// Starts it; it makes so many children besides.
    fn start(children: u32) -> Self {
        let program = Program::compile("tree");
        let folder = folder();
        let file = folder.path().join("data");
        fs::write(&file, [1; 4096]).expect("a file can be written");
        let mut first = Command::new(program.path())
            .args([plain(&file), &children.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut stdout = reader(&mut first.stdout);
        let child = line(&mut stdout);
        Self {
            child: child.trim().parse().expect("a number"),
            first,
            stdout,
            _folder: folder,
            _program: program,
        }
    }

    fn pid(&self) -> u32 {
        self.first.id()
    }

    fn tell(&mut self) -> String {
        let stdin = self.first.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"x").expect("it waits for it");
        line(&mut self.stdout)
    }

    /// Has it make no more children, and all of them read; returns how many processes did.
    fn work(&mut self) -> u64 {
        let processes = self.tell();
        assert_eq!(self.tell(), "done\n");
        processes.trim().parse().expect("a number")
    }

    fn end(mut self) {
        drop(self.first.stdin.take());
        assert!(self.first.wait().expect("a child").success());
    }
}

#[test]
fn a_tree_that_grows_meanwhile_is_taken_whole_and_once() {
    requires!("cc");
    let mut family = Family::start(2000);
    let attached = Attached::to(&[family.pid()], &["--tree"]);
    let processes = family.work();
    family.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    let workload = report.workload(0);
    // One of the processes has a second thread.
    let threads = processes + 1;
    assert_eq!((workload.processes, workload.threads), (processes, threads));
    let reads = report.call("pread64");
    let all = READS * threads;
    assert_eq!((reads.calls, reads.bytes), (all, Some(all)));
    let below = workload.descendants_at_attach.expect("it was attached to");
    assert!(below.existing >= 3 && below.existing < processes);
    assert_eq!(below.in_scope, below.existing);
}

#[test]
fn processes_below_are_told_where_they_are_not_taken() {
    requires!("cc");
    let mut family = Family::start(0);
    let attached = Attached::to(&[family.pid()], &["--full"]);
    assert_eq!(family.work(), 4);
    family.end();
    let (report, said) = attached.ended_saying();
    report.assert_nothing_lost();
    let workload = report.workload(0);
    assert_eq!(workload.processes, 1);
    assert_eq!(report.call("pread64").calls, READS);
    let expected = Descendants {
        existing: 3,
        in_scope: 0,
    };
    assert_eq!(workload.descendants_at_attach, Some(expected));
    let told = "ioprof: 3 processes exist below, not in scope; --tree takes them\n";
    assert!(said.contains(told), "{said}");
    let told = "existed below it at attach: 3, not in scope (--tree takes them)\n";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_process_below_another_is_of_the_nearest_that_is_named() {
    requires!("cc");
    let mut family = Family::start(0);
    let pids = [family.pid(), family.child];
    let attached = Attached::to(&pids, &["--tree", "--separate"]);
    assert_eq!(family.work(), 4);
    family.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    for (pid, processes, threads) in [(pids[0], 1, 1), (pids[1], 3, 4)] {
        let workload = report.workload_of(pid);
        assert_eq!((workload.processes, workload.threads), (processes, threads));
        let below = processes - 1;
        let expected = Descendants {
            existing: below,
            in_scope: below,
        };
        assert_eq!(workload.descendants_at_attach, Some(expected));
    }
}
