//! Tasks that begin and end: what is in scope is inherited at birth, and given up at exit.

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use aya_log_ebpf::warn;
use ioprof_ebpf::abi::{loss::Loss, task::TaskState, turn::Twice};

use super::{
    edges, off_cpu, row,
    state::{self, Maker, new, totals},
    waiter, worker,
};
use crate::probes::{
    base::{
        atomic, loss,
        memory::{self, field, now},
        turn,
        window::{self, Window},
    },
    syscall::{aio_end, programs as calls},
};

/// Each new task passes here before it can run, threads of io_uring too: they never reach `sched_process_fork`
/// (`create_io_thread` of kernel/fork.c).
#[btf_tracepoint(function = "task_newtask")]
fn task_new(ctx: BtfTracePointContext) {
    let child: *const c_void = ctx.arg(0);
    let Some(parent) = state::of(state::current()) else {
        return;
    };
    let Some(_turn) = turn::of_event(&ctx, Twice::TaskNew) else {
        return;
    };
    // SAFETY: the record stays valid for the run of the program.
    let (workload, is_of_first) = unsafe { ((*parent).workload, (*parent).is_of_first) };
    let window = window::state();
    let since_ns = match window {
        Window::NotYet => 0,
        Window::Open => now(),
        Window::Over(_) => return,
    };
    // SAFETY: `child` is the argument of the tracepoint.
    let flags = match unsafe { state::is_of_ring(child) } {
        true => TaskState::OF_RING,
        false => TaskState::CHILD_RETURN,
    };
    let Some(state) = new(child, workload, flags, since_ns, Maker::Birth) else {
        if loss::count(Loss::TaskRefused) {
            // SAFETY: `child` is the argument of the tracepoint.
            let pid: u32 = unsafe { field(child, &memory::OFF_TASK_PID) };
            warn!(
                &ctx,
                "thread {} could not be given its record; it and its children are not counted", pid
            );
        }
        return;
    };
    // SAFETY: `child` is the argument of the tracepoint; both tasks and the record stay valid for the run of the program.
    unsafe {
        let process: u32 = field(child, &memory::OFF_TASK_TGID);
        if process == field(state::current(), &memory::OFF_TASK_TGID) {
            (*state).is_of_first = is_of_first;
        }
    }
    if flags == TaskState::OF_RING {
        worker::begin(child);
    }
    if window == Window::Open {
        // SAFETY: as above.
        unsafe { edges::count_arrival(child, workload) };
    }
}

/// The thread has the name of the program by now (`begin_new_exec` of fs/exec.c), and is the first of its process, whichever
/// called execve(2).
#[btf_tracepoint(function = "sched_process_exec")]
fn process_exec(ctx: BtfTracePointContext) {
    let task: *const c_void = ctx.arg(0);
    let Some(state) = state::of(task) else {
        return;
    };
    // SAFETY: the record stays valid for the run of the program.
    if unsafe { (*state).is_of_first } == 0 {
        return;
    }
    let Some(_turn) = turn::of_event(&ctx, Twice::ProcessExec) else {
        return;
    };
    // SAFETY: `task` is the argument of the tracepoint; its record and the counters stay valid for the run of the program.
    // No other task is of the process then, so that nobody else writes them.
    unsafe {
        if edges::takes_part(task, state)
            && let Some(totals) = totals((*state).workload)
        {
            (*totals).executed.programs += 1;
            state::copy_name(task, &raw mut (*totals).executed.name);
        }
    }
}

#[btf_tracepoint(function = "sched_process_exit")]
fn process_exit(ctx: BtfTracePointContext) {
    let task: *const c_void = ctx.arg(0);
    let Some(state) = state::of(task) else {
        return;
    };
    let Some(_turn) = turn::of_event(&ctx, Twice::ProcessExit) else {
        return;
    };
    // SAFETY: `task` is the argument of the tracepoint; its record and the counters stay valid for the run of the program.
    unsafe {
        waiter::leave(task, &mut *state);
        if edges::takes_part(task, state) && edges::is_last_thread(task) {
            aio_end::end_process(task);
        }
        // From here on no walk takes it for a living one.
        let flags = atomic::set_flags(&raw mut (*state).flags, TaskState::EXITED);
        if flags & TaskState::EXITED != 0 || (*state).is_new != 0 {
            return;
        }
        if flags & TaskState::SETTLED == 0 {
            calls::settle(task, &mut *state);
        }
        if flags & TaskState::ACCOUNTED == 0
            && let Some(totals) = totals((*state).workload)
        {
            atomic::add(&raw mut (*totals).threads_exited, 1);
            // Of its threads the one that writes it is marked.
            let dumps = state::dumps_core(task);
            atomic::add(&raw mut (*totals).core_dumps, u64::from(dumps));
            edges::add_accounts(task, state, totals);
            let now = now();
            off_cpu::settle(state, totals, now);
            row::keep(task, state, now, false);
            if (*state).clock.since_ns != 0 {
                (*state).clock.since_ns = 0;
                (*state).clock.exit_ns = now;
            }
        }
    }
}
