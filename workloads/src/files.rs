//! The system calls of workloads, behind a trait so that tests can inject faults.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode};

/// The system calls that a workload makes.
///
/// Each method is one system call and returns its result. Short counts, EINTR and EAGAIN are handled by the caller,
/// [`crate::transfer`].
pub trait Files: Sync {
    /// openat(2) relative to the working directory; O_CLOEXEC is added.
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd>;
    /// fstat(2).
    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<FileStat>;
    /// read(2), at the file's own position, for what cannot seek.
    fn read(&self, file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize>;
    /// pread(2).
    fn read_at(&self, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// pwrite(2).
    fn write_at(&self, file: BorrowedFd<'_>, buffer: &[u8], offset: u64) -> io::Result<usize>;
    /// fsync(2).
    fn sync(&self, file: BorrowedFd<'_>) -> io::Result<()>;
    /// close(2). The descriptor is closed even where it fails.
    fn close(&self, file: OwnedFd) -> io::Result<()>;
}

/// The kernel itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl Files for Kernel {
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        Ok(nix::fcntl::open(path, flags | OFlag::O_CLOEXEC, mode)?)
    }

    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<FileStat> {
        Ok(nix::sys::stat::fstat(file)?)
    }

    fn read(&self, file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(file, buffer)?)
    }

    fn read_at(&self, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(nix::sys::uio::pread(file, buffer, signed(offset)?)?)
    }

    fn write_at(&self, file: BorrowedFd<'_>, buffer: &[u8], offset: u64) -> io::Result<usize> {
        Ok(nix::sys::uio::pwrite(file, buffer, signed(offset)?)?)
    }

    fn sync(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        Ok(nix::unistd::fsync(file)?)
    }

    fn close(&self, file: OwnedFd) -> io::Result<()> {
        Ok(nix::unistd::close(file)?)
    }
}

/// An offset as the kernel takes it.
pub fn signed(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}
