//! The walks over all tasks: bringing threads into scope that run already, and adding up what the living did.

use core::ffi::{c_long, c_void};

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::{loss::Loss, task::TaskState};

use super::{
    edges, off_cpu, row,
    state::{self, Maker, new, totals},
    worker,
};
use crate::probes::{
    base::{
        atomic, loss,
        memory::{self, field, now},
        window,
    },
    syscall::{kind, programs as calls, under_way},
};

/// The workload whose process goes out of scope while it waits. User space sets it.
#[btf_map]
static RETIRING: Array<u32, 1> = Array::new();

/// The context of an iterator over tasks, `struct bpf_iter__task` of kernel/bpf/task_iter.c.
#[repr(C)]
pub struct TaskIteration {
    meta: *const c_void,
    /// Null after the last.
    pub task: *const c_void,
}

/// Brings every thread of a process into scope whose leader user space has given a record, and lets it begin where
/// events count.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn seed_threads(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: the kernel passes the context of a task iterator; `task` is null after the last.
    unsafe {
        let task = (*ctx).task;
        if task.is_null() {
            return 0;
        }
        let leader_task: *const c_void = field(task, &memory::OFF_TASK_GROUP_LEADER);
        let Some(leader) = state::of(leader_task) else {
            return 0;
        };
        let flags = match state::is_of_ring(task) {
            true => TaskState::OF_RING,
            false => TaskState::MAY_BE_IN_CALL,
        };
        let known = state::of(task);
        // One that exits is not seen to do anything any more, its end included.
        if known.is_none() && edges::is_exiting(task) {
            return 0;
        }
        let Some(state) = new(task, (*leader).workload, flags, 0, Maker::Walk) else {
            loss::count(Loss::TaskRefused);
            return 0;
        };
        (*state).is_of_first = (*leader).is_of_first;
        if flags == TaskState::OF_RING {
            worker::begin(task);
        }
        if window::is_open() {
            under_way::at_beginning(task, state);
        }
        // One that began has counted its calls.
        if (*state).is_new == 0 {
            return 0;
        }
        if known.is_none() || task == leader_task {
            (*state).kind = kind::under_way(task);
        }
        if window::is_open() {
            edges::begin(task, state);
        }
    }
    0
}

/// Counts what the threads of the workload did that user space has put into `RETIRING`. They sleep until it wakes them:
/// one that makes calls would count at the same time.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn retire_threads(ctx: *mut TaskIteration) -> c_long {
    let retiring = RETIRING.get(0).copied().unwrap_or(0);
    // SAFETY: as in `seed_threads`.
    unsafe {
        if let Some((task, state)) = living(ctx)
            && (*state).workload == retiring
            && let Some(totals) = totals(retiring)
        {
            calls::settle(task, &mut *state);
            let now = now();
            off_cpu::settle(state, totals, now);
            edges::add_accounts(task, state, totals);
            row::keep(task, state, now, false);
        }
    }
    0
}

/// Counts what living threads did that is still to be counted, once events count no more.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn settle_threads(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: as in `seed_threads`.
    unsafe {
        let Some((task, state)) = living(ctx) else {
            return 0;
        };
        // It may exit at the same time: the first of both settles.
        let flags = atomic::set_flags(&raw mut (*state).flags, TaskState::SETTLED);
        if flags & (TaskState::EXITED | TaskState::SETTLED) == 0 {
            // An event of its own behind the window has ended its part in it.
            under_way::at_end(task, state, flags & TaskState::ACCOUNTED != 0);
            calls::settle(task, &mut *state);
        }
        edges::outside(task, state);
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
