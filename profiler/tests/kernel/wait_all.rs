//! `run --wait-all`: descendants that outlive the command.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{
    Report,
    device::Loop,
    folder, ioprof, plain, profile,
    program::Program,
    report::{BlockOperation, known},
    signal, succeed, text,
};
use nix::sys::signal::Signal;

/// Where ioprof does not wait, it has ended by then. There is no event of its waiting; where it does, this may be any time.
const SEEN_TO_WAIT: Duration = Duration::from_secs(2);

/// What the descendant writes when it is let go.
const BYTES: usize = 1000;

/// How many reads `daemon.c` has in flight at a time, and for how many milliseconds it goes on when its first process has ended.
const AT_ONCE: u64 = 8;
const GOES_ON: u64 = 300;

/// A command that has ended, and left behind a process that waits for its input.
struct Left {
    ioprof: Child,
    folder: tempfile::TempDir,
}

impl Left {
    fn start() -> Self {
        let folder = folder();
        let of = |name: &str| folder.path().join(name);
        succeed(Command::new("mkfifo").arg(of("pipe")));
        // In a session of its own, with none of the streams of ioprof.
        let script = "setsid dd if=\"$0\" of=\"$1\" bs=1000 count=1 < /dev/null > /dev/null 2>&1 &
            echo $$ > \"$2.new\"; mv \"$2.new\" \"$2\"";
        let ioprof = ioprof()
            .args(["run", "--wait-all", "-o", plain(&of("run.json")), "--"])
            .args(["sh", "-c", script])
            .args([of("pipe"), of("out"), of("pid")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ioprof can be started");
        let left = Self { ioprof, folder };
        left.wait_for_command();
        left
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the command has ended and ioprof has asked for its status.
    fn wait_for_command(&self) {
        let pid = loop {
            if let Ok(pid) = fs::read_to_string(self.path("pid")) {
                break pid;
            }
            std::thread::yield_now();
        };
        while Path::new("/proc").join(pid.trim()).exists() {
            std::thread::yield_now();
        }
    }

    /// Lets the process that is left go on, and end.
    fn let_go(&self) {
        let pipe = fs::OpenOptions::new().write(true).open(self.path("pipe"));
        let mut pipe = pipe.expect("the pipe can be opened");
        pipe.write_all(&[1; BYTES]).expect("it is read");
    }

    /// Waits until ioprof ends.
    fn report(&mut self) -> Report {
        assert!(self.ioprof.wait().expect("a child").success());
        let report = Report::read(&self.path("run.json"));
        report.assert_nothing_lost();
        report
    }
}

#[test]
fn a_descendant_that_outlives_the_command_is_waited_for() {
    requires!("sh", "setsid", "dd", "mkfifo");
    let mut left = Left::start();
    std::thread::sleep(SEEN_TO_WAIT);
    left.let_go();
    let report = left.report();
    let out = report.file(&left.path("out"));
    assert_eq!(out.counts.written_bytes, BYTES as u64);
    assert_eq!(report.workload(0).threads_running, 0);
}

#[test]
fn a_signal_ends_the_waiting_and_leaves_the_descendant_running() {
    requires!("sh", "setsid", "dd", "mkfifo");
    let mut left = Left::start();
    signal(&left.ioprof, Signal::SIGINT);
    let report = left.report();
    assert_eq!(report.workload(0).threads_running, 1);
    left.let_go();
}

#[test]
fn what_a_daemon_does_is_divided_by_the_time_until_it_ends() {
    requires!("cc losetup");
    let program = Program::compile("daemon");
    let disk = Loop::unmounted(1 << 20);
    let device = disk.node();
    let command = program.with(&[plain(&device), &GOES_ON.to_string()]);
    let report = profile(&["--wait-all"], &command);
    let daemon = report.workload(0);
    let span = *known(&daemon.span_ns);
    let least = daemon.wall_ns.max(GOES_ON * 1_000_000);
    assert!((least..=report.duration_ns).contains(&span), "{span}");
    let depth = daemon.aio.depth;
    assert_eq!(depth.max, AT_ONCE);
    assert!(
        depth.mean > 0.0 && depth.mean <= AT_ONCE as f64,
        "{depth:?}"
    );
    for process in &known(&daemon.process_rows).processes {
        assert!(process.lifetime_ns <= span, "{process:?}");
    }
    for one in &report.findings {
        assert!(one.gain.high_ns.is_none_or(|ns| ns <= span), "{one:?}");
    }
    let shown = rate_shown(&report, disk.name()) * span as f64 / 1e9;
    let (requests, _) = report.block(0, disk.name(), BlockOperation::Read);
    // To three digits.
    let is_equal = (shown / requests as f64 - 1.0).abs() < 0.01;
    assert!(is_equal, "{shown} for {requests}");
}

/// The requests to a device in a second, as the first screen has them.
fn rate_shown(report: &Report, device: &str) -> f64 {
    let folder = folder();
    let file = folder.path().join("run.json");
    fs::write(&file, report.json.to_string()).expect("it can be written");
    let screen = text(&succeed(ioprof().arg("report").arg(&file)).stdout);
    let row = screen.lines().find(|line| line.starts_with(device));
    // Behind the name and the bytes, which have a unit.
    let rate = row.and_then(|row| row.split_whitespace().nth(5)?.parse().ok());
    rate.unwrap_or_else(|| panic!("no rate of {device} in {screen}"))
}
