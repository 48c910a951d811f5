//! Transfers that are carried through: short transfers, EINTR, EAGAIN, timeouts, files that change.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, Mode};

use crate::counters::{Counters, Event, Operation};
use crate::files::Files;

/// How many files are open now, and were at most, over all threads of a phase.
#[derive(Debug, Default)]
pub struct OpenGauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl OpenGauge {
    /// One more.
    pub fn opened(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        // Reading first keeps the cache line shared once the peak is reached.
        if now > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// One less.
    pub fn closed(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// The most at once.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// File operations that are counted, timed and carried through to their end.
#[derive(Debug)]
pub struct Transfer<'a, F> {
    files: &'a F,
    gauge: &'a OpenGauge,
    /// What was done so far.
    pub counters: Counters,
    timeout: Option<Duration>,
}

impl<'a, F: Files> Transfer<'a, F> {
    /// `timeout` bounds the waiting for one file that has no data yet (EAGAIN).
    pub fn new(files: &'a F, gauge: &'a OpenGauge, timeout: Option<Duration>) -> Self {
        Self {
            files,
            gauge,
            counters: Counters::new(),
            timeout,
        }
    }

    /// Opens a file, with mode 0600 where it is made.
    pub fn open(&mut self, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        loop {
            let files = self.files;
            let result = self.counters.call(
                Operation::Open,
                |_| 0,
                || files.open(path, flags, Mode::S_IRUSR | Mode::S_IWUSR),
            );
            match result {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {
                    self.counters.event(Event::Interrupted)
                }
                Err(error) => {
                    if error.raw_os_error() == Some(libc::ENOENT) {
                        self.counters.event(Event::Vanished);
                    }
                    return Err(error);
                }
                Ok(file) => {
                    self.gauge.opened();
                    return Ok(file);
                }
            }
        }
    }

    /// Asks for a file's size, kind and mode.
    pub fn stat(&mut self, file: BorrowedFd<'_>) -> io::Result<FileStat> {
        let files = self.files;
        self.counters
            .call(Operation::Stat, |_| 0, || files.stat(file))
    }

    /// Closes a file. Late write errors (NFS, quotas) surface here, so the result matters.
    pub fn close(&mut self, file: OwnedFd) -> io::Result<()> {
        let files = self.files;
        self.gauge.closed();
        self.counters
            .call(Operation::Close, |()| 0, || files.close(file))
    }

    /// Makes a file durable.
    pub fn sync(&mut self, file: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            let files = self.files;
            match self
                .counters
                .call(Operation::Fsync, |()| 0, || files.sync(file))
            {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {
                    self.counters.event(Event::Interrupted)
                }
                result => return result,
            }
        }
    }

    /// One read that returns data, 0 at the end of the file, or an error that is not transient.
    ///
    /// `offset` is `None` to read at the file's own position.
    pub fn read_some(
        &mut self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        offset: Option<u64>,
    ) -> io::Result<usize> {
        let mut waiting_since = None;
        loop {
            let files = self.files;
            let result = self.counters.call(
                Operation::Read,
                |&count| count as u64,
                || match offset {
                    Some(offset) => files.read_at(file, buffer, offset),
                    None => files.read(file, buffer),
                },
            );
            match result {
                Err(error) => self.recover(error, file, PollFlags::POLLIN, &mut waiting_since)?,
                Ok(count) => return Ok(count),
            }
        }
    }

    /// Fills the buffer, or reads up to the file's end: returns how much there was.
    pub fn read_full(
        &mut self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let wanted = buffer.len() - done;
            let count = self.read_some(file, &mut buffer[done..], Some(offset + done as u64))?;
            if count == 0 {
                break;
            }
            if count < wanted {
                self.counters.event(Event::ShortRead);
            }
            done += count;
        }
        Ok(done)
    }

    /// Writes the whole buffer.
    pub fn write_all(
        &mut self,
        file: BorrowedFd<'_>,
        buffer: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        let mut done = 0;
        let mut waiting_since = None;
        while done < buffer.len() {
            let files = self.files;
            let rest = &buffer[done..];
            let at = offset + done as u64;
            match self.counters.call(
                Operation::Write,
                |&count| count as u64,
                || files.write_at(file, rest, at),
            ) {
                Err(error) => self.recover(error, file, PollFlags::POLLOUT, &mut waiting_since)?,
                // Nothing written and no error: repeating it could loop forever.
                Ok(0) => return Err(io::Error::from_raw_os_error(libc::EIO)),
                Ok(count) => {
                    if count < rest.len() {
                        self.counters.event(Event::ShortWrite);
                    }
                    done += count;
                }
            }
        }
        Ok(())
    }

    /// Ok where the call is to be repeated: at once after EINTR, once the file is ready after EAGAIN.
    fn recover(
        &mut self,
        error: io::Error,
        file: BorrowedFd<'_>,
        wanted: PollFlags,
        waiting_since: &mut Option<Instant>,
    ) -> io::Result<()> {
        match error.raw_os_error() {
            Some(libc::EINTR) => {
                self.counters.event(Event::Interrupted);
                Ok(())
            }
            Some(libc::EAGAIN) => {
                self.counters.event(Event::WouldBlock);
                let since = *waiting_since.get_or_insert_with(Instant::now);
                self.wait_until_ready(file, wanted, since)
            }
            _ => Err(error),
        }
    }

    fn wait_until_ready(
        &mut self,
        file: BorrowedFd<'_>,
        wanted: PollFlags,
        since: Instant,
    ) -> io::Result<()> {
        let left = match self.timeout {
            None => PollTimeout::NONE,
            Some(timeout) => {
                let left = timeout.saturating_sub(since.elapsed());
                if left.is_zero() {
                    self.counters.event(Event::TimedOut);
                    return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
                }
                // Rounded up: a wait of 0 ms would spin.
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut entries = [PollFd::new(file.as_fd(), wanted)];
        match poll(&mut entries, left) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
