//! Block requests: queued, issued, completed.
//!
//! The owner is decided when the request is queued, by the task that submits the bio and by the owner of its pages
//! (`pages.rs`). The task that runs at issue or completion (a kblockd worker, an interrupted process) says nothing.

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use ioprof_ebpf::abi::{
    block::{BlockKey, Operation, Origin, RequestState},
    layout::block_series,
    loss::Loss,
    off_cpu::KERNEL,
    turn::Twice,
};

use super::{
    bio::{device_of, disk_of, is_executed_flush, look_at, operation},
    life::{FIRST_BLOCK_SERIES, count, queued},
    merge,
    requests::{self, Way},
    slot::{BLOCK_STATS, slot_of},
};
use crate::probes::{
    base::{
        histogram, loss,
        memory::{self, constant, field, now},
        turn, window,
    },
    task::wait,
};

#[btf_tracepoint(function = "block_io_start")]
fn block_start(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockStart) else {
        return;
    };
    let request: *const c_void = ctx.arg(0);
    // SAFETY: `request` is the argument of the tracepoint, and the rest is loaded from it.
    unsafe {
        let disk = disk_of(request);
        let flags = field(request, &memory::OFF_REQUEST_FLAGS);
        let size: u32 = field(request, &memory::OFF_REQUEST_LEN);
        let bio: *const c_void = field(request, &memory::OFF_REQUEST_BIO);
        queued(request as u64, bio, disk, flags, size, Way::Request);
    }
}

#[btf_tracepoint(function = "block_getrq")]
fn block_getrq(ctx: BtfTracePointContext) {
    let bio: *const c_void = ctx.arg(0);
    // SAFETY: `bio` is the argument of the tracepoint.
    unsafe {
        let (disk, flags, size) = look_at(bio);
        queued(bio as u64, bio, disk, flags, size, Way::Request);
    }
}

#[btf_tracepoint(function = "block_rq_issue")]
fn block_issue(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockIssue) else {
        return;
    };
    if !window::is_open() {
        return;
    }
    let request: *const c_void = ctx.arg(0);
    let Some((key, state)) = requests::find(request) else {
        // SAFETY: `request` is the argument of the tracepoint.
        unsafe { flush_issued(request) };
        return;
    };
    // SAFETY: the entry stays valid for the run of the program; `request` is the tracepoint's argument.
    unsafe {
        let now = now();
        if (*state).issued_ns == 0 {
            wait::request_begins((*state).waiting_workload, true, now);
        }
        (*state).issued_ns = now;
        (*state).size = field::<u32>(request, &memory::OFF_REQUEST_LEN).into();
        (*state).other_owner_bytes += merge::reassign_merged(request, &*state);
        if key != request as u64 {
            let moved = *state;
            requests::forget(key, state, Way::Request);
            if !requests::enter(request as u64, &moved, now, Way::Request) {
                loss::count(Loss::RequestsFull);
                requests::leave(&moved, now);
            }
        }
    }
}

/// Records the kernel's own request for a flush: it makes one for however many were asked for (`blk_kick_flush` of
/// block/blk-flush.c), and issues it without queueing it.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct request`.
#[inline(always)]
unsafe fn flush_issued(request: *const c_void) {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    let device = unsafe {
        if !is_executed_flush(field(request, &memory::OFF_REQUEST_FLAGS)) {
            return;
        }
        device_of(disk_of(request))
    };
    let Some(slot) = slot_of(&BlockKey {
        workload: 0,
        device,
        operation: Operation::ExecutedFlush as u32,
        origin: Origin::Thread as u32,
    }) else {
        return;
    };
    let now = now();
    let new = RequestState {
        queued_ns: now,
        issued_ns: now,
        slot,
        waiting_workload: KERNEL,
        ..RequestState::NONE
    };
    if !requests::enter(request as u64, &new, now, Way::Request) {
        loss::count(Loss::RequestsFull);
        return;
    }
    // A write that asks for a flush after it has completed by then.
    wait::request_begins(KERNEL, false, now);
    wait::request_begins(KERNEL, true, now);
}

/// The driver had no room for it: it waits again.
#[btf_tracepoint(function = "block_rq_requeue")]
fn block_requeue(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockRequeue) else {
        return;
    };
    if window::is_open()
        && let Some((_, state)) = requests::find(ctx.arg(0))
    {
        // SAFETY: the entry stays valid for the run of the program.
        unsafe {
            if (*state).issued_ns != 0 {
                wait::request_ends((*state).waiting_workload, true, now());
            }
            (*state).issued_ns = 0;
        }
    }
}

/// The request becomes part of another, and is never issued.
#[btf_tracepoint(function = "block_rq_merge")]
fn block_merge(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockMerge) else {
        return;
    };
    if window::is_open()
        && let Some((key, state)) = requests::find(ctx.arg(0))
    {
        // SAFETY: the entry stays valid for the run of the program.
        let merged = unsafe { *state };
        merge::remember_request(&merged);
        requests::leave(&merged, now());
        // SAFETY: the entry is that of the key.
        unsafe { requests::forget(key, state, Way::Request) };
    }
}

#[btf_tracepoint(function = "block_rq_complete")]
fn block_complete(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockComplete) else {
        return;
    };
    if !window::is_open() {
        return;
    }
    let request: *const c_void = ctx.arg(0);
    let status: u8 = ctx.arg(1);
    let bytes: u32 = ctx.arg(2);
    let Some((key, state)) = requests::find(request) else {
        // The second end of a write that had a flush is without bytes, and so is a flush that was issued before the probes
        // were attached.
        // SAFETY: `request` is the argument of the tracepoint.
        let (flags, started_ns) = unsafe {
            (
                field(request, &memory::OFF_REQUEST_FLAGS),
                field(request, &memory::OFF_REQUEST_STARTED),
            )
        };
        if bytes > 0 && operation(flags, bytes).is_some() && window::was_before(started_ns) {
            loss::count(Loss::RequestUnmatched);
            loss::add(Loss::UnmatchedBytes, bytes.into());
        }
        return;
    };
    let now = now();
    // SAFETY: the entry stays valid for the run of the program, and is that of the key. The driver completes a
    // request once, so that no other CPU writes it now.
    let done = unsafe {
        wait::completed(&*state, now);
        (*state).done_bytes += u64::from(bytes);
        if (*state).done_bytes < (*state).size && bytes > 0 {
            return;
        }
        let done = *state;
        requests::forget(key, state, Way::Request);
        done
    };
    requests::leave(&done, now);
    if done.slot.is(Operation::ExecutedFlush) {
        count_flush(&done, now, status != 0);
    } else {
        count(&done, now, status != 0, Way::Request);
    }
}

/// Counts a flush that the device has executed; those who asked for it complete next.
#[inline(always)]
fn count_flush(request: &RequestState, now: u64, failed: bool) {
    let slot = request.slot.stats;
    let Some(stats) = BLOCK_STATS.get_ptr_mut(slot) else {
        loss::count(Loss::SlotsFull);
        return;
    };
    let service = now.wrapping_sub(request.issued_ns);
    // SAFETY: the value is this CPU's own, and no other program writes these fields.
    unsafe {
        (*stats).size.add(0);
        (*stats).service.add(service);
        (*stats).errors += u64::from(failed);
    }
    histogram::record(
        block_series(constant(&FIRST_BLOCK_SERIES), slot) + 1,
        service,
    );
}
