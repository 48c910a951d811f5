//! Runs one after the other.
//!
//! Each run is a process of its own, a copy of this one that goes on as `ioprof run` does: a run gives up privileges that
//! the next one needs, and what one leaves behind is not the next one's. It hands its report over in a file without a
//! name. This process only waits, and passes signals on.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::ExitCode,
};

use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::Signal,
        wait::WaitStatus,
    },
    unistd::{ForkResult, fork},
};

use super::{run::raise, signals::Signals};
use crate::{
    analysis,
    error::Error,
    model::{
        read::{self, MOST_BYTES},
        report::Report,
    },
};

/// Runs one after the other, until a signal asks to stop.
pub struct Series {
    signals: Signals,
    /// How the first run ended that failed.
    failed: Option<WaitStatus>,
    stopped: Option<Signal>,
}

/// What has become of a run.
pub enum Next {
    /// This is the copy: it is to make the run and to hand its report over in this file, and nothing else.
    Copy(File),
    /// The run is over, with its report; none where it has none, and has said why, and where it was not left to end by
    /// itself.
    Over(Option<Box<Report>>),
}

impl Series {
    /// Begins, before the first run.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn begin() -> Result<Self, Error> {
        Ok(Self {
            signals: Signals::block()?,
            failed: None,
            stopped: None,
        })
    }

    /// Makes a copy of this process for a run, and waits for it. To be called while this process has one thread.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn next(&mut self) -> Result<Next, Error> {
        self.stopped = self.stopped.or_else(|| self.signals.pending());
        if self.stopped.is_some() {
            return Ok(Next::Over(None));
        }
        let report = report_file()?;
        // SAFETY: this process has one thread, so the copy may do what this one may.
        let child = match unsafe { fork() }.map_err(Error::system("starting a run"))? {
            ForkResult::Child => {
                self.signals.restore()?;
                return Ok(Next::Copy(report));
            }
            ForkResult::Parent { child } => child,
        };
        let (ended, signal) = self.signals.wait(child)?;
        self.stopped = signal;
        // One that was stopped has not failed: how it ended, or ioprof before it began, is the signal's doing.
        let has_failed = signal.is_none() && !matches!(ended, WaitStatus::Exited(_, 0));
        self.failed = self.failed.or(has_failed.then_some(ended));
        let report = handed_over(report)?.filter(|_| signal.is_none());
        Ok(Next::Over(report.map(Box::new)))
    }

    /// The signal that has asked to stop.
    pub const fn stopped(&self) -> Option<Signal> {
        self.stopped
    }

    /// What the whole ends as: as the first run that failed, or by the signal.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn end(self) -> Result<ExitCode, Error> {
        self.signals.restore()?;
        Ok(match self.failed {
            Some(WaitStatus::Exited(_, code)) => ExitCode::from(code as u8),
            Some(WaitStatus::Signaled(_, signal, _)) => raise(signal as i32),
            // Not all has been done, whatever the last run made of it.
            _ => self
                .stopped
                .map_or(ExitCode::SUCCESS, |signal| raise(signal as i32)),
        })
    }
}

/// A file without a name, that a report is handed over in.
fn report_file() -> Result<File, Error> {
    let file = memfd_create("ioprof-report", MFdFlags::MFD_CLOEXEC);
    Ok(file
        .map_err(Error::system("making a file for the report"))?
        .into())
}

/// The report of a run; none where it has none.
fn handed_over(mut file: File) -> Result<Option<Report>, Error> {
    let mut bytes = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(MOST_BYTES).read_to_end(&mut bytes));
    read.map_err(Error::system("reading the report of the run"))?;
    let report = read::read(&bytes).ok();
    Ok(report.map(|mut report| {
        analysis::judge(&mut report);
        report
    }))
}
