//! System calls on files: which file a descriptor stands for, and what was done to it.
//!
//! A thread keeps the file it has used last in its record, with what it did to it; that goes into the file's
//! row when the thread turns to another file or ends. A call on the same file as the one before takes no
//! look-up. Whether it is the same is read from the inode at each call: what is known by its address may be gone,
//! by another thread, another process or a ring.

use core::ffi::c_void;

use ioprof_ebpf::abi::{file::OpenFile, syscall::CallKind, task::TaskState};

use super::{
    arguments::Arguments,
    file_counts::{Access, count_one, settle},
    size::UNKNOWN_SIZE,
};
use crate::probes::file::{
    descriptor::{self, Opened},
    identity::Identity,
    inode, path, stacked, table,
};

/// The offset by which preadv2(2) and pwritev2(2) use that of the open file.
const OWN_OFFSET: u64 = u64::MAX;

/// A call that has returned.
#[derive(Clone, Copy)]
pub struct Call {
    pub kind: CallKind,
    pub latency: u64,
    pub result: u64,
    pub failed: bool,
}

impl Call {
    /// The bytes that it has moved, where it moves any.
    #[inline(always)]
    const fn moved(&self) -> u64 {
        if self.failed { 0 } else { self.result }
    }
}

/// Makes the file that a call begins on the one in the thread's record. That is looked up at the beginning: another
/// thread may have the descriptor stand for another file before the call returns.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
pub unsafe fn begin(
    task: *const c_void,
    state: &mut TaskState,
    arguments: Arguments,
    kind: CallKind,
) {
    if !kind.has(CallKind::FILE) || kind.has(CallKind::TRANSFERS) {
        return;
    }
    state.file.is_in_use = 0;
    // SAFETY: by the caller's promise.
    let Some(opened) = (unsafe { descriptor::of(task, arguments.find::<0>()) }) else {
        return;
    };
    let offset = if kind.has(CallKind::AT_ARG3) {
        arguments.offset()
    } else {
        OWN_OFFSET
    };
    keep(&mut state.file, state.workload, &opened);
    state.file.is_in_use = 1;
    state.file.fresh_bytes = 0;
    state.file.begin = match () {
        () if kind.has(CallKind::WRITES) && appends(&opened, arguments, kind) => {
            opened.identity.bytes
        }
        () if offset != OWN_OFFSET => offset,
        () => opened.position,
    };
}

/// `RWF_APPEND` and `RWF_NOAPPEND` of include/uapi/linux/fs.h.
const RWF_APPEND: u64 = 0x10;
const RWF_NOAPPEND: u64 = 0x20;

/// Whether a call writes to the end of its file.
#[inline(always)]
fn appends(opened: &Opened, arguments: Arguments, kind: CallKind) -> bool {
    let flags = match kind.has(CallKind::FLAGS_ARG5) {
        true => arguments.get::<5>(),
        false => 0,
    };
    flags & RWF_APPEND != 0 || inode::appends(opened.flags) && flags & RWF_NOAPPEND == 0
}

/// Counts a call in the rows of its files, and returns the flags and the mode of the one it reads from; 0 for
/// none.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
pub unsafe fn count(
    task: *const c_void,
    state: &mut TaskState,
    arguments: Arguments,
    call: &Call,
) -> (u32, u32) {
    let kind = call.kind;
    if kind.has(CallKind::TRANSFERS) {
        // Each descriptor with the address of the offset that is used instead of its own.
        let (from, to) = match () {
            () if kind.has(CallKind::COPIES) => (
                (arguments.get::<0>(), arguments.get::<1>()),
                (arguments.get::<2>(), arguments.get::<3>()),
            ),
            () if kind.has(CallKind::SENDS) => (
                (arguments.get::<1>(), arguments.get::<2>()),
                (arguments.get::<0>(), 0),
            ),
            () => ((arguments.get::<0>(), 0), (arguments.get::<1>(), 0)),
        };
        // SAFETY: by the caller's promise.
        unsafe {
            // The time of the call is that of the file it writes.
            if switch(task, state, to.0, call, |own| {
                arguments.offset_at(to.1, own)
            }) {
                add(state, Access::Write, call, call.latency);
            }
            if !switch(task, state, from.0, call, |own| {
                arguments.offset_at(from.1, own)
            }) {
                return (0, 0);
            }
        }
        add(state, Access::Read, call, 0);
        return (state.file.flags, state.file.mode);
    }
    let did = if kind.has(CallKind::OPENS) {
        // SAFETY: by the caller's promise.
        if call.failed || !unsafe { switch(task, state, call.result, call, |own| own) } {
            return (0, 0);
        }
        Access::Open
    } else if state.file.is_in_use == 0 {
        return (0, 0);
    } else {
        access(kind, state.file.flags)
    };
    add(state, did, call, call.latency);
    (state.file.flags, state.file.mode)
}

/// What a call does to a file that was opened with these flags.
#[inline(always)]
const fn access(kind: CallKind, flags: u32) -> Access {
    const BOTH: u32 = CallKind::READS | CallKind::WRITES;
    match kind.0 & BOTH {
        CallKind::READS => Access::Read,
        CallKind::WRITES => Access::Write,
        0 => Access::Other,
        _ if inode::is_read_only(flags) => Access::Read,
        _ => Access::Write,
    }
}

/// Makes the file of a descriptor the one in the thread's record, where the call has moved an offset: `end` says where it
/// is, by the file's own. False where there is no file.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn switch(
    task: *const c_void,
    state: &mut TaskState,
    descriptor: u64,
    call: &Call,
    end: impl FnOnce(u64) -> u64,
) -> bool {
    // SAFETY: by the caller's promise.
    let Some(opened) = (unsafe { descriptor::of(task, descriptor) }) else {
        return false;
    };
    keep(&mut state.file, state.workload, &opened);
    state.file.begin = end(opened.position).wrapping_sub(call.moved());
    true
}

/// Makes an open file the one that is kept.
#[inline(always)]
fn keep(open: &mut OpenFile, workload: u32, opened: &Opened) {
    keep_file(open, workload, opened.file, &opened.identity);
    open.flags = opened.flags;
}

/// Makes a file the one that is kept; `file` is the address of its `struct file`.
#[inline(always)]
pub fn keep_file(open: &mut OpenFile, workload: u32, file: u64, identity: &Identity) {
    let key = identity.row(workload);
    if open.key == key {
        return;
    }
    settle(open);
    open.key = key;
    open.mode = identity.mode;
    open.end = 0;
    (open.ahead_from, open.ahead_to) = (0, 0);
    (open.dirty_from, open.dirty_to) = (0, 0);
    if let Some(row) = table::row_or_new(&key, identity.mode, || {
        stacked::note(workload, file, identity);
        path::of_file(file)
    }) {
        // SAFETY: the row is in the map.
        unsafe {
            open.end = (*row).end;
            open.ahead_from = (*row).ahead_from;
            open.ahead_to = (*row).ahead_to;
        }
    }
}

/// Adds a call to what the thread has done to its file.
#[inline(always)]
fn add(state: &mut TaskState, did: Access, call: &Call, ns: u64) {
    let open = &mut state.file;
    let moved = call.moved();
    // The size that a copy asks for is mostly just a large number.
    let copies = call.kind.has(CallKind::TRANSFERS);
    let size = if copies || state.size == UNKNOWN_SIZE {
        moved
    } else {
        state.size
    };
    count_one(&mut open.calls, did, ns, moved, size);
    let is_direct = inode::is_direct(open.flags);
    if did == Access::Write {
        match () {
            // The file system may not do all of it so.
            () if is_direct => open.calls.dirtied_bytes += open.fresh_bytes.min(moved),
            () if copies => open.calls.dirtied_bytes += moved,
            () => dirtied(open, moved),
        }
    }
    if !matches!(did, Access::Read | Access::Write) {
        return;
    }
    if is_direct && did == Access::Read {
        open.calls.device_read_bytes += state.direct_read_bytes;
    } else if is_direct {
        open.calls.device_written_bytes += state.direct_written_bytes;
    }
    if !inode::is_regular(open.mode) {
        return;
    }
    if open.begin == open.end {
        open.calls.sequential += 1;
    }
    open.end = open.begin + moved;
    if (open.begin | size) & 4095 != 0 {
        open.calls.unaligned += 1;
    }
}

/// Adds bytes that a call has moved, which is counted, to the file that it has used.
#[inline(always)]
pub fn add_bytes(state: &mut TaskState, kind: CallKind, bytes: u64) {
    if state.file.is_in_use == 0 {
        return;
    }
    let calls = &mut state.file.calls;
    if kind.has(CallKind::READS) {
        calls.read_bytes += bytes;
    } else {
        calls.written_bytes += bytes;
    }
}

/// Counts the bytes that a call has made dirty: those it wrote, but for what the thread wrote there before, where no
/// folio was clean.
#[inline(always)]
fn dirtied(open: &mut OpenFile, moved: u64) {
    let (from, to) = (open.begin, open.begin.wrapping_add(moved));
    let adjoins = from <= open.dirty_to && to >= open.dirty_from;
    // What was written before to a folio that was clean may be so, too; behind the end there is none of it.
    if !adjoins || open.fresh_bytes != 0 && open.fresh_from < open.dirty_to {
        open.calls.dirtied_bytes += moved;
        (open.dirty_from, open.dirty_to) = (from, to);
        return;
    }
    if from < open.dirty_from {
        open.calls.dirtied_bytes += open.dirty_from - from;
        open.dirty_from = from;
    }
    if to > open.dirty_to {
        open.calls.dirtied_bytes += to - open.dirty_to;
        open.dirty_to = to;
    }
}
