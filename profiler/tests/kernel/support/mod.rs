//! What the tests share: they drive the real binary on the real kernel, and read the JSON it writes.

#[macro_use]
pub mod requirements;

pub mod attached;
pub mod device;
pub mod fio;
pub mod held;
pub mod leftovers;
pub mod load;
pub mod overlay;
pub mod program;
pub mod report;
pub mod rights;
pub mod steps;
pub mod strace;
pub mod throttle;
pub mod tracers;
pub mod zram;

use std::{
    ffi::OsStr,
    io::{BufReader, Read},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

pub use report::Report;

/// The program under test, as if nobody had called it through sudo: it would run workloads as them.
///
/// Reports are not kept among the user's.
pub fn ioprof() -> Command {
    let mut ioprof = called_directly(Command::new(env!("CARGO_BIN_EXE_ioprof")));
    ioprof.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    ioprof
}

/// A command without what sudo leaves in the environment.
pub fn called_directly(mut command: Command) -> Command {
    command.env_remove("SUDO_UID").env_remove("SUDO_GID");
    command
}

/// A copy of the program under test in a folder, for users who may not enter the one it was built in.
pub fn copy_of_ioprof(folder: &Path) -> PathBuf {
    let copy = folder.join("ioprof");
    // By another process: what this one has open for writing, a child made at the same time inherits, and
    // nobody can execute it until that child has executed something else.
    succeed(
        Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_ioprof"))
            .arg(&copy),
    );
    let for_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&copy, for_all).expect("its permissions can be set");
    copy
}

/// What a program wrote, for assertions about text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what is written is UTF-8")
}

/// A path as a word of a command line.
pub fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A new folder that goes when the test ends.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Runs to the end, with what it wrote.
pub fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// Runs a command that must succeed.
pub fn succeed(command: &mut Command) -> Output {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Fails where this is not ioprof's own failure, in one line with these words.
pub fn assert_one_line(ended: &Output, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    let said = text(&ended.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// `ioprof run OPTIONS -- COMMAND`, which must succeed with nothing lost.
///
/// The kernel skips a program that runs already on the CPU, in what it interrupts or preempts. Where the machine is
/// emulated that is so slow as to happen in every third run: such a run shows nothing, and another is made.
pub fn profile<W: AsRef<OsStr>>(options: &[&str], command: &[W]) -> Report {
    let mut report = profile_lossy(options, command);
    for _ in 1..requirements::attempts() {
        if !report.has_skipped_runs() {
            break;
        }
        report = profile_lossy(options, command);
    }
    report.assert_nothing_lost();
    report
}

/// The same, where something may be lost.
pub fn profile_lossy<W: AsRef<OsStr>>(options: &[&str], command: &[W]) -> Report {
    let folder = folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.arg("run").args(options).arg("-o").arg(&file);
    succeed(run.arg("--").args(command));
    Report::read(&file)
}

/// The next line that a program writes; waits for it.
pub fn line(from: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line can be read");
    line
}

/// A buffered reader of a child's stream that was asked for as a pipe.
pub fn reader<S: Read>(stream: &mut Option<S>) -> BufReader<S> {
    BufReader::new(stream.take().expect("the stream is a pipe"))
}

/// Sends a signal to a child that was not waited for yet.
pub fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(pid(child), signal).expect("the child is there");
}

/// Starts several runs, of which one writes an empty line and waits for the end of its input; there it is sent a signal, by
/// which it ends before any other run begins. All that it wrote to stderr.
pub fn stopped_by(sent: nix::sys::signal::Signal, runs: &mut Command) -> String {
    let mut child = runs
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ioprof can be started");
    let mut stdout = reader(&mut child.stdout);
    assert_eq!(line(&mut stdout), "\n");
    // It would end without it.
    let stdin = child.stdin.take();
    signal(&child, sent);
    // Returns when nobody has the pipes any more.
    let ended = child.wait_with_output().expect("a child");
    drop(stdin);
    assert_eq!(ended.status.signal(), Some(sent as i32), "{ended:?}");
    assert_eq!(line(&mut stdout), "", "no other run began");
    text(&ended.stderr)
}

/// The number of a child.
pub fn pid(child: &Child) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(child.id().cast_signed())
}

/// Waits until a thread is in a system call on a descriptor.
pub fn wait_for_call(process: u32, thread: u32, call: i64, descriptor: u32) {
    let place = format!("/proc/{process}/task/{thread}/syscall");
    let wanted = format!("{call} {descriptor:#x} ");
    while !std::fs::read_to_string(&place).is_ok_and(|call| call.starts_with(&wanted)) {
        std::thread::yield_now();
    }
}
