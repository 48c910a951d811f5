//! Page faults: what is remembered of the one that a task is in, and what is counted for each workload.
//!
//! A fault has a number: how many faults the kernel had counted for the task when it began, plus one. The
//! kernel counts a fault once, when it is over (`mm_account_fault` in mm/memory.c), however often it was
//! retried; so the number is that of the same fault until then, and of no other after.

use zerocopy::{FromBytes, IntoBytes};

use super::{Aggregate, map_value, merge::merge};

/// The fault a task is in, or was in last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct FaultState {
    /// When it began, in nanoseconds of the monotonic clock.
    pub began_ns: u64,
    /// Its number.
    pub number: u64,
    /// When the call began in which it was taken; 0 where it was taken in user mode.
    pub call_ns: u64,
    /// The number of the last fault on a page of a file.
    pub file_number: u64,
    /// The address of that file's inode.
    pub inode: u64,
    /// The number of the last fault that made a page of a file dirty.
    pub dirtying_number: u64,
    /// The number of the fault in which a page of a file was last looked for; 0 from an exception on.
    pub sought_number: u64,
    /// The number of the last fault that was begun again after that.
    pub retried_number: u64,
    /// Nanoseconds from its beginning until it was.
    pub retried_ns: u64,
}
map_value!(FaultState, 72);

/// The faults of one workload, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct FaultStats {
    /// Major faults, and nanoseconds from the exception to the kernel's counting of it.
    pub major: Aggregate,
    /// Those of them whose beginning was not seen: in none of the other counts of major faults.
    pub major_untimed: u64,
    /// Those that were taken inside a system call.
    pub major_in_calls: u64,
    /// Their nanoseconds, which are part of those of the calls.
    pub major_in_calls_ns: u64,
    /// Those on pages of files.
    pub major_on_files: u64,
    /// Minor faults, where they are timed.
    pub minor: u64,
    /// Their nanoseconds.
    pub minor_ns: u64,
    /// Those that were taken inside a system call.
    pub minor_in_calls: u64,
    /// Their nanoseconds.
    pub minor_in_calls_ns: u64,
    /// Faults on pages of files, minor and major, those taken by the kernel for a call's sake included.
    pub on_files: u64,
    /// Faults that made a page of a file dirty.
    pub dirtying: u64,
    /// Minor faults on pages of files that were begun again after I/O. A major one is taken off again, maybe
    /// on another CPU: right in the sum of all, wrapping.
    pub minor_io: u64,
    /// Their nanoseconds until then, in the same way.
    pub minor_io_ns: u64,
}
map_value!(FaultStats, 128);
merge!(FaultStats {
    major,
    major_untimed,
    major_in_calls,
    major_in_calls_ns,
    major_on_files,
    minor,
    minor_ns,
    minor_in_calls,
    minor_in_calls_ns,
    on_files,
    dirtying,
    minor_io,
    minor_io_ns
});

impl FaultStats {
    /// Major faults, with a known duration or without.
    pub const fn major_faults(&self) -> u64 {
        self.major.count + self.major_untimed
    }
}
