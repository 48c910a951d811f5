//! What requests, and bios of devices without, have in common: they are queued, and counted when they have completed.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::{Operation, RequestState},
    layout::block_series,
    loss::Loss,
};

use super::{
    owner::attribute,
    requests::{self, Way},
    slot::BLOCK_STATS,
};
use crate::probes::{
    base::{
        histogram, in_flight, loss,
        memory::{constant, now},
        window,
    },
    task::{loop_device, state, wait},
};

/// The first histogram series after those of the system calls; set at load.
#[unsafe(no_mangle)]
pub static FIRST_BLOCK_SERIES: u32 = 0;

/// Records a request, or a bio of a device without, that the running task has queued.
///
/// # Safety
///
/// `bio` and `disk` are BTF pointers to a `struct bio` and a `struct gendisk`.
#[inline(always)]
pub unsafe fn queued(
    key: u64,
    bio: *const c_void,
    disk: *const c_void,
    flags: u32,
    size: u32,
    way: Way,
) {
    if !window::is_open() {
        return;
    }
    let submitter = state::submitter();
    // SAFETY: by the caller's promise.
    let Some(owner) = (unsafe { attribute(submitter, bio, disk, flags, size) }) else {
        return;
    };
    let slot = owner.slot;
    let now = now();
    let new = RequestState {
        queued_ns: now,
        issued_ns: if way.has_queue() { 0 } else { now },
        done_bytes: 0,
        size: size.into(),
        other_owner_bytes: owner.other_owner_bytes,
        bio: bio as u64,
        slot,
        waiting_workload: owner.waiting_workload,
        process: submitter.process(),
    };
    if !requests::enter(key, &new, now, way) {
        loss::count(Loss::RequestsFull);
        return;
    }
    in_flight::begin(slot.own_depth, now);
    in_flight::begin(slot.device_depth, now);
    loop_device::begin(&slot);
    wait::request_begins(new.waiting_workload, false, now);
    if !way.has_queue() {
        wait::request_begins(new.waiting_workload, true, now);
    }
}

/// Counts what has completed.
#[inline(always)]
pub fn count(request: &RequestState, now: u64, failed: bool, way: Way) {
    let slot = request.slot.stats;
    let Some(stats) = BLOCK_STATS.get_ptr_mut(slot) else {
        loss::count(Loss::SlotsFull);
        return;
    };
    let series = block_series(constant(&FIRST_BLOCK_SERIES), slot);
    let own = request.done_bytes.saturating_sub(request.other_owner_bytes);
    // SAFETY: the value is this CPU's own. Only this program writes these fields; the others of the value are written
    // as requests are queued and issued, with atomic operations.
    unsafe {
        (*stats).size.add(request.done_bytes);
        (*stats).bytes += own;
        (*stats).errors += u64::from(failed);
    }
    let has_histograms = request.slot.has_histograms();
    if has_histograms {
        histogram::record(series + 2, request.done_bytes);
    }
    // The kernel sends one flush for several: the wait for it is what the workload sees.
    let is_flush = request.slot.is(Operation::Flush);
    let begun = match request.issued_ns {
        0 if is_flush => request.queued_ns,
        0 => return,
        issued if !way.has_queue() => issued,
        issued => {
            let queue = issued.wrapping_sub(request.queued_ns);
            // SAFETY: as above.
            unsafe { (*stats).queue.add(queue) };
            if has_histograms {
                histogram::record(series, queue);
            }
            issued
        }
    };
    let service = now.wrapping_sub(begun);
    // SAFETY: as above.
    unsafe {
        (*stats).service.add(service);
        (*stats).slowest.add(service, now);
    }
    if has_histograms {
        histogram::record(series + 1, service);
    }
}
