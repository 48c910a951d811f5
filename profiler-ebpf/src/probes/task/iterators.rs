//! The walks over all tasks: bringing threads into scope that run already, and adding up what the living did.

use core::ffi::{c_long, c_void};

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::{loss::Loss, task::TaskState};

use super::{
    off_cpu,
    state::{self, accounts, add_accounts, count_arrival, new, totals},
};
use crate::probes::{
    base::{
        atomic, loss,
        memory::{self, field},
    },
    syscall::programs as calls,
};

/// The workload whose process goes out of scope while it waits; 0 for none. User space sets it.
#[btf_map]
static RETIRING: Array<u32, 1> = Array::new();

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

/// Adds the accounts and the times of the tasks in scope that still live to their workloads' totals.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn account_threads(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: as in `seed_threads`.
    unsafe {
        let Some((task, state)) = living(ctx) else {
            return 0;
        };
        if let Some(totals) = totals((*state).workload) {
            off_cpu::settle(state, totals);
            add_accounts(task, state, totals);
            // So that the next walk adds what comes after this one.
            (*state).baseline = accounts(task);
        }
    }
    0
}

/// Counts what threads did that is still to be counted: all of them once the probes of calls are detached, before
/// that those of the workload that user space has put into `RETIRING`, whose threads sleep until it wakes them. One
/// that makes calls would count at the same time.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn settle_threads(ctx: *mut TaskIteration) -> c_long {
    let retiring = RETIRING.get(0).copied().unwrap_or(0);
    // SAFETY: as in `seed_threads`.
    unsafe {
        let Some((_, state)) = living(ctx) else {
            return 0;
        };
        if retiring != 0 {
            if (*state).workload == retiring {
                calls::settle(&mut *state);
            }
            return 0;
        }
        // It may exit at the same time: the first of both settles.
        let flags = atomic::set_flags(&raw mut (*state).flags, TaskState::SETTLED);
        if flags & (TaskState::EXITED | TaskState::SETTLED) == 0 {
            calls::settle(&mut *state);
        }
    }
    0
}

/// The task that a walk has come to, and its record, where it is in scope and has not exited. A zombie is still in
/// the kernel's table of tasks.
///
/// # Safety
///
/// `ctx` is the context of a task iterator.
#[inline(always)]
unsafe fn living(ctx: *mut TaskIteration) -> Option<(*const c_void, *mut TaskState)> {
    // SAFETY: by the caller's promise; `task` is null after the last.
    unsafe {
        let task = (*ctx).task;
        if task.is_null() {
            return None;
        }
        let state = state::of(task)?;
        ((*state).flags & TaskState::EXITED == 0).then_some((task, state))
    }
}
