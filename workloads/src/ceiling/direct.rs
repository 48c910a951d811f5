//! Direct I/O by io_uring, a number of operations always in flight, from one thread.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::Path,
    time::{Duration, Instant},
};

use io_uring::{IoUring, opcode, types::Fd};
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Load, Point, meter::Meter};
use crate::{
    async_files::uring::{Buffers, create},
    buffers::PAGE,
    error::Error,
    interrupt::Interrupt,
};

/// The same offsets each time.
const SEED: u64 = 15;

/// Holds a load until its rate is steady; none where a signal came or nothing was done.
pub fn measure(
    file: BorrowedFd<'_>,
    bytes: u64,
    load: &Load,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<Point>, Error> {
    let mut flight = Flight::new(file, bytes, load)?;
    let mut meter = Meter::new(limit);
    let held = flight.hold(&mut meter, interrupt, u64::MAX);
    meter.operations += flight.end();
    held?;
    if interrupt.is_set() {
        return Ok(None);
    }
    Ok(meter.point(load.depth, load.size))
}

/// Writes the file from its beginning, so that all its blocks are there: up to `bytes`, and no longer than `limit` once
/// `least` are written. Returns how many are.
///
/// # Errors
///
/// Where the kernel refuses an operation.
pub fn fill(
    file: BorrowedFd<'_>,
    (least, bytes): (u64, u64),
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<u64, Error> {
    const CHUNK: u64 = 1 << 20;
    let load = Load {
        is_random: false,
        size: CHUNK as usize,
        depth: 8,
        read_percent: 0,
    };
    let began = Instant::now();
    let mut filled = 0;
    while filled < bytes && (filled < least || began.elapsed() < limit) && !interrupt.is_set() {
        let part = (bytes - filled).min(16 * CHUNK);
        let mut flight = Flight::new(file, part, &load)?;
        flight.start = filled;
        // It ends by its number of operations.
        let mut meter = Meter::new(Duration::MAX);
        let held = flight.hold(&mut meter, interrupt, part / CHUNK);
        flight.end();
        held?;
        filled += part;
    }
    Ok(filled)
}

/// The operations in flight.
struct Flight<'a> {
    ring: IoUring,
    buffers: Option<Buffers>,
    file: BorrowedFd<'a>,
    load: Load,
    start: u64,
    blocks: u64,
    next: u64,
    random: Xoshiro256PlusPlus,
    /// When each was submitted.
    began: Vec<Instant>,
    idle: Vec<usize>,
    in_flight: usize,
    stamp: u64,
}

impl<'a> Flight<'a> {
    fn new(file: BorrowedFd<'a>, bytes: u64, load: &Load) -> Result<Self, Error> {
        let refused = |source| Error::io("get memory for", Path::new("buffers"))(source);
        let mut buffers = Buffers::new(load.depth, load.size).map_err(refused)?;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        if load.read_percent < 100 {
            // What a device could compress, or has already, would be written faster.
            let mut block = vec![0; load.size.min(1 << 20)];
            random.fill_bytes(&mut block);
            for buffer in 0..load.depth {
                for part in buffers.bytes(buffer as u32).chunks_mut(block.len()) {
                    part.copy_from_slice(&block[..part.len()]);
                }
            }
        }
        Ok(Self {
            ring: create(load.depth).map_err(|error| no_uring(&error))?,
            buffers: Some(buffers),
            file,
            load: *load,
            start: 0,
            blocks: (bytes / load.size as u64).max(1),
            next: 0,
            random,
            began: vec![Instant::now(); load.depth],
            idle: (0..load.depth).collect(),
            in_flight: 0,
            stamp: 0,
        })
    }

    /// Keeps the depth until the meter has enough, a signal comes, or `most` operations were submitted.
    fn hold(&mut self, meter: &mut Meter, interrupt: &Interrupt, most: u64) -> Result<(), Error> {
        let mut left = most;
        while !interrupt.is_set() {
            while left > 0
                && let Some(slot) = self.idle.pop()
            {
                left -= 1;
                self.submit(slot)?;
            }
            if self.in_flight == 0 {
                break;
            }
            self.wait()?;
            let now = self.reap(|began, now| meter.completed(began, now))?;
            if meter.is_done(now) && most == u64::MAX {
                break;
            }
        }
        Ok(())
    }

    fn submit(&mut self, slot: usize) -> Result<(), Error> {
        let block = if self.load.is_random {
            self.random.next_u64() % self.blocks
        } else {
            self.next % self.blocks
        };
        self.next += 1;
        let offset = self.start + block * self.load.size as u64;
        let is_read = match self.load.read_percent {
            0 => false,
            100 => true,
            percent => self.random.next_u64() % 100 < u64::from(percent),
        };
        let Some(buffers) = &mut self.buffers else {
            return Ok(());
        };
        let buffer = buffers.bytes(slot as u32);
        let (pointer, length) = (buffer.as_mut_ptr(), self.load.size as u32);
        let file = Fd(self.file.as_raw_fd());
        let entry = if is_read {
            opcode::Read::new(file, pointer, length)
                .offset(offset)
                .build()
        } else {
            for page in buffer.chunks_mut(PAGE as usize) {
                self.stamp += 1;
                page[..8].copy_from_slice(&self.stamp.to_le_bytes());
            }
            opcode::Write::new(file, pointer, length)
                .offset(offset)
                .build()
        };
        let entry = entry.user_data(slot as u64);
        self.began[slot] = Instant::now();
        loop {
            // SAFETY: the buffer of the slot belongs to nothing else until the completion, for which `end` waits.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                self.in_flight += 1;
                return Ok(());
            }
            self.ring.submit().map_err(|error| no_uring(&error))?;
        }
    }

    /// Submits, and waits for a completion or a signal.
    fn wait(&mut self) -> Result<(), Error> {
        match self.ring.submit_and_wait(1) {
            Err(error) if error.raw_os_error() != Some(libc::EINTR) => Err(no_uring(&error)),
            _ => Ok(()),
        }
    }

    /// Takes the completions there are.
    fn reap(&mut self, mut completed: impl FnMut(Instant, Instant)) -> Result<Instant, Error> {
        let now = Instant::now();
        for completion in self.ring.completion() {
            let slot = completion.user_data() as usize;
            self.in_flight -= 1;
            self.idle.push(slot);
            if completion.result() != self.load.size as i32 {
                return Err(failed(completion.result()));
            }
            completed(self.began[slot], now);
        }
        Ok(now)
    }

    /// Waits for what is in flight, as the kernel reads and writes the buffers until then; how many these were.
    fn end(mut self) -> u64 {
        let last = self.in_flight as u64;
        while self.in_flight > 0 {
            let waited = self.ring.submit_and_wait(1);
            let reaped = self.ring.completion().count();
            self.in_flight = self.in_flight.saturating_sub(reaped);
            let interrupted = |error: &io::Error| error.raw_os_error() == Some(libc::EINTR);
            if reaped == 0 && waited.is_err_and(|error| !interrupted(&error)) {
                std::mem::forget(self.buffers.take());
                break;
            }
        }
        last - self.in_flight as u64
    }
}

fn no_uring(error: &impl ToString) -> Error {
    Error::NoUring {
        reason: error.to_string(),
    }
}

fn failed(result: i32) -> Error {
    Error::Direct {
        source: match result {
            ..0 => io::Error::from_raw_os_error(-result),
            _ => io::Error::other("it was shorter than asked for"),
        },
    }
}
