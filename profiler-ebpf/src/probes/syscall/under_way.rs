//! The calls that are under way as the window begins, and as it ends. The walks over all tasks look for them.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::{
    file::FileKey, layout::MAX_UNDER_WAY, syscall::CallKind, task::TaskState, under_way::UnderWay,
};

use super::{arguments::Arguments, kind};
use crate::probes::{
    base::{
        atomic,
        map::next,
        memory::{self, field},
    },
    file::{descriptor, path},
    task::state,
};

#[btf_map]
static UNDER_WAY: Array<UnderWay, { MAX_UNDER_WAY as usize }> = Array::new();

/// How many numbers were handed out.
#[btf_map]
static UNDER_WAY_USED: Array<u64, 1> = Array::new();

/// Notes the call that a task was in when it came into scope, where it is in it still: once.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `state` its record.
#[inline(always)]
pub unsafe fn at_beginning(task: *const c_void, state: *mut TaskState) {
    // SAFETY: by the caller's promise.
    unsafe {
        if is_in_unseen_call(task, state) && (*state).flags & TaskState::NOTED == 0 {
            atomic::set_flags(&raw mut (*state).flags, TaskState::NOTED);
            note(task, state, UnderWay::BEGINNING, true);
        }
    }
}

/// Notes the call that a task is in as the window has ended. `has_moved` says that the task may have gone on since.
///
/// # Safety
///
/// As for [`at_beginning`].
#[inline(always)]
pub unsafe fn at_end(task: *const c_void, state: *mut TaskState, has_moved: bool) {
    // SAFETY: by the caller's promise.
    unsafe {
        if (*state).entered_ns != 0 {
            note(task, state, UnderWay::END, !has_moved);
        } else if !has_moved && is_in_unseen_call(task, state) {
            note(task, state, UnderWay::END, true);
        }
    }
}

/// Whether a task is in the call that it was in as it came into scope. One that is on a CPU may be in user mode, with the
/// registers of its last call on its stack.
///
/// # Safety
///
/// As for [`at_beginning`].
#[inline(always)]
unsafe fn is_in_unseen_call(task: *const c_void, state: *mut TaskState) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        (*state).flags & TaskState::MAY_BE_IN_CALL != 0
            && (*state).entered_ns == 0
            && field::<u8>(task, &memory::OFF_TASK_ON_CPU) == 0
            && state::is_in_call(task)
    }
}

/// Notes a call. Its registers tell more of it where the task `is_there` still.
///
/// # Safety
///
/// As for [`at_beginning`].
#[inline(always)]
unsafe fn note(task: *const c_void, state: *mut TaskState, at: u32, is_there: bool) {
    // SAFETY: by the caller's promise; what it comes from is in maps. A number past the end has no entry.
    unsafe {
        let workload = (*state).workload;
        let Some(totals) = state::totals(workload).filter(|_| workload != 0) else {
            return;
        };
        atomic::add(&raw mut (*totals).calls_under_way, 1);
        let Some(call) =
            next(&UNDER_WAY_USED).and_then(|place| UNDER_WAY.get_ptr_mut(place as u32))
        else {
            return;
        };
        let entered_ns = (*state).entered_ns;
        let kind = CallKind(match entered_ns {
            0 => kind::under_way(task),
            _ => (*state).kind,
        });
        (*call).workload = workload;
        (*call).at = at;
        (*call).kind = kind.0;
        (*call).number = UnderWay::NO_NUMBER;
        (*call).process = field(task, &memory::OFF_TASK_TGID);
        (*call).thread = field(task, &memory::OFF_TASK_PID);
        (*call).entered_ns = entered_ns;
        state::copy_name(task, &raw mut (*call).name);
        let seen = &(*state).file;
        if entered_ns != 0 && seen.is_in_use != 0 && has_file(kind) {
            (*call).file = seen.key;
            (*call).mode = seen.mode;
        }
        if is_there {
            (*call).number = state::call_number(task);
            note_file(task, call, kind);
        }
    }
}

/// Whether the first argument of a call stands for its file.
#[inline(always)]
const fn has_file(kind: CallKind) -> bool {
    kind.has(CallKind::FILE) && !kind.has(CallKind::TRANSFERS)
}

/// Notes the file that the first argument of a call stands for.
///
/// # Safety
///
/// As for [`at_beginning`]; `call` is in the map.
#[inline(always)]
unsafe fn note_file(task: *const c_void, call: *mut UnderWay, kind: CallKind) {
    // Arguments in memory are another process's.
    if !has_file(kind) || kind.has(CallKind::BY_POINTER) {
        return;
    }
    // SAFETY: by the caller's promise. The task waits in the call, so that its table of descriptors stays.
    unsafe {
        let arguments = Arguments::new(state::registers(task), kind);
        let Some(opened) = descriptor::of(task, arguments.get::<0>()) else {
            return;
        };
        let key = opened.identity.row((*call).workload);
        let seen: FileKey = (*call).file;
        // Another thread may have closed the descriptor and opened another file.
        if seen.workload != 0 && seen != key {
            return;
        }
        (*call).file = key;
        (*call).mode = opened.identity.mode;
        (*call).path = path::of_file(opened.file);
    }
}
