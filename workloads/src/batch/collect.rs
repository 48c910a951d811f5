//! The end of the pipeline: results in order, failures, progress.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use indicatif::{ProgressBar, ProgressStyle};
use nix::fcntl::OFlag;

use super::pipeline::{FileResult, Settings, Total};
use crate::counters::Counters;
use crate::error::Error;
use crate::files::Files;
use crate::report::bytes;
use crate::transfer::{OpenGauge, Transfer};

/// How many files may be ahead of the first that is not done, where results are ordered: bounds what waits.
const AHEAD: u64 = 4096;

/// Results are written once this many bytes of lines have come together.
const LINES: usize = 64 << 10;

/// How often the progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Lets readers begin only files that are not far ahead of the results.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
    ordered: bool,
}

impl Gate {
    fn new(ordered: bool) -> Self {
        Self {
            state: Mutex::new((0, true)),
            changed: Condvar::new(),
            ordered,
        }
    }

    /// Waits until file number `number` may be begun; returns whether anybody still wants it. Files are begun in order, so
    /// the one that all wait for is never kept waiting itself.
    pub fn wait(&self, number: u64) -> bool {
        if !self.ordered {
            return true;
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .changed
            .wait_while(state, |(done, open)| *open && number >= *done + AHEAD)
            .unwrap_or_else(PoisonError::into_inner);
        state.1
    }

    /// Everything before number `done` has come out.
    fn advance(&self, done: u64) {
        if self.ordered {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = done;
            self.changed.notify_all();
        }
    }

    /// Nothing is to be begun any more. Whoever leaves a number out must say so, for others may wait for it.
    pub fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = false;
        self.changed.notify_all();
    }
}

/// Takes results from all workers.
pub struct Collector<'a, F> {
    transfer: Transfer<'a, F>,
    gate: Arc<Gate>,
    ordered: bool,
    /// Results that came before their turn.
    early: BTreeMap<u64, FileResult>,
    next: u64,
    results: Option<(PathBuf, OwnedFd)>,
    lines: String,
    written: u64,
    progress: Progress,
}

impl<'a, F: Files> Collector<'a, F> {
    /// Opens the file for results, where one is wanted.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it cannot be created.
    pub fn new(settings: &Settings, files: &'a F, gauge: &'a OpenGauge) -> Result<Self, Error> {
        let mut transfer = Transfer::new(files, gauge, None);
        let results = match &settings.results {
            None => None,
            Some(path) => {
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
                let file = transfer
                    .open(path, flags)
                    .map_err(Error::io("create", path))?;
                Some((path.clone(), file))
            }
        };
        Ok(Self {
            transfer,
            gate: Arc::new(Gate::new(settings.ordered)),
            ordered: settings.ordered,
            early: BTreeMap::new(),
            next: 0,
            results,
            lines: String::new(),
            written: 0,
            progress: Progress::new(),
        })
    }

    /// Keeps readers from running ahead.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Where discovery tells how many files there are.
    pub fn total(&self) -> Total {
        Arc::clone(&self.progress.total)
    }

    /// What was counted.
    pub fn counters(&mut self) -> Counters {
        std::mem::take(&mut self.transfer.counters)
    }

    /// Takes results until the workers have ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where results cannot be written.
    pub fn run(&mut self, results: &Receiver<FileResult>) -> Result<(), Error> {
        let taken = self.take(results);
        // Whatever happened, no reader may be left waiting.
        self.gate.close();
        let flushed = taken.and_then(|()| self.flush());
        let closed = match self.results.take() {
            Some((path, file)) => self.transfer.close(file).map_err(Error::io("close", &path)),
            None => Ok(()),
        };
        self.progress.finish();
        flushed.and(closed)
    }

    fn take(&mut self, results: &Receiver<FileResult>) -> Result<(), Error> {
        for result in results {
            self.progress.step(result.bytes);
            if !self.ordered {
                self.emit(&result)?;
                continue;
            }
            self.early.insert(result.number, result);
            while let Some(result) = self.early.remove(&self.next) {
                self.next += 1;
                self.emit(&result)?;
            }
            self.gate.advance(self.next);
        }
        // After an interrupt numbers may be missing; what was done is still reported, in order.
        for (_, result) in std::mem::take(&mut self.early) {
            self.emit(&result)?;
        }
        Ok(())
    }

    fn emit(&mut self, result: &FileResult) -> Result<(), Error> {
        if result.skipped {
            return Ok(());
        }
        self.transfer.counters.finish_file();
        if let Some((operation, error)) = &result.failure {
            self.transfer
                .counters
                .fail_with(&result.path, operation, error.clone());
        }
        if self.results.is_some() {
            let checksum = result
                .checksum
                .map_or_else(|| "-".to_owned(), |sum| format!("{sum:016x}"));
            let lines = result
                .lines
                .map_or_else(|| "-".to_owned(), |lines| lines.to_string());
            let state = result
                .failure
                .as_ref()
                .map_or("ok", |(operation, _)| operation);
            let path = result.path.display();
            // Writing to a String cannot fail.
            let _ = writeln!(
                self.lines,
                "{state}\t{}\t{}\t{checksum}\t{lines}\t{path}",
                result.bytes, result.output_bytes
            );
            if self.lines.len() >= LINES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        if let Some((path, file)) = &self.results {
            let lines = self.lines.as_bytes();
            self.transfer
                .write_all(file.as_fd(), lines, self.written)
                .map_err(Error::io("write", path))?;
            self.written += lines.len() as u64;
            self.lines.clear();
        }
        Ok(())
    }
}

/// A bar on stderr, if that is a terminal.
struct Progress {
    bar: Option<ProgressBar>,
    total: Total,
    started: Instant,
    drawn: Instant,
    files: u64,
    bytes: u64,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template(
                "{wide_bar} {pos}/{len} files, {per_sec}, {msg}, {eta} left",
            );
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            total: Arc::new(AtomicU64::new(0)),
            started: now,
            drawn: now,
            files: 0,
            bytes: 0,
        }
    }

    fn step(&mut self, read: u64) {
        let Some(bar) = &self.bar else { return };
        self.files += 1;
        self.bytes += read;
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        let rate = self.bytes as f64 / self.started.elapsed().as_secs_f64();
        bar.set_length(self.total.load(Ordering::Relaxed).max(self.files));
        bar.set_position(self.files);
        bar.set_message(format!("{}/s", bytes(rate as u64)));
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
