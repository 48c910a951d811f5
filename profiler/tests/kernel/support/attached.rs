//! `ioprof attach`, from the moment it says that it profiles to its report.

use std::{
    io::{BufReader, Read as _},
    process::{Child, ChildStderr, Stdio},
};

use nix::sys::signal::Signal;

use super::{Report, folder, ioprof, line, reader, signal};

/// An `ioprof attach` that profiles.
pub struct Attached {
    ioprof: Child,
    stderr: BufReader<ChildStderr>,
    folder: tempfile::TempDir,
}

impl Attached {
    /// Attaches to processes, and returns when they are in scope.
    pub fn to(pids: &[u32], options: &[&str]) -> Self {
        let folder = folder();
        let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
        let mut ioprof = ioprof()
            .args(["attach", "-p", &pids.join(",")])
            .args(options)
            .arg("-o")
            .arg(folder.path().join("run.json"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ioprof can be started");
        let mut stderr = reader(&mut ioprof.stderr);
        let said = line(&mut stderr);
        assert!(said.starts_with("ioprof: profiling "), "{said}");
        Self {
            ioprof,
            stderr,
            folder,
        }
    }

    /// The number of ioprof.
    pub fn pid(&self) -> u32 {
        self.ioprof.id()
    }

    /// Ends it by a signal.
    pub fn end(self, by: Signal) -> Report {
        self.end_saying(by).0
    }

    /// The same, with what it says from when it profiles on.
    pub fn end_saying(self, by: Signal) -> (Report, String) {
        signal(&self.ioprof, by);
        self.ended_saying()
    }

    /// Waits until it ends by itself.
    pub fn ended(self) -> Report {
        self.ended_saying().0
    }

    /// The same, with what it says from when it profiles on.
    pub fn ended_saying(mut self) -> (Report, String) {
        let mut said = String::new();
        self.stderr
            .read_to_string(&mut said)
            .expect("what ioprof says can be read");
        let status = self.ioprof.wait().expect("ioprof is a child");
        assert!(status.success(), "{status}: {said}");
        let report = Report::read(&self.folder.path().join("run.json"));
        (report, said)
    }
}
