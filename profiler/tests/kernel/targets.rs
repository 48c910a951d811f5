//! Attaching to processes that do not stay as they are: they end, execute, daemonise, change their namespaces, or
//! are stopped by others. What they do afterwards is counted as it is of any other.

use std::{
    fs,
    io::Write as _,
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use crate::support::{
    self, Report,
    attached::Attached,
    ioprof, line,
    program::Program,
    reader,
    report::known,
    requirements::{tool, turns},
    signal, text,
};
use nix::sys::signal::Signal;

/// What `targets.c` reads at each step.
const READS: u64 = 10;

/// A process of `programs/targets.c`.
struct Target {
    child: Child,
    stdout: std::io::BufReader<ChildStdout>,
}

/// The program, with a file to read, in a place that everybody may enter.
struct Place {
    program: Program,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let program = Program::compile("targets");
        let folder = support::folder();
        fs::write(folder.path().join("data"), [1; 4096]).expect("a file can be written");
        let compiled = program.path();
        for entered in [folder.path(), compiled.parent().expect("a folder")] {
            let for_all = fs::Permissions::from_mode(0o755);
            fs::set_permissions(entered, for_all).expect("its permissions can be set");
        }
        Self { program, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, what: &str, argument: &Path) -> Command {
        let mut command = Command::new(self.program.path());
        command.arg(what).arg(self.file()).arg(argument);
        command
    }

    /// Starts it, and returns when it is ready.
    fn start(&self, what: &str) -> Target {
        Target::start(&mut self.command(what, &self.program.path()))
    }
}

impl Target {
    fn start(command: &mut Command) -> Self {
        let mut target = Self::begin(command);
        assert_eq!(target.line(), "ready\n");
        target
    }

    fn begin(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let stdout = reader(&mut child.stdout);
        Self { child, stdout }
    }

    fn attach(&self) -> Attached {
        Attached::to(&[self.child.id()], &[])
    }

    fn line(&mut self) -> String {
        line(&mut self.stdout)
    }

    /// Sends the byte that it waits for.
    fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"x").expect("it waits for it");
    }

    /// Lets it do what it is to do.
    fn work(&mut self) {
        self.go_on();
        assert_eq!(self.line(), "done\n");
    }

    /// Lets it end, as it does of its own will.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("a child").success());
    }

    /// Waits until the kernel shows it in a state, by its letter.
    fn wait_for(&self, state: char) {
        let path = format!("/proc/{}/status", self.child.id());
        loop {
            let status = fs::read_to_string(&path).expect("it is there");
            let shown = status
                .lines()
                .find_map(|line| line.strip_prefix("State:\t"));
            if shown.expect("it has a state").starts_with(state) {
                return;
            }
            thread::yield_now();
        }
    }
}

/// Fails where anything else was counted than what so many steps have read, by so many processes.
fn assert_counted(report: &Report, steps: u64, processes: u64) {
    report.assert_nothing_lost();
    let reads = report.call("pread64");
    let all = READS * steps;
    assert_eq!((reads.calls, reads.bytes), (all, Some(all)));
    assert_eq!(report.workload(0).processes, processes);
}

/// Attaches, has it do what it does and end, and fails where that is not all in the report.
fn follow(mut target: Target, steps: u64, processes: u64) -> Report {
    let attached = target.attach();
    target.work();
    target.end();
    let report = attached.ended();
    assert_counted(&report, steps, processes);
    report
}

#[test]
fn a_process_that_stays_is_counted() {
    requires!("cc");
    let place = Place::new();
    let target = place.start("stays");
    follow(target, 1, 1);
}

#[test]
fn a_process_goes_on_to_be_counted_when_it_executes_another_program() {
    requires!("cc");
    let place = Place::new();
    let target = place.start("executes");
    let report = follow(target, 2, 1);
    assert_eq!(known(&report.workload(0).executed).programs, 1);
}

#[test]
fn a_process_whose_threads_one_executes_a_program_goes_on_to_be_counted() {
    // The thread that executes takes over the number of the first, which ends.
    requires!("cc");
    let place = Place::new();
    let target = place.start("thread");
    let report = follow(target, 2, 1);
    let workload = report.workload(0);
    assert_eq!((workload.threads, workload.threads_running), (2, 0));
    assert_eq!(known(&workload.executed).programs, 1);
}

#[test]
fn a_process_goes_on_to_be_counted_when_it_changes_its_namespaces() {
    requires!("cc");
    let place = Place::new();
    let target = place.start("namespaces");
    follow(target, 4, 4);
}

#[test]
fn a_process_in_uninterruptible_sleep_is_counted_when_it_wakes() {
    requires!("cc");
    let place = Place::new();
    let target = place.start("suspends");
    target.wait_for('D');
    follow(target, 1, 1);
}

#[test]
fn a_process_is_counted_after_its_first_thread_has_ended() {
    requires!("cc");
    let place = Place::new();
    let target = place.start("leaderless");
    target.wait_for('Z');
    follow(target, 1, 1);
}

#[test]
fn a_program_that_takes_another_users_rights_is_counted() {
    requires!("cc");
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    let raised = place.folder.path().join("raised");
    support::succeed(Command::new("cp").arg(place.program.path()).arg(&raised));
    let set_user = fs::Permissions::from_mode(0o4755);
    fs::set_permissions(&raised, set_user).expect("its permissions can be set");
    let mut target = Target::start(place.command("executes", &raised).uid(NOBODY).gid(NOBODY));
    let attached = target.attach();
    target.go_on();
    assert_eq!(target.line(), "with another user's rights\n");
    assert_eq!(target.line(), "done\n");
    target.end();
    let report = attached.ended();
    assert_counted(&report, 2, 1);
    assert_eq!(report.workload(0).name, "raised");
}

#[test]
fn a_process_that_daemonises_is_followed_to_the_end_of_its_descendants() {
    requires!("cc");
    let place = Place::new();
    let mut target = place.start("daemonises");
    let attached = target.attach();
    target.go_on();
    // Waiting would close it.
    let mut stdin = target.child.stdin.take().expect("a pipe");
    assert!(target.child.wait().expect("a child").success());
    stdin.write_all(b"x").expect("the grandchild waits for it");
    assert_eq!(target.line(), "done\n");
    drop(stdin);
    assert_counted(&attached.ended(), 1, 3);
}

#[test]
fn a_stopped_process_is_attached_to_and_counted_when_it_goes_on() {
    requires!("cc");
    let place = Place::new();
    let mut target = place.start("stays");
    signal(&target.child, Signal::SIGSTOP);
    target.wait_for('T');
    let attached = target.attach();
    signal(&target.child, Signal::SIGCONT);
    target.work();
    target.end();
    assert_counted(&attached.ended(), 1, 1);
}

#[test]
fn a_process_that_a_debugger_stops_is_attached_to_and_counted_when_it_goes_on() {
    requires!("cc");
    let place = Place::new();
    let mut target = place.start("stays");
    let number = target.child.id().to_string();
    let mut debugger = Target::start(&mut place.command("traces", Path::new(&number)));
    debugger.go_on();
    assert_eq!(debugger.line(), "stopped\n");
    target.wait_for('t');
    let attached = target.attach();
    debugger.work();
    debugger.end();
    target.work();
    target.end();
    assert_counted(&attached.ended(), 1, 1);
}

#[test]
fn a_process_that_strace_follows_is_counted() {
    requires!("cc", "strace");
    let place = Place::new();
    let mut target = place.start("stays");
    let attached = target.attach();
    let mut strace = tool("strace")
        .args(["-f", "-o"])
        .arg(place.folder.path().join("trace"))
        .args(["-p", &target.child.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace can be started");
    let said = line(&mut reader(&mut strace.stderr));
    assert!(said.contains("attached"), "{said}");
    target.work();
    target.end();
    strace.wait().expect("a child");
    assert_counted(&attached.ended(), 1, 1);
}

/// `ioprof attach` to a process that may not be there to the end: what it did, and what it said.
fn attach(pid: &str) -> (Option<i32>, String) {
    let out = support::folder();
    let file = out.path().join("run.json");
    let mut command = ioprof();
    command.args(["attach", "-p", pid, "-o"]).arg(&file);
    let ended = support::output(&mut command);
    if ended.status.success() {
        Report::read(&file).assert_nothing_lost();
    }
    (ended.status.code(), text(&ended.stderr))
}

#[test]
fn a_process_that_has_ended_is_refused_in_one_line() {
    requires!("cc");
    let place = Place::new();
    let mut target = Target::begin(&mut place.command("zombie", &place.program.path()));
    let zombie = target.line();
    assert_eq!(target.line(), "ready\n");
    let (status, said) = attach(zombie.trim());
    assert_eq!(status, Some(125), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("has ended"), "{said}");
    target.work();
    target.end();
}

#[test]
fn a_process_may_end_at_any_moment_of_the_attaching() {
    requires!("cc");
    let moments = turns(5);
    let place = Place::new();
    let mut target = place.start("stays");
    let began = Instant::now();
    let attached = target.attach();
    let took = began.elapsed();
    target.work();
    target.end();
    attached.ended();
    for moment in 0..moments {
        let mut target = place.start("stays");
        let pid = target.child.id().to_string();
        let (ended, has_ended) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || ended.send(attach(&pid)));
            // It does not end by itself.
            let _ = has_ended.recv_timeout(took * moment / moments);
            target.child.kill().expect("it was not waited for");
            let killed = target.child.wait().expect("a child");
            assert_eq!(killed.signal(), Some(Signal::SIGKILL as i32));
            let (status, said) = has_ended.recv().expect("it ends");
            match status {
                Some(0) => {}
                Some(125) => {
                    assert_eq!(said.lines().count(), 1, "{said}");
                    let words = ["no process", "has ended"];
                    assert!(words.iter().any(|words| said.contains(words)), "{said}");
                }
                _ => unreachable!("{status:?}: {said}"),
            }
        });
    }
}
