//! System calls on files: which file a descriptor stands for, and what was done to it.
//!
//! A thread keeps the file it has used last in its record, with what it did to it; that goes into the file's
//! row when the thread turns to another file or ends. A call on the same file as the one before takes no
//! look-up.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    file::{FileCalls, FileKey, FileStats, OpenFile, SIZES, size_class},
    syscall::CallKind,
    task::TaskState,
};

use super::size::UNKNOWN_SIZE;
use crate::probes::{
    base::{
        atomic,
        memory::{self, field, read, read_at},
    },
    file::{inode, path, table},
};

/// A call that has returned.
#[derive(Clone, Copy)]
pub struct Call {
    pub kind: CallKind,
    pub latency: u64,
    pub result: u64,
    pub failed: bool,
}

/// What a call or a request did to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Open,
    Other,
}

/// Counts a call in the rows of its files, and returns the flags and the mode of the one it reads from; 0 for
/// none.
///
/// # Safety
///
/// `task` is the running task, `registers` those of its call.
#[inline(always)]
pub unsafe fn count(
    task: *const c_void,
    state: &mut TaskState,
    registers: *const c_void,
    call: &Call,
) -> (u32, u32) {
    let kind = call.kind;
    // SAFETY: by the caller's promise.
    unsafe {
        let argument = |offset| field::<u64>(registers, offset);
        if kind.has(CallKind::COPIES | CallKind::SENDS) {
            state.file.is_sure = 0;
            let (from, to) = if kind.has(CallKind::COPIES) {
                (&memory::OFF_ARG0, &memory::OFF_ARG2)
            } else {
                (&memory::OFF_ARG1, &memory::OFF_ARG0)
            };
            // The time of the call is that of the file it writes.
            if switch_file(task, state, argument(to)) {
                add(state, Access::Write, call, call.latency, None);
            }
            if switch_file(task, state, argument(from)) {
                add(state, Access::Read, call, 0, None);
                return (state.file.flags, state.file.mode);
            }
            return (0, 0);
        }
        let descriptor = if kind.has(CallKind::OPENS) {
            if call.failed {
                return (0, 0);
            }
            // The address of a file that was closed may be that of the new one.
            settle(&mut state.file);
            state.file.file = 0;
            state.file.is_sure = 0;
            call.result
        } else {
            argument(&memory::OFF_ARG0)
        };
        let is_same = state.file.is_sure != 0 && state.file.descriptor == descriptor as u32;
        if !(is_same && is_alone(task)) {
            if !switch_file(task, state, descriptor) {
                return (0, 0);
            }
            state.file.descriptor = descriptor as u32;
            state.file.is_sure = is_alone(task).into();
        }
        let did = match () {
            () if kind.has(CallKind::READS) => Access::Read,
            () if kind.has(CallKind::WRITES) => Access::Write,
            () if kind.has(CallKind::OPENS) => Access::Open,
            () => Access::Other,
        };
        let at = kind
            .has(CallKind::AT_ARG3)
            .then(|| argument(&memory::OFF_ARG3));
        add(state, did, call, call.latency, at);
    }
    (state.file.flags, state.file.mode)
}

/// Whether a task has its table of descriptors to itself: no other thread, and no ring that polls.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn is_alone(task: *const c_void) -> bool {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let files: *const c_void = field(task, &memory::OFF_TASK_FILES);
        let signal: *const c_void = field(task, &memory::OFF_TASK_SIGNAL);
        field::<u32>(files, &memory::OFF_FILES_COUNT) == 1
            && field::<u32>(signal, &memory::OFF_SIGNAL_THREADS) == 1
    }
}

/// Makes the file of a descriptor the one in the thread's record. False where there is none.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn switch_file(task: *const c_void, state: &mut TaskState, descriptor: u64) -> bool {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    let file = unsafe {
        let files: *const c_void = field(task, &memory::OFF_TASK_FILES);
        let table: *const c_void = field(files, &memory::OFF_FILES_FDT);
        let descriptor = u64::from(descriptor as u32);
        if descriptor >= u64::from(field::<u32>(table, &memory::OFF_FDT_MAX)) {
            return false;
        }
        let slots: u64 = field(table, &memory::OFF_FDT_FD);
        read_at::<u64>(slots.wrapping_add(descriptor * 8))
    };
    keep(&mut state.file, state.workload, file)
}

/// Makes a file, by the address of its `struct file`, the one that is kept. False where there is none.
#[inline(always)]
pub fn keep(open: &mut OpenFile, workload: u32, file: u64) -> bool {
    if file == 0 {
        return false;
    }
    let inode: u64 = read(file, &memory::OFF_FILE_INODE);
    if (file, inode, workload) != (open.file, open.inode, open.key.workload) {
        settle(open);
        take(open, workload, file, inode);
    }
    true
}

#[inline(always)]
fn take(open: &mut OpenFile, workload: u32, file: u64, inode: u64) {
    let (key, mode) = table::key(workload, inode);
    open.file = file;
    open.inode = inode;
    open.key = key;
    open.mode = mode;
    open.flags = read(file, &memory::OFF_FILE_FLAGS);
    open.end = 0;
    if let Some(row) = table::row_or_new(&key, mode, || path::of_file(file)) {
        // SAFETY: the row is in the map.
        unsafe { open.end = (*row).end };
    }
}

/// Adds a call to what the thread has done to its file.
#[inline(always)]
fn add(state: &mut TaskState, did: Access, call: &Call, ns: u64, at: Option<u64>) {
    let open = &mut state.file;
    let moved = if call.failed { 0 } else { call.result };
    // The size that a copy asks for is mostly just a large number.
    let copies = call.kind.has(CallKind::COPIES | CallKind::SENDS);
    let size = if copies || state.size == UNKNOWN_SIZE {
        moved
    } else {
        state.size
    };
    count_one(&mut open.calls, did, ns, moved, size);
    if !matches!(did, Access::Read | Access::Write) || !inode::is_regular(open.mode) {
        return;
    }
    if inode::is_direct(open.flags) {
        open.calls.device_read_bytes += state.read_bytes;
        open.calls.device_written_bytes += state.written_bytes;
    }
    let begin = match at {
        Some(at) => at,
        None => read::<u64>(open.file, &memory::OFF_FILE_POS).wrapping_sub(moved),
    };
    if begin == open.end {
        open.calls.sequential += 1;
    }
    open.end = begin + moved;
    if (begin | size) & 4095 != 0 {
        open.calls.unaligned += 1;
    }
}

/// Counts one call or request.
#[inline(always)]
pub fn count_one(calls: &mut FileCalls, did: Access, ns: u64, moved: u64, size: u64) {
    calls.ns += ns;
    if ns > calls.max_ns {
        calls.max_ns = ns;
    }
    match did {
        Access::Read => {
            calls.reads += 1;
            calls.read_bytes += moved;
        }
        Access::Write => {
            calls.writes += 1;
            calls.written_bytes += moved;
        }
        Access::Open => {
            calls.opens += 1;
            return;
        }
        Access::Other => return,
    }
    calls.sizes[size_class(size) & (SIZES - 1)] += 1;
}

/// Adds what was done to the file that is kept to the file's row.
#[inline(always)]
pub fn settle(open: &mut OpenFile) {
    if open.file == 0 {
        return;
    }
    let others = FileKey::others(open.key.workload);
    if let Some(row) = table::row(&open.key).or_else(|| table::row(&others)) {
        // SAFETY: the row is in the map; CPUs share it by atomic operations. Two threads that read one file
        // may overwrite each other's end: then neither reads it in sequence.
        unsafe {
            (*row).end = open.end;
            add_up(row, &open.calls);
        }
    }
    open.calls = FileCalls::EMPTY;
}

/// Adds one set of counts to those of a row.
///
/// # Safety
///
/// `row` is in the map.
#[inline(always)]
unsafe fn add_up(row: *mut FileStats, calls: &FileCalls) {
    // SAFETY: by the caller's promise.
    unsafe {
        let sum = &raw mut (*row).calls;
        macro_rules! add {
            ($($name:ident),*) => {
                $(if calls.$name != 0 {
                    atomic::add(&raw mut (*sum).$name, calls.$name);
                })*
            };
        }
        add!(
            opens,
            reads,
            writes,
            read_bytes,
            written_bytes,
            ns,
            sequential,
            unaligned,
            device_read_bytes,
            device_written_bytes
        );
        atomic::raise(&raw mut (*sum).max_ns, calls.max_ns);
        for class in 0..SIZES {
            if calls.sizes[class] != 0 {
                let cell = (&raw mut (*sum).sizes).cast::<u32>().add(class);
                atomic::add_u32(cell, calls.sizes[class]);
            }
        }
    }
}
