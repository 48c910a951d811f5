//! The second stage: reads files in chunks.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use super::collect::Gate;
use super::pipeline::{Chunk, Failure, Job};
use super::transform::Transformer;
use crate::counters::{Counters, Event};
use crate::error::remedy;
use crate::files::Files;
use crate::interrupt::Interrupt;
use crate::transfer::Transfer;

/// One thread of the stage.
pub struct Reader<'a, F> {
    /// Reads and counts.
    pub transfer: Transfer<'a, F>,
    /// Files to be read.
    pub found: Receiver<Vec<Arc<Job>>>,
    /// Buffers to read into.
    pub pool: Receiver<Vec<u8>>,
    /// Where chunks go, by the number of their file.
    pub chunks: Vec<Sender<Chunk>>,
    /// Transforms what the next stage has no time for.
    pub own: Transformer,
    /// Keeps readers from running far ahead of ordered results.
    pub gate: Arc<Gate>,
    /// Ends the stage early.
    pub interrupt: &'a Interrupt,
}

/// The next stage is gone; there is nothing left to do.
struct Gone;

impl<F: Files> Reader<'_, F> {
    /// Reads files until there are no more.
    pub fn run(mut self) -> Counters {
        while let Ok(batch) = self.found.recv() {
            for job in batch {
                if self.interrupt.is_set()
                    || !self.gate.wait(job.number)
                    || self.file(&job).is_err()
                {
                    self.gate.close();
                    return self.transfer.counters;
                }
            }
        }
        self.transfer.counters
    }

    fn file(&mut self, job: &Arc<Job>) -> Result<(), Gone> {
        let mut next = self.chunk(job, true)?;
        // Never waits for the other end of a FIFO, nor for a lease or a tape.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match self.transfer.open(&job.found.path, flags) {
            Ok(file) => file,
            Err(error) => {
                next.failure = Some(failure("open", &error));
                return self.pass_on(next);
            }
        };
        let mut result = self.check_kind(job, file.as_fd(), &mut next);
        while result.is_ok() && !next.skipped {
            result = self.fill(file.as_fd(), &mut next);
            if result.is_err() || next.last {
                break;
            }
            let following = self.chunk(job, false)?;
            self.pass_on(std::mem::replace(&mut next, following))?;
        }
        let closed = self
            .transfer
            .close(file)
            .map_err(|error| failure("close", &error));
        if let Err(failure) = result.and(closed) {
            next.failure = Some(failure);
        }
        self.pass_on(next)
    }

    /// A link may lead to anything; only regular files have an end.
    fn check_kind(
        &mut self,
        job: &Job,
        file: BorrowedFd<'_>,
        chunk: &mut Chunk,
    ) -> Result<(), Failure> {
        if job.found.regular {
            return Ok(());
        }
        let stat = self
            .transfer
            .stat(file)
            .map_err(|error| failure("stat", &error))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            chunk.skipped = true;
            self.transfer.counters.event(Event::Skipped);
        }
        Ok(())
    }

    /// Fills a chunk. Sizes are not asked for: files of /proc say 0, and others change. Only a read of 0 is the end.
    fn fill(&mut self, file: BorrowedFd<'_>, chunk: &mut Chunk) -> Result<(), Failure> {
        while chunk.length < chunk.buffer.len() {
            if self.interrupt.is_set() && !chunk.first {
                return Err((
                    "read",
                    "the run was interrupted within this file".to_owned(),
                ));
            }
            let room = &mut chunk.buffer[chunk.length..];
            match self
                .transfer
                .read_some(file, room, None)
                .map_err(|error| failure("read", &error))?
            {
                0 => {
                    chunk.last = true;
                    break;
                }
                count => chunk.length += count,
            }
        }
        Ok(())
    }

    fn chunk(&mut self, job: &Arc<Job>, first: bool) -> Result<Chunk, Gone> {
        let buffer = match self.own.spare.take() {
            Some(buffer) => buffer,
            None => self.pool.recv().map_err(|_| Gone)?,
        };
        Ok(Chunk {
            job: Arc::clone(job),
            buffer,
            length: 0,
            first,
            last: false,
            failure: None,
            skipped: false,
        })
    }

    fn pass_on(&mut self, mut chunk: Chunk) -> Result<(), Gone> {
        if chunk.failure.is_some() || chunk.skipped {
            chunk.last = true;
        }
        let worker = (chunk.job.number % self.chunks.len() as u64) as usize;
        // A whole file that would have to wait is transformed here and now, while its bytes are in this CPU's cache.
        // Parts of a file keep their order, and so their worker.
        if chunk.first && chunk.last && !self.chunks[worker].is_empty() {
            return if self.own.chunk(chunk) {
                Ok(())
            } else {
                Err(Gone)
            };
        }
        self.chunks[worker].send(chunk).map_err(|_| Gone)
    }
}

/// Words for an error.
pub fn failure(operation: &'static str, error: &std::io::Error) -> Failure {
    (operation, format!("{error}; {}", remedy(error)))
}
