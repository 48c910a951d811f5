//! Where the time of a thread goes: each interval off the CPU, with the call that it falls into.
//!
//! The scheduler's tracepoints say when a thread leaves the CPU and comes back; `wait.rs` says what for.

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use ioprof_ebpf::abi::{
    off_cpu::{Clock, WAIT_KINDS, WaitKind, Waker, asleep},
    task::{TaskState, WorkloadTotals},
    turn::Twice,
};

use super::{edges, returned, row, state, wait, worker};
use crate::probes::base::{
    atomic, histogram,
    memory::{self, constant, field, now},
    turn, verifier, window,
};

/// `TASK_DEAD` of include/linux/sched.h: the last time that a thread leaves the CPU.
const TASK_DEAD: u32 = 0x80;

#[btf_tracepoint(function = "sched_switch")]
fn switch(ctx: BtfTracePointContext) {
    let preempted: u8 = ctx.arg(0);
    let (previous, next): (*const c_void, *const c_void) = (ctx.arg(1), ctx.arg(2));
    // SAFETY: both are arguments of the tracepoint; a record stays valid for the run of the program, and only
    // the switches of its own task, which the run queue's lock keeps apart, write the fields used here.
    unsafe {
        wait::forget_completed();
        if let Some(state) = state::of(previous)
            && edges::takes_part(previous, state)
        {
            if (*state).clock.since_ns != 0 {
                leave(previous, &mut *state, preempted != 0, now());
            } else if (*state).clock.exit_ns != 0 {
                leave_exiting(previous, &mut *state);
            }
        }
        if let Some(state) = state::of(next)
            && edges::takes_part(next, state)
            && (*state).clock.off_ns != 0
        {
            enter(next, &mut *state, now());
        }
    }
}

/// A thread that runs already comes into scope, on a CPU or asleep.
///
/// # Safety
///
/// As for [`leave`].
#[inline(always)]
pub unsafe fn start(task: *const c_void, state: &mut TaskState) {
    let now = now();
    // SAFETY: by the caller's promise.
    unsafe {
        if field::<u8>(task, &memory::OFF_TASK_ON_CPU) == 0 {
            leave(task, state, false, now);
        }
    }
    state.clock.since_ns = now;
}

/// A thread leaves the CPU.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, which is the one of the record.
#[inline(always)]
unsafe fn leave(task: *const c_void, state: &mut TaskState, preempted: bool, now: u64) {
    // SAFETY: by the caller's promise.
    let charged_ns: u64 = unsafe { field(task, &memory::OFF_TASK_RUNTIME) };
    let charged = charged_ns.wrapping_sub(state.clock.charged_ns);
    if state.clock.off_ns != 0 {
        // That it came back was not seen, but it has run for so long.
        // SAFETY: by the caller's promise.
        unsafe { enter(task, state, now.saturating_sub(charged)) };
    }
    let clock = &mut state.clock;
    if clock.on_ns != 0 {
        // The scheduler brings its count up to date as a thread leaves the CPU. It may have charged more, as it
        // begins with the waking where it need not read the clock again (`rq_clock_skip_update`).
        clock.times.uncharged_ns += now.saturating_sub(clock.on_ns).saturating_sub(charged);
    }
    clock.charged_ns = charged_ns;
    // SAFETY: by the caller's promise.
    unsafe { wait::begin(task, state, preempted, now) };
    state.clock.off_ns = now;
}

/// A thread that exits leaves the CPU. All its time since it began to exit is one.
///
/// # Safety
///
/// As for [`leave`].
#[inline(always)]
unsafe fn leave_exiting(task: *const c_void, state: &mut TaskState) {
    // SAFETY: by the caller's promise, and the totals are in the map.
    unsafe {
        if field::<u32>(task, &memory::OFF_TASK_STATE) & TASK_DEAD == 0 {
            return;
        }
        let Some(totals) = state::totals(state.workload) else {
            return;
        };
        let now = now();
        let exit = now.saturating_sub(state.clock.exit_ns);
        state.clock.exit_ns = 0;
        atomic::add(&raw mut (*totals).times.thread_ns, exit);
        atomic::add(&raw mut (*totals).times.exit_ns, exit);
        row::add_exit(task, state, exit, now);
    }
}

/// A thread came back to a CPU.
///
/// # Safety
///
/// As for [`leave`].
#[inline(never)]
unsafe fn enter(task: *const c_void, state: &mut TaskState, now: u64) {
    state.clock.on_ns = now;
    let woken = match state.clock.woken_ns {
        0 => now,
        woken => woken.min(now),
    };
    let slept = woken.saturating_sub(state.clock.off_ns);
    let runnable = now.saturating_sub(woken);
    if state.clock.waker == Waker::Worker as u32 {
        worker::divide(state, slept);
    } else {
        let parts = wait::divide(state.workload, &state.clock, slept, now);
        add(state, WaitKind::Queue as u32, parts.queue_ns);
        add(state, WaitKind::Service as u32, parts.service_ns);
        add(state, parts.rest_kind, parts.rest_ns);
        if state.flags & TaskState::OF_RING != 0 {
            // SAFETY: by the caller's promise.
            unsafe { worker::slept(task, &state.clock, &parts, runnable) };
        }
    }
    add(state, WaitKind::Runnable as u32, runnable);
    if state.clock.asleep & asleep::RETURNING != 0 {
        returned::slept(state, now);
    }
    state.clock.off_ns = 0;
}

/// 1 where balance_dirty_pages is given the figures of a domain as one structure, 0 where one by one, as by older kernels; set at
/// load.
#[unsafe(no_mangle)]
static THROTTLE_BY_DOMAIN: u32 = 0;

/// Adds time off the CPU.
#[inline(always)]
pub fn add(state: &mut TaskState, part: u32, ns: u64) {
    let part = part as usize;
    if ns == 0 || part >= WAIT_KINDS {
        return;
    }
    let is_of_call = state.entered_ns != 0
        || state.clock.asleep & asleep::RETURNING != 0 && state.returned.entered_ns != 0;
    let clock = &mut state.clock;
    let part = verifier::below_16(part);
    // SAFETY: it is less than their number.
    unsafe { *clock.times.parts.get_unchecked_mut(part) += ns };
    if is_of_call {
        let part = verifier::below_16(part);
        // SAFETY: as above.
        unsafe { *clock.call_waits.get_unchecked_mut(part) += ns };
        clock.call_off_ns += ns;
    }
}

#[btf_tracepoint(function = "sched_waking")]
fn waking(ctx: BtfTracePointContext) {
    let task: *const c_void = ctx.arg(0);
    let Some(state) = state::of(task) else {
        return;
    };
    // SAFETY: the record stays valid for the run of the program. One waker at a time holds the task's lock
    // (`pi_lock`), and the task itself writes none of this while it is off the CPU. It may just be leaving it: what is
    // read here is whole, and nothing is written before `leave` has set `off_ns`, which it does last.
    unsafe {
        let clock = &raw mut (*state).clock;
        let off_ns = (&raw const (*clock).off_ns).read_volatile();
        if off_ns == 0 || (*clock).woken_ns != 0 || !window::is_open() {
            return;
        }
        let now = now();
        wait::woken(task, clock, now);
        (*clock).woken_ns = now;
    }
}

/// The kernel decides whether it holds the running task back, as too many pages are dirty.
#[btf_tracepoint(function = "balance_dirty_pages")]
fn throttle(ctx: BtfTracePointContext) {
    // For how many ticks, and 0 or less where it does not (mm/page-writeback.c).
    let pause: u64 = if constant(&THROTTLE_BY_DOMAIN) == 0 {
        verifier::read_by_itself(ctx.arg(10))
    } else {
        ctx.arg(6)
    };
    if pause.cast_signed() > 0
        && let Some(state) = state::of(state::current())
        && let Some(_turn) = turn::of_event(&ctx, Twice::Throttle)
    {
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe { (*state).clock.throttled = 1 };
    }
}

/// Adds the time off the CPU of a call that has returned to the sums of its operation, and to the octave of its latency,
/// which may have no block.
#[inline(always)]
pub fn count_call(clock: &mut Clock, sums: &mut [u64; WAIT_KINDS], series: u32, latency: u64) {
    clock.times.in_call_off_ns += clock.call_off_ns;
    clock.call_off_ns = 0;
    let octave = histogram::octave(series, latency);
    let waits = clock.call_waits.iter_mut().zip(sums);
    for (part, (wait, sum)) in waits.enumerate() {
        let ns = *wait;
        if ns == 0 {
            continue;
        }
        *wait = 0;
        // SAFETY: the sum is in a map, and so is the octave, which has more cells than there are parts.
        unsafe {
            atomic::add(sum, ns);
            if let Some(octave) = octave {
                atomic::add(octave.cast::<u64>().add(part), ns);
            }
        }
    }
}

/// Adds to the workload's totals what the thread's time has come to at `until_ns` since the last settling. The thread
/// may run meanwhile: what it adds then is for the next settling.
///
/// # Safety
///
/// `state` is a record, and `totals` is in the map.
#[inline(always)]
pub unsafe fn settle(state: *mut TaskState, totals: *mut WorkloadTotals, until_ns: u64) {
    // SAFETY: by the caller's promise. The thread's own programs write its times and read no `settled`; every number
    // is read whole.
    unsafe {
        if (*state).clock.since_ns == 0 {
            return;
        }
        let clock = &raw mut (*state).clock;
        // What is under way counts up to then.
        let off = match (*clock).off_ns {
            0 => 0,
            off => until_ns.saturating_sub(off),
        };
        let runnable = match (*clock).woken_ns {
            0 => 0,
            woken => until_ns.saturating_sub(woken).min(off),
        };
        let (in_call, off_in_call) = match (*state).entered_ns {
            0 if (*state).flags & TaskState::RETURNED_LATE != 0 => (0, (*clock).call_off_ns),
            0 => (0, 0),
            entered => (until_ns.saturating_sub(entered), (*clock).call_off_ns + off),
        };
        let thread = until_ns.saturating_sub((*clock).since_ns);
        let sum = &raw mut (*totals).times;
        // One by one: programs that call this have little room on the stack.
        macro_rules! add {
            ($($name:ident: $now:expr),* $(,)?) => {
                $(
                    let now: u64 = $now;
                    let since = now.wrapping_sub((*clock).settled.$name);
                    atomic::add(&raw mut (*sum).$name, since);
                    (*clock).settled.$name = now;
                )*
            };
        }
        add!(
            thread_ns: thread,
            in_call_ns: (*clock).times.in_call_ns + in_call,
            in_call_off_ns: (*clock).times.in_call_off_ns + off_in_call,
            uncharged_ns: (*clock).times.uncharged_ns,
            timed_calls: (*clock).times.timed_calls,
            timed_ns: (*clock).times.timed_ns,
        );
        let mut waits = 0;
        for part in 0..WAIT_KINDS {
            let mut now = (*clock).times.parts[part];
            if part == (*clock).wait_kind as usize {
                now += off - runnable;
            }
            if part == WaitKind::Runnable as usize {
                now += runnable;
            }
            let since = now.wrapping_sub((*clock).settled.parts[part]);
            atomic::add((&raw mut (*sum).parts).cast::<u64>().add(part), since);
            (*clock).settled.parts[part] = now;
            waits += now;
        }
        if (*state).flags & TaskState::OF_RING != 0 {
            let charged = thread.saturating_sub(waits + (*clock).times.uncharged_ns);
            add!(ring_cpu_ns: charged);
        }
    }
}
