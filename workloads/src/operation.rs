//! The names of the operations and events that are counted.

/// A system call, or an access to mapped memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of the system calls; docs/workloads.md lists what each covers"
)]
pub enum Operation {
    Open,
    Stat,
    Read,
    Write,
    Fsync,
    Close,
    Seek,
    Allocate,
    Truncate,
    Chmod,
    CopyFileRange,
    Sendfile,
    Splice,
    Mmap,
    Munmap,
    Madvise,
    Msync,
    Fadvise,
    ReadDirectory,
    MakeDirectory,
    Load,
    Store,
}

impl Operation {
    /// Every operation, in the order they are reported.
    pub const ALL: [Self; 22] = [
        Self::Open,
        Self::Stat,
        Self::Read,
        Self::Write,
        Self::Fsync,
        Self::Close,
        Self::Seek,
        Self::Allocate,
        Self::Truncate,
        Self::Chmod,
        Self::CopyFileRange,
        Self::Sendfile,
        Self::Splice,
        Self::Mmap,
        Self::Munmap,
        Self::Madvise,
        Self::Msync,
        Self::Fadvise,
        Self::ReadDirectory,
        Self::MakeDirectory,
        Self::Load,
        Self::Store,
    ];

    /// The name in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stat => "stat",
            Self::Read => "read",
            Self::Write => "write",
            Self::Fsync => "fsync",
            Self::Close => "close",
            Self::Seek => "seek",
            Self::Allocate => "fallocate",
            Self::Truncate => "truncate",
            Self::Chmod => "chmod",
            Self::CopyFileRange => "copy_file_range",
            Self::Sendfile => "sendfile",
            Self::Splice => "splice",
            Self::Mmap => "mmap",
            Self::Munmap => "munmap",
            Self::Madvise => "madvise",
            Self::Msync => "msync",
            Self::Fadvise => "fadvise",
            Self::ReadDirectory => "read_directory",
            Self::MakeDirectory => "make_directory",
            Self::Load => "load",
            Self::Store => "store",
        }
    }
}

/// Something unusual in a transfer that does not make the file fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(
    missing_docs,
    reason = "the names say it; Summary::events documents them"
)]
pub enum Event {
    ShortRead,
    ShortWrite,
    Interrupted,
    WouldBlock,
    Shrank,
    Grew,
    Vanished,
    TimedOut,
    Skipped,
    Hole,
}

impl Event {
    /// The key in [`crate::Summary::events`].
    pub fn name(self) -> &'static str {
        match self {
            Self::ShortRead => "short_read",
            Self::ShortWrite => "short_write",
            Self::Interrupted => "interrupted",
            Self::WouldBlock => "would_block",
            Self::Shrank => "shrank",
            Self::Grew => "grew",
            Self::Vanished => "vanished",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
            Self::Hole => "hole",
        }
    }
}
