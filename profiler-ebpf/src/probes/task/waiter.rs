//! Tasks in scope by their addresses: who it is that waits for I/O which a thread of the kernel submits.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ioprof_ebpf::abi::{layout::MAX_WAITERS, task::TaskState};

/// By the address of the `struct task_struct`: the workload. A task that has exited is not among them.
#[btf_map]
static WAITERS: HashMap<u64, u32, { MAX_WAITERS as usize }> = HashMap::new();

/// A task begins to wait for I/O: it is entered the first time. Where there is no room, it is unknown.
#[inline(always)]
pub fn enter(task: *const c_void, state: &mut TaskState) {
    if state.waits == 0 {
        let entered = WAITERS.insert(&(task as u64), &state.workload, 0);
        state.waits = u32::from(entered.is_ok());
    }
}

/// A task exits: its address will be another's.
#[inline(always)]
pub fn leave(task: *const c_void, state: &mut TaskState) {
    if state.waits != 0 {
        state.waits = 0;
        let _ = WAITERS.remove(&(task as u64));
    }
}

/// The workload of the task at an address; 0 where none is known.
#[inline(always)]
pub fn workload_of(task: u64) -> u32 {
    // SAFETY: the entry stays valid for the run of the program.
    unsafe { WAITERS.get(&task) }.copied().unwrap_or(0)
}
