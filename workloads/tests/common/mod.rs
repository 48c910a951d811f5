//! Runs the workload program as a user does, and makes file systems to run it on.
#![allow(dead_code, reason = "each test program uses its own part of this")]

mod skip;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use ioprof_workloads::Summary;
pub use skip::skip;

/// The example, which cargo builds together with the tests: `target/debug/examples/workload`.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("path of this test");
    let target = test.parent().and_then(Path::parent).expect("target folder");
    let program = target.join("examples/workload");
    assert!(
        program.exists(),
        "{} is missing; build it with `cargo build --examples`",
        program.display()
    );
    program
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub summary: Option<Summary>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The summary of a run that must have got that far.
    pub fn summary(&self) -> &Summary {
        self.summary
            .as_ref()
            .unwrap_or_else(|| unreachable!("no summary: {self:?}"))
    }

    /// Asserts that the run was refused with one line that names `part`.
    pub fn assert_refused(&self, part: &str) {
        assert!(!self.status.success(), "{self:?}");
        assert!(self.summary.is_none(), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(
            self.stderr.contains(part),
            "`{part}` missing in {}",
            self.stderr
        );
    }
}

/// A run under way, in a process group of its own.
pub struct Running {
    pub child: Child,
    summary: PathBuf,
    _folder: tempfile::TempDir,
}

/// Starts a workload with data in `dir`; `limits` are shell commands such as `ulimit -n 64`.
pub fn start(dir: &Path, arguments: &str, limits: &str) -> Running {
    let folder = tempfile::tempdir().expect("temporary folder");
    let summary = folder.path().join("summary.json");
    let script = format!("{limits}\nsummary=$1; shift; exec \"$@\" 3>\"$summary\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh"])
        .arg(&summary)
        .arg(program());
    command
        .args(arguments.split_whitespace())
        .arg("--dir")
        .arg(dir)
        .args(["--summary-fd", "3"]);
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("program starts");
    Running {
        child,
        summary,
        _folder: folder,
    }
}

impl Running {
    /// Waits for the end.
    pub fn finish(mut self) -> Outcome {
        let mut stdout = String::new();
        let mut stderr = String::new();
        self.child
            .stdout
            .take()
            .expect("stdout")
            .read_to_string(&mut stdout)
            .expect("stdout");
        self.child
            .stderr
            .take()
            .expect("stderr")
            .read_to_string(&mut stderr)
            .expect("stderr");
        let status = self.child.wait().expect("status");
        // Empty where the run was refused.
        let bytes = fs::read(&self.summary).unwrap_or_default();
        let parse = |bytes: &[u8]| {
            serde_json::from_slice(bytes).expect("a summary; is the example up to date?")
        };
        let summary = (!bytes.is_empty()).then(|| parse(&bytes));
        Outcome {
            status,
            summary,
            stdout,
            stderr,
        }
    }
}

/// Runs a workload to its end.
pub fn run(dir: &Path, arguments: &str) -> Outcome {
    start(dir, arguments, "").finish()
}

/// Names in a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listing");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// A small ext4 file system in a file, mounted; unmounted when dropped.
pub struct SmallDisk {
    mount: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Makes one of that many MiB, or skips the test.
    pub fn new(mebibytes: u64) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("a loop device needs root");
            return None;
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        File::create(&image)
            .and_then(|file| file.set_len(mebibytes << 20))
            .expect("image");
        fs::create_dir(&mount).expect("mount point");
        let made = command("mkfs.ext4", &["-q", "-m", "0", &image.to_string_lossy()]);
        if let Err(reason) = made.and_then(|()| {
            command(
                "mount",
                &[
                    "-o",
                    "loop",
                    &image.to_string_lossy(),
                    &mount.to_string_lossy(),
                ],
            )
        }) {
            skip(&reason);
            return None;
        }
        Some(Self {
            mount,
            _folder: folder,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Makes it read-only.
    pub fn freeze(&self) {
        command(
            "mount",
            &["-o", "remount,ro", &self.mount.to_string_lossy()],
        )
        .expect("remount");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(reason) = command("umount", &[&self.mount.to_string_lossy()]) {
            eprintln!("{reason}");
        }
    }
}

fn command(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
