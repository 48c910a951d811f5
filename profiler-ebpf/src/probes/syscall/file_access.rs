//! System calls on files: which file a descriptor stands for, and what was done to it.
//!
//! A thread keeps the file it has used last in its record, with what it did to it; that goes into the file's
//! row when the thread turns to another file or ends. A call on the same file as the one before takes no
//! look-up. Whether it is the same is read from the inode at each call: what is known by its address may be gone,
//! by another thread, another process or a ring.

use core::ffi::c_void;

use ioprof_ebpf::abi::{file::OpenFile, syscall::CallKind, task::TaskState};

use super::{
    arguments::{Arguments, offset_at},
    errors::is_error,
    file_counts::{Access, count_one, count_size, settle, settle_file},
    size::UNKNOWN_SIZE,
};
use crate::probes::{
    base::verifier::given,
    file::{
        descriptor::{self, Opened},
        identity::{Identity, OVERLAYFS},
        inode, table,
    },
};

/// The offset by which preadv2(2) and pwritev2(2) use that of the open file.
const OWN_OFFSET: u64 = u64::MAX;

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
    if !kind.has(CallKind::FILE) {
        return;
    }
    state.file.is_in_use = 0;
    // What is brought into the page cache meanwhile is of the file that is read.
    let descriptor = if kind.has(CallKind::SENDS) {
        arguments.get::<1>()
    } else {
        arguments.find::<0>()
    };
    // SAFETY: by the caller's promise.
    let Some(opened) = (unsafe { descriptor::of(task, descriptor) }) else {
        return;
    };
    let offset = if kind.has(CallKind::AT_ARG3) {
        arguments.offset()
    } else {
        OWN_OFFSET
    };
    keep(&mut state.file, state.workload, &opened, settle);
    if kind.has(CallKind::TRANSFERS) {
        return;
    }
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

/// Counts a call on one file in its row: the flags of the file, and in the upper half its mode; 0 for none.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
pub unsafe fn count(
    task: *const c_void,
    state: &mut TaskState,
    latency: u64,
    result: u64,
    failed: bool,
) -> u64 {
    let kind = CallKind(state.kind);
    if kind.has(CallKind::OPENS) && !failed {
        // SAFETY: by the caller's promise.
        return unsafe { count_open(task, state, latency, result) };
    }
    if kind.has(CallKind::OPENS) || state.file.is_in_use == 0 {
        return 0;
    }
    let did = access(kind, state.file.flags);
    add(state, did, if failed { 0 } else { result }, latency);
    flags_and_mode(&state.file)
}

/// The same of a call that has opened a file. Not inlined, so that the verifier then forgets which way it took.
///
/// # Safety
///
/// As for [`count`].
#[inline(never)]
unsafe fn count_open(
    task: *const c_void,
    state: &mut TaskState,
    latency: u64,
    descriptor: u64,
) -> u64 {
    // SAFETY: by the caller's promise.
    if !unsafe { switch(task, state, descriptor, 0, |own| own) } {
        return 0;
    }
    add_access(state, Access::Open as u64, 0, latency);
    flags_and_mode(&state.file)
}

/// Counts a call that moves data from one descriptor to another, as [`count`] does. What it returns is of the file that is
/// read.
///
/// # Safety
///
/// As for [`count`].
#[inline(always)]
pub unsafe fn count_transfer(
    task: *const c_void,
    state: &mut TaskState,
    arguments: Arguments,
    result: u64,
) -> u64 {
    // Each descriptor with the address of the offset that is used instead of its own.
    let kind = arguments.kind;
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
        count_end_of_transfer(task, state, to.0 | WRITTEN, to.1, result);
        count_end_of_transfer(task, state, from.0 & !WRITTEN, from.1, result)
    }
}

/// Set above the descriptor of the end of a transfer that is written.
const WRITTEN: u64 = 1 << 32;

/// Counts one end of a transfer: by its descriptor, and the address of the offset that the call has used in place of its
/// own. Not inlined, as [`count_open`].
///
/// # Safety
///
/// `task` is the running task.
#[inline(never)]
unsafe fn count_end_of_transfer(
    task: *const c_void,
    state: &mut TaskState,
    descriptor: u64,
    place: u64,
    result: u64,
) -> u64 {
    let moved = if is_error(result) { 0 } else { result };
    let kind = CallKind(state.kind);
    // SAFETY: by the caller's promise.
    if !unsafe {
        switch(task, state, descriptor, moved, |own| {
            offset_at(kind, place, own)
        })
    } {
        return 0;
    }
    // The time of the call is that of the file it writes.
    let (did, ns) = if descriptor & WRITTEN != 0 {
        (Access::Write, state.returned.latency_ns)
    } else {
        (Access::Read, 0)
    };
    add_access(state, did as u64, moved, ns);
    flags_and_mode(&state.file)
}

/// The flags of an open file, and in the upper half its mode.
#[inline(always)]
const fn flags_and_mode(open: &OpenFile) -> u64 {
    open.flags as u64 | (open.mode as u64) << 32
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

/// Makes the file of a descriptor the one in the thread's record, where the call has moved so many bytes and an offset: `end`
/// says where that is, by the file's own. False where there is no file.
///
/// # Safety
///
/// `task` is the running task.
#[inline(always)]
unsafe fn switch(
    task: *const c_void,
    state: &mut TaskState,
    descriptor: u64,
    moved: u64,
    end: impl FnOnce(u64) -> u64,
) -> bool {
    // SAFETY: by the caller's promise.
    let Some(opened) = (unsafe { descriptor::of(task, descriptor) }) else {
        return false;
    };
    keep(&mut state.file, state.workload, &opened, settle_once);
    state.file.begin = end(opened.position).wrapping_sub(moved);
    true
}

/// [`settle`] by a call, where that is not what every read and write goes through.
#[inline(always)]
pub fn settle_once(open: &mut OpenFile) {
    settle_file(open);
}

/// Makes an open file the one that is kept; `settle` is one of the above.
#[inline(always)]
fn keep(open: &mut OpenFile, workload: u32, opened: &Opened, settle: impl FnOnce(&mut OpenFile)) {
    keep_file(open, workload, opened.file, &opened.identity, settle);
    open.flags = opened.flags;
    if open.has_pages == 0 && inode::is_regular(open.mode) {
        open.has_pages = match opened.identity.magic {
            OVERLAYFS => 1,
            _ => inode::has_pages(opened.inode),
        };
    }
}

/// Makes a file the one that is kept; `file` is the address of its `struct file`.
#[inline(always)]
pub fn keep_file(
    open: &mut OpenFile,
    workload: u32,
    file: u64,
    identity: &Identity,
    settle: impl FnOnce(&mut OpenFile),
) {
    let key = identity.row(workload);
    if open.key == key {
        return;
    }
    settle(open);
    open.key = key;
    open.mode = identity.mode;
    open.end = 0;
    open.has_pages = 0;
    (open.ahead_from, open.ahead_to) = (0, 0);
    (open.dirty_from, open.dirty_to) = (0, 0);
    if let Some(row) = table::of_open(&key, file, identity) {
        // SAFETY: the row is in the map.
        unsafe {
            open.end = (*row).end;
            open.ahead_from = (*row).ahead_from;
            open.ahead_to = (*row).ahead_to;
        }
    }
}

/// [`add`], exported: see `base/verifier.rs`. `did` is an [`Access`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn add_access(state: *mut TaskState, did: u64, moved: u64, ns: u64) -> u64 {
    // SAFETY: the caller passes a reference.
    if let Some(state) = unsafe { given(state) } {
        add(state, Access::from(did), moved, ns);
    }
    0
}

/// Adds a call, which has moved so many bytes, to what the thread has done to its file.
#[inline(always)]
fn add(state: &mut TaskState, did: Access, moved: u64, ns: u64) {
    let open = &mut state.file;
    let kind = CallKind(state.kind);
    // The size that a copy asks for is mostly just a large number.
    let copies = kind.has(CallKind::TRANSFERS);
    let size = if copies || state.size == UNKNOWN_SIZE {
        moved
    } else {
        state.size
    };
    // That of messages is known with their bytes.
    let known = (!kind.has(CallKind::MESSAGES)).then_some(size);
    count_one(&mut open.calls, did, ns, moved, known);
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
    if !inode::is_regular(open.mode) && !inode::is_block_device(open.mode) {
        return;
    }
    if open.begin == open.end {
        open.calls.sequential += 1;
    }
    // One that failed was nowhere.
    if moved != 0 {
        open.end = open.begin + moved;
    }
    if (open.begin | size) & 4095 != 0 {
        open.calls.unaligned += 1;
    }
}

/// Adds bytes that a call has moved, which is counted, to the file that it has used. It has asked for as many.
#[inline(always)]
pub fn add_bytes(state: &mut TaskState, kind: CallKind, bytes: u64) {
    if state.file.is_in_use == 0 {
        return;
    }
    let calls = &mut state.file.calls;
    count_size(calls, bytes);
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
