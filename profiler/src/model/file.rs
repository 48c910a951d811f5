//! The files that a workload used.

use crate::text::Text;
use serde::{Deserialize, Serialize};

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A block device that was opened itself.
    BlockDevice,
    /// All directories.
    Directories,
    /// All pipes.
    Pipes,
    /// All sockets.
    Sockets,
    /// All terminals and other character devices.
    CharacterDevices,
    /// Everything else that a descriptor may stand for, such as an epoll.
    Anonymous,
}

/// What is known of a path when the run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PathState {
    /// It leads to the file, or is the name of what is in no folder.
    Current,
    /// It leads to another file, or nowhere.
    Gone,
    /// It could not be followed.
    Unknown,
}

/// How many rankings of files there are: see [`FileCounts::ranks`].
pub const RANKINGS: usize = 3;

/// What was done to a file, or to several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileCounts {
    /// Opens of it.
    pub opens: u64,
    /// Calls that read from it.
    pub reads: u64,
    /// Bytes they read.
    pub read_bytes: u64,
    /// Calls that wrote to it.
    pub writes: u64,
    /// Bytes they wrote.
    pub written_bytes: u64,
    /// Nanoseconds in all calls on it.
    pub time_ns: u64,
    /// Nanoseconds of the longest of them.
    pub max_ns: u64,
    /// Bytes read from devices for it; this and what follows on its pages is null on overlayfs where nothing tells whose they
    /// were.
    pub device_read_bytes: Option<u64>,
    /// Bytes of it written to devices.
    pub device_written_bytes: Option<u64>,
    /// Bytes of it that were made dirty, at most.
    pub dirtied_bytes: Option<u64>,
    /// Page faults on its pages that found the page in memory.
    pub minor_faults: Option<u64>,
    /// Page faults on its pages that waited for a device.
    pub major_faults: Option<u64>,
    /// Write faults that had to make a page dirty.
    pub dirtying_faults: Option<u64>,
    /// Nanoseconds of the major faults.
    pub major_fault_ns: Option<u64>,
    /// Reads and writes that began where the one before had ended.
    pub sequential: u64,
    /// Reads and writes whose offset or size was no multiple of 4096.
    pub unaligned: u64,
}

impl FileCounts {
    /// Takes in what was done to another file.
    pub fn add(&mut self, other: &Self) {
        macro_rules! add {
            ($($name:ident),*) => { $(self.$name = self.$name.saturating_add(other.$name);)* };
        }
        macro_rules! add_known {
            ($($name:ident),*) => { $(self.$name = known_sum(self.$name, other.$name);)* };
        }
        add!(
            opens,
            reads,
            read_bytes,
            writes,
            written_bytes,
            time_ns,
            sequential,
            unaligned
        );
        add_known!(
            device_read_bytes,
            device_written_bytes,
            dirtied_bytes,
            minor_faults,
            major_faults,
            dirtying_faults,
            major_fault_ns
        );
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Makes unknown what was done to pages.
    pub fn forget_pages(&mut self) {
        macro_rules! forget {
            ($($name:ident),*) => { $(self.$name = None;)* };
        }
        forget!(
            device_read_bytes,
            device_written_bytes,
            dirtied_bytes,
            minor_faults,
            major_faults,
            dirtying_faults,
            major_fault_ns
        );
    }

    /// Nanoseconds in calls on it and in major faults on its pages.
    pub fn spent_ns(&self) -> u64 {
        self.time_ns
            .saturating_add(self.major_fault_ns.unwrap_or(0))
    }

    /// What files are ranked by: the time, the bytes of calls, and those of devices.
    pub fn ranks(&self) -> [u64; RANKINGS] {
        let known = |count: Option<u64>| count.unwrap_or(0);
        [
            self.spent_ns(),
            self.read_bytes.saturating_add(self.written_bytes),
            known(self.device_read_bytes).saturating_add(known(self.device_written_bytes)),
        ]
    }

    /// Whether nothing is known to have been done.
    pub fn is_nothing(&self) -> bool {
        let nothing = |count: Option<u64>| count.unwrap_or(0) == 0;
        [self.opens, self.reads, self.writes, self.time_ns] == [0; 4]
            && [
                self.device_read_bytes,
                self.device_written_bytes,
                self.dirtied_bytes,
            ]
            .into_iter()
            .all(nothing)
            && [self.minor_faults, self.major_faults, self.dirtying_faults]
                .into_iter()
                .all(nothing)
    }
}

/// The sum, unknown where one of both is.
fn known_sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| one.saturating_add(other))
}

/// One file, or everything of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct File {
    /// The path that led to it when the run was over, where that is known, else as it was first seen; null for what has
    /// none, or where it was not seen. A byte that is not UTF-8 is \xNN, and a backslash before an x is \x5c.
    pub path: Option<Text>,
    /// The path under which the file was first seen, where `path` is another because it was renamed or linked since; null
    /// where it was seen under `path`, and where that is not known.
    #[serde(default)]
    pub opened_as: Option<Text>,
    /// Whether the path led to the file when the run was over; null without a path.
    pub path_state: Option<PathState>,
    /// Whether the file had no name any more when the run was over; null where that is not known.
    pub is_deleted: Option<bool>,
    /// The number of the mount namespace that the path is of, see namespaces(7); null where it is ioprof's own.
    pub mount_namespace: Option<u32>,
    /// What it is: a file, a block device that was opened itself, or everything of a kind that has no name.
    pub kind: FileKind,
    /// How many files have had this path one after the other, as where one is renamed over it; null in reports of an older
    /// ioprof.
    #[serde(default)]
    pub inodes: Option<u64>,
    /// What was done to it.
    #[serde(flatten)]
    pub counts: FileCounts,
    /// The most frequent size of reads and writes, as the lower bound of a power of two, 0 below 1 KiB; null where
    /// there were none.
    pub typical_size_bytes: Option<u64>,
    /// The place in `groups.top` of the group that it is in; null where it is in none of these.
    #[serde(default)]
    pub group: Option<usize>,
}

/// Files of one folder whose names differ in numbers only, or in words of random letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileGroup {
    /// The common beginning and end of their paths, and a star for what is between them.
    pub pattern: Text,
    /// The number of the mount namespace that the paths are of, as `mount_namespace` of a file.
    pub mount_namespace: Option<u32>,
    /// How many paths there are.
    pub files: u64,
    /// How many of them have no name any more, where that is known.
    pub deleted_files: u64,
    /// What was done to all of them; `max_ns` is of the longest call on any.
    #[serde(flatten)]
    pub counts: FileCounts,
    /// As that of a file, of all of them.
    pub typical_size_bytes: Option<u64>,
}

/// Files by the patterns of their names. Each file is in one group at most, whether it has a row or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileGroups {
    /// The groups with the most time, bytes or device bytes.
    pub top: Vec<FileGroup>,
    /// How many of the files without a row are in none of these groups.
    pub others: u64,
    /// All of these files together, those for which the table had no room included.
    pub other_counts: FileCounts,
}

/// The files of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Files {
    /// Those with the most time, bytes or device bytes, and what has no name.
    pub top: Vec<File>,
    /// How many others have a row of their own in the kernel's table.
    pub others: u64,
    /// All others together, those for which the table had no room included.
    pub other_counts: FileCounts,
    /// Bytes by what they were read from and written to, by calls, io_uring and io_submit; kinds without any are left out.
    #[serde(default)]
    pub by_kind: Vec<KindBytes>,
    /// The same files by patterns of names; null in reports that were made before there were groups.
    #[serde(default)]
    pub groups: Option<FileGroups>,
}

/// Bytes that were read from everything of a kind, and written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KindBytes {
    /// The kind.
    pub kind: FileKind,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl KindBytes {
    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        self.read_bytes.saturating_add(self.written_bytes)
    }
}
