//! Puts the page cache in a known state.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};

use crate::counters::Operation;
use crate::data_set::DataFile;
use crate::error::Error;
use crate::files::Kernel;
use crate::options::CacheState;
use crate::resources::is_root;
use crate::transfer::Transfer;

/// Bytes read at once to warm a file up.
const CHUNK: usize = 1 << 20;

/// Puts the cache in `state` for these files; returns a description for the summary.
///
/// # Errors
///
/// [`Error::Io`] where a file of the data set cannot be opened or written back.
pub fn prepare(
    state: CacheState,
    dir: &Path,
    files: &[DataFile],
    transfer: &mut Transfer<'_, Kernel>,
) -> Result<String, Error> {
    match state {
        CacheState::AsIs => Ok("unchanged".to_owned()),
        CacheState::Warm => {
            warm(files, transfer)?;
            Ok("warm: every file was read once".to_owned())
        }
        CacheState::ColdData => cold(dir, files, transfer)
            .map(|left| format!("cold: posix_fadvise on every file, {left}")),
        CacheState::Cold => {
            let left = cold(dir, files, transfer)?;
            if is_root() && drop_caches().is_ok() {
                return Ok(format!(
                    "cold: drop_caches and posix_fadvise on every file, {left}"
                ));
            }
            Ok(format!(
                "cold: posix_fadvise on every file, {left}; names and inodes stay cached without root"
            ))
        }
    }
}

fn warm(files: &[DataFile], transfer: &mut Transfer<'_, Kernel>) -> Result<(), Error> {
    let mut buffer = vec![0; CHUNK];
    for file in files {
        let open = transfer
            .open(&file.path, OFlag::O_RDONLY)
            .map_err(Error::io("open", &file.path))?;
        let mut at = 0;
        while at < file.size {
            match transfer
                .read_full(open.as_fd(), &mut buffer, at)
                .map_err(Error::io("read", &file.path))?
            {
                0 => break,
                count => at += count as u64,
            }
        }
        transfer
            .close(open)
            .map_err(Error::io("close", &file.path))?;
    }
    Ok(())
}

/// Evicts the files' pages; describes how many stayed.
fn cold(
    dir: &Path,
    files: &[DataFile],
    transfer: &mut Transfer<'_, Kernel>,
) -> Result<String, Error> {
    // Dirty pages are not dropped (posix_fadvise(2)), so everything is written back first, in one go: one fsync per file
    // would be one journal commit per file.
    let folder = transfer
        .open(dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
        .map_err(Error::io("open", dir))?;
    let synced = transfer.counters.call(
        Operation::Fsync,
        |()| 0,
        || Ok(nix::unistd::syncfs(&folder)?),
    );
    transfer.close(folder).map_err(Error::io("close", dir))?;
    synced.map_err(Error::io("write back", dir))?;

    let mut left = Some(0);
    for file in files {
        let open = transfer
            .open(&file.path, OFlag::O_RDONLY)
            .map_err(Error::io("open", &file.path))?;
        let advised = transfer.counters.call(
            Operation::Fadvise,
            |()| 0,
            || {
                Ok(posix_fadvise(
                    &open,
                    0,
                    0,
                    PosixFadviseAdvice::POSIX_FADV_DONTNEED,
                )?)
            },
        );
        left = left.and_then(|left| Some(left + cached_pages(open.as_fd())?));
        transfer
            .close(open)
            .map_err(Error::io("close", &file.path))?;
        advised.map_err(Error::io("evict", &file.path))?;
    }
    Ok(match left {
        Some(0) => "no page left in it".to_owned(),
        Some(pages) => format!("{pages} pages left in it"),
        None => "not checked: this kernel has no cachestat".to_owned(),
    })
}

/// proc_sys_vm(5): 3 frees the page cache, names and inodes.
fn drop_caches() -> io::Result<()> {
    std::fs::write("/proc/sys/vm/drop_caches", "3")
}

/// Pages of a file in the page cache, where the kernel has cachestat(2) (Linux 6.5).
pub fn cached_pages(file: BorrowedFd<'_>) -> Option<u64> {
    /// The number is the same on all architectures but alpha (include/uapi/asm-generic/unistd.h).
    const SYS_CACHESTAT: libc::c_long = 451;
    // struct cachestat_range and struct cachestat of include/uapi/linux/mman.h; a length of 0 means to the end.
    let range = [0_u64; 2];
    let mut counts = [0_u64; 5];
    // SAFETY: the kernel reads the 16 bytes of `range` and writes the 40 bytes of `counts`; both outlive the call.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            range.as_ptr(),
            counts.as_mut_ptr(),
            0,
        )
    };
    (result == 0).then_some(counts[0])
}
