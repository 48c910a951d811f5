//! The last stage, with --write: writes outputs and makes them durable.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender};
use nix::fcntl::OFlag;

use super::message::{FileResult, Output};
use crate::counters::Counters;
use crate::error::Failure;
use crate::files::Files;
use crate::transfer::Transfer;

/// One thread of the stage.
pub struct Writer<'a, F> {
    folder: &'a Path,
    transfer: Transfer<'a, F>,
    results: Sender<FileResult>,
    unfinished: HashMap<u64, Result<Open, Failure>>,
}

/// A file being written.
struct Open {
    path: PathBuf,
    file: OwnedFd,
    written: u64,
}

impl<'a, F: Files> Writer<'a, F> {
    /// A worker that writes to `folder`.
    pub fn new(folder: &'a Path, transfer: Transfer<'a, F>, results: Sender<FileResult>) -> Self {
        Self {
            folder,
            transfer,
            results,
            unfinished: HashMap::new(),
        }
    }

    /// Writes until there is nothing more.
    pub fn run(mut self, outputs: &Receiver<Output>) -> Counters {
        for output in outputs {
            let number = output.job.number;
            let mut state = self
                .unfinished
                .remove(&number)
                .unwrap_or_else(|| self.create(number));
            if let Ok(open) = &mut state {
                let written =
                    self.transfer
                        .write_all(open.file.as_fd(), &output.bytes, open.written);
                match written {
                    Ok(()) => open.written += output.bytes.len() as u64,
                    Err(error) => {
                        self.remove(state);
                        state = Err(Failure::io("write")(error));
                    }
                }
            }
            let Some(mut result) = output.result else {
                self.unfinished.insert(number, state);
                continue;
            };
            if result.failure.is_some() || result.skipped {
                self.remove(state);
            } else {
                result.failure = self.finish(state).err();
            }
            if self.results.send(result).is_err() {
                break;
            }
        }
        for (_, state) in std::mem::take(&mut self.unfinished) {
            // Its reader ended early.
            self.remove(state);
        }
        self.transfer.counters
    }

    fn create(&mut self, number: u64) -> Result<Open, Failure> {
        let path = self.folder.join(format!("o{number:07}"));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let file = self
            .transfer
            .open(&path, flags)
            .map_err(Failure::io("create"))?;
        Ok(Open {
            path,
            file,
            written: 0,
        })
    }

    /// Closes and removes a file that cannot be completed.
    fn remove(&mut self, state: Result<Open, Failure>) {
        if let Ok(open) = state {
            let _ = self.transfer.close(open.file);
            let _ = std::fs::remove_file(open.path);
        }
    }

    /// Makes a complete file durable.
    fn finish(&mut self, state: Result<Open, Failure>) -> Result<(), Failure> {
        let open = state?;
        let synced = self
            .transfer
            .sync(open.file.as_fd())
            .map_err(Failure::io("fsync"));
        let closed = self.transfer.close(open.file).map_err(Failure::io("close"));
        synced.and(closed)
    }
}
