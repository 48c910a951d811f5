//! Tasks in scope: membership, the call in flight, and what the kernel itself counted for them.

use zerocopy::{FromBytes, IntoBytes};

use super::{
    block::BlockSlot,
    fault::FaultState,
    file::OpenFile,
    map_value,
    merge::merge,
    off_cpu::{Clock, Times},
    row::{NAME_BYTES, Row, Tally},
    syscall::PendingSizes,
};

/// What the kernel counts for a task by itself, or a sum of it over tasks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Accounts {
    /// Bytes that read-like calls returned; `rchar` of /proc/PID/io.
    pub rchar: u64,
    /// Bytes that write-like calls took; `wchar` of /proc/PID/io.
    pub wchar: u64,
    /// Bytes of the read bios the task submitted.
    pub read_bytes: u64,
    /// Bytes of pages the task made dirty, and of its direct writes.
    pub write_bytes: u64,
    /// Bytes of dirty pages the task dropped before they were written.
    pub cancelled_write_bytes: u64,
    /// User CPU time by the tick, in nanoseconds.
    pub user_ns: u64,
    /// System CPU time by the tick, in nanoseconds.
    pub system_ns: u64,
    /// CPU time by the scheduler's clock, in nanoseconds.
    pub runtime_ns: u64,
    /// Page faults that found the page in memory; `min_flt` of /proc/PID/stat.
    pub minor_faults: u64,
    /// Page faults that had to wait for it; `maj_flt` of /proc/PID/stat.
    pub major_faults: u64,
}
map_value!(Accounts, 80);
merge!(Accounts {
    rchar,
    wchar,
    read_bytes,
    write_bytes,
    cancelled_write_bytes,
    user_ns,
    system_ns,
    runtime_ns,
    minor_faults,
    major_faults
});

/// The probes time themselves in one call of so many of each thread. A prime number, so that calls in turns all have
/// their share.
pub const TIMED_EVERY: u64 = 61;

/// The record of a task in scope, in BPF task storage.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct TaskState {
    /// The workload the task belongs to, from 1.
    pub workload: u32,
    /// The flags below; those of the first call go when it begins. The task itself writes them, and the walks over all
    /// tasks once its calls are seen no more.
    pub flags: u32,
    /// When the call in flight began, in nanoseconds of the monotonic clock; 0 outside calls.
    pub entered_ns: u64,
    /// The bytes that the call in flight asked for.
    pub size: u64,
    /// The [`super::syscall::CallKind`] of the call in flight.
    pub kind: u32,
    /// 1 where the task takes no part yet: it is in scope, and its window has not begun.
    pub is_new: u32,
    /// Calls until the probes time themselves again; they do for the one in flight where it is 0.
    pub until_timed: u64,
    /// What the kernel had counted when its window began, or when this was added to the totals last.
    pub baseline: Accounts,
    /// Where its time goes.
    pub clock: Clock,
    /// The file it has used last.
    pub file: OpenFile,
    /// Bios that it has submitted in the call in flight: those that read, from [`TaskState::OTHER`] on all others, and
    /// [`TaskState::IN_FAULT`] where some were for a page fault that the call took.
    pub requests: u64,
    /// The bytes of direct I/O that it has read in it.
    pub direct_read_bytes: u64,
    /// Those that it has written so.
    pub direct_written_bytes: u64,
    /// Where its last request went: the device in the upper half, operation and origin below; 0 for none.
    pub slot_key: u64,
    /// The slot there.
    pub slot: BlockSlot,
    /// What it has asked for that is still to be counted.
    pub sizes: PendingSizes,
    /// The page fault in flight.
    pub fault: FaultState,
    /// The call that it has returned from last.
    pub returned: Returned,
    /// 1 where its process is among the [`super::aio::AioKey`]s, as it has submitted asynchronous operations.
    pub submits: u32,
    /// 1 where it is among those that have waited for I/O, by its address.
    pub waits: u32,
    /// What it has counted of its calls.
    pub tally: Tally,
    /// What of its accounts is in its workload's totals.
    pub accounted: Accounts,
    /// The number of its process as its row was made; 0 before.
    pub process: u32,
    /// Its own number then.
    pub thread: u32,
    /// The program whose first copy has counted the call's beginning or end, one more than its [`super::turn::Twice`]; 0
    /// once the second has passed it.
    pub turn: u64,
    /// 1 where it is a thread of the first process of its workload.
    pub is_of_first: u32,
    /// 1 where the call in flight has submitted requests to a ring.
    pub has_submitted: u32,
}
map_value!(TaskState, 1368);

impl TaskState {
    /// A bio that reads nothing, in [`TaskState::requests`].
    pub const OTHER: u64 = 1 << 32;
    /// In `requests`.
    pub const IN_FAULT: u64 = 1 << 63;
    /// The task's first return is from a call that is not counted: that in which its parent made it, or in which
    /// it waited for the signal to begin.
    pub const CHILD_RETURN: u32 = 1;
    /// The task was running at attach: it may be inside a call that was not seen to begin.
    pub const MAY_BE_IN_CALL: u32 = 2;
    /// The task is a child of ioprof that waits to be let go: nothing counts before it executes its program.
    pub const WAITING: u32 = 4;
    /// The task has exited, and its accounts are in its workload's totals.
    pub const EXITED: u32 = 8;
    /// What it did is counted to the end.
    pub const SETTLED: u32 = 16;
    /// Its window has ended, and its accounts are in its workload's totals.
    pub const ACCOUNTED: u32 = 32;
    /// The task had more to do on its way out of the last call: see [`Returned`].
    pub const RETURNED_LATE: u32 = 64;
    /// The call that the task was in as it came into scope has been noted.
    pub const NOTED: u32 = 128;
    /// The task is a thread of io_uring, which makes no calls and has no user mode.
    pub const OF_RING: u32 = 256;
    /// What the task did is in its [`Row`].
    pub const KEPT: u32 = 512;
}

/// The call that a task has returned from last. What the kernel has put off until the way out of the call
/// (`task_work_add`), such as the last close of a file, comes after the tracepoint of its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Returned {
    /// When the call began, in nanoseconds of the monotonic clock; 0 where there is none.
    pub entered_ns: u64,
    /// The nanoseconds that it has been counted with.
    pub latency_ns: u64,
    /// Until when the task was on its way out of it, as far as that is known.
    pub until_ns: u64,
    /// 1 where the kernel had put off work until then, and the task was not seen in user mode since.
    pub has_work: u32,
    /// Where the page cache counts the call of `read_ns`, by [`super::layout::page_cache_index`].
    pub read_index: u32,
    /// When a call began that read and was no cache hit, the last of these that was counted.
    pub read_ns: u64,
    /// [`Accounts::user_ns`] of the task as the call returned, where it had.
    pub user_ns: u64,
    /// [`Accounts::system_ns`] then.
    pub system_ns: u64,
}
map_value!(Returned, 56);

/// Counters of one workload, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct WorkloadTotals {
    /// Processes that came into scope.
    pub processes: u64,
    /// Threads that came into scope, the first of each process included.
    pub threads: u64,
    /// Threads that exited.
    pub threads_exited: u64,
    /// Calls that were under way at attach: they are in no other count.
    pub calls_in_flight_at_attach: u64,
    /// Calls by the 32-bit interface, whose numbers have another meaning.
    pub compat_calls: u64,
    /// Vectored requests of more segments than are summed, or whose segments could not be read.
    pub vectors_unread: u64,
    /// Calls that were under way as a thread came into scope, and as the window ended.
    pub calls_under_way: u64,
    /// What the kernel counted for the tasks that exited, and for the living when the totals were read.
    pub accounts: Accounts,
    /// Where the time of its threads went, likewise.
    pub times: Times,
    /// What those threads did that have no other row.
    pub rest: Row,
    /// What its first process has executed.
    pub executed: Executed,
    /// Processes whose memory the kernel wrote to a file or a pipe as a signal ended them: core(5).
    pub core_dumps: u64,
}
map_value!(WorkloadTotals, 624);

/// The programs that a process has executed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Executed {
    /// How many.
    pub programs: u64,
    /// The name that its thread had behind the last, ended by a zero byte.
    pub name: [u8; NAME_BYTES],
}
map_value!(Executed, 24);
