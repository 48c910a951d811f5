//! Copies a file from open to close: its extents of data, by a method or its fallback.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::Whence;

use super::methods::{Method, MethodState, NamedFile};
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

/// Copies files by the method of the options.
pub struct Copier<'a> {
    /// What was done so far.
    pub transfer: Transfer<'a, Kernel>,
    /// Methods that were refused, and why.
    pub notes: Vec<String>,
    state: MethodState<'a>,
    wanted: CopyMethod,
    method: Method,
    fsync: bool,
}

/// How auto copies: measured to be the fastest of those that leave the page cache warm (docs/benchmarks.md).
const FASTEST: Method = Method::CopyFileRange;

impl<'a> Copier<'a> {
    /// Opens nothing yet.
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
        let state = MethodState::new(options.block_size.0, interrupt)
            .map_err(Error::io("allocate memory for", Path::new("the copy")))?;
        let transfer = Transfer::new(&Kernel, gauge, None);
        Ok(Self {
            transfer,
            notes: Vec::new(),
            state,
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
    /// [`CopyError`]; the caller removes the partial copy.
    pub fn copy(&mut self, from: &Path, to: &Path) -> Result<(), CopyError> {
        let source = self
            .transfer
            .open(from, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
            .map_err(failed(from, "open"))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_TRUNC;
        let result = match self.transfer.open(to, flags).map_err(failed(to, "create")) {
            Ok(target) => {
                let copied = self.contents(
                    NamedFile {
                        path: from,
                        fd: source.as_fd(),
                    },
                    NamedFile {
                        path: to,
                        fd: target.as_fd(),
                    },
                );
                let closed = self.transfer.close(target).map_err(failed(to, "close"));
                copied.and(closed)
            }
            Err(error) => Err(error),
        };
        let closed = self.transfer.close(source).map_err(failed(from, "close"));
        result.and(closed)
    }

    fn contents(&mut self, source: NamedFile<'_>, target: NamedFile<'_>) -> Result<(), CopyError> {
        let stat = self
            .transfer
            .stat(source.fd)
            .map_err(failed(source.path, "stat"))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut copied_to = 0;
        if size == 0 {
            // Files of /proc have contents but a size of 0.
            copied_to = self
                .state
                .until_the_end(source.fd, target.fd, &mut self.transfer)
                .map_err(failed(source.path, "copy"))?;
        }
        let mut at = 0;
        while let Some(extent) = self
            .next_extent(source.fd, at, size)
            .map_err(failed(source.path, "seek"))?
        {
            at = extent.end;
            copied_to = self.extent(source, target, extent.clone())?;
            if copied_to < extent.end {
                break;
            }
        }
        if self.state.interrupted() {
            return Ok(());
        }
        // A hole at the end, or padding of the last direct write.
        if copied_to < size && at >= size || self.method == Method::Direct {
            let length = signed(size.max(copied_to)).map_err(failed(target.path, "extend"))?;
            self.transfer
                .counters
                .call(
                    Operation::Truncate,
                    |()| 0,
                    || Ok(nix::unistd::ftruncate(target.fd, length)?),
                )
                .map_err(failed(target.path, "extend"))?;
        }
        let mode = Mode::from_bits_truncate(stat.st_mode);
        self.transfer
            .counters
            .call(
                Operation::Chmod,
                |()| 0,
                || Ok(nix::sys::stat::fchmod(target.fd, mode)?),
            )
            .map_err(failed(target.path, "chmod"))?;
        if self.fsync {
            self.transfer
                .sync(target.fd)
                .map_err(failed(target.path, "fsync"))?;
        }
        Ok(())
    }

    /// The next extent of data at or after `at`: with auto up to the next hole, otherwise all there is.
    fn next_extent(
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
            // Not every file system reports holes.
            Err(_) => return Ok(Some(at..size)),
        };
        let end =
            seek(start, Whence::SeekHole).map_or(size, |end| u64::try_from(end).unwrap_or(size));
        if start > at {
            self.transfer.counters.event(Event::Hole);
        }
        Ok((start < size).then_some(start..end.clamp(start, size)))
    }

    /// Copies an extent, with read and write where the method is refused. Returns how far it got: less than its end where the
    /// file became shorter or the user interrupted.
    fn extent(
        &mut self,
        source: NamedFile<'_>,
        target: NamedFile<'_>,
        extent: Range<u64>,
    ) -> Result<u64, CopyError> {
        let mut at = extent.start;
        loop {
            let result = self.state.copy(
                self.method,
                source,
                target,
                at..extent.end,
                &mut self.transfer,
            );
            match result {
                Ok(end) => {
                    if end < extent.end && !self.state.interrupted() {
                        self.transfer.counters.event(Event::Shrank);
                    }
                    return Ok(end);
                }
                Err(stopped) if self.method != Method::ReadWrite && is_refusal(&stopped.error) => {
                    let name = value_name(&self.method_used());
                    self.notes.push(format!(
                        "{name} is refused here ({}), using read-write instead",
                        stopped.error
                    ));
                    self.method = Method::ReadWrite;
                    at = stopped.at;
                }
                Err(stopped) => {
                    let path = if stopped.reading {
                        source.path
                    } else {
                        target.path
                    };
                    return Err(failed(path, self.method.verb())(stopped.error));
                }
            }
        }
    }
}

/// Whether the method is unsupported for these files, rather than that they cannot be copied.
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
