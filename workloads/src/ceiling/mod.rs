//! What a device can do: single points of load on a file, each held until its rate is steady. For `ioprof calibrate`.

mod cached;
mod direct;
mod meter;
mod steady;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde::{Deserialize, Serialize};

pub use cached::PageCacheCost;
pub use direct::fill;

use crate::{error::Error, interrupt::Interrupt};

/// A load on a file by direct I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Whether offsets are drawn; otherwise they follow each other.
    pub is_random: bool,
    /// Bytes of an operation, a multiple of 4 KiB.
    pub size: usize,
    /// Operations in flight.
    pub depth: usize,
    /// Reads in 100 operations; the others are writes.
    pub read_percent: u8,
}

/// What a point of load came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// Operations in flight.
    pub depth: u64,
    /// Operations in a second: of the span in which the rate was steady, else of all but the beginning.
    pub operations_per_second: f64,
    /// Mean time of an operation.
    pub latency_mean_ns: u64,
    /// Time that half of the operations took at most.
    pub latency_p50_ns: u64,
    /// Time that 99 % of the operations took at most.
    pub latency_p99_ns: u64,
    /// The longest.
    pub latency_max_ns: u64,
    /// How long it was measured.
    pub duration_ns: u64,
    /// Whether the rate became steady.
    pub steady: bool,
    /// The largest difference between six parts of that span, as a part of the rate.
    pub spread: f64,
    /// The rate of the later half of the point by that of the earlier.
    pub late_to_early_ratio: f64,
    /// The part of the time in which the measuring thread had a CPU: from 0.9 on the CPU may be the limit.
    pub cpu_share: f64,
    /// All operations, those of the beginning among them.
    pub operations: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file to measure with: it has no name, so nothing is left of it however the process ends.
pub struct Bench<'a> {
    file: File,
    /// Its length, and what reads and writes stay within.
    bytes: u64,
    interrupt: &'a Interrupt,
}

impl<'a> Bench<'a> {
    /// Takes a file that is open for reading and writing, and has `bytes` that are written.
    pub const fn new(file: File, bytes: u64, interrupt: &'a Interrupt) -> Self {
        Self {
            file,
            bytes,
            interrupt,
        }
    }

    /// Holds a load until its rate is steady, at most for `limit`; none where a signal came, or nothing was done.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses an operation.
    pub fn direct(&self, load: &Load, limit: Duration) -> Result<Option<Point>, Error> {
        self.set_direct(true)?;
        direct::measure(self.file.as_fd(), self.bytes, load, limit, self.interrupt)
    }

    /// Reads the file in order by read(2), through the page cache and its read-ahead.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses an operation.
    pub fn buffered_read(&self, size: usize, limit: Duration) -> Result<Option<Point>, Error> {
        self.set_direct(false)?;
        cached::read_ahead(&self.file, self.bytes, size, limit, self.interrupt)
    }

    /// The cost of a call and of a byte where the page cache has the bytes.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses an operation.
    pub fn page_cache(&self, limit: Duration) -> Result<Option<PageCacheCost>, Error> {
        self.set_direct(false)?;
        cached::cost(&self.file, self.bytes, limit, self.interrupt)
    }

    fn set_direct(&self, on: bool) -> Result<(), Error> {
        set_direct(self.file.as_fd(), on).map_err(|source| Error::Direct { source })
    }
}

/// Appends to an empty file and waits for each append with fdatasync(2).
///
/// # Errors
///
/// Where the kernel refuses an operation.
pub fn append(
    file: &File,
    size: usize,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<Point>, Error> {
    cached::append(file, size, limit, interrupt)
}

/// Switches direct I/O of an open file on or off.
///
/// # Errors
///
/// EINVAL where its file system has none.
pub fn set_direct(file: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    let wanted = if on {
        flags | OFlag::O_DIRECT
    } else {
        flags & !OFlag::O_DIRECT
    };
    fcntl(file, FcntlArg::F_SETFL(wanted))?;
    Ok(())
}

#[cfg(test)]
mod tests;
