//! A file layer that misbehaves as kernels do, for tests: short transfers, EINTR, EAGAIN, errors, calls that hang.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode};

use crate::files::{Files, Kernel};

/// How a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOutcome {
    /// As the kernel does it.
    Complete,
    /// Half of what was asked for.
    Short,
    /// This error, and nothing moved.
    Error(i32),
}

/// The kernel with injected faults.
#[derive(Debug, Default)]
pub struct Faulty {
    /// The outcomes of successive transfers, over and over. Empty means that all are complete.
    outcomes: Vec<FaultOutcome>,
    /// Opening this file hangs until `release`.
    hangs: Option<PathBuf>,
    /// What files have grown (or shrunk) by since stat reported their size.
    growth: i64,
    transfers: AtomicUsize,
    released: Mutex<bool>,
    changed: Condvar,
}

impl Faulty {
    /// A kernel whose transfers have these outcomes.
    pub fn new(outcomes: Vec<FaultOutcome>) -> Self {
        Self {
            outcomes,
            ..Self::default()
        }
    }

    /// A kernel that hangs when this file is opened.
    pub fn hanging(path: &Path) -> Self {
        Self {
            hangs: Some(path.to_path_buf()),
            ..Self::default()
        }
    }

    /// A kernel whose files grow by that many bytes after each stat.
    pub fn growing(growth: i64) -> Self {
        Self {
            growth,
            ..Self::default()
        }
    }

    /// Lets calls that hang return.
    pub fn release(&self) {
        *self.released.lock().expect("lock") = true;
        self.changed.notify_all();
    }

    /// How much of `length` to transfer.
    fn length(&self, length: usize) -> io::Result<usize> {
        let number = self.transfers.fetch_add(1, Ordering::Relaxed);
        match self.outcomes.get(number % self.outcomes.len().max(1)) {
            None | Some(FaultOutcome::Complete) => Ok(length),
            Some(FaultOutcome::Short) => Ok(length.div_ceil(2)),
            Some(FaultOutcome::Error(number)) => Err(io::Error::from_raw_os_error(*number)),
        }
    }
}

impl Files for Faulty {
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        if self.hangs.as_deref() == Some(path) {
            let released = self.released.lock().expect("lock");
            drop(
                self.changed
                    .wait_while(released, |released| !*released)
                    .expect("lock"),
            );
        }
        Kernel.open(path, flags, mode)
    }

    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<FileStat> {
        let mut stat = Kernel.stat(file)?;
        stat.st_size -= self.growth;
        Ok(stat)
    }

    fn read(&self, file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.length(buffer.len())?;
        Kernel.read(file, &mut buffer[..length])
    }

    fn read_at(&self, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = self.length(buffer.len())?;
        Kernel.read_at(file, &mut buffer[..length], offset)
    }

    fn write_at(&self, file: BorrowedFd<'_>, buffer: &[u8], offset: u64) -> io::Result<usize> {
        let length = self.length(buffer.len())?;
        Kernel.write_at(file, &buffer[..length], offset)
    }

    fn sync(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        Kernel.sync(file)
    }

    fn close(&self, file: OwnedFd) -> io::Result<()> {
        Kernel.close(file)
    }
}

impl Files for std::sync::Arc<Faulty> {
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        (**self).open(path, flags, mode)
    }

    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<FileStat> {
        (**self).stat(file)
    }

    fn read(&self, file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read(file, buffer)
    }

    fn read_at(&self, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(file, buffer, offset)
    }

    fn write_at(&self, file: BorrowedFd<'_>, buffer: &[u8], offset: u64) -> io::Result<usize> {
        (**self).write_at(file, buffer, offset)
    }

    fn sync(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        (**self).sync(file)
    }

    fn close(&self, file: OwnedFd) -> io::Result<()> {
        (**self).close(file)
    }
}
