//! The first stage: walks a folder, hidden files and all.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;
use nix::fcntl::OFlag;
use rustix::fs::{FileType, RawDir};

use super::message::{Job, PipelineOptions};
use super::progress::FilesFound;
use crate::counters::{Counters, Event, Operation, nanoseconds};
use crate::data_set::MARKER;
use crate::error::Failure;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::summary::Via;
use crate::transfer::{OpenGauge, Transfer};

/// Room for one getdents64(2): about a thousand names.
const LISTING: usize = 32 << 10;

/// Files handed to a reader at once: waking a thread for each would cost more than opening it.
const JOBS_AT_ONCE: usize = 32;

/// Finds the files and hands them to the readers.
pub fn run(
    options: &PipelineOptions,
    gauge: &OpenGauge,
    interrupt: &Interrupt,
    jobs: &Sender<Vec<Arc<Job>>>,
    files_found: &FilesFound,
) -> Counters {
    let mut walk = Walk::new(&options.root, options.own_marker, gauge);
    let mut failed = Counters::new();
    let mut batch = Vec::with_capacity(JOBS_AT_ONCE);
    let mut number = 0;
    while let Some(found) = walk.next() {
        if interrupt.is_set() {
            break;
        }
        match found {
            Ok(path) => {
                batch.push(Arc::new(Job { number, path }));
                number += 1;
            }
            Err(unlisted) => failed.fail(&unlisted.path, unlisted.failure),
        }
        if batch.len() == JOBS_AT_ONCE && jobs.send(std::mem::take(&mut batch)).is_err() {
            break;
        }
        files_found.store(number, Ordering::Relaxed);
    }
    // Fails only if the readers have ended.
    let _ = jobs.send(batch);
    failed.merge(walk.counters());
    failed
}

/// A folder that could not be listed.
#[derive(Debug)]
pub struct ListError {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub failure: Failure,
}

/// Walks a folder and those below. Links to folders are not followed, so the walk ends; FIFOs, sockets and devices are
/// skipped, and counted.
pub struct Walk<'a> {
    folders: Vec<PathBuf>,
    found: VecDeque<Result<PathBuf, ListError>>,
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
    pub fn next(&mut self) -> Option<Result<PathBuf, ListError>> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            let folder = self.folders.pop()?;
            if let Err(failure) = self.list(&folder) {
                return Some(Err(ListError {
                    path: folder,
                    failure,
                }));
            }
        }
    }

    /// What was done.
    pub fn counters(&mut self) -> Counters {
        std::mem::take(&mut self.transfer.counters)
    }

    fn list(&mut self, folder: &Path) -> Result<(), Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
        let open = self
            .transfer
            .open(folder, flags)
            .map_err(Failure::io("open"))?;
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
                    result = Err(Failure::io("read_directory")(errno.into()));
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
        self.transfer.close(open).map_err(Failure::io("close"))?;
        // File systems place inodes, and mostly contents, in the order of their numbers; names come in that of a hash.
        entries.sort_unstable_by_key(|(inode, ..)| *inode);
        let mut folders = Vec::new();
        for (_, kind, path) in entries {
            match self.kind(kind, &path) {
                FileType::Directory => folders.push(path),
                // A link is followed, and looked at once it is open.
                FileType::RegularFile | FileType::Symlink => self.found.push_back(Ok(path)),
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
