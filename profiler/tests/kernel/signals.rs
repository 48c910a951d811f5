//! Signals and sudden ends, of ioprof and of what it runs: a report or one line, and nobody left behind.

use std::{
    fs,
    io::{BufRead as _, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    self, Report, assert_one_line, ioprof, line, reader, report::Exit, requirements::tool, signal,
    text,
};
use nix::{
    fcntl::OFlag,
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{signal::Signal, stat::Mode},
};

/// `ioprof run -o FILE -- COMMAND`, in a process group of its own.
fn started(file: &Path, command: &[&str]) -> Child {
    let mut run = ioprof();
    run.args(["run", "-o"]).arg(file).arg("--").args(command);
    // Where a core file may come to lie.
    run.current_dir(file.parent().expect("it is in a folder"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("ioprof can be started")
}

#[test]
fn a_signal_at_any_moment_leaves_a_report_or_one_line_and_nobody_behind() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let begin = Instant::now();
    let child = started(&file, &["true"]);
    assert!(child.wait_with_output().expect("a child").status.success());
    let whole = begin.elapsed();
    // From the first instruction to a little after the end, evenly; which phase each falls into is not known,
    // and what must hold is the same in all.
    let ends: Vec<_> = (0..36_u32)
        .map(|step| signalled(&file, step, whole * step / 34))
        .collect();
    assert!(ends.contains(&End::Line), "{ends:?}");
    // The machine may be slower now than it was for the whole.
    let mut after = whole;
    while !ends.contains(&End::Report) && signalled(&file, 0, after) != End::Report {
        after *= 2;
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        usize::from(file.exists())
    );
}

/// How a run ends that is sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a report.
    Report,
    /// With one line: the command had not begun.
    Line,
    /// By the signal, before ioprof caught any.
    Early,
}

/// Sends a signal after so long, and looks at the end.
fn signalled(file: &Path, step: u32, after: Duration) -> End {
    let sent = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT][step as usize % 3];
    let _ = fs::remove_file(file);
    let child = started(file, &["true"]);
    // The moment itself is what is tested, so that this is no wait for an event.
    std::thread::sleep(after);
    signal(&child, sent);
    // Returns when nobody has the pipes any more.
    let ended = child.wait_with_output().expect("a child");
    let said = text(&ended.stderr);
    match (ended.status.code(), ended.status.signal()) {
        // The command's end: its own, or by the signal that was passed on.
        (Some(0), None) => {}
        (None, Some(number)) if file.exists() => {
            assert_eq!(number, sent as i32, "step {step}: {ended:?}");
        }
        // ioprof had not begun to catch signals, and nothing had begun.
        (None, Some(number)) => {
            assert_eq!((number, said.as_str()), (sent as i32, ""), "step {step}");
            return End::Early;
        }
        _ => {
            assert_one_line(&ended, &[sent.as_str(), "nothing was measured"]);
            assert!(!file.exists(), "step {step}");
            return End::Line;
        }
    }
    assert!(said.contains("Ledger"), "step {step}: {said}");
    Report::read(file);
    End::Report
}

#[test]
fn a_child_that_is_killed_before_it_begins_is_one_line() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let child = started(&file, &["true"]);
    let waiting = first_child(child.id());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(waiting), Signal::SIGKILL).expect("it waits");
    let ended = child.wait_with_output().expect("a child");
    assert_one_line(&ended, &["ended before it began", "nothing was measured"]);
    assert!(!file.exists());
}

/// The child that was made first; waits until there is one.
fn first_child(process: u32) -> i32 {
    loop {
        if let Some(child) = children(process).first() {
            return *child;
        }
        std::thread::yield_now();
    }
}

fn children(process: u32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    children
        .split_whitespace()
        .map(|child| child.parse().expect("a number"))
        .collect()
}

#[test]
fn without_the_helper_only_the_overhead_is_unknown() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut child = started(&file, &["sh", "-c", "echo ready; read line"]);
    assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
    let named = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let all = children(child.id());
    let helper = all.iter().find(|pid| named(pid) == "ioprof-helper\n");
    let helper = nix::unistd::Pid::from_raw(*helper.expect("root has one"));
    nix::sys::signal::kill(helper, Signal::SIGKILL).expect("it runs");
    let ended = child.wait_with_output().expect("a child");
    // read(1) of sh(1) fails at the end of its input.
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        text(&ended.stderr).contains("overhead unknown"),
        "{ended:?}"
    );
    let report = Report::read(&file);
    report.assert_nothing_lost();
    assert!(report.ledger.probe_cpu_ns.is_none());
    assert!(report.call("read").calls > 0);
}

/// A shell that says when it gets a signal, and goes on until it is told to end.
const INTERACTIVE: &str =
    "trap 'echo caught' INT; echo ready; until [ \"$said\" = end ]; do read said; done";

#[test]
fn a_command_that_handles_signals_gets_each_of_them() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut child = started(&file, &["sh", "-c", INTERACTIVE]);
    let (mut out, mut err) = (reader(&mut child.stdout), reader(&mut child.stderr));
    assert_eq!(line(&mut out), "ready\n");
    signal(&child, Signal::SIGINT);
    assert_eq!(line(&mut out), "caught\n");
    // It comes when a second one does not belong to the first any more.
    let told = line(&mut err);
    assert!(told.contains("two within 2 seconds kill it"), "{told}");
    signal(&child, Signal::SIGINT);
    assert_eq!(line(&mut out), "caught\n");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"end\n").expect("it reads");
    let rest: Vec<_> = err.lines().map_while(Result::ok).collect();
    assert!(
        !rest.iter().any(|line| line.contains("kill it")),
        "{rest:#?}"
    );
    assert!(child.wait().expect("a child").success(), "{rest:#?}");
    assert_eq!(Report::read(&file).workload(0).exit, Some(Exit::Code(0)));
}

#[test]
fn a_command_that_handles_signals_is_killed_by_two_at_once() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut child = started(&file, &["sh", "-c", INTERACTIVE]);
    let mut out = reader(&mut child.stdout);
    assert_eq!(line(&mut out), "ready\n");
    // However slow the machine is, some of them come soon enough after the one before.
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        signal(&child, Signal::SIGINT);
        std::thread::yield_now();
    };
    let killed = Signal::SIGKILL as i32;
    assert_eq!(status.signal(), Some(killed), "{status}");
    assert_eq!(
        Report::read(&file).workload(0).exit,
        Some(Exit::Signal(killed))
    );
}

#[test]
fn a_command_that_crashes_or_is_killed_has_its_report() {
    requires!("cc");
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut child = started(
        &file,
        &[
            "sh",
            "-c",
            "echo ready; ulimit -c unlimited; read line; kill -SEGV $$",
        ],
    );
    line(&mut reader(&mut child.stdout));
    drop(child.stdin.take());
    let ended = child.wait_with_output().expect("a child");
    let expect = |ended: &Output, sent: Signal| {
        assert_eq!(ended.status.signal(), Some(sent as i32), "{ended:?}");
        let report = Report::read(&file);
        report.assert_nothing_lost();
        assert_eq!(report.workload(0).exit, Some(Exit::Signal(sent as i32)));
        assert!(report.call("read").calls > 0);
    };
    expect(&ended, Signal::SIGSEGV);

    let mut child = started(&file, &["sh", "-c", "echo $$; read line"]);
    let pid: i32 = line(&mut reader(&mut child.stdout))
        .trim()
        .parse()
        .expect("a number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    let stdin = child.stdin.take();
    let ended = child.wait_with_output().expect("a child");
    drop(stdin);
    expect(&ended, Signal::SIGKILL);
}

/// A command on a terminal of its own, whose other end a test holds.
fn on_a_terminal(command: &Command) -> (Child, PtyMaster) {
    // Not for those that are started at the same time: it goes away with its last descriptor.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let terminal = posix_openpt(flags).expect("a terminal can be made");
    grantpt(&terminal)
        .and_then(|()| unlockpt(&terminal))
        .expect("it is ours");
    let name = ptsname_r(&terminal).expect("it has a name");
    let own = || nix::fcntl::open(name.as_str(), flags, Mode::empty()).expect("it can be opened");
    let mut session = tool("setsid");
    session
        .arg("--ctty")
        .arg(command.get_program())
        .args(command.get_args());
    let child = session
        .stdin(own())
        .stdout(Stdio::piped())
        .stderr(own())
        .spawn();
    (child.expect("it can be started"), terminal)
}

#[test]
fn when_the_terminal_goes_away_the_report_is_written() {
    requires!("setsid");
    // SIGHUP by the kernel, and no way to write to the terminal; or by somebody, who leaves the terminal.
    for goes_away in [true, false] {
        let folder = support::folder();
        let file = folder.path().join("run.json");
        let mut run = ioprof();
        run.args(["run", "-o"]).arg(&file);
        run.args(["--", "sh", "-c", "echo ready; exec sleep 1000"]);
        let (mut child, terminal) = on_a_terminal(&run);
        assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
        let terminal = (!goes_away).then_some(terminal);
        if terminal.is_some() {
            signal(&child, Signal::SIGHUP);
        }
        let status = child.wait().expect("a child");
        assert_eq!(status.signal(), Some(Signal::SIGHUP as i32), "{status}");
        let report = Report::read(&file);
        report.assert_nothing_lost();
        let by_hangup = Some(Exit::Signal(Signal::SIGHUP as i32));
        assert_eq!(report.workload(0).exit, by_hangup);
    }
}
