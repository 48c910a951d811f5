//! The walks over all tasks: bringing threads into scope that run already, and adding up what the living did.

use core::ffi::{c_long, c_void};

use ioprof_ebpf::abi::{loss::Loss, task::TaskState};

use super::{
    off_cpu,
    state::{self, accounts, add_accounts, count_arrival, new, totals},
};
use crate::probes::{
    base::{
        loss,
        memory::{self, field},
    },
    syscall::programs as calls,
};

/// The context of an iterator over tasks, `struct bpf_iter__task` of kernel/bpf/task_iter.c.
#[repr(C)]
pub struct TaskIteration {
    meta: *const c_void,
    /// Null after the last.
    pub task: *const c_void,
}

/// Brings every thread of a process into scope whose leader user space has given a record.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn seed_threads(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: the kernel passes the context of a task iterator; `task` is null after the last.
    unsafe {
        let task = (*ctx).task;
        if task.is_null() {
            return 0;
        }
        let leader: *const c_void = field(task, &memory::OFF_TASK_GROUP_LEADER);
        let Some(leader) = state::of(leader) else {
            return 0;
        };
        let flags = TaskState::MAY_BE_IN_CALL;
        let Some(state) = new(task, (*leader).workload, flags, 0, 1) else {
            loss::count(Loss::TaskRefused);
            return 0;
        };
        // A record that user space or this walk has made, rather than a fork, has no baseline yet.
        if (*state).is_new == 0 {
            return 0;
        }
        (*state).is_new = 0;
        (*state).baseline = accounts(task);
        if (*state).flags & TaskState::WAITING == 0 {
            (*state).kind = calls::under_way(task);
            off_cpu::start(task, &mut *state);
        }
        count_arrival(task, (*state).workload);
    }
    0
}

/// Adds the accounts of the tasks in scope that still live to their workloads' totals.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn account_threads(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: as in `seed_threads`.
    unsafe {
        let task = (*ctx).task;
        if task.is_null() {
            return 0;
        }
        let Some(state) = state::of(task) else {
            return 0;
        };
        // A zombie is still in the kernel's table of tasks.
        if (*state).flags & TaskState::EXITED != 0 {
            return 0;
        }
        if let Some(totals) = totals((*state).workload) {
            off_cpu::settle(&mut *state, totals);
            // A thread that runs is left to itself, which counts at the same time. Some kernels have a byte
            // there, others more.
            if field::<u8>(task, &memory::OFF_TASK_ON_CPU) == 0 {
                calls::settle(&mut *state);
            }
            add_accounts(task, state, totals);
            // So that the next walk adds what comes after this one.
            (*state).baseline = accounts(task);
        }
    }
    0
}

/// Adds what the threads in scope did to the files they used last to the rows of those. For when the probes
/// are detached: a thread that runs would count at the same time.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn settle_files(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: as in `seed_threads`.
    unsafe {
        let task = (*ctx).task;
        if !task.is_null()
            && let Some(state) = state::of(task)
            && (*state).flags & TaskState::EXITED == 0
        {
            calls::settle(&mut *state);
        }
    }
    0
}
