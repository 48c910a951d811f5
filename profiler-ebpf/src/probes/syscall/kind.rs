//! What is known of a system call by its number, and by the interface that it comes by.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::{
    fields::ABSENT,
    layout::{MAX_COMPAT_SYSCALLS, MAX_SYSCALLS, SOCKET_CALLS, UNKNOWN_OPERATION},
    syscall::CallKind,
};

use crate::probes::{
    base::memory::{self, constant, field},
    task::state,
};

/// The [`CallKind`] of every system call number.
#[btf_map]
static CALL_KINDS: Array<u32, { MAX_SYSCALLS as usize }> = Array::new();

/// The same of the numbers of the 32-bit interface.
#[btf_map]
static COMPAT_KINDS: Array<u32, { MAX_COMPAT_SYSCALLS as usize }> = Array::new();

/// `TS_COMPAT` of arch/x86/include/asm/thread_info.h: the call came by the 32-bit interface.
const TS_COMPAT: u32 = 0x2;

/// What is known of the call that a task is in, by its number.
///
/// # Safety
///
/// `task` is a BTF pointer to a task, `registers` to those of its call.
#[inline(always)]
pub unsafe fn of_call(task: *const c_void, registers: *const c_void, number: u32) -> CallKind {
    // SAFETY: by the caller's promise.
    unsafe {
        if is_compat(task) {
            return of_compat_call(registers, number);
        }
    }
    CallKind(CALL_KINDS.get(number).copied().unwrap_or(UNKNOWN_OPERATION))
}

/// What is known of a call by the 32-bit interface.
///
/// # Safety
///
/// As for [`of_call`].
#[inline(always)]
unsafe fn of_compat_call(registers: *const c_void, number: u32) -> CallKind {
    let known = |number: u32| CallKind(COMPAT_KINDS.get(number).copied().unwrap_or(0));
    if number >= MAX_SYSCALLS {
        return CallKind(UNKNOWN_OPERATION | CallKind::COMPAT);
    }
    let kind = known(number);
    if !kind.has(CallKind::BY_POINTER) {
        return CallKind(kind.0 | CallKind::COMPAT);
    }
    // SAFETY: by the caller's promise.
    let number: u32 = unsafe { field(registers, &memory::OFF_COMPAT_ARG0) };
    if number >= SOCKET_CALLS {
        return CallKind(CallKind::COMPAT);
    }
    CallKind(known(MAX_SYSCALLS + number).0 | CallKind::COMPAT)
}

/// The [`CallKind`] of the call that another task is in, 0 where it is in none or in one without a name.
///
/// # Safety
///
/// `task` is a BTF pointer to a task.
#[inline(always)]
pub unsafe fn under_way(task: *const c_void) -> u32 {
    // SAFETY: by the caller's promise.
    unsafe { of_call(task, state::registers(task), state::call_number(task)).0 }
}

/// Whether the call that a task is in comes by the 32-bit interface, whose numbers mean other calls. The kernel says so
/// from before the tracepoint of its beginning until the task is back in user mode, by whatever instruction it came in
/// and whatever program it runs.
#[inline(always)]
unsafe fn is_compat(task: *const c_void) -> bool {
    // SAFETY: `task` is a BTF pointer to a task.
    constant(&memory::OFF_TASK_STATUS) != ABSENT
        && unsafe { field::<u32>(task, &memory::OFF_TASK_STATUS) } & TS_COMPAT != 0
}
