//! Where the time of a thread goes.

use zerocopy::{FromBytes, IntoBytes};

use super::{map_value, merge::merge};

/// The kinds of time off the CPU; the number is the index into [`Times::parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WaitKind {
    /// Waiting for a device, while the request was queued but not yet issued.
    Queue = 0,
    /// Waiting for a device, while it worked on the request.
    Service = 1,
    /// Marked as waiting for I/O, with no request known to be behind it.
    Device = 2,
    /// Held back because too many pages are dirty.
    Throttle = 3,
    /// Asleep until a thread of the kernel woke it, as after a commit of a journal, while no request was in flight that
    /// it may have waited for.
    Journal = 4,
    /// In a page fault outside of calls.
    Fault = 5,
    /// Ready to run, and waiting for a CPU.
    Runnable = 6,
    /// Asleep in an I/O call for another reason, such as a lock or an empty pipe.
    Sleep = 7,
    /// Asleep in another call, or stopped.
    Idle = 8,
    /// Asleep for a reason that is not known.
    Unknown = 9,
}

/// How many kinds there are.
pub const WAIT_KINDS: usize = 10;

/// How a thread sleeps whose reason its waker tells: flags of [`Clock::asleep`], which are 0 where it is known already.
pub mod asleep {
    /// In a call, or on its way out of one.
    pub const IN_CALL: u32 = 1;
    /// No signal wakes it: `TASK_UNINTERRUPTIBLE`.
    pub const UNINTERRUPTIBLE: u32 = 2;
    /// The kernel has marked it as waiting for I/O.
    pub const IO: u32 = 4;
    /// The call has returned, and the thread was on its way to user mode.
    pub const RETURNING: u32 = 8;
    /// In a call that ends with asynchronous operations: io_getevents(2).
    pub const EVENTS: u32 = 16;
}

/// Who woke a thread, as far as it tells what it had waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Waker {
    /// Somebody else.
    Other = 0,
    /// The completion of a request.
    Completion = 1,
    /// A thread of the kernel, which may work for anything.
    Kernel = 2,
    /// A thread of io_uring: what that waited for is in [`Clock::worker_waits`].
    Worker = 3,
    /// A thread of the kernel that works for a file system.
    FileSystem = 4,
    /// A thread of a workqueue, which has ended an asynchronous operation: file systems end direct writes so.
    Operation = 5,
}

/// A sleep of a thread of io_uring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Sleep {
    /// When it began, in nanoseconds of the monotonic clock.
    pub off_ns: u64,
    /// Nanoseconds of it in which a request was queued and not yet issued.
    pub queue_ns: u64,
    /// Nanoseconds for another reason.
    pub rest_ns: u64,
    /// Nanoseconds in which a request was issued.
    pub service_ns: u64,
    /// Nanoseconds behind it in which the thread waited for a CPU.
    pub runnable_ns: u64,
    /// The [`WaitKind`] of `rest_ns`.
    pub rest_kind: u64,
}
map_value!(Sleep, 48);

/// How many sleeps are kept of each such thread.
pub const KEPT_SLEEPS: usize = 8;

/// The last sleeps of a thread of io_uring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Sleeps {
    /// How many there were.
    pub count: u64,
    /// Where the next is kept.
    pub next: u64,
    /// The last of them: each replaces the one that is as many back.
    pub last: [Sleep; KEPT_SLEEPS],
}
map_value!(Sleeps, 400);

/// The time of a thread, or a sum over threads; every number only grows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Times {
    /// Nanoseconds since the thread came into scope.
    pub thread_ns: u64,
    /// Nanoseconds in system calls.
    pub in_call_ns: u64,
    /// Nanoseconds of those that the thread was off the CPU.
    pub in_call_off_ns: u64,
    /// Nanoseconds on a CPU that the scheduler has not charged to the thread.
    pub uncharged_ns: u64,
    /// Calls for which the probes have timed themselves.
    pub timed_calls: u64,
    /// Nanoseconds that the probes took for those, outside of what counts as the call.
    pub timed_ns: u64,
    /// Nanoseconds of threads of io_uring on a CPU.
    pub ring_cpu_ns: u64,
    /// Nanoseconds of threads that exit, from `sched_process_exit` to the last time that they leave the CPU.
    pub exit_ns: u64,
    /// Nanoseconds off the CPU by [`WaitKind`].
    pub parts: [u64; WAIT_KINDS],
}
map_value!(Times, 144);
merge!(Times {
    thread_ns,
    in_call_ns,
    in_call_off_ns,
    uncharged_ns,
    timed_calls,
    timed_ns,
    ring_cpu_ns,
    exit_ns,
    parts
});

/// What is kept of a thread to tell its [`Times`]. Only the thread's own switches and calls write the counts,
/// and its waker the moment of waking.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Clock {
    /// When the thread came into scope, in nanoseconds of the monotonic clock; 0 before.
    pub since_ns: u64,
    /// When it left the CPU; 0 while it is on one.
    pub off_ns: u64,
    /// When it was woken; 0 while it sleeps.
    pub woken_ns: u64,
    /// When it came to the CPU it is on; 0 where that was not seen.
    pub on_ns: u64,
    /// What the scheduler had charged it as it last left a CPU, in nanoseconds.
    pub charged_ns: u64,
    /// When it began to exit; 0 before.
    pub exit_ns: u64,
    /// The [`WaitKind`] that its being off the CPU belongs to, unless its waker tells another.
    pub wait_kind: u32,
    /// The flags of [`asleep`].
    pub asleep: u32,
    /// The [`Waker`].
    pub waker: u32,
    /// 1 where the kernel has just said that it will be held back for dirty pages.
    pub throttled: u32,
    /// When the request was queued whose completion woke it.
    pub request_queued_ns: u64,
    /// When that was issued.
    pub request_issued_ns: u64,
    /// The time with requests of its workload queued, as it left the CPU.
    pub own_queued_ns: u64,
    /// The time with such requests issued.
    pub own_issued_ns: u64,
    /// The time with requests of the kernel's threads queued.
    pub kernel_queued_ns: u64,
    /// The time with such requests issued.
    pub kernel_issued_ns: u64,
    /// What the call in flight has taken so far, by [`WaitKind`]; all zero unless `call_off_ns` is not.
    pub call_waits: [u64; WAIT_KINDS],
    /// The sum of those.
    pub call_off_ns: u64,
    /// What a thread of io_uring waited for that woke it, by [`WaitKind`].
    pub worker_waits: [u64; WAIT_KINDS],
    /// The counts.
    pub times: Times,
    /// What of them is in the workload's totals. Only the iterators and the exit write it.
    pub settled: Times,
}
map_value!(Clock, 568);

/// The request that a CPU has completed last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct LastRequest {
    /// When it was queued, in nanoseconds of the monotonic clock.
    pub queued_ns: u64,
    /// When it was issued; when it was queued, where that is not known.
    pub issued_ns: u64,
    /// When it was completed; 0 where the CPU has switched to another thread since.
    pub done_ns: u64,
    /// The process whose thread queued it.
    pub process: u32,
    /// 1 where a thread was woken since.
    pub has_woken: u32,
}
map_value!(LastRequest, 32);

/// Stands for the requests of the kernel's own threads for journals and metadata.
pub const KERNEL: u32 = 0;
/// Stands for requests that no task in scope waits for, or whose completion itself wakes the task that waits.
pub const NOBODY: u32 = u32::MAX;

/// The index of the time with requests of a workload in flight: from queued on, or from issued on.
#[inline(always)]
pub const fn busy(workload: u32, issued: bool) -> u32 {
    2 * workload + issued as u32
}
