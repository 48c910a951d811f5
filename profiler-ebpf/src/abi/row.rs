//! What each thread has done, kept when it has ended or the window has.

use zerocopy::{FromBytes, IntoBytes};

use super::{
    map_value,
    merge::{Merge, merge},
    off_cpu::Times,
    task::Accounts,
};

/// What a thread counts of its own calls while it runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Tally {
    /// Calls that returned.
    pub calls: u64,
    /// Bytes that they read.
    pub read_bytes: u64,
    /// Bytes that they wrote.
    pub written_bytes: u64,
    /// Bytes that they moved from descriptor to descriptor.
    pub copied_bytes: u64,
}
map_value!(Tally, 32);
merge!(Tally {
    calls,
    read_bytes,
    written_bytes,
    copied_bytes
});

/// How many bytes the name of a thread has, `TASK_COMM_LEN` of include/linux/sched.h.
pub const NAME_BYTES: usize = 16;

/// Whose a [`Row`] is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes)]
pub struct RowKey {
    /// The workload, from 1.
    pub workload: u32,
    /// The process; 0 for processes of one name.
    pub process: u32,
    /// The thread; 0 for threads of one name.
    pub thread: u32,
    /// Zero.
    pub padding: u32,
    /// The name of those that share the row; zero where the row is one thread's.
    pub name: [u8; NAME_BYTES],
}
map_value!(RowKey, 32);

/// What a thread has done, or a sum of it over threads.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Row {
    /// The name that the thread had last.
    pub name: [u8; NAME_BYTES],
    /// Threads that are the first of their process.
    pub processes: u64,
    /// Threads.
    pub threads: u64,
    /// Those of them that had not ended.
    pub running: u64,
    /// When the thread came into scope, in nanoseconds of the monotonic clock; 0 where that is not known. Of one of several
    /// in a sum.
    pub began_ns: u64,
    /// When it ended, or the window did.
    pub ended_ns: u64,
    /// Its calls.
    pub tally: Tally,
    /// What the kernel counted for it.
    pub accounts: Accounts,
    /// Where its time went.
    pub times: Times,
}
map_value!(Row, 312);

/// The sum has the name of the first, and the time from its beginning to the last end.
impl Merge for Row {
    fn merge(&mut self, other: &Self) {
        if self.threads == 0 {
            (self.name, self.began_ns) = (other.name, other.began_ns);
        }
        // 0 is of what is not known.
        if other.began_ns != 0 {
            self.began_ns = self.began_ns.min(other.began_ns);
        }
        self.ended_ns = self.ended_ns.max(other.ended_ns);
        self.processes.merge(&other.processes);
        self.threads.merge(&other.threads);
        self.running.merge(&other.running);
        self.tally.merge(&other.tally);
        self.accounts.merge(&other.accounts);
        self.times.merge(&other.times);
    }
}
