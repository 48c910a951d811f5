//! Bad use is answered in one line that says what is wrong and what to do, and needs no privilege to be found.

#[path = "kernel/support/mod.rs"]
#[allow(
    unused,
    clippy::panic,
    reason = "the kernel tests use all of it, and this a part"
)]
mod support;

#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/findings.rs"]
mod findings;
#[path = "cli/sweep.rs"]
mod sweep;
#[path = "cli/tune.rs"]
mod tune;

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Command, Output, Stdio},
};

use support::{folder, ioprof, output, plain, requirements::is_root, text};

/// Fails where ioprof did not end with this status and one line that has all these words.
fn assert_refused(refused: &Output, status: i32, words: &[&str]) {
    assert_eq!(refused.status.code(), Some(status), "{refused:?}");
    let said = text(&refused.stderr);
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(said.starts_with("ioprof: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(refused.stdout.is_empty(), "{refused:?}");
}

fn refused(arguments: &[&str]) -> Output {
    output(ioprof().args(arguments))
}

#[test]
fn an_unknown_workload_is_named_beside_those_there_are() {
    let words = ["asynk", "async", "mmap", "batch", "--"];
    assert_refused(&refused(&["run", "asynk"]), 125, &words);
    assert_refused(&refused(&["run"]), 125, &["async", "--"]);
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    for name in ["no-such-command-at-all", "/nonexistent/command"] {
        assert_refused(&refused(&["run", "--", name]), 127, &[name, "not found"]);
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126() {
    let folder = folder();
    let file = folder.path().join("plain");
    fs::write(&file, "text").expect("a file can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("permissions can be set");
    let name = plain(&file);
    assert_refused(&refused(&["run", "--", name]), 126, &[name, "permissions"]);
}

#[test]
fn a_user_that_does_not_exist_or_may_not_be_become_is_named() {
    let run = ["run", "--user", "no-such-user", "--", "true"];
    assert_refused(&refused(&run), 125, &["no-such-user", "getent passwd"]);
    let run = ["run", "async", "--user", "no-such-user"];
    assert_refused(&refused(&run), 125, &["no-such-user"]);
    let run = ["run", "--user", "root", "--", "true"];
    assert_refused(
        &unprivileged(&run),
        125,
        &["--user root", "not permitted", "sudo"],
    );
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    let highest = i32::MAX.to_string();
    let words = [highest.as_str(), "ps -e"];
    assert_refused(&refused(&["attach", "-p", &highest]), 125, &words);
    // The number of a process that is certainly gone.
    let mut gone = Command::new("true").spawn().expect("true can be started");
    gone.wait().expect("it is a child");
    let number = gone.id().to_string();
    assert_refused(&refused(&["attach", "-p", &number]), 125, &[&number]);
}

#[test]
fn a_thread_of_the_kernel_is_not_attached_to() {
    let name = fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if name.trim() != "kthreadd" {
        return support::requirements::skip("process 2 is not the kernel's");
    }
    let words = ["2", "kthreadd", "kernel thread"];
    assert_refused(&refused(&["attach", "-p", "2"]), 125, &words);
}

#[test]
fn a_thread_is_refused_with_the_process_it_belongs_to() {
    let (sender, thread) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        sender.send(nix::unistd::gettid().as_raw()).expect("sent");
        // Until the other end goes.
        let _ = ended.recv();
    });
    let thread = thread.recv().expect("the thread runs").to_string();
    let process = std::process::id().to_string();
    let words = [thread.as_str(), &process, "attach to the process"];
    assert_refused(&refused(&["attach", "-p", &thread]), 125, &words);
    drop(end);
    other.join().expect("the thread ends");
}

#[test]
fn more_processes_than_can_be_told_apart_are_refused() {
    let children: Vec<Waiting> = (0..65).map(|_| Waiting::start()).collect();
    let pids: Vec<_> = children
        .iter()
        .map(|child| child.0.id().to_string())
        .collect();
    let words = ["65", "64", "start several ioprof"];
    assert_refused(
        &refused(&["attach", "--separate", "-p", &pids.join(",")]),
        125,
        &words,
    );
}

#[test]
fn where_no_report_was_kept_the_remedy_is_told() {
    let state = folder();
    for arguments in [
        &["report"][..],
        &["report", "--list"],
        &["report", "--full"],
    ] {
        let report = output(ioprof().env("XDG_STATE_HOME", state.path()).args(arguments));
        assert_refused(&report, 125, &["no report was kept", "ioprof run", "-o"]);
    }
    // A file of somebody else's making is no report.
    let kept = state.path().join("ioprof");
    fs::create_dir(&kept).expect("made");
    fs::write(kept.join("20260101-000000-1.json"), "{}").expect("written");
    let report = output(ioprof().env("XDG_STATE_HOME", state.path()).arg("report"));
    assert_refused(&report, 125, &["is not a report"]);
    let listed = output(
        ioprof()
            .env("XDG_STATE_HOME", state.path())
            .args(["report", "--list"]),
    );
    assert!(
        text(&listed.stdout).contains("is not a report"),
        "{listed:?}"
    );
}

/// A process that waits for its input to end.
struct Waiting(Child);

impl Waiting {
    fn start() -> Self {
        let mut cat = Command::new("cat");
        let child = cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Self(child.expect("cat can be started"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_the_command_runs() {
    let folder = folder();
    let marker = folder.path().join("marker");
    let marker_name = plain(&marker);
    let folder_name = plain(folder.path());
    for place in ["/nonexistent/folder/run.json", folder_name] {
        let run = ["run", "-o", place, "--", "touch", marker_name];
        assert_refused(&refused(&run), 125, &[place, "-o"]);
        let own = std::process::id().to_string();
        let attach = ["attach", "-p", &own, "-o", place];
        assert_refused(&refused(&attach), 125, &[place, "-o"]);
    }
    assert!(!marker.exists(), "the command must not have run");
}

#[test]
fn what_is_not_a_report_is_refused_with_its_reason() {
    let folder = folder();
    let file = folder.path().join("run.json");
    let name = plain(&file);
    let cases: [(&[u8], &str); 6] = [
        (b"hello, this is text", "not JSON"),
        (b"", "truncated"),
        (br#"{"schema": "ioprof.report.v1", "host": {"#, "truncated"),
        (br#"{"schema": "ioprof.report.v2"}"#, "newer ioprof"),
        (br#"{"schema": "somebody.elses"}"#, "somebody.elses"),
        (b"[1, 2, 3]", "schema"),
    ];
    for (content, reason) in cases {
        fs::write(&file, content).expect("a file can be written");
        assert_refused(&refused(&["report", name]), 125, &[name, reason]);
    }
    let missing = folder.path().join("missing");
    let missing = plain(&missing);
    assert_refused(&refused(&["report", missing]), 125, &[missing]);
}

#[test]
fn what_a_user_names_is_repeated_visibly() {
    let evil = "a\u{1b}]0;t\u{7}\u{202e}\n\u{9b}2J";
    let shown = r"a\x1b]0;t\x07\xe2\x80\xae\x0a\xc2\x9b2J";
    let missing = format!("/{evil}");
    assert_refused(&refused(&["report", &missing]), 125, &[shown]);
    assert_refused(&refused(&["run", evil]), 125, &[shown]);
    assert_refused(&refused(&["run", "--", evil]), 127, &[shown]);
    let place = format!("/nonexistent/{evil}");
    assert_refused(
        &refused(&["run", "-o", &place, "--", "true"]),
        125,
        &[shown],
    );
    // A name that is no UTF-8 is told from others that are none.
    let bytes = std::ffi::OsStr::from_bytes(b"/\xff\xfe");
    assert_refused(
        &output(ioprof().arg("report").arg(bytes)),
        125,
        &[r"/\xff\xfe"],
    );
    // What clap has to say.
    for words in [
        &["attach", "-p", evil][..],
        &["run", "async", "--files", evil],
        &["run", "async", "-o"],
        &[evil],
    ] {
        let refused = refused(words);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = text(&refused.stderr);
        assert!(
            said.chars()
                .all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
            "{said:?}"
        );
    }
    // What a file says is repeated in an error, but not at length.
    let folder = folder();
    let file = folder.path().join("run.json");
    let report = format!(r#"{{"schema": "{}"}}"#, r"\u001b[31m\u009b".repeat(1000));
    fs::write(&file, report).expect("a file can be written");
    let refused = refused(&["report", plain(&file)]);
    assert_refused(&refused, 125, &[r"\x1b[31m\xc2\x9b", "..."]);
    assert!(refused.stderr.len() < 2000, "{refused:?}");
}

#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
    assert_refused(
        &refused(&["report", "/dev/zero"]),
        125,
        &["larger than 64 MiB"],
    );
}

/// The program as somebody without privileges runs it.
fn unprivileged(arguments: &[&str]) -> Output {
    if !is_root() {
        return refused(arguments);
    }
    // Where root built it, nobody else need be able to read it.
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("may be read");
    let copy = support::copy_of_ioprof(folder.path());
    let nobody = 65534;
    let mut command = Command::new(copy);
    output(
        command
            .args(arguments)
            .current_dir("/")
            .uid(nobody)
            .gid(nobody),
    )
}

#[test]
fn without_privileges_the_capabilities_that_are_missing_are_named() {
    let words = ["CAP_BPF", "CAP_PERFMON", "sudo"];
    let folder = folder();
    let marker = folder.path().join("marker");
    let touch = ["run", "--", "touch", plain(&marker)];
    assert_refused(&unprivileged(&touch), 125, &words);
    assert!(!marker.exists(), "the command must not have run");
    assert_refused(&unprivileged(&["run", "async"]), 125, &words);
    let child = Waiting::start();
    let pid = child.0.id().to_string();
    assert_refused(&unprivileged(&["attach", "-p", &pid]), 125, &words);
}

#[test]
fn without_privileges_the_doctor_says_so_in_its_verdict() {
    let examined = unprivileged(&["doctor"]);
    assert_ne!(examined.status.code(), Some(0), "{examined:?}");
    let said = text(&examined.stdout);
    let verdicts: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("verdict"))
        .collect();
    assert_eq!(verdicts.len(), 1, "{said}");
    assert!(verdicts[0].contains("does not work here"), "{said}");
    assert!(verdicts[0].contains("CAP_BPF"), "{said}");
    assert!(!text(&examined.stderr).contains("panicked"), "{examined:?}");
}

#[test]
fn the_version_and_the_help_need_nothing() {
    for arguments in [&["--version"][..], &["--help"], &["run", "--help"]] {
        let shown = unprivileged(arguments);
        assert!(shown.status.success(), "{shown:?}");
        assert!(text(&shown.stdout).contains("ioprof"), "{shown:?}");
    }
}

#[test]
fn what_is_told_by_name_is_listed_without_privileges() {
    let listed = unprivileged(&["doctor", "--coverage"]);
    assert!(listed.status.success(), "{listed:?}");
    let said = text(&listed.stdout);
    for subject in [
        "System calls",
        "System calls by the 32-bit interface",
        "Opcodes of io_uring",
        "Opcodes of io_submit",
        "Block devices",
        "File systems",
    ] {
        let mut lines = said.lines().skip_while(|line| *line != subject);
        let counts = lines.nth(1).unwrap_or_default();
        assert!(counts.starts_with("  named "), "{subject}: {said}");
    }
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
}
