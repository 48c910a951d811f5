//! The table of files: a row for each workload and inode, found by the inode.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ioprof_ebpf::abi::{
    file::{FileKey, FileStats},
    layout::MAX_FILES,
    loss::Loss,
};

use super::{identity::Identity, path, stacked};
use crate::probes::base::{loss, map::NO_EXIST};

#[btf_map]
static FILES: HashMap<FileKey, FileStats, { MAX_FILES as usize }> = HashMap::new();

/// A row with nothing in it. On the stack it would take half of that.
static NEW: FileStats = FileStats::EMPTY;

/// The row of a key, where there is one.
#[inline(always)]
pub fn row(key: &FileKey) -> Option<*mut FileStats> {
    FILES.get_ptr_mut(key)
}

/// The row of a key, made where there is none yet; that of all others where there is no room. `path` keeps the
/// path of a file whose row is new, and returns its number.
#[inline(always)]
pub fn row_or_new(
    key: &FileKey,
    mode: u32,
    path: impl FnOnce(*mut FileStats) -> u64,
) -> Option<*mut FileStats> {
    if let Some(row) = FILES.get_ptr_mut(key) {
        return Some(row);
    }
    let added = FILES.insert(key, &NEW, NO_EXIST).is_ok();
    let Some(row) = FILES.get_ptr_mut(key) else {
        loss::count(Loss::FilesFull);
        return FILES.get_ptr_mut(&FileKey::others(key.workload));
    };
    if added {
        // SAFETY: the entry stays valid for the run of the program, and only who has added it writes these.
        unsafe {
            (*row).mode = mode.into();
            if key.inode != 0 {
                (*row).path = path(row);
            }
        }
    }
    Some(row)
}

/// The row of an open file by its key, and by the address of its `struct file`.
#[inline(always)]
pub fn of_open(key: &FileKey, file: u64, identity: &Identity) -> Option<*mut FileStats> {
    row_or_new(key, identity.mode, |row| {
        stacked::note(row, key.workload, file, identity);
        path::of_file(file)
    })
}

/// The row of a file of which only the inode is known, by its address.
#[inline(always)]
pub fn of_inode(workload: u32, inode: u64) -> Option<*mut FileStats> {
    of_identity(workload, inode, &Identity::at(inode))
}

/// Remembers of the inode of a device, by its address, that pages of it counted as metadata, for who holds the device.
#[inline(always)]
pub fn note_held(workload: u32, inode: u64, file: &Identity) {
    if let Some(row) = of_identity(workload, inode, file) {
        // SAFETY: the row is in the map, and nobody writes anything else there.
        unsafe { (&raw mut (*row).is_held).write_volatile(1) };
    }
}

/// The same, of which that much has been read already.
#[inline(always)]
pub fn of_identity(workload: u32, inode: u64, file: &Identity) -> Option<*mut FileStats> {
    row_or_new(&file.row(workload), file.mode, |_| path::of_inode(inode))
}
