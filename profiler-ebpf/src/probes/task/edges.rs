//! Where the window of a task begins and ends, within that of all programs: with its first event there, or with the
//! walk over all tasks that follows the beginning and the end, whichever is first. What the kernel counts for a task
//! changes as it runs, and the walks take their time: a task that runs meanwhile does not wait for them.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    syscall::CallKind,
    task::{Accounts, TaskState, WorkloadTotals},
};

use super::{off_cpu, row, state::totals};
use crate::probes::base::{
    atomic,
    memory::{self, field, now},
    window::{self, Window},
};

/// `PF_EXITING` of include/linux/sched.h.
const PF_EXITING: u32 = 0x4;

/// Whether a task is about to exit, or has.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_exiting(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_EXITING != 0 }
}

/// Whether a task that exits is the last of its process, or one of the last that exit at once.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_last_thread(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise; the process's counters are loaded from it. The task itself is not counted any more.
    unsafe {
        let process: *const c_void = field(task, &memory::OFF_TASK_SIGNAL);
        !process.is_null() && field::<u32>(process, &memory::OFF_SIGNAL_LIVE) == 0
    }
}

/// A task takes part from here on, unless it has begun already.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(never)]
pub unsafe fn begin(task: *const c_void, state: *mut TaskState) {
    // SAFETY: by the caller's promise.
    unsafe {
        if atomic::take(&raw mut (*state).is_new) == 0 {
            return;
        }
        (*state).baseline = accounts(task);
        count_process(task, (*state).workload);
        if is_exiting(task) {
            (*state).flags = TaskState::EXITED;
            return;
        }
        count_thread((*state).workload);
        if (*state).flags & TaskState::WAITING == 0 {
            off_cpu::start(task, &mut *state);
        }
    }
}

/// The first call of a task whose record has flags. False where the call is still part of its waiting.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(always)]
pub unsafe fn begins(task: *const c_void, state: *mut TaskState, kind: CallKind) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        if (*state).is_new != 0 {
            begin(task, state);
        }
        if (*state).flags & TaskState::WAITING != 0 {
            if !kind.has(CallKind::EXECUTES) {
                return false;
            }
            (*state).baseline = accounts(task);
            (*state).clock.since_ns = now();
        }
        (*state).flags = 0;
    }
    true
}

/// The call has returned in which a task began: its bytes are no more counted than it is. The kernel counts them as it
/// returns.
///
/// # Safety
///
/// As for [`begin`].
#[inline(always)]
pub unsafe fn forget_call(task: *const c_void, state: *mut TaskState) {
    // SAFETY: by the caller's promise.
    unsafe {
        (*state).baseline.rchar = field(task, &memory::OFF_TASK_RCHAR);
        (*state).baseline.wchar = field(task, &memory::OFF_TASK_WCHAR);
    }
}

/// A task in scope has an event outside of the window: after its end, that is the end of its own.
///
/// # Safety
///
/// As for [`begin`].
#[inline(never)]
pub unsafe fn outside(task: *const c_void, state: *mut TaskState) {
    if let Window::Over(ended_ns) = window::state() {
        // SAFETY: by the caller's promise.
        unsafe { end(task, state, ended_ns) };
    }
}

/// Whether a task in scope is within the window, where its own begins at the latest now.
///
/// # Safety
///
/// As for [`begin`].
#[inline(always)]
pub unsafe fn takes_part(task: *const c_void, state: *mut TaskState) -> bool {
    let is_open = window::is_open();
    // SAFETY: by the caller's promise.
    unsafe {
        if !is_open {
            outside(task, state);
        } else if (*state).is_new != 0 {
            begin(task, state);
        }
    }
    is_open
}

/// Adds what a task did to its workload's totals, unless that was done already.
///
/// # Safety
///
/// As for [`begin`].
#[inline(always)]
unsafe fn end(task: *const c_void, state: *mut TaskState, ended_ns: u64) {
    // SAFETY: by the caller's promise.
    unsafe {
        let flags = atomic::set_flags(&raw mut (*state).flags, TaskState::ACCOUNTED);
        if flags & (TaskState::ACCOUNTED | TaskState::EXITED) != 0 || (*state).is_new != 0 {
            return;
        }
        if let Some(totals) = totals((*state).workload) {
            off_cpu::settle(state, totals, ended_ns);
            add_accounts(task, state, totals);
            row::keep(task, state, ended_ns, true);
        }
    }
}

/// Counts a task that came into scope.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn count_arrival(task: *const c_void, workload: u32) {
    // SAFETY: by the caller's promise.
    unsafe { count_process(task, workload) };
    count_thread(workload);
}

/// Counts a process, by its first thread.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
unsafe fn count_process(task: *const c_void, workload: u32) {
    // SAFETY: by the caller's promise; the counters are in the map.
    unsafe {
        let pid: u32 = field(task, &memory::OFF_TASK_PID);
        if pid == field(task, &memory::OFF_TASK_TGID)
            && let Some(totals) = totals(workload)
        {
            atomic::add(&raw mut (*totals).processes, 1);
        }
    }
}

#[inline(always)]
fn count_thread(workload: u32) {
    if let Some(totals) = totals(workload) {
        // SAFETY: the counters are in the map.
        unsafe { atomic::add(&raw mut (*totals).threads, 1) };
    }
}

/// What the kernel has counted for a task so far.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn accounts(task: *const c_void) -> Accounts {
    // SAFETY: by the caller's promise.
    unsafe {
        Accounts {
            rchar: field(task, &memory::OFF_TASK_RCHAR),
            wchar: field(task, &memory::OFF_TASK_WCHAR),
            read_bytes: field(task, &memory::OFF_TASK_READ_BYTES),
            write_bytes: field(task, &memory::OFF_TASK_WRITE_BYTES),
            cancelled_write_bytes: field(task, &memory::OFF_TASK_CANCELLED_WRITE_BYTES),
            user_ns: field(task, &memory::OFF_TASK_UTIME),
            system_ns: field(task, &memory::OFF_TASK_STIME),
            runtime_ns: field(task, &memory::OFF_TASK_RUNTIME),
            minor_faults: field(task, &memory::OFF_TASK_MIN_FLT),
            major_faults: field(task, &memory::OFF_TASK_MAJ_FLT),
        }
    }
}

/// Adds what the kernel counted for a task since its window began or this was done last.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record, `totals` in the map.
#[inline(always)]
pub unsafe fn add_accounts(
    task: *const c_void,
    state: *mut TaskState,
    totals: *mut WorkloadTotals,
) {
    // One by one: programs that call this have little room on the stack.
    macro_rules! add {
        ($($name:ident $offset:ident),*) => {
            $(
                // SAFETY: by the caller's promise.
                unsafe {
                    let now: u64 = field(task, &memory::$offset);
                    let since = now.wrapping_sub((*state).baseline.$name);
                    atomic::add(&raw mut (*totals).accounts.$name, since);
                    (*state).accounted.$name += since;
                    (*state).baseline.$name = now;
                }
            )*
        };
    }
    add!(
        rchar OFF_TASK_RCHAR, wchar OFF_TASK_WCHAR, read_bytes OFF_TASK_READ_BYTES,
        write_bytes OFF_TASK_WRITE_BYTES, cancelled_write_bytes OFF_TASK_CANCELLED_WRITE_BYTES,
        user_ns OFF_TASK_UTIME, system_ns OFF_TASK_STIME, runtime_ns OFF_TASK_RUNTIME,
        minor_faults OFF_TASK_MIN_FLT, major_faults OFF_TASK_MAJ_FLT
    );
}
