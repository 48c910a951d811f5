//! What a completion says, and what its ring does as it is posted.

use core::ffi::c_void;

use aya_ebpf::programs::BtfTracePointContext;

use crate::probes::base::memory::{self, constant, field};

/// 1 where io_uring_complete is given the completion itself, 0 where its parts, as by older kernels; set at load.
#[unsafe(no_mangle)]
static COMPLETE_BY_CQE: u32 = 0;

/// The result and the flags of a completion.
#[inline(always)]
pub fn completion(ctx: &BtfTracePointContext) -> (i32, u32) {
    if constant(&COMPLETE_BY_CQE) == 0 {
        return (ctx.arg(3), ctx.arg(4));
    }
    let cqe: *const c_void = ctx.arg(2);
    // SAFETY: the argument is a completion.
    unsafe {
        (
            field(cqe, &memory::OFF_CQE_RES),
            field(cqe, &memory::OFF_CQE_FLAGS),
        )
    }
}

/// The number that the program gave a request, by its completion.
#[inline(always)]
pub fn user_data(ctx: &BtfTracePointContext) -> u64 {
    let cqe: *const c_void = ctx.arg(2);
    if constant(&COMPLETE_BY_CQE) == 0 {
        return cqe as u64;
    }
    // SAFETY: the argument is a completion.
    unsafe { field(cqe, &memory::OFF_CQE_USER_DATA) }
}

/// Whether the ring is just taking submissions: it posts what was done meanwhile before it commits the
/// queue's new head (io_submit_sqes in io_uring/io_uring.c), and nothing else completes in between.
#[inline(always)]
pub fn is_submitting(ctx: &BtfTracePointContext) -> bool {
    let (taken, committed): (u32, u32) = if constant(&COMPLETE_BY_CQE) == 0 {
        // The argument is an untyped pointer there.
        let ring: u64 = ctx.arg(0);
        let queues: u64 = memory::read(ring, &memory::OFF_RING_QUEUES);
        (
            memory::read(ring, &memory::OFF_RING_TAKEN),
            memory::read(queues, &memory::OFF_QUEUES_HEAD),
        )
    } else {
        let ring: *const c_void = ctx.arg(0);
        // SAFETY: the argument is a ring's context, and the rest is loaded from it.
        unsafe {
            let queues: *const c_void = field(ring, &memory::OFF_RING_QUEUES);
            // Never so; but a kernel that marks the pointer as protected by RCU wants it to be asked.
            if queues.is_null() {
                return false;
            }
            (
                field(ring, &memory::OFF_RING_TAKEN),
                field(queues, &memory::OFF_QUEUES_HEAD),
            )
        }
    };
    taken != committed
}
