//! The first stage: walks a folder, hidden files and all.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use rustix::fs::{FileType, RawDir};

use crate::counters::{Counters, Event, Operation, nanoseconds};
use crate::data_set::MARKER;
use crate::files::Kernel;
use crate::summary::Via;
use crate::transfer::{OpenGauge, Transfer};

/// Room for one getdents64(2): about a thousand names.
const LISTING: usize = 32 << 10;

/// A file that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is known to be a regular file. A symbolic link is not: it is followed, and looked at once it is open.
    pub regular: bool,
}

/// A folder that could not be listed.
#[derive(Debug)]
pub struct Unlisted {
    /// Where it is.
    pub path: PathBuf,
    /// What was tried.
    pub operation: &'static str,
    /// What the kernel said.
    pub error: io::Error,
}

/// Walks a folder and those below. Links to folders are not followed, so the walk ends; FIFOs, sockets and devices are
/// skipped, and counted.
pub struct Walk<'a> {
    folders: Vec<PathBuf>,
    found: VecDeque<Result<Found, Unlisted>>,
    skip_marker: bool,
    transfer: Transfer<'a, Kernel>,
    listing: Vec<MaybeUninit<u8>>,
}

impl<'a> Walk<'a> {
    /// Starts at `root`. `skip_marker` leaves out the marker of ioprof's own data sets.
    pub fn new(root: &Path, skip_marker: bool, gauge: &'a OpenGauge) -> Self {
        Self {
            folders: vec![root.to_path_buf()],
            found: VecDeque::new(),
            skip_marker,
            transfer: Transfer::new(&Kernel, gauge, None),
            listing: vec![MaybeUninit::uninit(); LISTING],
        }
    }

    /// The next file, or a folder that could not be listed.
    pub fn next(&mut self) -> Option<Result<Found, Unlisted>> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            let folder = self.folders.pop()?;
            if let Err((operation, error)) = self.list(&folder) {
                return Some(Err(Unlisted {
                    path: folder,
                    operation,
                    error,
                }));
            }
        }
    }

    /// What was done.
    pub fn counters(&mut self) -> Counters {
        std::mem::take(&mut self.transfer.counters)
    }

    fn list(&mut self, folder: &Path) -> Result<(), (&'static str, io::Error)> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
        let open = self
            .transfer
            .open(folder, flags)
            .map_err(|error| ("open", error))?;
        let mut entries: Vec<(u64, FileType, PathBuf)> = Vec::new();
        let mut result = Ok(());
        let mut directory = RawDir::new(&open, &mut self.listing);
        loop {
            // An empty buffer is what makes the next step a system call.
            let asks = directory.is_buffer_empty();
            let start = std::time::Instant::now();
            let entry = directory.next();
            if asks {
                let outcome = match &entry {
                    Some(Err(errno)) => Err(errno.raw_os_error()),
                    _ => Ok(0),
                };
                self.transfer.counters.record(
                    Operation::ReadDirectory,
                    Via::Syscall,
                    nanoseconds(start),
                    outcome,
                );
            }
            match entry {
                None => break,
                Some(Err(errno)) => {
                    result = Err((
                        "read_directory",
                        io::Error::from_raw_os_error(errno.raw_os_error()),
                    ));
                    break;
                }
                Some(Ok(entry)) => {
                    let name = entry.file_name().to_bytes();
                    if name != b"."
                        && name != b".."
                        && !(self.skip_marker && name == MARKER.as_bytes())
                    {
                        entries.push((
                            entry.ino(),
                            entry.file_type(),
                            folder.join(OsStr::from_bytes(name)),
                        ));
                    }
                }
            }
        }
        self.transfer
            .close(open)
            .map_err(|error| ("close", error))?;
        // File systems place inodes, and mostly contents, in the order of their numbers; names come in that of a hash.
        entries.sort_unstable_by_key(|(inode, ..)| *inode);
        let mut folders = Vec::new();
        for (_, kind, path) in entries {
            match self.kind(kind, &path) {
                FileType::Directory => folders.push(path),
                FileType::RegularFile => self.found.push_back(Ok(Found {
                    path,
                    regular: true,
                })),
                FileType::Symlink => self.found.push_back(Ok(Found {
                    path,
                    regular: false,
                })),
                _ => self.transfer.counters.event(Event::Skipped),
            }
        }
        // The last is taken first.
        self.folders.extend(folders.into_iter().rev());
        result
    }

    /// The kind of an entry; some file systems leave it to stat (readdir(3)).
    fn kind(&mut self, listed: FileType, path: &Path) -> FileType {
        if listed != FileType::Unknown {
            return listed;
        }
        let stat =
            self.transfer
                .counters
                .call(Operation::Stat, |_| 0, || Ok(rustix::fs::lstat(path)?));
        // A file that vanished is left to the reader, which reports it.
        stat.map_or(FileType::Symlink, |stat| {
            FileType::from_raw_mode(stat.st_mode)
        })
    }
}
