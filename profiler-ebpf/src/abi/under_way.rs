//! Calls that are under way as the window begins, and as it ends.

use zerocopy::{FromBytes, IntoBytes};

use super::{file::FileKey, map_value};

/// A call of a thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UnderWay {
    /// The workload, from 1.
    pub workload: u32,
    /// One of the two below.
    pub at: u32,
    /// What is known of its number, a [`super::syscall::CallKind`].
    pub kind: u32,
    /// Its number; [`UnderWay::NO_NUMBER`] where it is not known.
    pub number: u32,
    /// The process.
    pub process: u32,
    /// The thread.
    pub thread: u32,
    /// `i_mode` of the file that its first argument stands for; 0 where that is not known.
    pub mode: u32,
    /// Zero.
    pub padding: u32,
    /// When it began, in nanoseconds of the monotonic clock; 0 where that was before the window.
    pub entered_ns: u64,
    /// The number of the file's path, from 1; 0 where there is none.
    pub path: u64,
    /// The row of its file; of no workload where that is not known.
    pub file: FileKey,
    /// The name of the thread, ended by a zero byte.
    pub name: [u8; 16],
}
map_value!(UnderWay, 88);

impl UnderWay {
    /// As the window begins.
    pub const BEGINNING: u32 = 0;
    /// As it ends.
    pub const END: u32 = 1;
    /// Stands for no number.
    pub const NO_NUMBER: u32 = u32::MAX;
}
