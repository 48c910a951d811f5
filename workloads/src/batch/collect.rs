//! The end of the pipeline: puts results in order, counts failures, writes the file of results.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use nix::fcntl::OFlag;

use super::gate::Gate;
use super::message::{FileResult, PipelineOptions};
use super::progress::{FilesFound, Progress};
use crate::counters::Counters;
use crate::error::Error;
use crate::files::Files;
use crate::transfer::{OpenGauge, Transfer};

/// Result lines are written in pieces of about this many bytes.
const LINES: usize = 64 << 10;

/// Takes results from all workers.
pub struct Collector<'a, F> {
    transfer: Transfer<'a, F>,
    gate: Arc<Gate>,
    ordered: bool,
    /// Results of files that are ahead of `next`.
    early: BTreeMap<u64, FileResult>,
    next: u64,
    results: Option<(PathBuf, OwnedFd)>,
    lines: String,
    written: u64,
    progress: Progress,
}

impl<'a, F: Files> Collector<'a, F> {
    /// Creates the file of results, with --results.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it cannot be created.
    pub fn new(
        options: &PipelineOptions,
        files: &'a F,
        gauge: &'a OpenGauge,
    ) -> Result<Self, Error> {
        let mut transfer = Transfer::new(files, gauge, None);
        let results = match &options.results {
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
            gate: Arc::new(Gate::new(options.ordered)),
            ordered: options.ordered,
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

    /// The count that discovery updates.
    pub fn files_found(&self) -> FilesFound {
        Arc::clone(&self.progress.found)
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
        // Also after an error: no reader may be left waiting.
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
            self.progress.file_done(result.bytes);
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
        if let Some(failure) = &result.failure {
            self.transfer.counters.fail(&result.path, failure.clone());
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
                .map_or("ok", |failure| failure.operation);
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
