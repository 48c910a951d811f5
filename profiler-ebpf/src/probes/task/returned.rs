//! What a task does on its way out of a call, after the tracepoint of its end: the work that the kernel has put off until
//! then (`task_work_add`), such as the last close of a file. It belongs to the call, as whoever times the call sees it.
//!
//! No tracepoint shows the end of it. While the task sleeps there, it is not over; and where the kernel's tick, which
//! tells user time from system time, has met it in the kernel and not in user mode until it is next seen, all of the
//! time until then was the work's. Otherwise it is what the tick has counted.

use core::ffi::c_void;

use ioprof_ebpf::abi::task::TaskState;

use crate::probes::base::{
    atomic,
    memory::{self, field, now},
};

/// A call returns after so many nanoseconds.
///
/// # Safety
///
/// `task` is the running task, `state` its record.
#[inline(always)]
pub unsafe fn begin(task: *const c_void, state: &mut TaskState, latency: u64) {
    state.returned.entered_ns = state.entered_ns;
    state.returned.latency_ns = latency;
    state.entered_ns = 0;
    // SAFETY: by the caller's promise.
    unsafe {
        if field::<u64>(task, &memory::OFF_TASK_WORKS) != 0 {
            atomic::set_flags(&raw mut state.flags, TaskState::RETURNED_LATE);
            state.returned.has_work = 1;
            state.returned.user_ns = field(task, &memory::OFF_TASK_UTIME);
            state.returned.system_ns = field(task, &memory::OFF_TASK_STIME);
        }
    }
}

/// A task has slept on its way out of a call until now.
#[inline(always)]
pub fn slept(state: &mut TaskState, now: u64) {
    if state.returned.entered_ns != 0 {
        // SAFETY: the record stays valid for the run of the program.
        unsafe { atomic::set_flags(&raw mut state.flags, TaskState::RETURNED_LATE) };
        state.returned.until_ns = now;
    }
}

/// A task is seen in user mode, or to leave it: it is on its way no more.
///
/// # Safety
///
/// `task` is a BTF pointer to the task that `state` is the record of.
#[inline(always)]
pub unsafe fn end(task: *const c_void, state: &mut TaskState) {
    let returned = &mut state.returned;
    if returned.has_work == 0 {
        return;
    }
    returned.has_work = 0;
    // SAFETY: by the caller's promise.
    let (user, system) = unsafe {
        (
            field::<u64>(task, &memory::OFF_TASK_UTIME).wrapping_sub(returned.user_ns),
            field::<u64>(task, &memory::OFF_TASK_STIME).wrapping_sub(returned.system_ns),
        )
    };
    let until = match (user, system) {
        (_, 0) => 0,
        (0, _) => now(),
        _ => returned.entered_ns + returned.latency_ns + system,
    };
    returned.until_ns = returned.until_ns.max(until);
}
