//! The second stage: reads files in chunks.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use super::gate::Gate;
use super::message::{CHUNK, Chunk, Job, Part};
use super::transform::Transformer;
use crate::counters::{Counters, Event};
use crate::error::Failure;
use crate::files::Files;
use crate::interrupt::Interrupt;
use crate::transfer::Transfer;

/// Room for a chunk, and for a byte more: the read that gets the last chunk asks for it, and so meets the file's end.
pub const BUFFER: usize = CHUNK + 1;

/// One thread of the stage.
pub struct Reader<'a, F> {
    /// Reads and counts.
    pub transfer: Transfer<'a, F>,
    /// Files to be read.
    pub jobs: Receiver<Vec<Arc<Job>>>,
    /// Buffers of [`BUFFER`] bytes to read into.
    pub pool: Receiver<Vec<u8>>,
    /// Where chunks go, by the number of their file.
    pub chunks: Vec<Sender<Chunk>>,
    /// Transforms whole files while the next stage is busy.
    pub own: Transformer,
    /// Keeps readers from running far ahead of ordered results.
    pub gate: Arc<Gate>,
    /// Ends the stage early.
    pub interrupt: &'a Interrupt,
}

/// The next stage has ended; there is nothing left to do.
struct Disconnected;

impl<F: Files> Reader<'_, F> {
    /// Reads files until there are no more.
    pub fn run(mut self) -> Counters {
        while let Ok(batch) = self.jobs.recv() {
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

    fn file(&mut self, job: &Arc<Job>) -> Result<(), Disconnected> {
        let mut chunk = Chunk {
            job: Arc::clone(job),
            buffer: self.buffer()?,
            length: 0,
            part: Part::Whole,
        };
        // Never waits for the other end of a FIFO, nor for a lease or a tape.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match self.transfer.open(&job.path, flags) {
            Ok(file) => file,
            Err(error) => {
                chunk.part = Part::Failed(Failure::io("open")(error));
                return self.pass_on(chunk);
            }
        };
        let last = match self.size(file.as_fd()) {
            Ok(Some(size)) => self.read(file.as_fd(), size, &mut chunk)?,
            Ok(None) => Part::Skipped,
            Err(failure) => Part::Failed(failure),
        };
        let closed = self.transfer.close(file).map_err(Failure::io("close"));
        chunk.part = match (last, closed) {
            // The first error is the one to report.
            (Part::Failed(failure), _) | (_, Err(failure)) => Part::Failed(failure),
            (last, Ok(())) => last,
        };
        self.pass_on(chunk)
    }

    /// The size of a regular file. Anything else (a link may lead to it) may have no end, and is skipped: `None`.
    fn size(&mut self, file: BorrowedFd<'_>) -> Result<Option<u64>, Failure> {
        let stat = self.transfer.stat(file).map_err(Failure::io("stat"))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            self.transfer.counters.event(Event::Skipped);
            return Ok(None);
        }
        Ok(Some(u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// Reads a file into `chunk`, which is passed on each time it is full. Leaves the last chunk there, and returns which
    /// part of the file it is.
    fn read(
        &mut self,
        file: BorrowedFd<'_>,
        size: u64,
        chunk: &mut Chunk,
    ) -> Result<Part, Disconnected> {
        let mut offset = 0;
        loop {
            let is_first = offset == 0;
            match self.fill(file, offset, size, chunk) {
                Err(failure) => return Ok(Part::Failed(failure)),
                Ok(true) if is_first => return Ok(Part::Whole),
                Ok(true) => return Ok(Part::Last),
                Ok(false) => {}
            }
            offset += chunk.length as u64;
            let full = Chunk {
                job: Arc::clone(&chunk.job),
                buffer: std::mem::replace(&mut chunk.buffer, self.buffer()?),
                length: std::mem::take(&mut chunk.length),
                part: if is_first { Part::First } else { Part::Middle },
            };
            self.pass_on(full)?;
        }
    }

    /// Fills a chunk that starts at `offset`; returns whether it ends with the file.
    ///
    /// A read that stops short at the file's size has met its end. At any other offset it has not: the file changed, or is
    /// one of /proc (its size is 0) or /sys (4096). Then only a read of 0 is the end.
    fn fill(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        size: u64,
        chunk: &mut Chunk,
    ) -> Result<bool, Failure> {
        let fits = size.saturating_sub(offset) <= CHUNK as u64;
        let room = if fits { BUFFER } else { CHUNK };
        while chunk.length < room {
            if self.interrupt.is_set() && offset > 0 {
                let reason = "the run was interrupted within this file";
                return Err(Failure::new("read", reason));
            }
            let free = &mut chunk.buffer[chunk.length..room];
            let wanted = free.len();
            let count = self
                .transfer
                .read_some(file, free, None)
                .map_err(Failure::io("read"))?;
            chunk.length += count;
            if count == 0 || (count < wanted && offset + chunk.length as u64 == size) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn buffer(&mut self) -> Result<Vec<u8>, Disconnected> {
        match self.own.spare.take() {
            Some(buffer) => Ok(buffer),
            None => self.pool.recv().map_err(|_| Disconnected),
        }
    }

    fn pass_on(&mut self, chunk: Chunk) -> Result<(), Disconnected> {
        let worker = (chunk.job.number % self.chunks.len() as u64) as usize;
        // A whole file that would have to wait is transformed here and now, while its bytes are in this CPU's cache.
        // Parts of a file keep their order, and so their worker.
        if matches!(chunk.part, Part::Whole) && !self.chunks[worker].is_empty() {
            return if self.own.transform(chunk) {
                Ok(())
            } else {
                Err(Disconnected)
            };
        }
        self.chunks[worker].send(chunk).map_err(|_| Disconnected)
    }
}
