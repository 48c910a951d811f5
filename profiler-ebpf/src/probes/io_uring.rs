//! io_uring: submitted, handed on, completed.
//!
//! The owner is the task that submits: a thread of the workload, or the thread that the kernel has polling
//! the submission queue, which is a thread of the process that made the ring. Completions run anywhere.
//!
//! A request that has completed leaves its entry, marked as free: the kernel uses the memory of requests
//! again and again, and so a request costs two look-ups instead of an insertion and a removal.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    fields::ABSENT,
    file::OpenFile,
    io_uring::{FIRST_ERROR_OPERATION, UringRequest, UringStats, UringTotals},
    layout::{MAX_URING_REQUESTS, URING_OPCODES, uring_index},
    loss::Loss,
};

use crate::probes::{
    base::{
        atomic, histogram, in_flight, loss,
        map::NO_EXIST,
        memory::{self, constant, field, now},
        window,
    },
    file::{descriptor, inode},
    syscall::{
        errors::count_error,
        file_access::{self, Access},
    },
    task::state,
};

/// By the address of the `struct io_kiocb`.
#[btf_map]
static URING_REQUESTS: HashMap<u64, UringRequest, { MAX_URING_REQUESTS as usize }> = HashMap::new();

/// How many entries that table has.
#[btf_map]
static URING_ENTRIES: Array<u64, 1> = Array::new();

/// By [`uring_index`].
#[btf_map]
static URING_STATS: PerCpuArray<UringStats, 1> = PerCpuArray::new();

/// By workload.
#[btf_map]
static URING_TOTALS: Array<UringTotals, 1> = Array::new();

/// The first histogram series of io_uring; set at load.
#[unsafe(no_mangle)]
static FIRST_URING_SERIES: u32 = 0;

/// 1 where io_uring_complete is given the completion itself, 0 where its parts, as by older kernels; set at load.
#[unsafe(no_mangle)]
static COMPLETE_BY_CQE: u32 = 0;

/// `IOSQE_CQE_SKIP_SUCCESS` of include/uapi/linux/io_uring.h; the flags of a request begin with those of
/// its submission.
const SKIP_SUCCESS: u32 = 1 << 6;
/// `IORING_CQE_F_NOTIF`: not the end of a request, but of the use of its buffer.
const NOTIFICATION: u32 = 1 << 3;

/// The file of the request that completed last on this CPU, as a thread's record has the one of its last call.
#[btf_map]
static URING_FILE: PerCpuArray<OpenFile, 1> = PerCpuArray::new();

/// Opcodes that read and write files, of include/uapi/linux/io_uring.h.
const READV: u32 = 1;
const WRITEV: u32 = 2;
const READ_FIXED: u32 = 4;
const WRITE_FIXED: u32 = 5;
const READ: u32 = 22;
const WRITE: u32 = 23;

/// From here on entries of completed requests are removed rather than kept.
const CROWDED: u64 = MAX_URING_REQUESTS as u64 / 4 * 3;

#[btf_tracepoint(function = "io_uring_submit_req")]
fn uring_submit(ctx: BtfTracePointContext) {
    // SAFETY: the argument is a request.
    unsafe { submitted(ctx.arg(0), false) };
}

/// The same by the name that older kernels have for it.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
fn uring_submit_sqe(ctx: BtfTracePointContext) {
    // SAFETY: the argument is a request.
    unsafe { submitted(ctx.arg(0), false) };
}

/// The kernel finds that a submission is wrong. It completes with an error, but is not seen as submitted.
#[btf_tracepoint(function = "io_uring_req_failed")]
fn uring_refuse(ctx: BtfTracePointContext) {
    // SAFETY: the argument is a request.
    unsafe { submitted(ctx.arg(1), true) };
}

/// Records a request of the running task.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct io_kiocb`.
#[inline(always)]
unsafe fn submitted(request: *const c_void, refused: bool) {
    if !window::is_open() {
        return;
    }
    let workload = state::workload_of_current();
    if workload == 0 {
        return;
    }
    // SAFETY: by the caller's promise.
    let (opcode, flags, ring): (u8, u32, *const c_void) = unsafe {
        (
            field(request, &memory::OFF_KIOCB_OPCODE),
            field(request, &memory::OFF_KIOCB_FLAGS),
            field(request, &memory::OFF_KIOCB_RING),
        )
    };
    let silent = flags & SKIP_SUCCESS != 0;
    let now = now();
    let new = UringRequest {
        submitted_ns: now,
        ring: ring as u64,
        workload,
        opcode: u32::from(opcode) & (URING_OPCODES - 1),
        flags: if silent { UringRequest::SILENT } else { 0 },
        padding: 0,
    };
    let key = request as u64;
    if let Some(entry) = URING_REQUESTS.get_ptr_mut(&key) {
        // SAFETY: the entry stays valid for the run of the program.
        unsafe {
            if (*entry).submitted_ns != 0 {
                // Some kernels find only after its submission that it is wrong.
                if refused {
                    return;
                }
                replaced(&*entry, now);
            }
            *entry = new;
        }
    } else {
        if URING_REQUESTS.insert(&key, &new, NO_EXIST).is_err() {
            loss::count(Loss::UringFull);
            return;
        }
        if let Some(entries) = URING_ENTRIES.get_ptr_mut(0) {
            // SAFETY: the counter is in the map.
            unsafe { atomic::add(entries, 1) };
        }
    }
    if let Some(stats) = URING_STATS.get_ptr_mut(uring_index(workload, new.opcode)) {
        // SAFETY: the value is in the map. A submission that is refused has a program of its own, which may run on
        // this CPU while this one is preempted.
        unsafe {
            atomic::add(&raw mut (*stats).submissions, 1);
            if silent {
                atomic::add(&raw mut (*stats).silent, 1);
            }
        }
    }
    if !silent && let Some(totals) = URING_TOTALS.get_ptr_mut(workload) {
        // SAFETY: the value is in the map.
        unsafe { in_flight::enter(&raw mut (*totals).depth, now) };
    }
}

/// The memory of a request is used again whose completion was not seen: it has ended, but when and how is
/// not known.
#[inline(always)]
fn replaced(old: &UringRequest, now: u64) {
    if old.flags & UringRequest::SILENT != 0 {
        return;
    }
    if let Some(stats) = URING_STATS.get_ptr_mut(uring_index(old.workload, old.opcode)) {
        // SAFETY: as in `submitted`.
        unsafe { atomic::add(&raw mut (*stats).unseen, 1) };
    }
    leave(old.workload, now);
}

#[inline(always)]
fn leave(workload: u32, now: u64) {
    if let Some(totals) = URING_TOTALS.get_ptr_mut(workload) {
        // SAFETY: the value is in the map.
        unsafe { in_flight::leave(&raw mut (*totals).depth, now) };
    }
}

#[btf_tracepoint(function = "io_uring_queue_async_work")]
fn uring_work(ctx: BtfTracePointContext) {
    mark(ctx.arg(0), UringRequest::WORKER);
}

#[btf_tracepoint(function = "io_uring_poll_arm")]
fn uring_poll(ctx: BtfTracePointContext) {
    mark(ctx.arg(0), UringRequest::POLLED);
}

#[inline(always)]
fn mark(request: *const c_void, flag: u32) {
    if let Some(entry) = URING_REQUESTS.get_ptr_mut(&(request as u64)) {
        // SAFETY: the entry stays valid for the run of the program; the thread that executes the request owns it.
        unsafe { (*entry).flags |= flag };
    }
}

#[btf_tracepoint(function = "io_uring_complete")]
fn uring_complete(ctx: BtfTracePointContext) {
    if !window::is_open() {
        return;
    }
    let key: u64 = ctx.arg(1);
    let Some(entry) = find(key, ctx.arg(0)) else {
        stray(key, completion(&ctx).1);
        return;
    };
    let now = now();
    let (result, _) = completion(&ctx);
    // SAFETY: the entry stays valid for the run of the program.
    let done = unsafe {
        let done = *entry;
        (*entry).submitted_ns = 0;
        done
    };
    if done.flags & UringRequest::SILENT == 0 {
        leave(done.workload, now);
    }
    let latency = now.wrapping_sub(done.submitted_ns);
    count(&ctx, &done, latency, result);
    count_for_file(key, &done, latency, result);
    make_room(key);
}

/// The entry of a ring's request that has not completed.
#[inline(always)]
fn find(key: u64, ring: u64) -> Option<*mut UringRequest> {
    if key == 0 {
        return None;
    }
    // SAFETY: the entry stays valid for the run of the program.
    URING_REQUESTS
        .get_ptr_mut(&key)
        .filter(|entry| unsafe { (**entry).submitted_ns != 0 && (**entry).ring == ring })
}

/// The result and the flags of a completion.
#[inline(always)]
fn completion(ctx: &BtfTracePointContext) -> (i32, u32) {
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

#[inline(always)]
fn count(ctx: &BtfTracePointContext, request: &UringRequest, latency: u64, result: i32) {
    let index = uring_index(request.workload, request.opcode);
    let Some(stats) = URING_STATS.get_ptr_mut(index) else {
        return;
    };
    histogram::record(constant(&FIRST_URING_SERIES) + index, latency);
    // SAFETY: the value is this CPU's own, and no other program writes the fields that are written here.
    unsafe {
        (*stats).latency.add(latency);
        if result < 0 {
            (*stats).errors += 1;
        } else {
            (*stats).results += u64::from(result.unsigned_abs());
        }
        if request.flags & UringRequest::WORKER != 0 {
            (*stats).worker += 1;
        } else if request.flags & UringRequest::POLLED != 0 {
            (*stats).polled += 1;
        } else if is_submitting(ctx) {
            (*stats).inline += 1;
        }
    }
    if result < 0 {
        count_error(
            request.workload,
            FIRST_ERROR_OPERATION + request.opcode,
            result.unsigned_abs(),
        );
    }
}

/// Counts a request for its file, which it holds until it is freed, after its completion.
#[inline(always)]
fn count_for_file(request: u64, done: &UringRequest, latency: u64, result: i32) {
    if constant(&memory::OFF_KIOCB_FILE) == ABSENT {
        return;
    }
    let slot = request.wrapping_add(constant(&memory::OFF_KIOCB_FILE).into());
    let Some(opened) = descriptor::in_slot(slot) else {
        return;
    };
    let Some(open) = URING_FILE.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the value is this CPU's own, and no other program writes it.
    let open = unsafe { &mut *open };
    file_access::keep_file(open, done.workload, opened.file, &opened.identity);
    let did = match done.opcode {
        READV | READ_FIXED | READ => Access::Read,
        WRITEV | WRITE_FIXED | WRITE => Access::Write,
        _ => Access::Other,
    };
    let moved = if result < 0 {
        0
    } else {
        u64::from(result.unsigned_abs())
    };
    file_access::count_one(&mut open.calls, did, latency, moved, moved);
    if did == Access::Other {
        return;
    }
    if inode::is_direct(opened.flags) {
        open.calls.asynchronous_direct_bytes += moved;
    } else if did == Access::Write {
        open.calls.dirtied_bytes += moved;
    }
}

/// Whether the ring is just taking submissions: it posts what was done meanwhile before it commits the
/// queue's new head (io_submit_sqes in io_uring/io_uring.c), and nothing else completes in between.
#[inline(always)]
fn is_submitting(ctx: &BtfTracePointContext) -> bool {
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

/// A completion that is of no request known: counted where the running task is in scope.
#[inline(always)]
fn stray(key: u64, flags: u32) {
    let workload = state::workload_of_current();
    if workload == 0 {
        return;
    }
    let Some(totals) = URING_TOTALS.get_ptr_mut(workload) else {
        return;
    };
    // SAFETY: the counters are in the map.
    unsafe {
        let counter = if key == 0 || flags & NOTIFICATION != 0 {
            &raw mut (*totals).extra
        } else {
            &raw mut (*totals).unmatched
        };
        atomic::add(counter, 1);
    }
}

/// Where the table is nearly full, what is left of requests goes.
#[inline(always)]
fn make_room(key: u64) {
    let Some(entries) = URING_ENTRIES.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the counter is in the map; it is read whole.
    unsafe {
        if entries.read_volatile() > CROWDED && URING_REQUESTS.remove(&key).is_ok() {
            atomic::add(entries, 1_u64.wrapping_neg());
        }
    }
}
