//! What is refused to a run: the report comes all the same, or one line says why not, with status 125.

use std::{
    fs,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, Stdio},
    time::Instant,
};

use crate::support::{
    self, Report, assert_one_line, ioprof, program::Program, requirements::tool, text,
};
use nix::sys::resource::{Resource, setrlimit};

/// Has a command begin with a limit.
fn limited(command: &mut Command, resource: Resource, soft: u64, hard: u64) {
    // SAFETY: one system call is made.
    unsafe { command.pre_exec(move || Ok(setrlimit(resource, soft, hard)?)) };
}

#[test]
fn the_soft_limit_of_descriptors_is_no_limit_and_the_hard_one_is_named() {
    requires!();
    let mut run = ioprof();
    limited(&mut run, Resource::RLIMIT_NOFILE, 40, 4096);
    run.args([
        "run",
        "-o",
        "-",
        "--",
        "sh",
        "-c",
        "ulimit -Sn >&2; ulimit -Hn >&2",
    ]);
    let ran = support::succeed(&mut run);
    Report::parse(&ran.stdout).assert_nothing_lost();
    // The command's limits are those that ioprof was given.
    assert!(text(&ran.stderr).starts_with("40\n4096\n"), "{ran:?}");

    let folder = support::folder();
    let marker = folder.path().join("marker");
    // Too few for the maps, for the programs, and for their links.
    for few in [30, 60, 90, 120] {
        let mut run = ioprof();
        limited(&mut run, Resource::RLIMIT_NOFILE, few, few);
        let refused = support::output(run.args(["run", "--", "touch"]).arg(&marker));
        assert_one_line(&refused, &["descriptors", &few.to_string(), "ulimit -Hn"]);
        assert!(!marker.exists(), "the command has run");
    }
}

#[test]
fn without_memory_ioprof_ends_and_the_command_has_not_run() {
    requires!();
    let folder = support::folder();
    let marker = folder.path().join("marker");
    let mut failed = 0;
    for mebibytes in (8..=128).step_by(8) {
        let _ = fs::remove_file(&marker);
        let mut run = ioprof();
        limited(
            &mut run,
            Resource::RLIMIT_AS,
            mebibytes << 20,
            mebibytes << 20,
        );
        // Returns when nobody has the pipes any more: neither ioprof nor a child that waits.
        let ended = support::output(run.args(["run", "--", "touch"]).arg(&marker));
        let said = text(&ended.stderr);
        if ended.status.success() {
            assert!(said.contains("Ledger") && marker.exists(), "{ended:?}");
            continue;
        }
        failed += 1;
        assert!(
            !marker.exists(),
            "{mebibytes} MiB: the command has run: {ended:?}"
        );
        match ended.status.signal() {
            // Rust's allocator has a line of its own, and no way back.
            Some(libc::SIGABRT) => {
                assert!(
                    said.contains("memory allocation"),
                    "{mebibytes} MiB: {said}"
                );
            }
            // The kernel's answer to a stack that cannot grow.
            Some(signal) => assert_eq!(signal, libc::SIGSEGV, "{mebibytes} MiB: {ended:?}"),
            // Where the dynamic loader finds room hangs on addresses that the kernel draws.
            None if ended.status.code() == Some(127) => {
                assert!(said.contains("shared libraries"), "{mebibytes} MiB: {said}");
            }
            None => assert_one_line(&ended, &["ioprof: "]),
        }
    }
    assert!(failed >= 2, "what is enough to begin is not enough to run");
}

/// A file system in memory; unmounted with this value.
struct Small(tempfile::TempDir);

impl Small {
    fn new(size: &str) -> Self {
        let folder = support::folder();
        let mut mount = tool("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]);
        support::succeed(mount.arg(folder.path()));
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A test that fails is not to hide why behind a second failure.
        support::output(tool("umount").arg(self.0.path()));
    }
}

#[test]
fn on_a_full_disk_the_report_is_printed_and_what_was_there_stays() {
    requires!("mount", "umount");
    let small = Small::new("size=16k");
    let file = small.0.path().join("run.json");
    fs::write(&file, "what was there before").expect("that much fits");
    let mut run = ioprof();
    run.args(["run", "-o"]).arg(&file);
    // Its own status is 3, and the lost report outweighs that.
    let ended = support::output(run.args(["--", "sh", "-c", "exit 3"]));
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    let said = text(&ended.stderr);
    assert!(said.contains("exit 3") && said.contains("Ledger"), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("ioprof: cannot write the report to "),
        "{said}"
    );
    assert!(last.contains("No space left"), "{said}");
    assert_eq!(
        fs::read(&file).expect("it is there"),
        b"what was there before"
    );
    let left = fs::read_dir(small.0.path()).expect("a folder").count();
    assert_eq!(left, 1, "nothing partial is left");
}

#[test]
fn a_device_that_takes_nothing_is_named() {
    requires!();
    let ended = support::output(ioprof().args(["run", "-o", "/dev/full", "--", "true"]));
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(text(&ended.stderr).contains("cannot write the report to /dev/full"));
}

#[test]
fn where_nobody_reads_stderr_the_report_is_written_and_errors_have_their_status() {
    requires!();
    let gone = || {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        writer
    };
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "-o"])
        .arg(&file)
        .args(["--", "sh", "-c", "exit 3"]);
    let status = run.stderr(gone()).status().expect("it can be started");
    assert_eq!(status.code(), Some(3));
    Report::read(&file).assert_nothing_lost();

    let mut run = ioprof();
    let refused = run
        .args(["run", "--", "no-such-command-at-all"])
        .stderr(gone());
    assert_eq!(
        refused.status().expect("it can be started").code(),
        Some(127)
    );
    let mut doctor = ioprof();
    let examined = doctor.arg("doctor").stdout(gone()).stderr(Stdio::piped());
    let examined = examined.output().expect("it can be started");
    assert!(examined.status.success(), "{examined:?}");
    assert_eq!(text(&examined.stderr), "");
    // Whoever wanted the report on stdout has gone.
    let mut run = ioprof();
    run.args(["run", "-o", "-", "--", "true"]).stdout(gone());
    let ended = run
        .stderr(Stdio::piped())
        .output()
        .expect("it can be started");
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(text(&ended.stderr).contains("cannot write the report to stdout"));
}

#[test]
fn a_time_of_day_that_steps_changes_nothing_but_when_the_run_began() {
    requires!("cc");
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    // In it the time of day steps at each look.
    let clock = Program::library("stepping_clock");
    run.env("LD_PRELOAD", clock.path());
    run.args(["run", "-o"]).arg(&file);
    // Sleeps by the monotonic clock, without the library.
    let sleep = ["--", "env", "-u", "LD_PRELOAD", "sleep", "0.6"];
    let begin = Instant::now();
    support::succeed(run.args(sleep));
    let most = u64::try_from(begin.elapsed().as_nanos()).expect("a short time");
    let report = Report::read(&file);
    report.assert_nothing_lost();
    let began = &report.started_at;
    assert!(
        began.as_str().starts_with("2001-09-09T"),
        "the clock was not ours: {began}"
    );
    let least = 600_000_000;
    let workload = report.workload(0);
    for span in [report.duration_ns, workload.wall_ns] {
        assert!((least..most).contains(&span), "{span}");
    }
    let share = report.ledger.probe_cpu_measured_share;
    assert!(
        share.is_some_and(|share| share > 0.0 && share <= 1.0),
        "{share:?}"
    );
}
