//! Why a thread sleeps: what is known as it leaves the CPU, and what its waker tells.
//!
//! Neither the name of the call nor the kernel's mark of a wait for I/O says what a sleep is for: a write waits for the
//! journal where the file was opened with `O_DSYNC`, and a ring is marked as waiting for I/O while it waits for a
//! pipe. Who ends the sleep does: the completion of a request, a thread of the kernel, or another thread.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    block::{Depth, RequestState},
    layout::MAX_BUSY,
    off_cpu::{Clock, KERNEL, LastRequest, NOBODY, WaitKind, Waker, asleep, busy},
    syscall::CallKind,
    task::TaskState,
};

use super::{returned, state, waiter, worker};
use crate::probes::base::{
    in_flight,
    memory::{self, constant, field},
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
/// `__TASK_STOPPED`, `__TASK_TRACED` and `TASK_FROZEN` of the same: others have stopped it.
const STOPPED: u32 = 0x4 | 0x8 | 0x8000;

/// Waiters are woken by the interrupt that completes their request, within this many nanoseconds of its
/// tracepoint.
const AT_ONCE_NS: u64 = 50_000;

/// Sets why a thread leaves the CPU, as far as it is known then.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, which is the one of the record.
#[inline(always)]
pub unsafe fn begin(task: *const c_void, state: &mut TaskState, preempted: bool, now: u64) {
    let sleeps: u32 = if preempted {
        0
    } else {
        // SAFETY: by the caller's promise.
        unsafe { field(task, &memory::OFF_TASK_STATE) }
    };
    let is_stopped = sleeps & STOPPED != 0;
    let (kind, mut asleep) = match sleeps {
        0 => (WaitKind::Runnable, 0),
        _ if is_stopped => (WaitKind::Idle, 0),
        // SAFETY: by the caller's promise.
        _ => unsafe { why(task, state, sleeps) },
    };
    // It is stopped behind what was to be done on the way out of a call.
    if state.returned.has_work != 0 && state.entered_ns == 0 && !is_stopped {
        // SAFETY: by the caller's promise.
        unsafe {
            if state::is_in_call(task) {
                asleep |= asleep::RETURNING;
            } else {
                returned::end(task, state);
            }
        }
    }
    let is_io = asleep & asleep::IO != 0;
    if is_io {
        waiter::enter(task, state);
    }
    let clock = &mut state.clock;
    clock.wait_kind = kind as u32;
    clock.asleep = asleep;
    clock.waker = Waker::Other as u32;
    clock.woken_ns = if matches!(kind, WaitKind::Runnable) {
        now
    } else {
        0
    };
    let is_deep = asleep & asleep::UNINTERRUPTIBLE != 0;
    if is_io || is_deep || asleep & asleep::EVENTS != 0 {
        clock.own_queued_ns = busy_ns(state.workload, false, now);
        clock.own_issued_ns = busy_ns(state.workload, true, now);
    }
    if is_deep && !is_io {
        clock.kernel_queued_ns = busy_ns(KERNEL, false, now);
        clock.kernel_issued_ns = busy_ns(KERNEL, true, now);
    }
}

/// Why a thread leaves the CPU that goes to sleep, by its `__state`, and how it sleeps where its waker may tell better.
///
/// # Safety
///
/// As for [`begin`].
#[inline(always)]
unsafe fn why(task: *const c_void, state: &mut TaskState, sleeps: u32) -> (WaitKind, u32) {
    // SAFETY: by the caller's promise.
    let io: u8 = unsafe { field(task, &memory::OFF_TASK_IN_IOWAIT) };
    let mut how = asleep::IN_CALL;
    if sleeps & TASK_UNINTERRUPTIBLE != 0 {
        how |= asleep::UNINTERRUPTIBLE;
    }
    if u32::from(io) & constant(&IN_IOWAIT) != 0 {
        how |= asleep::IO;
    }
    let is_of_device = how & asleep::IO != 0 && how & asleep::UNINTERRUPTIBLE != 0;
    if is_of_device {
        let killable = TASK_UNINTERRUPTIBLE | TASK_WAKEKILL;
        let throttled = state.clock.throttled != 0 && sleeps & killable == killable;
        state.clock.throttled = 0;
        // In a call, or in a fault that makes a page dirty.
        if throttled {
            return (WaitKind::Throttle, 0);
        }
    }
    let is_of_ring = state.flags & TaskState::OF_RING != 0;
    if state.entered_ns == 0 && !is_of_ring {
        // SAFETY: by the caller's promise.
        if !unsafe { state::is_in_call(task) } {
            let kind = match () {
                // SAFETY: by the caller's promise.
                () if unsafe { state::is_in_fault(task, state) } => WaitKind::Fault,
                () if how == asleep::IN_CALL => WaitKind::Idle,
                () => WaitKind::Unknown,
            };
            return (kind, 0);
        }
        // The call that it is in may be one that was not seen to begin.
        if state.flags & TaskState::MAY_BE_IN_CALL == 0 {
            how |= asleep::RETURNING;
        }
    }
    if state.entered_ns != 0 && CallKind(state.kind).has(CallKind::REAPS) {
        how |= asleep::EVENTS;
    }
    let kind = match () {
        () if is_of_device => WaitKind::Device,
        () if CallKind(state.kind).operation() != 0 => WaitKind::Sleep,
        // It is at work then, and no signal would wake it.
        () if is_of_ring && how & asleep::UNINTERRUPTIBLE != 0 => WaitKind::Sleep,
        () => WaitKind::Idle,
    };
    (kind, how)
}

/// The running task wakes a thread, or an interrupt does that it was interrupted by.
///
/// # Safety
///
/// `clock` is that of the sleeping `task`, and nothing else writes it.
#[inline(always)]
pub unsafe fn woken(task: *const c_void, clock: *mut Clock, now: u64) {
    // SAFETY: by the caller's promise.
    let how = unsafe { (*clock).asleep };
    if how == 0 {
        return;
    }
    let is_deep = how & asleep::UNINTERRUPTIBLE != 0;
    let is_io = how & asleep::IO != 0;
    let waker = state::current();
    // SAFETY: by the caller's promise; the value is this CPU's own, and no interrupt completes a request here while
    // the lock of the sleeping task is held.
    unsafe {
        // An idle CPU wakes nobody by itself.
        let is_kernel =
            state::is_of_kernel(waker) && field::<u32>(waker, &memory::OFF_TASK_PID) != 0;
        if let Some(last) = LAST_REQUEST.get_ptr_mut(0)
            && now.saturating_sub((*last).done_ns) < AT_ONCE_NS
            && !has_called_since(waker, (*last).done_ns)
        {
            // What is marked and no signal wakes may wait for anybody's request: a page that another reads. So may what is
            // not marked, unless a thread of the kernel wakes it, which a completion may just have interrupted. Anything
            // else waits for a request of its own process, and is the first that it wakes.
            let is_first = (*last).has_woken == 0;
            (*last).has_woken = 1;
            let is_own = || is_first && (*last).process == field(task, &memory::OFF_TASK_TGID);
            if is_deep && (is_io || !is_kernel) || is_own() {
                (*clock).waker = Waker::Completion as u32;
                (*clock).request_queued_ns = (*last).queued_ns;
                (*clock).request_issued_ns = (*last).issued_ns;
                return;
            }
        }
        if is_kernel && (is_deep || is_io) {
            (*clock).waker = if state::is_in_file_system(waker) {
                Waker::FileSystem
            } else {
                Waker::Kernel
            } as u32;
        } else if is_kernel && how & asleep::EVENTS != 0 && state::is_of_workqueue(waker) {
            (*clock).waker = Waker::Operation as u32;
        } else if is_io && !is_deep && state::is_of_ring(waker) {
            // A wait for a ring ends with what its worker has done.
            let is_known = worker::explain(waker, clock);
            (*clock).waker = if is_known {
                Waker::Worker
            } else {
                Waker::Kernel
            } as u32;
        }
    }
}

/// Whether a task in scope has begun a call since then: it is no interrupt, then, that wakes.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn has_called_since(task: *const c_void, then: u64) -> bool {
    // SAFETY: by the caller's promise, a record stays valid for the run of the program.
    state::of(task).is_some_and(|state| unsafe { (*state).entered_ns } > then)
}

/// What a sleep that is over was for.
pub struct Parts {
    /// Nanoseconds in which a request was queued and not yet issued.
    pub queue_ns: u64,
    /// Nanoseconds in which one was issued.
    pub service_ns: u64,
    /// The [`WaitKind`] of the others.
    pub rest_kind: u32,
    /// Nanoseconds of it.
    pub rest_ns: u64,
}

/// Divides a sleep that is over among the kinds of time.
// With this in it, its caller would need more of the stack than there is.
#[inline(never)]
pub fn divide(workload: u32, clock: &Clock, slept: u64, now: u64) -> Parts {
    let (how, waker) = (clock.asleep, clock.waker);
    let is_deep = how & asleep::UNINTERRUPTIBLE != 0;
    let is_io = how & asleep::IO != 0;
    let mut rest_kind = clock.wait_kind;
    let (mut queue, mut service) = (0, 0);
    if waker == Waker::Completion as u32 {
        let since = |then: u64| then.saturating_sub(clock.off_ns).min(slept);
        let issued = since(clock.request_issued_ns);
        // A cgroup may have held back what the thread waits for before there was a request.
        let queued = if is_deep && is_io {
            0
        } else {
            since(clock.request_queued_ns).min(issued)
        };
        (queue, service) = (issued - queued, slept - issued);
    } else if is_deep && is_io || waker != Waker::Other as u32 && waker != Waker::Worker as u32 {
        service = busy_ns(workload, true, now).wrapping_sub(clock.own_issued_ns);
        let mut queued = busy_ns(workload, false, now).wrapping_sub(clock.own_queued_ns);
        if waker == Waker::Operation as u32 {
            // It may also end a poll, or have done more than the device.
        } else if !is_io {
            service = service.max(busy_ns(KERNEL, true, now).wrapping_sub(clock.kernel_issued_ns));
            queued = queued.max(busy_ns(KERNEL, false, now).wrapping_sub(clock.kernel_queued_ns));
            // A thread of the kernel may wait for all CPUs, or for another machine: nothing was to be written then.
            let was_idle = service | queued == 0;
            rest_kind = if was_idle && waker == Waker::Kernel as u32 {
                WaitKind::Unknown
            } else {
                WaitKind::Journal
            } as u32;
        } else if !is_deep {
            rest_kind = WaitKind::Unknown as u32;
        }
        service = service.min(slept);
        queue = queued.saturating_sub(service).min(slept - service);
    }
    Parts {
        queue_ns: queue,
        service_ns: service,
        rest_kind,
        rest_ns: slept - queue - service,
    }
}

/// This CPU has completed a request, or a part of one.
#[inline(always)]
pub fn completed(request: &RequestState, now: u64) {
    if let Some(last) = LAST_REQUEST.get_ptr_mut(0) {
        let queued_ns = request.queued_ns;
        let issued_ns = match request.issued_ns {
            0 => queued_ns,
            issued => issued,
        };
        // SAFETY: the value is this CPU's own.
        unsafe {
            *last = LastRequest {
                queued_ns,
                issued_ns,
                done_ns: now,
                process: request.process,
                has_woken: 0,
            };
        }
    }
}

/// This CPU runs another thread: what that wakes, no completion before has woken.
#[inline(always)]
pub fn forget_completed() {
    if let Some(last) = LAST_REQUEST.get_ptr_mut(0) {
        // SAFETY: the value is this CPU's own.
        unsafe { (*last).done_ns = 0 };
    }
}

/// A request of a workload, or of a kernel thread, is queued or issued.
#[inline(always)]
pub fn request_begins(waiting_workload: u32, issued: bool, now: u64) {
    if waiting_workload != NOBODY {
        in_flight::begin_in(&BUSY, busy(waiting_workload, issued), now);
    }
}

/// Such a request completes.
#[inline(always)]
pub fn request_ends(waiting_workload: u32, issued: bool, now: u64) {
    if waiting_workload != NOBODY {
        in_flight::end_in(&BUSY, busy(waiting_workload, issued), now);
    }
}

/// The time with requests in flight, up to now. Another CPU may be between the two steps of a depth; the
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
