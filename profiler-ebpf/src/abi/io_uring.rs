//! io_uring: requests from their submission to their completion.

use zerocopy::{FromBytes, IntoBytes};

use super::{Aggregate, block::Depth, layout::MAX_OPERATIONS, map_value, merge::merge};

/// What the table of errors adds to an opcode, so that it is no operation of a system call.
pub const FIRST_ERROR_OPERATION: u32 = MAX_OPERATIONS;

/// A request, or what is left of it: the kernel uses a request's memory again, and so is its entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UringRequest {
    /// When it was submitted, in nanoseconds of the monotonic clock; 0 where it has completed.
    pub submitted_ns: u64,
    /// The address of its ring's context. Where the end of a request was not seen, its memory may become one
    /// of another ring, whose submissions are not looked at.
    pub ring: u64,
    /// The workload that submitted it, from 1.
    pub workload: u32,
    /// Its opcode, below [`super::layout::URING_OPCODES`].
    pub opcode: u32,
    /// The flags below.
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(UringRequest, 32);

impl UringRequest {
    /// It was given to a worker thread.
    pub const WORKER: u32 = 1;
    /// It waited for its file to be ready.
    pub const POLLED: u32 = 2;
    /// It posts no completion where it succeeds.
    pub const SILENT: u32 = 4;
    /// It may post more completions than the last.
    pub const POSTS: u32 = 8;
    /// It is for a worker thread from the beginning, whether it would have to wait or not.
    pub const FOR_WORKER: u32 = 16;
}

/// Key of the requests under way that may post more completions than the last: those do not name their request, but have
/// what the program gave it to know it by.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UringPost {
    /// The address of the ring's context.
    pub ring: u64,
    /// `user_data` of the submission, and of its completions.
    pub user_data: u64,
}
map_value!(UringPost, 16);

/// Which request a completion is of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UringPoster {
    /// The address of the request.
    pub request: u64,
    /// 1 where it may be of another as well: the program told neither apart.
    pub is_shared: u64,
}
map_value!(UringPoster, 16);

/// One opcode of one workload, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UringStats {
    /// Requests submitted, those included that the kernel refused at once.
    pub submissions: u64,
    /// Those of them that post no completion where they succeed.
    pub silent: u64,
    /// Requests whose completion was not seen, but whose place was taken by another.
    pub unseen: u64,
    /// Requests completed, and nanoseconds from submission to completion.
    pub latency: Aggregate,
    /// The sum of the positive results.
    pub results: u64,
    /// Requests that completed with an error.
    pub errors: u64,
    /// Requests that were done within the call that submitted them.
    pub inline: u64,
    /// Requests that waited for their file to be ready.
    pub polled: u64,
    /// Requests that a worker thread executed.
    pub worker: u64,
    /// Those of them that were for one from the beginning.
    pub for_worker: u64,
    /// Requests with completions that may be those of other requests.
    pub untold: u64,
}
map_value!(UringStats, 112);
merge!(UringStats {
    submissions,
    silent,
    unseen,
    latency,
    results,
    errors,
    inline,
    polled,
    worker,
    for_worker,
    untold
});

/// Counters of one workload, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct UringTotals {
    /// Requests submitted and not completed, without the silent ones.
    pub depth: Depth,
    /// Completions that are not the end of a request: all but the last of a multishot request, those that say
    /// that the kernel is done with a buffer, and messages of other rings.
    pub extra: u64,
    /// Completions of requests that were not seen to be submitted.
    pub unmatched: u64,
}
map_value!(UringTotals, 40);
