//! Where the time of a thread goes: each interval off the CPU, with the call that it falls into.
//!
//! The scheduler's tracepoints say when a thread leaves the CPU and comes back; why it left follows from the
//! call in flight, from `in_iowait`, which the kernel sets for waits on devices, and from who woke it.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    block::Depth,
    layout::MAX_BUSY,
    off_cpu::{Clock, KERNEL, LastRequest, NOBODY, Times, WAIT_KINDS, WaitKind, busy},
    syscall::CallKind,
    task::{TaskState, WorkloadTotals},
};

use super::{edges, state};
use crate::probes::base::{
    atomic, histogram, in_flight,
    memory::{self, constant, field, now},
    window,
};

/// The time with requests in flight, by [`busy`].
#[btf_map]
static BUSY: Array<Depth, { MAX_BUSY as usize }> = Array::new();

/// The request that this CPU has completed last.
#[btf_map]
static LAST_REQUEST: PerCpuArray<LastRequest, 1> = PerCpuArray::new();

/// The bit of `in_iowait` in its byte; set at load.
#[unsafe(no_mangle)]
static IN_IOWAIT: u32 = 0;

/// `TASK_UNINTERRUPTIBLE` and `TASK_WAKEKILL` of include/linux/sched.h.
const TASK_UNINTERRUPTIBLE: u32 = 0x2;
const TASK_WAKEKILL: u32 = 0x100;

/// Waiters are woken by the interrupt that completes their request, within this many nanoseconds of its
/// tracepoint.
const AT_ONCE_NS: u64 = 50_000;

#[btf_tracepoint(function = "sched_switch")]
fn switch(ctx: BtfTracePointContext) {
    let preempted: u8 = ctx.arg(0);
    let (previous, next): (*const c_void, *const c_void) = (ctx.arg(1), ctx.arg(2));
    // SAFETY: both are arguments of the tracepoint; a record stays valid for the run of the program, and only
    // the switches of its own task, which the run queue's lock keeps apart, write the fields used here.
    unsafe {
        if let Some(state) = state::of(previous)
            && edges::takes_part(previous, state)
            && (*state).clock.since_ns != 0
        {
            leave(previous, &mut *state, preempted != 0, now());
        }
        if let Some(state) = state::of(next)
            && edges::takes_part(next, state)
            && (*state).clock.off_ns != 0
        {
            enter(&mut *state, field(next, &memory::OFF_TASK_RUNTIME));
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
    let (part, charged): (_, u64) = unsafe {
        (
            why(task, state, preempted),
            field(task, &memory::OFF_TASK_RUNTIME),
        )
    };
    let clock = &mut state.clock;
    if clock.on_ns != 0 {
        // The scheduler brings its count up to date as a thread leaves the CPU. It may have charged more, as it
        // begins with the waking where it need not read the clock again (`rq_clock_skip_update`).
        let charged = charged.wrapping_sub(clock.charged_ns);
        clock.times.uncharged_ns += now.saturating_sub(clock.on_ns).saturating_sub(charged);
    }
    clock.wait_kind = part as u32;
    clock.request_known = 0;
    clock.woken_ns = if matches!(part, WaitKind::Runnable) {
        now
    } else {
        0
    };
    let behind = match part {
        WaitKind::Journal => Some(KERNEL),
        WaitKind::Device => Some(state.workload),
        _ => None,
    };
    if let Some(workload) = behind {
        clock.busy_queued_ns = busy_ns(workload, false, now);
        clock.busy_issued_ns = busy_ns(workload, true, now);
    }
    clock.off_ns = now;
}

/// Why a thread leaves the CPU.
///
/// # Safety
///
/// As for [`leave`].
#[inline(always)]
unsafe fn why(task: *const c_void, state: &mut TaskState, preempted: bool) -> WaitKind {
    // SAFETY: by the caller's promise.
    let (sleeps, io): (u32, u8) = unsafe {
        (
            field(task, &memory::OFF_TASK_STATE),
            field(task, &memory::OFF_TASK_IN_IOWAIT),
        )
    };
    if preempted || sleeps == 0 {
        return WaitKind::Runnable;
    }
    let waits_for_device = u32::from(io) & constant(&IN_IOWAIT) != 0;
    if state.entered_ns == 0 && state.flags & TaskState::MAY_BE_IN_CALL == 0 {
        return match () {
            () if waits_for_device || sleeps & TASK_UNINTERRUPTIBLE != 0 => WaitKind::Fault,
            // Stopped, or traced.
            () => WaitKind::Idle,
        };
    }
    let kind = CallKind(state.kind);
    let killable = TASK_UNINTERRUPTIBLE | TASK_WAKEKILL;
    if waits_for_device {
        let throttled = state.clock.throttled != 0 && sleeps & killable == killable;
        state.clock.throttled = 0;
        return if throttled {
            WaitKind::Throttle
        } else {
            WaitKind::Device
        };
    }
    match () {
        () if kind.has(CallKind::SYNCS) && sleeps & TASK_UNINTERRUPTIBLE != 0 => WaitKind::Journal,
        () if kind.operation() != 0 => WaitKind::Sleep,
        () => WaitKind::Idle,
    }
}

/// A thread comes back to a CPU.
#[inline(always)]
fn enter(state: &mut TaskState, charged_ns: u64) {
    let now = now();
    state.clock.on_ns = now;
    state.clock.charged_ns = charged_ns;
    let clock = &state.clock;
    let woken = if clock.woken_ns == 0 {
        now
    } else {
        clock.woken_ns
    };
    let slept = woken.saturating_sub(clock.off_ns);
    let runnable = now.saturating_sub(woken);
    let (part, known, queued) = (clock.wait_kind, clock.request_known, clock.in_queue_ns);
    let mut rest = slept;
    if part == WaitKind::Device as u32 && known != 0 {
        let queue = queued.min(slept);
        add(state, WaitKind::Queue as u32, queue);
        add(state, WaitKind::Service as u32, slept - queue);
        rest = 0;
    } else if part == WaitKind::Device as u32 || part == WaitKind::Journal as u32 {
        let behind = if part == WaitKind::Journal as u32 {
            KERNEL
        } else {
            state.workload
        };
        let queued = busy_ns(behind, false, now).wrapping_sub(clock.busy_queued_ns);
        let issued = busy_ns(behind, true, now).wrapping_sub(clock.busy_issued_ns);
        let service = issued.min(slept);
        let queue = queued.saturating_sub(issued).min(slept - service);
        add(state, WaitKind::Service as u32, service);
        add(state, WaitKind::Queue as u32, queue);
        rest = slept - service - queue;
    }
    add(state, part, rest);
    add(state, WaitKind::Runnable as u32, runnable);
    state.clock.off_ns = 0;
}

/// Adds time off the CPU.
#[inline(always)]
fn add(state: &mut TaskState, part: u32, ns: u64) {
    let part = part as usize;
    if ns == 0 || part >= WAIT_KINDS {
        return;
    }
    state.clock.times.parts[part] += ns;
    if state.entered_ns != 0 {
        state.clock.call_waits[part] += ns;
        state.clock.call_off_ns += ns;
    }
}

#[btf_tracepoint(function = "sched_waking")]
fn waking(ctx: BtfTracePointContext) {
    let Some(state) = state::of(ctx.arg(0)) else {
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
        let part = (*clock).wait_kind;
        let waits = part == WaitKind::Sleep as u32 && CallKind((*state).kind).has(CallKind::WAITS);
        if (part == WaitKind::Device as u32 || waits)
            && let Some(last) = LAST_REQUEST.get_ptr_mut(0)
        {
            // This CPU's own; no interrupt completes a request here while the lock is held.
            let last = *last;
            if now.saturating_sub(last.done_ns) < AT_ONCE_NS {
                (*clock).wait_kind = WaitKind::Device as u32;
                (*clock).in_queue_ns = last.issued_ns.saturating_sub(off_ns);
                (*clock).request_known = 1;
            }
        }
        (*clock).woken_ns = now;
    }
}

/// The kernel will hold the running task back: too many pages are dirty.
#[btf_tracepoint(function = "balance_dirty_pages")]
fn throttle(_ctx: BtfTracePointContext) {
    if let Some(state) = state::of(state::current()) {
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe { (*state).clock.throttled = 1 };
    }
}

/// This CPU has completed a request, or a part of one.
#[inline(always)]
pub fn completed(queued_ns: u64, issued_ns: u64, done_ns: u64) {
    if let Some(last) = LAST_REQUEST.get_ptr_mut(0) {
        // SAFETY: the value is this CPU's own.
        unsafe {
            *last = LastRequest {
                issued_ns: if issued_ns == 0 { queued_ns } else { issued_ns },
                done_ns,
            };
        }
    }
}

/// A request of a workload, or of a kernel thread, is queued or issued.
#[inline(always)]
pub fn begin(waiting_workload: u32, issued: bool, now: u64) {
    if waiting_workload != NOBODY {
        in_flight::begin_in(&BUSY, busy(waiting_workload, issued), now);
    }
}

/// Such a request completes.
#[inline(always)]
pub fn end(waiting_workload: u32, issued: bool, now: u64) {
    if waiting_workload != NOBODY {
        in_flight::end_in(&BUSY, busy(waiting_workload, issued), now);
    }
}

/// The time with requests in flight, up to now. Another CPU may be between the two steps of [`depth`]; the
/// waits that this is for are clamped to their length.
#[inline(always)]
fn busy_ns(workload: u32, issued: bool, now: u64) -> u64 {
    BUSY.get_ptr_mut(busy(workload, issued)).map_or(0, |depth| {
        // SAFETY: the value is in the map; each number is read whole.
        unsafe {
            if (*depth).in_flight == 0 {
                (*depth).busy_ns
            } else {
                (*depth).busy_ns.wrapping_add(now)
            }
        }
    })
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
        *wait = 0;
        *sum += ns;
        if let Some(octave) = octave {
            // SAFETY: the pointer comes from the map, and a block has more cells than there are parts.
            unsafe { *octave.cast::<u64>().add(part) += ns };
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
        let times = as_of(state, until_ns);
        let settled = &raw mut (*state).clock.settled;
        let sum = &raw mut (*totals).times;
        macro_rules! add {
            ($($name:ident),*) => {
                $(atomic::add(
                    &raw mut (*sum).$name,
                    times.$name.wrapping_sub((*settled).$name),
                );)*
            };
        }
        add!(thread_ns, in_call_ns, uncharged_ns, in_call_off_ns);
        add!(timed_calls, timed_ns);
        for part in 0..WAIT_KINDS {
            atomic::add(
                (&raw mut (*sum).parts).cast::<u64>().add(part),
                times.parts[part].wrapping_sub((*settled).parts[part]),
            );
        }
        *settled = times;
    }
}

/// The times with what is under way counted up to now.
///
/// # Safety
///
/// `state` is a record.
#[inline(always)]
unsafe fn as_of(state: *const TaskState, now: u64) -> Times {
    // SAFETY: by the caller's promise; every number is read whole.
    unsafe {
        let clock = &raw const (*state).clock;
        let mut times = (*clock).times;
        times.thread_ns = now.saturating_sub((*clock).since_ns);
        let off = match (*clock).off_ns {
            0 => 0,
            off => now.saturating_sub(off),
        };
        if off > 0 {
            let runnable = match (*clock).woken_ns {
                0 => 0,
                woken => now.saturating_sub(woken).min(off),
            };
            let part = (*clock).wait_kind as usize;
            if part < WAIT_KINDS {
                times.parts[part] += off - runnable;
            }
            times.parts[WaitKind::Runnable as usize] += runnable;
        }
        if (*state).entered_ns != 0 {
            times.in_call_ns += now.saturating_sub((*state).entered_ns);
            times.in_call_off_ns += (*clock).call_off_ns + off;
        }
        times
    }
}
