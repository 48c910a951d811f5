//! The work of the engines of `async`, item by item.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use crate::buffers::{PAGE, round_up};
use crate::data_set::{Content, DataFile};
use crate::interrupt::Interrupt;
use crate::offsets::{Blocks, is_read};
use crate::options::SyncWhen;

/// The work of an engine; shared by its threads.
#[derive(Debug)]
pub struct Plan {
    /// The files; a single one for blocks.
    pub files: Vec<DataFile>,
    /// The blocks of the one file; `None` for whole files.
    pub blocks: Option<Blocks>,
    /// What the files hold.
    pub content: Content,
    /// Bytes per transfer.
    pub block_size: u64,
    /// Maximum items in flight, over all threads.
    pub depth: usize,
    /// Threads.
    pub workers: usize,
    /// Percentage of the items that are read.
    pub read_percent: u8,
    /// O_DIRECT.
    pub direct: bool,
    /// Verify the contents of reads.
    pub verify: bool,
    /// When to make writes durable.
    pub fsync: SyncWhen,
    /// Maximum time for one file or block.
    pub timeout: Duration,
    /// Where the items come from.
    pub queue: ItemQueue,
}

/// One file or one block to be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Index of the file.
    pub file: usize,
    /// Where to start.
    pub offset: u64,
    /// The expected length.
    pub length: u64,
    /// Read or write.
    pub read: bool,
}

impl Plan {
    /// The next item, for whichever thread asks; `None` once the work is done, the time over or the run interrupted.
    pub fn next(&self) -> Option<Item> {
        let number = self.queue.next()?;
        let count = self.items();
        let index = number % count;
        // The mix moves on with each pass, so that no file is only ever read.
        let read = is_read(number + number / count, self.read_percent);
        Some(match &self.blocks {
            Some(blocks) => {
                let (offset, length) = blocks.at(index);
                Item {
                    file: 0,
                    offset,
                    length,
                    read,
                }
            }
            None => {
                let file = index as usize;
                Item {
                    file,
                    offset: 0,
                    length: self.files[file].size,
                    read,
                }
            }
        })
    }

    /// Items per pass.
    pub fn items(&self) -> u64 {
        self.blocks
            .map_or(self.files.len() as u64, |blocks| blocks.count())
    }

    /// The path of an item's file.
    pub fn path(&self, item: Item) -> &Path {
        &self.files[item.file].path
    }

    /// The first file, for messages about what concerns them all.
    pub fn any_path(&self) -> &Path {
        self.files
            .first()
            .map_or(Path::new("the data set"), |file| &file.path)
    }

    /// How to open a file for an item. Never waits for the other end of a FIFO.
    pub fn open_flags(&self, read: bool) -> OFlag {
        let mut flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        flags |= if read {
            OFlag::O_RDONLY
        } else {
            OFlag::O_WRONLY
        };
        if self.direct {
            flags |= OFlag::O_DIRECT;
        }
        flags
    }

    /// Room for one transfer: a page more than asked for, so that a file that grew is noticed by the same read that meets
    /// the end of one that did not.
    pub fn buffer_size(&self) -> usize {
        (round_up(self.block_size) + PAGE) as usize
    }

    /// How much to ask for when `left` bytes are expected.
    pub fn read_length(&self, left: u64) -> usize {
        if self.blocks.is_some() {
            // Blocks have neighbours: no more than the block, save the rounding that direct I/O needs at the file's end.
            let length = left.min(self.block_size);
            return if self.direct {
                round_up(length) as usize
            } else {
                length as usize
            };
        }
        if left > self.block_size {
            self.block_size as usize
        } else {
            round_up(left + 1).min(self.buffer_size() as u64) as usize
        }
    }
}

/// Hands out the numbers of items to all threads.
#[derive(Debug)]
pub struct ItemQueue {
    next: AtomicU64,
    end: u64,
    deadline: Option<Instant>,
    interrupt: Interrupt,
}

impl ItemQueue {
    /// One pass over `items`, or passes for as long as `duration`.
    pub fn new(items: u64, duration: Option<Duration>, interrupt: &Interrupt) -> Self {
        let deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
        let end = match (items, deadline) {
            (0, _) => 0,
            (_, Some(_)) => u64::MAX / 2,
            (items, None) => items,
        };
        Self {
            next: AtomicU64::new(0),
            end,
            deadline,
            interrupt: interrupt.clone(),
        }
    }

    /// Whether the user has interrupted the run.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    fn next(&self) -> Option<u64> {
        if self.interrupt.is_set()
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end).then_some(number)
    }
}

/// A plan over files of any kind, for tests.
#[cfg(test)]
pub fn plan_for_tests(files: Vec<DataFile>, interrupt: &Interrupt) -> Plan {
    Plan {
        queue: ItemQueue::new(files.len() as u64, None, interrupt),
        files,
        blocks: None,
        content: Content::new(1, crate::data_set::Kind::Noise),
        block_size: 16 << 10,
        depth: 8,
        workers: 2,
        read_percent: 100,
        direct: false,
        verify: false,
        fsync: SyncWhen::Never,
        timeout: Duration::from_secs(10),
    }
}

/// The path of a file by its index, for messages.
pub fn path_of(files: &[DataFile], index: usize) -> PathBuf {
    files
        .get(index)
        .map(|file| file.path.clone())
        .unwrap_or_default()
}
