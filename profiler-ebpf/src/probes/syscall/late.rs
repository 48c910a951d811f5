//! The time that a task took on its way out of a call, which is counted already.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    layout::{call_index, call_series},
    syscall::CallKind,
    task::TaskState,
};

use super::{page_cache, programs::CALLS};
use crate::probes::{
    base::{atomic, histogram, verifier::given},
    task::{off_cpu, returned},
};

/// Takes what a task did on its way out of its last call to the time of that call, which is counted already.
///
/// # Safety
///
/// `task` is a BTF pointer to the task that `state` is the record of.
#[inline(always)]
pub unsafe fn settle(task: *const c_void, state: &mut TaskState) {
    if state.flags & TaskState::RETURNED_LATE == 0 {
        return;
    }
    // SAFETY: by the caller's promise.
    unsafe { returned::end(task, state) };
    count_late(state);
}

/// Counts what [`settle`] has found. Exported: see `base/verifier.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_late(state: *mut TaskState) -> u64 {
    // SAFETY: the caller passes a reference.
    let Some(state) = (unsafe { given(state) }) else {
        return 0;
    };
    let returned = core::mem::take(&mut state.returned);
    let latency = returned.until_ns.saturating_sub(returned.entered_ns);
    let latency = latency.max(returned.latency_ns);
    let more = latency - returned.latency_ns;
    let (workload, operation) = (state.workload, CallKind(state.kind).operation());
    let Some(stats) = CALLS.get_ptr_mut(call_index(workload, operation)) else {
        return 0;
    };
    state.clock.times.in_call_ns += more;
    let series = call_series(workload, operation);
    // SAFETY: the value is in the map. It may be another CPU's than where the call was counted: right in the sum of all,
    // wrapping. Before 6.13 a call's end that counts in this series on this CPU may have been preempted between loading
    // and storing, a matter of a nanosecond; since then it is not.
    unsafe {
        atomic::add(&raw mut (*stats).latency.sum, more);
        atomic::raise(&raw mut (*stats).latency.max, latency);
        off_cpu::count_call(&mut state.clock, &mut (*stats).off_cpu, series + 2, latency);
    }
    if more != 0 {
        histogram::move_shared(series.into(), returned.latency_ns, latency);
        page_cache::settle(&returned, latency);
    }
    0
}
