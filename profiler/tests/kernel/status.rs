//! The line that tells what a run does while it takes longer than a moment.

use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use nix::{
    pty::{OpenptyResult, Winsize, openpty},
    sys::{
        signal::Signal,
        termios::{LocalFlags, SetArg, tcgetattr, tcsetattr},
    },
};

use crate::support::{called_directly, ioprof, signal, text};

/// What the line begins and ends with: one row down, and back to where the cursor was.
const BEGIN: &str = "\x1b7\x1b[B\r";
const END: &str = "\x1b8";
/// What takes it away.
const CLEAR: &str = "\x1b[J";

const COLUMNS: u16 = 80;

/// A command that says that it runs, and ends with its input.
const COMMAND: [&str; 5] = ["--", "sh", "-c", "echo ready; read line; exit 0", "sh"];

/// The two sides of a terminal: what is shown, and what programs have.
fn terminal() -> (File, OwnedFd) {
    let size = Winsize {
        ws_row: 24,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } = openpty(&size, None).expect("a terminal can be made");
    (master.into(), slave)
}

/// An ioprof of these words, whose stderr is this.
fn start(stderr: impl Into<Stdio>, words: &[&str]) -> Child {
    spawn(stderr, ioprof().args(words).env("TERM", "xterm"))
}

fn spawn(stderr: impl Into<Stdio>, ioprof: &mut Command) -> Child {
    ioprof
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("ioprof can be started")
}

/// A run of the command, which has begun.
fn run(stderr: impl Into<Stdio>, term: &str) -> Child {
    let mut ioprof = ioprof();
    begun(spawn(
        stderr,
        ioprof.arg("run").args(COMMAND).env("TERM", term),
    ))
}

/// The same in the background of a terminal that controls it; a shell has the foreground.
fn run_behind(terminal: OwnedFd) -> Child {
    const SCRIPT: &str =
        r#"exec 3<&0 0<&2; exec setsid --ctty bash -mc '"$@" <&3 & wait $!' - "$@""#;
    let mut shell = called_directly(Command::new("sh"));
    shell.args(["-c", SCRIPT, "-", env!("CARGO_BIN_EXE_ioprof")]);
    shell.args(["run", "--no-save"]).args(COMMAND);
    begun(spawn(terminal, shell.env("TERM", "xterm")))
}

fn begun(mut run: Child) -> Child {
    // Not with a buffer, which would take what comes later.
    let mut ready = [0; 6];
    let stdout = run.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut ready).expect("the command begins");
    assert_eq!(&ready, b"ready\n");
    run
}

/// What a terminal is shown until there is a line.
fn until_shown(seen: &mut File) -> Vec<u8> {
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains(END) {
        let mut bytes = [0; 4096];
        let read = seen.read(&mut bytes).expect("ioprof has the terminal");
        shown.extend_from_slice(&bytes[..read]);
    }
    shown
}

/// All that a terminal was shown, of which this was read before, when nobody has it any more.
fn to_the_end(mut seen: File, mut shown: Vec<u8>) -> String {
    // The end is an error of a terminal.
    let _ = seen.read_to_end(&mut shown);
    text(&shown)
}

/// Has a run end by the end of its input; all that its terminal was shown.
fn end(mut run: Child, seen: File, shown: Vec<u8>) -> String {
    drop(run.stdin.take());
    let shown = to_the_end(seen, shown);
    assert!(run.wait().expect("a child").success());
    shown
}

/// Fails where a terminal was not shown lines that fit, the last of which is taken away before the report comes.
fn assert_line(shown: &str) {
    let (before, report) = shown.rsplit_once(END).expect("there is a line");
    let taken_away = report.strip_prefix(CLEAR);
    let report = taken_away.expect("it is taken away");
    assert!(report.contains("Ledger"), "{report}");
    for line in before.split(END) {
        let (_, line) = line.rsplit_once(BEGIN).expect("it is in the row below");
        assert!(line.len() <= usize::from(COLUMNS), "{line}");
        let told = line.strip_prefix("ioprof: ").expect("it says whose it is");
        assert!(told.contains(" s, read "), "{line}");
        assert!(
            told.contains("/s, ") && told.contains(" in flight"),
            "{line}"
        );
    }
}

/// Fails where there was a line.
fn assert_none(shown: &str) {
    assert!(shown.contains("Ledger"), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

#[test]
fn a_terminal_is_told_what_a_run_does_and_nothing_of_it_stays() {
    requires!();
    let (mut seen, slave) = terminal();
    let run = run(slave, "xterm");
    let shown = until_shown(&mut seen);
    assert_line(&end(run, seen, shown));
}

#[test]
fn a_terminal_is_told_what_processes_do_that_were_attached_to() {
    requires!();
    let mut process = Command::new("cat")
        .stdin(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let (mut seen, slave) = terminal();
    let pid = process.id().to_string();
    let attached = start(slave, &["attach", "-p", &pid]);
    let shown = until_shown(&mut seen);
    drop(process.stdin.take());
    assert!(process.wait().expect("a child").success());
    assert_line(&end(attached, seen, shown));
}

#[test]
fn nothing_is_told_where_it_is_not_seen_or_would_be_in_the_way() {
    requires!("setsid bash");
    // They begin before a run that has a line: when that is there, it was time for one of theirs.
    let (of_builtin, slave) = terminal();
    let mut builtin = start(slave, &["run", "async", "--files=2", "--duration=1000"]);
    let mut to_pipe = run(Stdio::piped(), "xterm");
    let (without_rows, slave) = terminal();
    let on_dumb = run(slave, "dumb");
    let (edited, slave) = terminal();
    let mut modes = tcgetattr(&slave).expect("it is a terminal");
    modes.local_flags.remove(LocalFlags::ICANON);
    tcsetattr(&slave, SetArg::TCSANOW, &modes).expect("its modes can be set");
    let in_editor = run(slave, "xterm");
    let (behind, slave) = terminal();
    let in_background = run_behind(slave);
    let (mut seen, slave) = terminal();
    let reference = run(slave, "xterm");
    let shown = until_shown(&mut seen);

    end(reference, seen, shown);
    assert_none(&end(on_dumb, without_rows, Vec::new()));
    assert_none(&end(in_editor, edited, Vec::new()));
    assert_none(&end(in_background, behind, Vec::new()));
    signal(&builtin, Signal::SIGTERM);
    assert_none(&to_the_end(of_builtin, Vec::new()));
    builtin.wait().expect("a child");
    drop(to_pipe.stdin.take());
    assert_none(&text(&to_pipe.wait_with_output().expect("a child").stderr));
}
