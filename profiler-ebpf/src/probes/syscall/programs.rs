//! System calls of the tasks in scope: entry stamps the task's record, exit counts.

use core::{ffi::c_void, mem};

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::PerCpuArray,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    layout::{CALL_SERIES, call_index, call_series},
    loss::Loss,
    row::Tally,
    syscall::{CallKind, CallStats, PendingSizes},
    task::{TIMED_EVERY, TaskState},
    turn::Twice,
};

use super::{
    aio_call,
    arguments::Arguments,
    errors::{count_error, is_error},
    file_access, file_counts, kind, late, page_cache,
    size::{UNKNOWN_SIZE, message_bytes, vector_size},
};
use crate::probes::{
    base::{
        atomic, histogram, loss,
        memory::{self, field, now},
        turn,
        verifier::{fresh, given},
        window::{self, Window},
    },
    task::{edges, off_cpu, returned, state},
};

/// By [`call_index`].
#[btf_map]
pub static CALLS: PerCpuArray<CallStats, 1> = PerCpuArray::new();

#[btf_tracepoint(function = "sys_enter")]
fn syscall_enter(ctx: BtfTracePointContext) {
    let task = state::current();
    let Some(state) = state::of(task) else {
        return;
    };
    // SAFETY: it is the record of the running task.
    let Some(_turn) = (unsafe { turn::of_call(&ctx, state, Twice::SyscallEnter) }) else {
        return;
    };
    let registers: *const c_void = ctx.arg(0);
    let number: u64 = ctx.arg(1);
    // SAFETY: the record stays valid for the run of the program; `registers` is the tracepoint's argument.
    unsafe {
        if !window::is_open() {
            edges::outside(task, state);
            if window::state() == Window::NotYet {
                // It may be the call in which the window begins.
                (*state).kind = kind::of_call(task, registers, number as u32).0;
            }
            return;
        }
        let began = if (*state).until_timed == 0 { now() } else { 0 };
        let kind = kind::of_call(task, registers, number as u32);
        let arguments = Arguments::new(registers, kind);
        if (*state).flags != 0 {
            late::settle(task, &mut *state);
            if !edges::begins(task, state, kind) {
                return;
            }
        }
        if (*state).entered_ns != 0 {
            loss::count(Loss::ExitMissed);
        }
        (*state).kind = kind.0;
        (*state).clock.throttled = 0;
        (*state).requests = 0;
        (*state).direct_read_bytes = 0;
        (*state).direct_written_bytes = 0;
        (*state).size = match kind.size() {
            0 => 0,
            CallKind::SIZE_ARG2 => arguments.find::<2>(),
            CallKind::SIZE_ARG3 => arguments.get::<3>(),
            CallKind::SIZE_ARG4 => arguments.get::<4>(),
            _ => vector_size(arguments, kind),
        };
        file_access::begin(task, &mut *state, arguments, kind);
        let entered = now();
        (*state).entered_ns = entered;
        if began != 0 {
            (*state).clock.times.timed_ns += entered - began;
        }
    }
}

#[btf_tracepoint(function = "sys_exit")]
// Older kernels count the stack of the function that calls it, too.
#[inline(always)]
fn syscall_exit(ctx: BtfTracePointContext) {
    let task = state::current();
    let Some(state) = state::of(task) else {
        return;
    };
    // SAFETY: it is the record of the running task.
    let Some(_turn) = (unsafe { turn::of_call(&ctx, state, Twice::SyscallExit) }) else {
        return;
    };
    let now = now();
    let result: u64 = ctx.arg(1);
    // SAFETY: the record stays valid for the run of the program.
    unsafe {
        if !window::is_open() {
            edges::outside(task, state);
            if window::state() == Window::NotYet && (*state).flags == TaskState::CHILD_RETURN {
                // The next return may be from a call in which the window begins.
                (*state).flags = TaskState::MAY_BE_IN_CALL;
            }
            return;
        }
        let entered = (*state).entered_ns;
        if entered == 0 {
            unmatched(task, state, ctx.arg(0), result);
            return;
        }
        let latency = now.wrapping_sub(entered);
        returned::begin(task, &mut *state, latency);
        let kind = CallKind((*state).kind);
        let arguments = Arguments::new(ctx.arg(0), kind);
        if kind.has(CallKind::FILE | CallKind::OPENS) {
            files(task, &mut *state, arguments, latency, result);
        }
        // SAFETY: the record is in its map, and the second argument of the tracepoint is a number.
        let (latency, result) = (
            fresh(&raw const (*state).returned.latency_ns),
            fresh(ctx.as_ptr().cast::<u64>().add(1)),
        );
        let kind = CallKind(fresh(&raw const (*state).kind));
        count(&mut *state, latency, result);
        let counts = CallKind::ASYNCHRONOUS | CallKind::MESSAGES | CallKind::SUBMITS;
        if kind.has(counts) && !is_error(result) {
            if kind.has(CallKind::MESSAGES) {
                count_messages(&mut *state, arguments, result);
            } else if kind.has(CallKind::SUBMITS) {
                count_submitted(&mut *state, result);
            } else {
                aio_call::count_aio_call(now, result);
            }
        }
        time_probes(&mut *state, now);
    }
}

/// Ends the timing of the probes for a call, or counts down to the next that is timed.
#[inline(always)]
fn time_probes(state: &mut TaskState, exited: u64) {
    if state.until_timed != 0 {
        state.until_timed -= 1;
        return;
    }
    state.until_timed = TIMED_EVERY - 1;
    state.clock.times.timed_calls += 1;
    state.clock.times.timed_ns += now() - exited;
}

/// Counts a call on files in their rows, and how the cache has served it.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn files(
    task: *const c_void,
    state: &mut TaskState,
    arguments: Arguments,
    latency: u64,
    result: u64,
) {
    let kind = CallKind(state.kind);
    // The result of messages is no number of bytes: see `count_messages`.
    let failed = is_error(result) || kind.has(CallKind::MESSAGES);
    // SAFETY: by the caller's promise.
    let file = unsafe {
        if kind.has(CallKind::TRANSFERS) {
            file_access::count_transfer(task, state, arguments, result)
        } else {
            file_access::count(task, state, latency, result, failed)
        }
    };
    if kind.has(CallKind::READS | CallKind::TRANSFERS) {
        let (file, bytes) = if failed { (0, 0) } else { (file, result) };
        page_cache::count(state, file, latency, bytes);
    }
}

/// Counts a call that has returned.
#[inline(always)]
fn count(state: &mut TaskState, latency: u64, result: u64) {
    let kind = CallKind(state.kind);
    let (workload, operation) = (state.workload, kind.operation());
    state.clock.times.in_call_ns += latency;
    state.tally.calls += 1;
    if kind.has(CallKind::COMPAT) {
        count_compat(workload);
    }
    let Some(stats) = CALLS.get_ptr_mut(call_index(workload, operation)) else {
        return;
    };
    // SAFETY: the value is this CPU's own. Only this program writes these, and the requested bytes have writers of
    // their own, which `settle_sizes` keeps apart.
    unsafe { (*stats).latency.add(latency) };
    let series = call_series(workload, operation);
    // What is still to come may bring the call to another octave.
    if state.clock.call_off_ns != 0 && state.returned.has_work == 0 {
        // SAFETY: as above.
        let sums = unsafe { &mut (*stats).off_cpu };
        off_cpu::count_call(&mut state.clock, sums, series + 2, latency);
    }
    histogram::record(series, latency);
    let failed = is_error(result);
    if failed {
        // SAFETY: as above.
        unsafe { (*stats).errors += 1 };
        count_error(workload, operation, result.wrapping_neg() as u32);
    }
    if kind.has(CallKind::MOVES_BYTES) {
        let moved = if failed { 0 } else { result };
        // SAFETY: as above.
        unsafe { (*stats).bytes += moved };
        add_bytes(&mut state.tally, kind, moved);
        let size = if state.size == UNKNOWN_SIZE {
            count_unread_vector(workload);
            moved
        } else {
            state.size
        };
        count_size(state, series + 1, size);
    }
}

/// Counts bytes that a call has moved for its thread, by the way they went.
#[inline(always)]
const fn add_bytes(tally: &mut Tally, kind: CallKind, bytes: u64) {
    let reads = kind.has(CallKind::READS);
    if reads != kind.has(CallKind::WRITES) {
        if reads {
            tally.read_bytes += bytes;
        } else {
            tally.written_bytes += bytes;
        }
    } else {
        tally.copied_bytes += bytes;
    }
}

/// Counts the bytes of so many messages that a call has moved; it has asked for as many. All else is counted.
#[inline(always)]
fn count_messages(state: &mut TaskState, arguments: Arguments, messages: u64) {
    let kind = CallKind(state.kind);
    let bytes = message_bytes(arguments, messages);
    let (workload, operation) = (state.workload, kind.operation());
    if let Some(stats) = CALLS.get_ptr_mut(call_index(workload, operation)) {
        // SAFETY: as in `count`.
        unsafe { (*stats).bytes += bytes };
        add_bytes(&mut state.tally, kind, bytes);
    }
    count_size(state, call_series(workload, operation) + 1, bytes);
    if kind.has(CallKind::READS) {
        page_cache::add_uncached(workload, bytes);
    }
    file_access::add_bytes(state, kind, bytes);
}

/// Counts how many requests a call has submitted to a ring, where it has. What it returns is only what was asked for where
/// a thread of the kernel submits (`IORING_SETUP_SQPOLL`).
#[inline(always)]
fn count_submitted(state: &mut TaskState, requests: u64) {
    let operation = CallKind(state.kind).operation();
    let has_submitted = mem::take(&mut state.has_submitted) != 0;
    if has_submitted
        && requests != 0
        && let Some(stats) = CALLS.get_ptr_mut(call_index(state.workload, operation))
    {
        // SAFETY: as in `count`: it has no bytes.
        unsafe { (*stats).size.add(requests) };
    }
}

/// Counts the requested bytes of a call. Those of calls in a row that ask for as many are counted together.
#[inline(always)]
fn count_size(state: &mut TaskState, series: u32, size: u64) {
    if (state.sizes.series, state.sizes.value) != (series, size) {
        settle_sizes(&mut state.sizes);
        state.sizes.series = series;
        state.sizes.value = size;
    }
    state.sizes.count += 1;
}

/// Counts what a thread has pending: the calls on the file it used last, their requested bytes, and what it did after the
/// last.
///
/// # Safety
///
/// `task` is a BTF pointer to the task that `state` is the record of.
#[inline(always)]
pub unsafe fn settle(task: *const c_void, state: &mut TaskState) {
    // SAFETY: by the caller's promise.
    unsafe { late::settle(task, state) };
    file_counts::settle_file(&raw mut state.file);
    settle_pending_sizes(&raw mut state.sizes);
}

/// Counts pending requested bytes.
#[inline(always)]
fn settle_sizes(sizes: &mut PendingSizes) {
    if sizes.count == 0 {
        return;
    }
    if let Some(stats) = CALLS.get_ptr_mut(sizes.series / CALL_SERIES) {
        // SAFETY: the value is in the map. Its writers, which are a thread's next call, its exit and the walks over
        // all tasks, use atomic operations.
        unsafe {
            histogram::add_shared(&raw mut (*stats).size, sizes.value, sizes.count);
        }
    }
    histogram::record_shared(sizes.series, sizes.value, sizes.count);
    sizes.count = 0;
}

/// The same, exported: see `base/verifier.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn settle_pending_sizes(sizes: *mut PendingSizes) -> u64 {
    // SAFETY: the caller passes a reference.
    if let Some(sizes) = unsafe { given(sizes) } {
        settle_sizes(sizes);
    }
    0
}

/// An exit without an entry: expected once in the life of a task, and where a seccomp filter has answered.
#[inline(always)]
unsafe fn unmatched(
    task: *const c_void,
    state: *mut TaskState,
    registers: *const c_void,
    result: u64,
) {
    // SAFETY: the caller passes the current task and its record.
    unsafe {
        if (*state).is_new != 0 {
            edges::begin(task, state);
        }
        late::settle(task, &mut *state);
        (*state).returned.entered_ns = 0;
        let flags = (*state).flags & !TaskState::RETURNED_LATE;
        if flags & TaskState::WAITING != 0 {
            return;
        }
        (*state).flags = 0;
        if flags & TaskState::CHILD_RETURN != 0 {
            return;
        }
        if flags & TaskState::MAY_BE_IN_CALL == 0 {
            let number: u64 = field(registers, &memory::OFF_NUMBER);
            let kind = kind::of_call(task, registers, number as u32);
            // A filter that answers with success moves nothing.
            let moved = result != 0 && kind.has(CallKind::MOVES_BYTES);
            if is_error(result) || !moved && state::is_filtered(task) {
                count_refused(&mut *state, kind, result);
            } else {
                loss::count(Loss::ExitUnmatched);
            }
            return;
        }
        edges::forget_call(task, state);
        if let Some(totals) = state::totals((*state).workload) {
            atomic::add(&raw mut (*totals).calls_in_flight_at_attach, 1);
        }
    }
}

/// Counts a call that a seccomp filter has answered, before the kernel showed that it had begun.
#[inline(always)]
fn count_refused(state: &mut TaskState, kind: CallKind, result: u64) {
    let (workload, operation) = (state.workload, kind.operation());
    let Some(stats) = CALLS.get_ptr_mut(call_index(workload, operation)) else {
        return;
    };
    // SAFETY: the value is this CPU's own, and no other program writes these two.
    unsafe {
        (*stats).refused += 1;
        (*stats).errors += u64::from(is_error(result));
    }
    state.tally.calls += 1;
    if is_error(result) {
        count_error(workload, operation, result.wrapping_neg() as u32);
    }
}

#[inline(always)]
fn count_compat(workload: u32) {
    if let Some(totals) = state::totals(workload) {
        // SAFETY: the counter is in the map.
        unsafe { atomic::add(&raw mut (*totals).compat_calls, 1) };
    }
}

#[inline(always)]
fn count_unread_vector(workload: u32) {
    if let Some(totals) = state::totals(workload) {
        // SAFETY: the counter is in the map.
        unsafe { atomic::add(&raw mut (*totals).vectors_unread, 1) };
    }
}
