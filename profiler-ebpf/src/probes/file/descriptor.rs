//! The open file that a descriptor or another pointer of the kernel stands for.

use core::ffi::c_void;

use super::identity::Identity;
use crate::probes::base::memory::{self, Head, constant, field, read_at, typed};

/// An open file, as it is now.
pub struct Opened {
    /// The address of its `struct file`.
    pub file: u64,
    /// The address of its inode.
    pub inode: u64,
    /// Which file it is.
    pub identity: Identity,
    /// `f_flags`, as open(2) and fcntl(2) have set them.
    pub flags: u32,
    /// Its offset.
    pub position: u64,
}

/// What a descriptor of a task stands for. None where it stands for nothing.
///
/// # Safety
///
/// `task` is the running task, or a BTF pointer to one that waits in a call.
#[inline(always)]
pub unsafe fn of(task: *const c_void, descriptor: u64) -> Option<Opened> {
    // SAFETY: by the caller's promise.
    unsafe { slot(task, descriptor) }.and_then(in_slot)
}

/// The address of the pointer to the open file that a descriptor of the running task stands for. None where there is none.
///
/// # Safety
///
/// As for [`of`].
#[inline(always)]
pub unsafe fn slot(task: *const c_void, descriptor: u64) -> Option<u64> {
    let descriptor = u64::from(descriptor as u32);
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let files: *const c_void = field(task, &memory::OFF_TASK_FILES);
        if files.is_null() {
            return None;
        }
        let table: *const c_void = field(files, &memory::OFF_FILES_FDT);
        if table.is_null() || descriptor >= u64::from(field::<u32>(table, &memory::OFF_FDT_MAX)) {
            return None;
        }
        let slots: u64 = field(table, &memory::OFF_FDT_FD);
        Some(slots.wrapping_add(descriptor * 8))
    }
}

/// The open file that a pointer is to, by the address of the pointer. None where it is to none.
#[inline(always)]
pub fn in_slot(slot: u64) -> Option<Opened> {
    // The slot is taken for the first of those that are part of a structure: so its type is known.
    let around = slot.wrapping_sub(constant(&memory::OFF_FILES_SLOTS).into());
    match typed(around, &memory::TYPE_FILES) {
        // SAFETY: what is loaded has that type.
        Some(around) => unsafe { at(field(around, &memory::OFF_FILES_SLOTS)) },
        None => at_address(read_at(slot)),
    }
}

/// An open file. None where there is none.
///
/// # Safety
///
/// `file` is a BTF pointer to a `struct file`.
#[inline(always)]
unsafe fn at(file: *const c_void) -> Option<Opened> {
    if file.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise; the inode is loaded from it.
    unsafe {
        let inode: *const c_void = field(file, &memory::OFF_FILE_INODE);
        if inode.is_null() {
            return None;
        }
        Some(Opened {
            file: file as u64,
            inode: inode as u64,
            identity: Identity::of(inode),
            flags: field(file, &memory::OFF_FILE_FLAGS),
            position: field(file, &memory::OFF_FILE_POS),
        })
    }
}

/// The same by its address.
#[inline(always)]
pub fn at_address(file: u64) -> Option<Opened> {
    if file == 0 {
        return None;
    }
    let (inode, flags, position) = Head::with(file, |head| {
        (
            head.get(&memory::OFF_FILE_INODE),
            head.get(&memory::OFF_FILE_FLAGS),
            head.get(&memory::OFF_FILE_POS),
        )
    });
    Some(Opened {
        file,
        inode,
        identity: Identity::at_once(inode),
        flags,
        position,
    })
}
