//! What each thread did, kept for its row when it ends, or the window does.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    layout::{MAX_NAMED_ROWS, MAX_THREAD_ROWS},
    row::{NAME_BYTES, Row, RowKey},
    task::TaskState,
};

use super::state;
use crate::probes::base::{
    atomic,
    map::NO_EXIST,
    memory::{self, field},
};

/// A row for each thread, as long as there is room.
#[btf_map]
static THREAD_ROWS: HashMap<RowKey, Row, { MAX_THREAD_ROWS as usize }> = HashMap::new();

/// Then one for threads of a name, together.
#[btf_map]
static NAMED_ROWS: HashMap<RowKey, Row, { MAX_NAMED_ROWS as usize }> = HashMap::new();

/// What a row begins with, which is too large for the stack.
#[btf_map]
static EMPTY_ROW: Array<Row, 1> = Array::new();

/// Keeps what a thread did until `ended_ns`, once; `runs` tells whether it went on then. Whoever has added all of it to the
/// totals of its workload does so.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(always)]
pub unsafe fn keep(task: *const c_void, state: *mut TaskState, ended_ns: u64, runs: bool) {
    // SAFETY: by the caller's promise; the row is in a map.
    unsafe {
        let flags = atomic::set_flags(&raw mut (*state).flags, TaskState::KEPT);
        if flags & TaskState::KEPT != 0 || (*state).is_new != 0 {
            return;
        }
        let process: u32 = field(task, &memory::OFF_TASK_TGID);
        let thread: u32 = field(task, &memory::OFF_TASK_PID);
        ((*state).process, (*state).thread) = (process, thread);
        let Some(row) = find(task, &*state) else {
            return;
        };
        atomic::add(&raw mut (*row).processes, u64::from(process == thread));
        atomic::add(&raw mut (*row).threads, 1);
        atomic::add(&raw mut (*row).running, u64::from(runs));
        state::copy_name(task, &raw mut (*row).name);
        // By then another may have had its number: the first thread, where another has executed a program.
        let since = (*state).clock.since_ns;
        if (*row).began_ns == 0 || since < (*row).began_ns {
            (*row).began_ns = since;
        }
        (*row).ended_ns = (*row).ended_ns.max(ended_ns);
        atomic::add_all(&raw mut (*row).tally, &raw const (*state).tally);
        atomic::add_all(&raw mut (*row).accounts, &raw const (*state).accounted);
        atomic::add_all(&raw mut (*row).times, &raw const (*state).clock.settled);
    }
}

/// Adds the time that a thread took to exit, which comes after all else.
///
/// # Safety
///
/// As for [`keep`], which was called before.
#[inline(always)]
pub unsafe fn add_exit(task: *const c_void, state: &TaskState, exit_ns: u64, ended_ns: u64) {
    // SAFETY: by the caller's promise; the row is in a map.
    unsafe {
        if let Some(row) = find(task, state) {
            atomic::add(&raw mut (*row).times.thread_ns, exit_ns);
            atomic::add(&raw mut (*row).times.exit_ns, exit_ns);
            (*row).ended_ns = ended_ns;
        }
    }
}

/// The row of a thread: its own; that of threads of its name, where there is no room; or the rest. A thread of a process
/// that has others shares with those of its process. By the numbers in its record, as a thread that executes a program
/// takes those of the first.
///
/// # Safety
///
/// `task` is a BTF pointer to the task that `state` is the record of.
#[inline(always)]
unsafe fn find(task: *const c_void, state: &TaskState) -> Option<*mut Row> {
    let (workload, process, thread) = (state.workload, state.process, state.thread);
    let mut key = RowKey {
        workload,
        process,
        thread,
        padding: 0,
        name: [0; NAME_BYTES],
    };
    let empty = EMPTY_ROW.get(0)?;
    if let Some(row) = THREAD_ROWS.get_ptr_mut(&key) {
        return Some(row);
    }
    // Where there is no room, another row has it.
    let _ = THREAD_ROWS.insert(&key, empty, NO_EXIST);
    if let Some(row) = THREAD_ROWS.get_ptr_mut(&key) {
        return Some(row);
    }
    if process == thread {
        key.process = 0;
    }
    key.thread = 0;
    // SAFETY: by the caller's promise.
    unsafe { state::copy_name(task, &raw mut key.name) };
    if let Some(row) = NAMED_ROWS.get_ptr_mut(&key) {
        return Some(row);
    }
    // As above.
    let _ = NAMED_ROWS.insert(&key, empty, NO_EXIST);
    if let Some(row) = NAMED_ROWS.get_ptr_mut(&key) {
        return Some(row);
    }
    let totals = state::totals(workload)?;
    // SAFETY: the totals are in the map.
    Some(unsafe { &raw mut (*totals).rest })
}
