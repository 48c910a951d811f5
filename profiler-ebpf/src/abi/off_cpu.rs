//! Where the time of a thread goes.

use zerocopy::{FromBytes, IntoBytes};

use super::map_value;

/// The kinds of time off the CPU; the number is the index into [`Times::parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WaitKind {
    /// Waiting for a device, while the request was queued but not yet issued.
    Queue = 0,
    /// Waiting for a device, while it worked on the request.
    Service = 1,
    /// Waiting for a device, with no request known to be behind it.
    Device = 2,
    /// Held back because too many pages are dirty.
    Throttle = 3,
    /// In a call that makes data durable, while no request of a journal was in flight.
    Journal = 4,
    /// In a page fault outside of calls.
    Fault = 5,
    /// Ready to run, and waiting for a CPU.
    Runnable = 6,
    /// Asleep in an I/O call for another reason, such as a lock or an empty pipe.
    Sleep = 7,
    /// Asleep outside of I/O calls.
    Idle = 8,
}

/// How many kinds there are.
pub const WAIT_KINDS: usize = 9;

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
    /// Nanoseconds off the CPU by [`WaitKind`].
    pub parts: [u64; WAIT_KINDS],
}
map_value!(Times, 120);

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
    /// What the scheduler had charged it by then, in nanoseconds.
    pub charged_ns: u64,
    /// The [`WaitKind`] that its being off the CPU belongs to.
    pub wait_kind: u32,
    /// 1 where the kernel has just said that it will be held back for dirty pages.
    pub throttled: u32,
    /// Nanoseconds of its sleep that its request was in the queue, where the waker knew the request.
    pub in_queue_ns: u64,
    /// 1 where it did.
    pub request_known: u64,
    /// The time with requests queued that it may wait for, as it left the CPU.
    pub busy_queued_ns: u64,
    /// The time with such requests issued.
    pub busy_issued_ns: u64,
    /// What the call in flight has taken so far, by [`WaitKind`]; all zero unless `call_off_ns` is not.
    pub call_waits: [u64; WAIT_KINDS],
    /// The sum of those.
    pub call_off_ns: u64,
    /// The counts.
    pub times: Times,
    /// What of them is in the workload's totals. Only the iterators and the exit write it.
    pub settled: Times,
}
map_value!(Clock, 400);

/// The request that a CPU has completed last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct LastRequest {
    /// When it was issued, in nanoseconds of the monotonic clock; when it was queued, where that is not known.
    pub issued_ns: u64,
    /// When it was completed.
    pub done_ns: u64,
}
map_value!(LastRequest, 16);

/// Stands for the requests of the kernel's own threads, which a call waits for that makes data durable.
pub const KERNEL: u32 = 0;
/// Stands for requests that no task in scope waits for, or whose completion itself wakes the task that waits.
pub const NOBODY: u32 = u32::MAX;

/// The index of the time with requests of a workload in flight: from queued on, or from issued on.
#[inline(always)]
pub const fn busy(workload: u32, issued: bool) -> u32 {
    2 * workload + issued as u32
}
