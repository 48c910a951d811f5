//! Which tasks are in scope: inherited at fork, given up at exit, and given by user space to what already runs.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, Operation},
    fields::ABSENT,
    off_cpu::WaitKind,
    row::NAME_BYTES,
    syscall::CallKind,
    task::{TIMED_EVERY, TaskState, WorkloadTotals},
};

use super::storage::TaskStorage;
use crate::probes::base::memory::{self, constant, field};

#[btf_map]
static TASKS: TaskStorage<TaskState> = TaskStorage::new();

/// Where a record is put together, which is too large for the stack: one for the fork, and one for the
/// iterators, which a fork may interrupt.
#[btf_map]
static NEW_TASK: PerCpuArray<TaskState, 2> = PerCpuArray::new();

#[btf_map]
static WORKLOADS: Array<WorkloadTotals, 1> = Array::new();

/// `PF_IO_WORKER` of include/linux/sched.h: a thread of io_uring.
const PF_IO_WORKER: u32 = 0x10;

/// `PF_KTHREAD` of include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_WQ_WORKER` of include/linux/sched.h.
const PF_WQ_WORKER: u32 = 0x20;

/// `PF_DUMPCORE` of include/linux/sched.h.
const PF_DUMPCORE: u32 = 0x200;

/// `PF_MEMALLOC_NOFS` of include/linux/sched.h: what this thread allocates may not call a file system, as it is in one.
/// `kjournald2` of fs/jbd2/journal.c has it from its beginning to its end.
const PF_MEMALLOC_NOFS: u32 = 0x0004_0000;

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

/// Whether the kernel writes the memory of a task to a file, as a signal has ended it: core(5).
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn dumps_core(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_DUMPCORE != 0 }
}

/// Whether a task is in a file system. Of a thread of the kernel that says what it works for.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_in_file_system(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_MEMALLOC_NOFS != 0 }
}

/// Whether a task is a thread of the kernel's own that serves a workqueue.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_of_workqueue(task: *const c_void) -> bool {
    let wanted = PF_KTHREAD | PF_WQ_WORKER;
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & wanted == wanted }
}

/// Whether a task is a thread of io_uring, which works for the process that it is a thread of.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_of_ring(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u32>(task, &memory::OFF_TASK_FLAGS) & PF_IO_WORKER != 0 }
}

/// Whether a task that has entered the kernel has done so by a call, and be it on its way out of it: where it came in by
/// a fault or an interrupt, or its registers are those of a signal's return, the number is -1.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_in_call(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { call_number(task) != u32::MAX }
}

/// The number of the system call by the registers that a task has entered the kernel with.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn call_number(task: *const c_void) -> u32 {
    // SAFETY: by the caller's promise.
    let number: u64 = unsafe { field(registers(task), &memory::OFF_NUMBER) };
    number as u32
}

/// The registers that a task has entered the kernel with, which its kernel stack begins with.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn registers(task: *const c_void) -> *const c_void {
    // SAFETY: by the caller's promise.
    unsafe { bpf_task_pt_regs(task.cast_mut().cast()) as *const c_void }
}

/// How many faults the kernel has counted for a task.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn faults_so_far(task: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    unsafe {
        field::<u64>(task, &memory::OFF_TASK_MIN_FLT)
            + field::<u64>(task, &memory::OFF_TASK_MAJ_FLT)
    }
}

/// Whether a task is in a page fault that it took in user mode. One that fails is taken for it until the next.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(always)]
pub unsafe fn is_in_fault(task: *const c_void, state: &TaskState) -> bool {
    // SAFETY: by the caller's promise.
    state.fault.call_ns == 0 && unsafe { faults_now(task, state) }
}

/// The same of a fault that it took wherever it is now: in the call in flight, or in user mode.
///
/// # Safety
///
/// As for [`is_in_fault`].
#[inline(always)]
pub unsafe fn faults_here(task: *const c_void, state: &TaskState) -> bool {
    // SAFETY: by the caller's promise.
    state.fault.call_ns == state.entered_ns && unsafe { faults_now(task, state) }
}

/// Whether a fault that was seen to begin is not among those that the kernel has counted.
///
/// # Safety
///
/// As for [`is_in_fault`].
#[inline(always)]
unsafe fn faults_now(task: *const c_void, state: &TaskState) -> bool {
    // SAFETY: by the caller's promise.
    state.fault.number == unsafe { faults_so_far(task) } + 1
}

/// Whether a task has a ring of io_uring: what it was asked for may be executed wherever the task leaves the kernel.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn has_rings(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    constant(&memory::OFF_TASK_RINGS) != ABSENT
        && unsafe { field::<u64>(task, &memory::OFF_TASK_RINGS) } != 0
}

/// Whether seccomp(2) looks at a task's calls.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn is_filtered(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    constant(&memory::OFF_TASK_SECCOMP) != ABSENT
        && unsafe { field::<u32>(task, &memory::OFF_TASK_SECCOMP) } != 0
}

/// The running task.
#[inline(always)]
pub fn current() -> *const c_void {
    // SAFETY: the helper takes nothing and cannot fail.
    unsafe { bpf_get_current_task_btf() }.cast_const().cast()
}

/// Copies the name of a task.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, and `to` may be written.
#[inline(always)]
pub unsafe fn copy_name(task: *const c_void, to: *mut [u8; NAME_BYTES]) {
    // SAFETY: by the caller's promise. The name is an array of bytes, which may be loaded by eight.
    unsafe {
        let name = task.byte_add(constant(&memory::OFF_TASK_COMM) as usize);
        let to = to.cast::<u64>();
        to.write_unaligned(*name.cast::<u64>());
        to.add(1).write_unaligned(*name.byte_add(8).cast::<u64>());
    }
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
    pub state: Option<*mut TaskState>,
}

/// Who submits I/O now.
#[inline(always)]
pub fn submitter() -> Submitter {
    let task = current();
    let state = TASKS.get(task);
    // SAFETY: the record stays valid for the run of the program.
    let workload = state.map_or(0, |state| unsafe { (*state).workload });
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
    /// The number of its process.
    #[inline(always)]
    pub fn process(self) -> u32 {
        // SAFETY: `task` is the running task.
        unsafe { field(self.task, &memory::OFF_TASK_TGID) }
    }

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

    /// Keeps bytes of direct I/O until the end of the call that moves data of the files its descriptors stand for; false
    /// where the task is in none.
    #[inline(always)]
    pub fn keep_direct(self, operation: Operation, bytes: u32) -> bool {
        let Some(state) = self.state else {
            return false;
        };
        let moves = CallKind::READS | CallKind::WRITES | CallKind::COPIES | CallKind::SENDS;
        // SAFETY: the record stays valid for the run of the program, and is the running task's own.
        unsafe {
            if (*state).entered_ns == 0 || !CallKind((*state).kind).has(moves) {
                return false;
            }
            match operation {
                Operation::Read => (*state).direct_read_bytes += u64::from(bytes),
                Operation::Write => (*state).direct_written_bytes += u64::from(bytes),
                Operation::Flush | Operation::Discard | Operation::ExecutedFlush => {}
            }
        }
        true
    }

    /// Counts a bio that the task submits in its call. What a fault reads is the caller's memory, and not the file's that the
    /// call is about.
    #[inline(always)]
    pub fn count(self, operation: Operation) {
        if let Some(state) = self.state {
            // SAFETY: the record stays valid for the run of the program, and is the running task's own.
            unsafe {
                match operation {
                    Operation::Read if faults_here(self.task, &*state) => {
                        (*state).requests |= TaskState::IN_FAULT;
                    }
                    Operation::Read => (*state).requests += 1,
                    _ => (*state).requests += TaskState::OTHER,
                }
            }
        }
    }
}

/// The shared counters of a workload.
#[inline(always)]
pub fn totals(workload: u32) -> Option<*mut WorkloadTotals> {
    WORKLOADS.get_ptr_mut(workload)
}

/// Who makes records: a number of `NEW_TASK`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Maker {
    Birth = 0,
    Walk = 1,
}

/// The record of a task, made with these where it has none. `since_ns` is 0 where the window of the task has not begun.
#[inline(always)]
pub fn new(
    task: *const c_void,
    workload: u32,
    flags: u32,
    since_ns: u64,
    maker: Maker,
) -> Option<*mut TaskState> {
    let initial = NEW_TASK.get_ptr_mut(maker as u32)?;
    // SAFETY: the value is this CPU's own. What is not written here is zero, and stays so.
    let initial = unsafe { &mut *initial };
    initial.workload = workload;
    initial.flags = flags;
    initial.clock.since_ns = since_ns;
    // A thread that is born has been woken, and waits for its first CPU.
    initial.clock.off_ns = since_ns;
    initial.clock.woken_ns = since_ns;
    initial.clock.wait_kind = WaitKind::Runnable as u32;
    initial.is_new = u32::from(since_ns == 0);
    // Not with the first call of every thread, which finds nothing in the caches.
    initial.until_timed = since_ns % TIMED_EVERY;
    TASKS.get_or_insert(task, initial)
}
