//! io_uring: submitted, handed on, completed.
//!
//! The owner is the task that submits: a thread of the workload, or the thread that the kernel has polling
//! the submission queue, which is a thread of the process that made the ring. Completions run anywhere.
//!
//! A request that has completed leaves its entry, marked as free: the kernel uses the memory of requests
//! again and again, and so a request costs two look-ups instead of an insertion and a removal.

mod files;
mod posts;
mod ring;

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    io_uring::{FIRST_ERROR_OPERATION, UringRequest, UringStats, UringTotals},
    layout::{MAX_URING_REQUESTS, URING_OPCODES, uring_index},
    loss::Loss,
    turn::Twice,
};

use crate::probes::{
    base::{
        atomic, histogram, in_flight, loss,
        map::NO_EXIST,
        memory::{self, constant, field, now},
        turn, window,
    },
    syscall::errors::count_error,
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

/// `IOSQE_CQE_SKIP_SUCCESS` of include/uapi/linux/io_uring.h; the flags of a request begin with those of
/// its submission.
const SKIP_SUCCESS: u32 = 1 << 6;
/// `REQ_F_FORCE_ASYNC` of include/linux/io_uring_types.h: `IOSQE_ASYNC` of the submission, or what the kernel sets for opcodes
/// that it never tries itself.
const FORCE_ASYNC: u32 = 1 << 4;
/// `IORING_CQE_F_NOTIF`: not the end of a request, but of the use of its buffer.
const NOTIFICATION: u32 = 1 << 3;
/// `IORING_CQE_F_MORE`: there are more to come of this request, or the notification above.
const MORE: u32 = 1 << 1;

/// `IORING_OP_POLL_ADD` of include/uapi/linux/io_uring.h.
const POLL_ADD: u32 = 6;

/// From here on entries of completed requests are removed rather than kept.
const CROWDED: u64 = MAX_URING_REQUESTS as u64 / 4 * 3;

#[btf_tracepoint(function = "io_uring_submit_req")]
fn uring_submit(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::UringSubmit) else {
        return;
    };
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
    let Some(_turn) = turn::of_event(&ctx, Twice::UringRefuse) else {
        return;
    };
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
    let submitter = state::submitter();
    let workload = submitter.workload;
    if workload == 0 {
        return;
    }
    if let Some(state) = submitter.state {
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe { (*state).has_submitted = 1 };
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
    let opcode = u32::from(opcode) & (URING_OPCODES - 1);
    // SAFETY: by the caller's promise.
    let posts = unsafe { posts::may_post(request, opcode) };
    let new = UringRequest {
        submitted_ns: now,
        ring: ring as u64,
        workload,
        opcode,
        flags: if silent { UringRequest::SILENT } else { 0 }
            | if posts { UringRequest::POSTS } else { 0 }
            | if flags & FORCE_ASYNC != 0 {
                UringRequest::FOR_WORKER
            } else {
                0
            },
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
    if posts {
        // SAFETY: by the caller's promise.
        unsafe { posts::begin(request, &new) };
    }
    if !refused && files::COPIES.has(opcode) {
        files::begin_copy(key, new.ring, workload);
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
    let Some(_turn) = turn::of_event(&ctx, Twice::UringWork) else {
        return;
    };
    mark(ctx.arg(0), UringRequest::WORKER);
}

#[btf_tracepoint(function = "io_uring_poll_arm")]
fn uring_poll(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::UringPoll) else {
        return;
    };
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
    let Some(_turn) = turn::of_event(&ctx, Twice::UringComplete) else {
        return;
    };
    if !window::is_open() {
        return;
    }
    let (key, of_ring): (u64, u64) = (ctx.arg(1), ctx.arg(0));
    let (result, flags) = ring::completion(&ctx);
    let Some(entry) = find(key, of_ring) else {
        if key == 0 && flags & MORE != 0 {
            posted(&ctx, of_ring, result);
        } else {
            stray(key, flags);
        }
        return;
    };
    // It is of another request, in memory that was one's whose end was not seen.
    if flags & NOTIFICATION != 0 {
        stray(key, flags);
        return;
    }
    let now = now();
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
    files::count(key, &done, latency, result);
    if done.flags & UringRequest::POSTS != 0 {
        posts::end(of_ring, ring::user_data(&ctx));
    }
    if files::COPIES.has(done.opcode) {
        files::end_copy(key, done.workload, result);
    }
    make_room(key);
}

/// A completion that is not the last of its request.
#[inline(always)]
fn posted(ctx: &BtfTracePointContext, of_ring: u64, result: i32) {
    let request = posts::poster(of_ring, ring::user_data(ctx));
    let Some(entry) = find(request, of_ring) else {
        stray(0, MORE);
        return;
    };
    // SAFETY: the entry stays valid for the run of the program.
    let going_on = unsafe { *entry };
    if let Some(totals) = URING_TOTALS.get_ptr_mut(going_on.workload) {
        // SAFETY: the counter is in the map.
        unsafe { atomic::add(&raw mut (*totals).extra, 1) };
    }
    if result < 0 {
        return;
    }
    let index = uring_index(going_on.workload, going_on.opcode);
    if let Some(stats) = URING_STATS.get_ptr_mut(index) {
        // SAFETY: as in `count`.
        unsafe { (*stats).results += u64::from(result.unsigned_abs()) };
    }
    files::count(request, &going_on, 0, result);
}

/// The entry of a ring's request that has not completed.
#[inline(always)]
fn find(key: u64, ring: u64) -> Option<*mut UringRequest> {
    if key == 0 {
        return None;
    }
    // SAFETY: the entry stays valid for the run of the program.
    under_way(key).filter(|entry| unsafe { (**entry).ring == ring })
}

/// The entry of a request that has not completed.
#[inline(always)]
fn under_way(key: u64) -> Option<*mut UringRequest> {
    // SAFETY: the entry stays valid for the run of the program.
    URING_REQUESTS
        .get_ptr_mut(&key)
        .filter(|entry| unsafe { (**entry).submitted_ns != 0 })
}

/// The workload that has asked for what is under way for a `struct kiocb`; 0 where that is no request of a ring, which begins
/// with it (`struct io_kiocb` of include/linux/io_uring_types.h, `struct io_rw` of io_uring/rw.c).
#[inline(always)]
pub fn workload_of(iocb: u64) -> u32 {
    // SAFETY: the entry stays valid for the run of the program.
    under_way(iocb).map_or(0, |entry| unsafe { (*entry).workload })
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
            (*stats).for_worker += u64::from(request.flags & UringRequest::FOR_WORKER != 0);
        } else if request.flags & UringRequest::POLLED != 0 {
            (*stats).polled += 1;
        } else if ring::is_submitting(ctx) {
            (*stats).inline += 1;
        } else if request.opcode == POLL_ADD {
            // It arms its file itself, and no event tells.
            (*stats).polled += 1;
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
