//! Which tasks are in scope: inherited at fork, given up at exit, and given by user space to what already runs.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    helpers::generated::bpf_get_current_task_btf,
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, Operation},
    off_cpu::WaitKind,
    syscall::CallKind,
    task::{Accounts, TIMED_EVERY, TaskState, WorkloadTotals},
};

use super::storage::TaskStorage;
use crate::probes::base::{
    atomic,
    memory::{self, field, now},
};

#[btf_map]
static TASKS: TaskStorage<TaskState> = TaskStorage::new();

/// Where a record is put together, which is too large for the stack: one for the fork, and one for the
/// iterators, which a fork may interrupt.
#[btf_map]
static NEW_TASK: PerCpuArray<TaskState, 2> = PerCpuArray::new();

#[btf_map]
static WORKLOADS: Array<WorkloadTotals, 1> = Array::new();

/// `PF_IO_WORKER` of include/linux/sched.h: a thread of io_uring, made without a fork that is traced.
const PF_IO_WORKER: u32 = 0x10;

/// `PF_KTHREAD` of include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Whether a task is a thread of the kernel's own.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_of_kernel(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_KTHREAD != 0 }
}

/// The running task.
#[inline(always)]
pub fn current() -> *const c_void {
    // SAFETY: the helper takes nothing and cannot fail.
    unsafe { bpf_get_current_task_btf() }.cast_const().cast()
}

/// The record of a task, where it is in scope.
#[inline(always)]
pub fn of(task: *const c_void) -> Option<*mut TaskState> {
    TASKS.get_if_any(task)
}

/// Who submits I/O: the running task.
#[derive(Clone, Copy)]
pub struct Submitter {
    /// The task.
    pub task: *const c_void,
    /// The workload that it does I/O for, 0 where it is in none. An io_uring worker works for the process it
    /// is a thread of.
    pub workload: u32,
    /// Its record, where it is in scope itself.
    state: Option<*mut TaskState>,
}

/// Who submits I/O now.
#[inline(always)]
pub fn submitter() -> Submitter {
    let task = current();
    let state = TASKS.get(task);
    // SAFETY: the record stays valid for the run of the program; `task` is the running task, and its leader a
    // task too.
    let workload = unsafe {
        match state {
            Some(state) => (*state).workload,
            None if field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_IO_WORKER == 0 => 0,
            None => {
                let leader: *const c_void = field(task, &memory::OFF_TASK_GROUP_LEADER);
                TASKS.get(leader).map_or(0, |state| (*state).workload)
            }
        }
    };
    Submitter {
        task,
        workload,
        state,
    }
}

/// The workload that the running task does I/O for, 0 where it is in none.
#[inline(always)]
pub fn workload_of_current() -> u32 {
    submitter().workload
}

impl Submitter {
    /// The slot of a key, which mostly is that of the task's request before; `find` is asked for another.
    #[inline(always)]
    pub fn slot(
        self,
        key: &BlockKey,
        find: impl FnOnce() -> Option<BlockSlot>,
    ) -> Option<BlockSlot> {
        let Some(state) = self.state.filter(|_| key.workload == self.workload) else {
            return find();
        };
        // No key is 0: the lowest bit is always set.
        let packed = u64::from(key.device) << 32
            | u64::from(key.operation) << 16
            | u64::from(key.origin) << 8
            | 1;
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe {
            if (*state).slot_key != packed {
                (*state).slot = find()?;
                (*state).slot_key = packed;
            }
            Some((*state).slot)
        }
    }

    /// Counts bytes that the task submits in its call.
    #[inline(always)]
    pub fn count(self, operation: Operation, bytes: u32) {
        let Some(state) = self.state else {
            return;
        };
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe {
            match operation {
                Operation::Read => {
                    (*state).requests += 1;
                    (*state).read_bytes += u64::from(bytes);
                }
                Operation::Write => (*state).written_bytes += u64::from(bytes),
                Operation::Flush | Operation::Discard | Operation::ExecutedFlush => {}
            }
        }
    }
}

/// The shared counters of a workload.
#[inline(always)]
pub fn totals(workload: u32) -> Option<*mut WorkloadTotals> {
    WORKLOADS.get_ptr_mut(workload)
}

/// The record of a task, made with these where it has none.
#[inline(always)]
pub fn new(
    task: *const c_void,
    workload: u32,
    flags: u32,
    since_ns: u64,
    is_new: u32,
) -> Option<*mut TaskState> {
    let initial = NEW_TASK.get_ptr_mut(is_new)?;
    // SAFETY: the value is this CPU's own. What is not written here is zero, and stays so.
    let initial = unsafe { &mut *initial };
    initial.workload = workload;
    initial.flags = flags;
    initial.clock.since_ns = since_ns;
    // A thread that is born has been woken, and waits for its first CPU.
    initial.clock.off_ns = since_ns;
    initial.clock.woken_ns = since_ns;
    initial.clock.wait_kind = WaitKind::Runnable as u32;
    initial.is_new = is_new;
    // Not with the first call of every thread, which finds nothing in the caches.
    initial.until_timed = since_ns % TIMED_EVERY;
    TASKS.get_or_insert(task, initial)
}

/// Counts a task that came into scope.
#[inline(always)]
pub fn count_arrival(task: *const c_void, workload: u32) {
    let Some(totals) = totals(workload) else {
        return;
    };
    // SAFETY: `task` is a task by the callers; the counters are in the map.
    unsafe {
        atomic::add(&raw mut (*totals).threads, 1);
        let pid: u32 = field(task, &memory::OFF_TASK_PID);
        if pid == field(task, &memory::OFF_TASK_TGID) {
            atomic::add(&raw mut (*totals).processes, 1);
        }
    }
}

/// Adds what the kernel counted for a task since it came into scope.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record, `totals` in the map.
#[inline(always)]
pub unsafe fn add_accounts(
    task: *const c_void,
    state: *const TaskState,
    totals: *mut WorkloadTotals,
) {
    macro_rules! add {
        ($($name:ident $offset:ident),*) => {
            $(
                // SAFETY: by the caller's promise.
                unsafe {
                    let now: u64 = field(task, &memory::$offset);
                    let since = now.wrapping_sub((*state).baseline.$name);
                    atomic::add(&raw mut (*totals).accounts.$name, since);
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

/// The first call of a task whose record has flags. False where the call is still part of its waiting.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(always)]
pub unsafe fn begins(task: *const c_void, state: *mut TaskState, kind: CallKind) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
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
