//! Asynchronous I/O by io_submit(2) and io_getevents(2), which libaio wraps.

use zerocopy::{FromBytes, IntoBytes};

use super::{
    Aggregate, block::Depth, file::FileKey, io_uring as uring, layout::URING_OPCODES, map_value,
    merge::merge,
};

/// What the table of errors adds to an opcode.
pub const FIRST_ERROR_OPERATION: u32 = uring::FIRST_ERROR_OPERATION + URING_OPCODES;

/// How many control blocks of a call, or events, are looked at; more are counted only.
pub const MAX_LOOKED_AT: u64 = 256;

/// Key of the table of operations: the address of the control block, which the event gives back. A process that has
/// submitted any has an entry of its own, under the address 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct AioKey {
    /// The address of the `struct iocb` in its process.
    pub iocb: u64,
    /// The process.
    pub tgid: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(AioKey, 16);

impl AioKey {
    /// That of a control block of a process, or with the address 0 of the process itself.
    pub const fn new(tgid: u32, iocb: u64) -> Self {
        Self {
            iocb,
            tgid,
            padding: 0,
        }
    }
}

/// An operation that was submitted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct AioRequest {
    /// When the call that submitted it began, in nanoseconds of the monotonic clock.
    pub submitted_ns: u64,
    /// The context it was submitted to, the `aio_context_t` of its process.
    pub context: u64,
    /// The workload, from 1.
    pub workload: u32,
    /// The opcode, below [`super::layout::AIO_OPCODES`].
    pub opcode: u32,
    /// The row of its file.
    pub file: FileKey,
    /// `f_flags` of the open file.
    pub flags: u32,
    /// The descriptor of the file, in its process.
    pub descriptor: u32,
}
map_value!(AioRequest, 56);

/// One opcode of one workload, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct AioStats {
    /// Operations submitted.
    pub submissions: u64,
    /// Operations whose completion was not seen: their control block was submitted again, or their context has gone.
    pub unseen: u64,
    /// Operations completed, and nanoseconds from the call that submitted to the end of the one that reaped.
    pub latency: Aggregate,
    /// The sum of the positive results.
    pub results: u64,
    /// Operations that completed with an error.
    pub errors: u64,
}
map_value!(AioStats, 64);
merge!(AioStats {
    submissions,
    unseen,
    latency,
    results,
    errors
});

/// Counters of one workload, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct AioTotals {
    /// Operations submitted and not reaped.
    pub depth: Depth,
    /// Operations submitted, by the results of io_submit.
    pub submitted: u64,
    /// Events reaped, by the results of io_getevents and io_pgetevents.
    pub reaped: u64,
    /// Control blocks that could not be read, or were too many in one call.
    pub iocbs_unread: u64,
    /// Events that could not be read, or were too many in one call.
    pub events_unread: u64,
    /// Events of operations that were not seen to be submitted.
    pub unmatched: u64,
}
map_value!(AioTotals, 64);
