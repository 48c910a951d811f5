//! What a thread of io_uring has slept for while another thread waited for it: that is what the other has waited for.

use core::ffi::c_void;

use aya_ebpf::macros::btf_map;
use ioprof_ebpf::abi::{
    off_cpu::{Clock, KEPT_SLEEPS, Sleep, Sleeps, WAIT_KINDS, WaitKind},
    task::TaskState,
};

use super::{off_cpu, state, storage::TaskStorage, wait::Parts};

/// The last sleeps of each thread of io_uring in scope.
#[btf_map]
static SLEEPS: TaskStorage<Sleeps> = TaskStorage::new();

const KEPT: u64 = KEPT_SLEEPS as u64;

/// A thread of io_uring comes into scope. Without room for its sleeps it is not known what they were for.
#[inline(always)]
pub fn begin(task: *const c_void) {
    let _ = SLEEPS.get_or_zeroed(task);
}

/// Keeps a sleep that is over of a thread of io_uring.
///
/// # Safety
///
/// `task` is the one that comes to a CPU, and `clock` its own.
// What is done for every thread has too few registers beside this.
#[inline(never)]
pub unsafe fn slept(task: *const c_void, clock: &Clock, parts: &Parts, runnable_ns: u64) {
    let Some(kept) = SLEEPS.get(task) else {
        return;
    };
    // SAFETY: the value stays valid for the run of the program. The thread runs from here on, and wakes nobody before.
    unsafe {
        let at = (*kept).next as usize;
        // Never: the verifier of older kernels is told by a comparison alone.
        if at >= KEPT_SLEEPS {
            return;
        }
        (*kept).count += 1;
        (*kept).next = (at as u64 + 1) % KEPT;
        (*kept).last[at] = Sleep {
            off_ns: clock.off_ns,
            queue_ns: parts.queue_ns,
            rest_ns: parts.rest_ns,
            service_ns: parts.service_ns,
            runnable_ns,
            rest_kind: parts.rest_kind.into(),
        };
    }
}

/// Says what a thread slept for that the running thread of io_uring wakes. False where that is not known.
///
/// # Safety
///
/// `worker` is the running task, and `clock` that of a task which sleeps, and nothing else writes it.
#[inline(always)]
pub unsafe fn explain(worker: *const c_void, clock: *mut Clock) -> bool {
    let (Some(kept), Some(state)) = (SLEEPS.get(worker), state::of(worker)) else {
        return false;
    };
    // SAFETY: by the caller's promise; the values stay valid for the run of the program, and are the running task's own.
    unsafe {
        let from = (*clock).off_ns;
        let waits = &raw mut (*clock).worker_waits;
        *waits = [0; WAIT_KINDS];
        // It is not known what it did before the first that is kept.
        let mut since = match (*kept).count {
            0..KEPT => (*state).clock.since_ns,
            _ => u64::MAX,
        };
        for sleep in &(*kept).last {
            if (*kept).count >= KEPT {
                since = since.min(sleep.off_ns);
            }
            add(waits, sleep, from);
        }
        (*waits)[WaitKind::Unknown as usize] += since.saturating_sub(from);
    }
    true
}

/// Adds the part of a sleep that lies behind a moment. A request is queued before it is issued.
///
/// # Safety
///
/// `waits` may be written.
#[inline(always)]
unsafe fn add(waits: *mut [u64; WAIT_KINDS], sleep: &Sleep, from: u64) {
    let mut before = from.saturating_sub(sleep.off_ns);
    let mut behind = |ns: u64| {
        let cut = ns.min(before);
        before -= cut;
        ns - cut
    };
    let (queue, rest) = (behind(sleep.queue_ns), behind(sleep.rest_ns));
    let (service, runnable) = (behind(sleep.service_ns), behind(sleep.runnable_ns));
    // SAFETY: by the caller's promise.
    unsafe {
        (*waits)[WaitKind::Queue as usize] += queue;
        (*waits)[WaitKind::Service as usize] += service;
        (*waits)[WaitKind::Runnable as usize] += runnable;
        for known in [WaitKind::Device, WaitKind::Throttle, WaitKind::Journal] {
            if sleep.rest_kind == known as u64 {
                (*waits)[known as usize] += rest;
            }
        }
        // It had nothing to do: the other has waited for something else.
        for unknown in [WaitKind::Idle, WaitKind::Unknown] {
            if sleep.rest_kind == unknown as u64 {
                (*waits)[WaitKind::Unknown as usize] += rest;
            }
        }
    }
}

/// Divides the sleep of a thread that a thread of io_uring has woken among the kinds of time. What is left is
/// for what that did on a CPU, or for its locks and the like.
#[inline(never)]
pub fn divide(state: &mut TaskState, slept: u64) {
    let mut rest = slept;
    for kind in [
        WaitKind::Queue,
        WaitKind::Service,
        WaitKind::Device,
        WaitKind::Throttle,
        WaitKind::Journal,
        WaitKind::Runnable,
        WaitKind::Unknown,
    ] {
        let waited = state.clock.worker_waits.get(kind as usize);
        let ns = rest.min(waited.copied().unwrap_or(0));
        rest -= ns;
        off_cpu::add(state, kind as u32, ns);
    }
    off_cpu::add(state, WaitKind::Sleep as u32, rest);
}
