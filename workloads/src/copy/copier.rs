//! One copy from open to close: its stretches of data, the method for each, the fall-back where one is refused.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::Whence;

use super::methods::{Method, Tools};
use crate::counters::{Event, Operation};
use crate::error::{Error, Failure};
use crate::files::{Kernel, signed};
use crate::interrupt::Interrupt;
use crate::options::{CopyMethod, CopyOptions, value_name};
use crate::transfer::{OpenGauge, Transfer};

/// Why a copy failed.
#[derive(Debug)]
pub struct CopyError {
    /// Which of the two files.
    pub path: PathBuf,
    /// What failed there.
    pub failure: Failure,
}

/// Copies files the wanted way.
pub struct Job<'a> {
    /// What was done so far.
    pub transfer: Transfer<'a, Kernel>,
    /// Methods that were refused, and why.
    pub notes: Vec<String>,
    tools: Tools<'a>,
    wanted: CopyMethod,
    method: Method,
    fsync: bool,
}

/// How auto copies: measured to be the fastest of those that leave the page cache warm (docs/benchmarks.md).
const FASTEST: Method = Method::CopyFileRange;

impl<'a> Job<'a> {
    /// Nothing copied yet.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where there is no memory for the buffer.
    pub fn new(
        options: &CopyOptions,
        interrupt: &'a Interrupt,
        gauge: &'a OpenGauge,
    ) -> Result<Self, Error> {
        let method = match options.method {
            CopyMethod::Auto => FASTEST,
            CopyMethod::ReadWrite => Method::ReadWrite,
            CopyMethod::CopyFileRange => Method::CopyFileRange,
            CopyMethod::Sendfile => Method::Sendfile,
            CopyMethod::Splice => Method::Splice,
            CopyMethod::Mmap => Method::Mmap,
            CopyMethod::Direct => Method::Direct,
        };
        let tools = Tools::new(options.block_size.0, interrupt)
            .map_err(Error::io("allocate memory for", Path::new("the copy")))?;
        let transfer = Transfer::new(&Kernel, gauge, None);
        Ok(Self {
            transfer,
            notes: Vec::new(),
            tools,
            wanted: options.method,
            method,
            fsync: !options.no_fsync,
        })
    }

    /// The method that worked.
    pub fn method_used(&self) -> CopyMethod {
        match self.method {
            Method::ReadWrite => CopyMethod::ReadWrite,
            Method::CopyFileRange => CopyMethod::CopyFileRange,
            Method::Sendfile => CopyMethod::Sendfile,
            Method::Splice => CopyMethod::Splice,
            Method::Mmap => CopyMethod::Mmap,
            Method::Direct => CopyMethod::Direct,
        }
    }

    /// Copies one file.
    ///
    /// # Errors
    ///
    /// What failed; half a copy is left for the caller to remove.
    pub fn copy(&mut self, from: &Path, to: &Path) -> Result<(), CopyError> {
        let source = self
            .transfer
            .open(from, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
            .map_err(failed(from, "open"))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_TRUNC;
        let result = match self.transfer.open(to, flags).map_err(failed(to, "create")) {
            Ok(target) => {
                let copied = self.contents(from, to, source.as_fd(), target.as_fd());
                let closed = self.transfer.close(target).map_err(failed(to, "close"));
                copied.and(closed)
            }
            Err(error) => Err(error),
        };
        let closed = self.transfer.close(source).map_err(failed(from, "close"));
        result.and(closed)
    }

    fn contents(
        &mut self,
        from: &Path,
        to: &Path,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
    ) -> Result<(), CopyError> {
        let stat = self.transfer.stat(source).map_err(failed(from, "stat"))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut copied_to = 0;
        if size == 0 {
            // /proc and the like say 0 and have contents: only reading tells.
            copied_to = self
                .tools
                .until_the_end(source, target, &mut self.transfer)
                .map_err(failed(from, "copy"))?;
        }
        let mut at = 0;
        while let Some(stretch) = self
            .next_stretch(source, at, size)
            .map_err(failed(from, "seek"))?
        {
            at = stretch.end;
            copied_to = self.stretch(from, to, source, target, stretch.clone())?;
            if copied_to < stretch.end {
                break;
            }
        }
        if self.tools.interrupted() {
            return Ok(());
        }
        // A hole at the end, or padding of the last direct write.
        if copied_to < size && at >= size || self.method == Method::Direct {
            let length = signed(size).map_err(failed(to, "extend"))?;
            self.transfer
                .counters
                .call(
                    Operation::Truncate,
                    |()| 0,
                    || Ok(nix::unistd::ftruncate(target, length)?),
                )
                .map_err(failed(to, "extend"))?;
        }
        let mode = Mode::from_bits_truncate(stat.st_mode);
        self.transfer
            .counters
            .call(
                Operation::Chmod,
                |()| 0,
                || Ok(nix::sys::stat::fchmod(target, mode)?),
            )
            .map_err(failed(to, "chmod"))?;
        if self.fsync {
            self.transfer.sync(target).map_err(failed(to, "fsync"))?;
        }
        Ok(())
    }

    /// The next stretch of data at or after `at`: with auto up to the next hole, otherwise all there is.
    fn next_stretch(
        &mut self,
        source: BorrowedFd<'_>,
        at: u64,
        size: u64,
    ) -> io::Result<Option<Range<u64>>> {
        if at >= size {
            return Ok(None);
        }
        if self.wanted != CopyMethod::Auto {
            return Ok(Some(at..size));
        }
        let counters = &mut self.transfer.counters;
        let mut seek = |to: u64, whence| {
            let to = signed(to)?;
            counters.call(
                Operation::Seek,
                |_| 0,
                || Ok(nix::unistd::lseek(source, to, whence)?),
            )
        };
        let start = match seek(at, Whence::SeekData) {
            Ok(start) => u64::try_from(start).unwrap_or(at),
            // No more data (lseek(2)): a hole up to the end.
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                self.transfer.counters.event(Event::Hole);
                return Ok(None);
            }
            // Not every file system knows its holes.
            Err(_) => return Ok(Some(at..size)),
        };
        let end =
            seek(start, Whence::SeekHole).map_or(size, |end| u64::try_from(end).unwrap_or(size));
        if start > at {
            self.transfer.counters.event(Event::Hole);
        }
        Ok((start < size).then_some(start..end.clamp(start, size)))
    }

    /// Copies a stretch, going on with read and write where the method is refused. Returns how far it got, which is
    /// less than its end where the file became shorter or the user interrupted.
    fn stretch(
        &mut self,
        from: &Path,
        to: &Path,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        stretch: Range<u64>,
    ) -> Result<u64, CopyError> {
        let mut at = stretch.start;
        loop {
            let result = self.tools.copy(
                self.method,
                (from, source),
                (to, target),
                at..stretch.end,
                &mut self.transfer,
            );
            match result {
                Ok(end) => {
                    if end < stretch.end && !self.tools.interrupted() {
                        self.transfer.counters.event(Event::Shrank);
                    }
                    return Ok(end);
                }
                Err(stopped) if self.method != Method::ReadWrite && is_refusal(&stopped.error) => {
                    let name = value_name(&self.method_used());
                    self.notes.push(format!(
                        "{name} is refused here ({}), read-write is used instead",
                        stopped.error
                    ));
                    self.method = Method::ReadWrite;
                    at = stopped.at;
                }
                Err(stopped) => {
                    let path = if stopped.reading { from } else { to };
                    return Err(failed(path, self.method.verb())(stopped.error));
                }
            }
        }
    }
}

/// Whether the kernel says that the method does not fit these files, rather than that they cannot be copied.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EINVAL
                | libc::EXDEV
                | libc::EOPNOTSUPP
                | libc::ENOSYS
                | libc::EPERM
                | libc::ENODEV
        )
    )
}

fn failed(path: &Path, operation: &'static str) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_path_buf();
    move |error| CopyError {
        path,
        failure: Failure::io(operation)(error),
    }
}
