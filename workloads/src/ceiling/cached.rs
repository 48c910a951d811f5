//! What goes through the page cache: reads with read-ahead, the cost of a hit, appends that are made durable.

use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::fs::FileExt as _},
    path::Path,
    time::{Duration, Instant},
};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use serde::{Deserialize, Serialize};

use super::{Point, meter::Meter};
use crate::{error::Error, interrupt::Interrupt};

/// What a read costs whose bytes are in the page cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PageCacheCost {
    /// Nanoseconds of a call of one byte.
    pub call_ns: f64,
    /// Nanoseconds of each byte more, of a call of 64 KiB.
    pub byte_ns: f64,
    /// The largest difference between the batches of the middle half, as a part of the median: of the larger call.
    pub spread: f64,
}

/// Reads a file in order, from the device.
pub fn read_ahead(
    file: &File,
    bytes: u64,
    size: usize,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<Point>, Error> {
    let mut buffer = vec![0; size];
    let mut offset = bytes;
    held(size, limit, interrupt, || {
        if offset + size as u64 > bytes {
            // From the beginning, and not from the page cache.
            posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
                .map_err(|errno| failed("empty the cache of")(errno.into()))?;
            offset = 0;
        }
        let began = Instant::now();
        file.read_exact_at(&mut buffer, offset)
            .map_err(failed("read"))?;
        offset += size as u64;
        Ok(began)
    })
}

/// Appends and syncs.
pub fn append(
    file: &File,
    size: usize,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<Point>, Error> {
    /// The file begins anew at this length.
    const LONGEST: u64 = 64 << 20;
    let buffer = vec![0x5a; size];
    let mut offset = 0;
    held(size, limit, interrupt, || {
        if offset >= LONGEST {
            file.set_len(0).map_err(failed("truncate"))?;
            offset = 0;
        }
        let began = Instant::now();
        file.write_all_at(&buffer, offset)
            .and_then(|()| file.sync_data())
            .map_err(failed("append to"))?;
        offset += size as u64;
        Ok(began)
    })
}

/// Does operations of a size one after the other until their rate is steady, or the time is up; none where a signal came.
/// Each returns when it began.
fn held(
    size: usize,
    limit: Duration,
    interrupt: &Interrupt,
    mut operation: impl FnMut() -> Result<Instant, Error>,
) -> Result<Option<Point>, Error> {
    let mut meter = Meter::new(limit);
    loop {
        let began = operation()?;
        let now = Instant::now();
        meter.completed(began, now);
        if interrupt.is_set() {
            return Ok(None);
        }
        if meter.is_done(now) {
            return Ok(meter.point(1, size));
        }
    }
}

/// Reads the beginning of the file again and again, by 64 KiB and by single bytes. It is longer than the caches of most
/// CPUs, so that a byte costs what it does for data that nobody has just used.
pub fn cost(
    file: &File,
    bytes: u64,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<PageCacheCost>, Error> {
    const LARGE: usize = 64 << 10;
    const RANGE: u64 = 64 << 20;
    const BATCHES: usize = 15;
    let mut buffer = vec![0; LARGE];
    let mut read = |size: usize, block: u64| {
        file.read_exact_at(&mut buffer[..size], block * LARGE as u64)
            .map_err(failed("read"))
    };
    let began = Instant::now();
    let mut cached = 0;
    while cached < (bytes.min(RANGE) / LARGE as u64).max(1)
        && (cached == 0 || began.elapsed() < limit)
    {
        read(LARGE, cached)?;
        cached += 1;
        if interrupt.is_set() {
            return Ok(None);
        }
    }
    let began = Instant::now();
    let mut next = 0;
    let mut batch = |size: usize, calls: u32| -> Result<f64, Error> {
        let began = Instant::now();
        for _ in 0..calls {
            next = (next + 1) % cached;
            read(size, next)?;
        }
        Ok(began.elapsed().as_nanos() as f64 / f64::from(calls))
    };
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for number in 0..BATCHES {
        small.push(batch(1, 1000)?);
        large.push(batch(LARGE, 100)?);
        if interrupt.is_set() {
            return Ok(None);
        }
        if began.elapsed() >= limit && number >= 2 {
            break;
        }
    }
    let (call_ns, _) = median(&mut small);
    let (whole_ns, spread) = median(&mut large);
    Ok(Some(PageCacheCost {
        call_ns,
        byte_ns: (whole_ns - call_ns).max(0.0) / (LARGE - 1) as f64,
        spread,
    }))
}

/// The median, and the spread of the middle half.
fn median(of: &mut [f64]) -> (f64, f64) {
    of.sort_by(f64::total_cmp);
    let middle = of[of.len() / 2];
    let (low, high) = (of[of.len() / 4], of[of.len() * 3 / 4]);
    (middle, (high - low) / middle.max(f64::MIN_POSITIVE))
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> Error {
    Error::io(operation, Path::new("the file of the calibration"))
}
