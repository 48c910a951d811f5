//! Block requests: made, issued, completed.
//!
//! The owner is found when the request is made, by the task that submits the bio and by whose its pages are
//! (`origin.rs`). Whoever runs at issue or completion (a kblockd worker, an interrupted stranger) is never
//! asked.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, BlockStats, DepthKey, Operation, RequestState, series},
    loss::Loss,
};

use super::{
    depth, histogram,
    kernel::{self, constant, field, now},
    loss, merge,
    origin::{self, Attribution},
    request,
    syscall::NO_EXIST,
    task::{self, Submitter},
    time,
};

#[btf_map(name = "SLOTS")]
static SLOTS: HashMap<BlockKey, BlockSlot, 1> = HashMap::new();

/// How many slots were handed out.
#[btf_map(name = "SLOTS_USED")]
static SLOTS_USED: Array<u64, 1> = Array::new();

/// By slot.
#[btf_map(name = "BLOCK_STATS")]
pub static BLOCK_STATS: PerCpuArray<BlockStats, 1> = PerCpuArray::new();

/// `REQ_PREFLUSH`, whose place among the flags changes from kernel to kernel; set at load.
#[unsafe(no_mangle)]
static REQ_PREFLUSH: u32 = 0;

/// The first histogram series after those of the system calls; set at load.
#[unsafe(no_mangle)]
static FIRST_BLOCK_SERIES: u32 = 0;

/// `REQ_OP_MASK` and the operations of include/linux/blk_types.h, which are the same in all kernels.
const REQ_OP_MASK: u32 = 0xff;
const REQ_OP_FLUSH: u32 = 2;
const REQ_OP_DISCARD: u32 = 3;
/// From here on requests are not the file system's (`REQ_OP_DRV_IN`), and the kernel does not account them.
const REQ_OP_DRV_IN: u32 = 34;

#[btf_tracepoint(function = "block_io_start")]
fn block_start(ctx: BtfTracePointContext) {
    let request: *const c_void = ctx.arg(0);
    // SAFETY: `request` is the argument of the tracepoint, and the rest is loaded from it.
    unsafe {
        let queue: *const c_void = field(request, &kernel::OFF_REQUEST_QUEUE);
        let disk: *const c_void = field(queue, &kernel::OFF_QUEUE_DISK);
        let flags = field(request, &kernel::OFF_REQUEST_FLAGS);
        let size: u32 = field(request, &kernel::OFF_REQUEST_LEN);
        let bio: *const c_void = field(request, &kernel::OFF_REQUEST_BIO);
        made(request as u64, bio, disk, flags, size);
    }
}

#[btf_tracepoint(function = "block_getrq")]
fn block_getrq(ctx: BtfTracePointContext) {
    let bio: *const c_void = ctx.arg(0);
    // SAFETY: `bio` is the argument of the tracepoint.
    unsafe {
        let (disk, flags, size) = look_at(bio);
        made(bio as u64, bio, disk, flags, size);
    }
}

/// The disk, the flags and the size of a bio.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn look_at(bio: *const c_void) -> (*const c_void, u32, u32) {
    // SAFETY: by the caller's promise.
    unsafe {
        let device: *const c_void = field(bio, &kernel::OFF_BIO_BDEV);
        (
            field(device, &kernel::OFF_BDEV_DISK),
            field(bio, &kernel::OFF_BIO_FLAGS),
            field(bio, &kernel::OFF_BIO_SIZE),
        )
    }
}

/// Records a request that the running task has made.
///
/// # Safety
///
/// `bio` and `disk` are BTF pointers to a `struct bio` and a `struct gendisk`.
#[inline(always)]
unsafe fn made(key: u64, bio: *const c_void, disk: *const c_void, flags: u32, size: u32) {
    let submitter = task::submitter();
    // SAFETY: by the caller's promise.
    let Some(owned) = (unsafe { owned(submitter, bio, disk, flags, size) }) else {
        return;
    };
    let slot = owned.slot;
    let now = now();
    let new = RequestState {
        queued_ns: now,
        issued_ns: 0,
        done_bytes: 0,
        size: size.into(),
        other_owner_bytes: owned.other_owner_bytes,
        slot,
        waiting_workload: owned.waiting_workload,
        padding: 0,
    };
    if !request::enter(key, &new, now) {
        loss::count(Loss::RequestsFull);
        return;
    }
    depth::begin(slot.own_depth, now);
    depth::begin(slot.device_depth, now);
    time::begin(new.waiting_workload, false, now);
}

/// Where the numbers go of a bio that the running task submits to a disk; none for what is not accounted, or
/// where there is no room.
///
/// # Safety
///
/// `bio` and `disk` are BTF pointers to a `struct bio` and a `struct gendisk`.
#[inline(always)]
pub unsafe fn owned(
    submitter: Submitter,
    bio: *const c_void,
    disk: *const c_void,
    flags: u32,
    size: u32,
) -> Option<Attribution> {
    let operation = operation(flags, size)?;
    submitter.count(operation, size);
    // SAFETY: by the caller's promise.
    let (major, minor): (u32, u32) = unsafe {
        (
            field(disk, &kernel::OFF_DISK_MAJOR),
            field(disk, &kernel::OFF_DISK_MINOR),
        )
    };
    // SAFETY: by the caller's promise.
    unsafe { origin::of_bio(submitter, bio, major << 20 | minor, operation, flags, size) }
}

/// The slot of a (workload, device, operation, origin); where there is none left, that is counted.
#[inline(always)]
pub fn slot_of(key: &BlockKey) -> Option<BlockSlot> {
    let slot = slot(key);
    if slot.is_none() {
        loss::count(Loss::SlotsFull);
    }
    slot
}

/// What the request does; none for what is not the file system's.
#[inline(always)]
fn operation(flags: u32, size: u32) -> Option<Operation> {
    match flags & REQ_OP_MASK {
        REQ_OP_FLUSH => Some(Operation::Flush),
        REQ_OP_DISCARD => Some(Operation::Discard),
        REQ_OP_DRV_IN.. => None,
        _ if size == 0 && flags & constant(&REQ_PREFLUSH) != 0 => Some(Operation::Flush),
        op if op & 1 == 1 => Some(Operation::Write),
        _ => Some(Operation::Read),
    }
}

/// The slot of a key, made where there is none yet.
#[inline(always)]
fn slot(key: &BlockKey) -> Option<BlockSlot> {
    if let Some(slot) = SLOTS.get_ptr_mut(key) {
        // SAFETY: the entry stays valid for the run of the program, and is never changed.
        return Some(unsafe { *slot });
    }
    let own_depth = depth::number(&DepthKey {
        device: key.device,
        workload: DepthKey::owner(key.workload, key.origin),
    })?;
    let device_depth = depth::number(&DepthKey {
        device: key.device,
        workload: DepthKey::EVERYBODY,
    })?;
    let new = BlockSlot {
        stats: depth::next(&SLOTS_USED)? as u32,
        own_depth,
        device_depth,
        operation: key.operation,
    };
    let _ = SLOTS.insert(key, &new, NO_EXIST);
    // SAFETY: as above; it may be another CPU's, which was first.
    SLOTS.get_ptr_mut(key).map(|slot| unsafe { *slot })
}

#[btf_tracepoint(function = "block_rq_issue")]
fn block_issue(ctx: BtfTracePointContext) {
    let request: *const c_void = ctx.arg(0);
    let Some((key, state)) = request::find(request) else {
        return;
    };
    // SAFETY: the entry stays valid for the run of the program; `request` is the tracepoint's argument.
    unsafe {
        let now = now();
        if (*state).issued_ns == 0 {
            time::begin((*state).waiting_workload, true, now);
        }
        (*state).issued_ns = now;
        (*state).size = field::<u32>(request, &kernel::OFF_REQUEST_LEN).into();
        (*state).other_owner_bytes += merge::reassign_merged(request, &(*state).slot);
        if key != request as u64 {
            let moved = *state;
            request::forget(key, state);
            if !request::enter(request as u64, &moved, now) {
                loss::count(Loss::RequestsFull);
                request::leave(&moved, now);
            }
        }
    }
}

/// The driver had no room for it: it waits again.
#[btf_tracepoint(function = "block_rq_requeue")]
fn block_requeue(ctx: BtfTracePointContext) {
    if let Some((_, state)) = request::find(ctx.arg(0)) {
        // SAFETY: the entry stays valid for the run of the program.
        unsafe {
            if (*state).issued_ns != 0 {
                time::end((*state).waiting_workload, true, now());
            }
            (*state).issued_ns = 0;
        }
    }
}

/// The request becomes part of another, and is never issued.
#[btf_tracepoint(function = "block_rq_merge")]
fn block_merge(ctx: BtfTracePointContext) {
    let request: *const c_void = ctx.arg(0);
    if let Some((key, state)) = request::find(request) {
        // SAFETY: the entry stays valid for the run of the program; `request` is the tracepoint's argument.
        let merged = unsafe {
            let merged = *state;
            merge::remember_all(request, &merged.slot, merged.other_owner_bytes);
            merged
        };
        request::leave(&merged, now());
        request::forget(key, state);
    }
}

#[btf_tracepoint(function = "block_rq_complete")]
fn block_complete(ctx: BtfTracePointContext) {
    let request: *const c_void = ctx.arg(0);
    let status: u8 = ctx.arg(1);
    let bytes: u32 = ctx.arg(2);
    let Some((key, state)) = request::find(request) else {
        // The kernel's own flush requests, and the second end of a write that had one, are without bytes.
        // SAFETY: `request` is the argument of the tracepoint.
        let flags = unsafe { field(request, &kernel::OFF_REQUEST_FLAGS) };
        if bytes > 0 && operation(flags, bytes).is_some() {
            loss::count(Loss::RequestUnmatched);
        }
        return;
    };
    let now = now();
    // SAFETY: the entry stays valid for the run of the program.
    let state = unsafe { &mut *state };
    time::completed(state.queued_ns, state.issued_ns, now);
    state.done_bytes += u64::from(bytes);
    if state.done_bytes < state.size && bytes > 0 {
        return;
    }
    let done = *state;
    request::forget(key, state);
    request::leave(&done, now);
    count(&done, now, status != 0);
}

#[inline(always)]
fn count(request: &RequestState, now: u64, failed: bool) {
    let slot = request.slot.stats;
    let Some(stats) = BLOCK_STATS.get_ptr_mut(slot) else {
        loss::count(Loss::SlotsFull);
        return;
    };
    // SAFETY: the value is this CPU's own, and no other program writes it.
    let stats = unsafe { &mut *stats };
    let series = series(constant(&FIRST_BLOCK_SERIES), slot);
    stats.size.add(request.done_bytes);
    stats.bytes += request.done_bytes.saturating_sub(request.other_owner_bytes);
    stats.errors += u64::from(failed);
    histogram::record(series + 2, request.done_bytes);
    if request.issued_ns != 0 {
        let queue = request.issued_ns.wrapping_sub(request.queued_ns);
        stats.queue.add(queue);
        histogram::record(series, queue);
        let service = now.wrapping_sub(request.issued_ns);
        stats.service.add(service);
        histogram::record(series + 1, service);
    } else if request.slot.operation == Operation::Flush as u32 {
        // The kernel sends one flush for several: the wait for it is what the workload sees.
        let service = now.wrapping_sub(request.queued_ns);
        stats.service.add(service);
        histogram::record(series + 1, service);
    }
}
