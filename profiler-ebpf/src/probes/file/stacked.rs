//! Files on overlayfs, which has no pages of its own: they are those of the inodes below it, and so are faults, dirty pages
//! and bios. The row of such a file has the keys of the rows that these are counted in.

use ioprof_ebpf::abi::{
    fields::ABSENT,
    file::{FileKey, FileStats, OpenFile},
};

use super::{
    identity::{Identity, OVERLAYFS},
    table,
};
use crate::probes::base::memory::{self, constant, read, read_at};

/// The size of `struct ovl_path`: two pointers.
const PATH_BYTES: u64 = 16;

/// Notes in the new row of an open file what is below it, by the address of its `struct file`.
#[inline(always)]
pub fn note(row: *mut FileStats, workload: u32, file: u64, identity: &Identity) {
    if identity.magic == OVERLAYFS {
        // To the verifier the file may be a pointer, which the function does not take; what is read is a number.
        note_below(row, read(file, &memory::OFF_FILE_INODE), workload.into());
    }
}

/// The same by the address of its inode. Exported, as `path.rs` says.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_below(row: *mut FileStats, inode: u64, workload: u64) -> u64 {
    // So the verifier takes what it is given.
    if row.is_null() {
        return 0;
    }
    let workload = workload as u32;
    // SAFETY: the row is in the map, and only who has added it writes these.
    unsafe {
        (*row).is_stacked = 1;
        if is_known() {
            (*row).lower = key(lower(inode), workload);
            (*row).upper = key(upper(inode), workload);
        }
    }
    0
}

/// Whether the pages of a file that is kept are those of the row with this key.
#[inline(always)]
pub fn has_pages_of(open: &OpenFile, key: &FileKey) -> bool {
    // SAFETY: the row is in the map.
    open.key == *key || table::row(&open.key).is_some_and(|row| unsafe { (*row).upper == *key })
}

/// The same of pages that are read: of what was not copied up they are those of a lower file system.
#[inline(always)]
pub fn reads_pages_of(open: &OpenFile, key: &FileKey) -> bool {
    open.key == *key
        || table::row(&open.key).is_some_and(|row| {
            // SAFETY: the row is in the map.
            unsafe { (*row).upper == *key || (*row).lower == *key }
        })
}

/// Whether the types of overlayfs are.
#[inline(always)]
fn is_known() -> bool {
    [
        &memory::OFF_OVERLAY_INODE,
        &memory::OFF_OVERLAY_UPPER,
        &memory::OFF_OVERLAY_LOWER,
    ]
    .into_iter()
    .all(|offset| constant(offset) != ABSENT)
}

/// The key of the row of an inode; of no workload where there is none. What is on overlayfs again is below that.
#[inline(always)]
fn key(mut inode: u64, workload: u32) -> FileKey {
    let superblock: u64 = read(inode, &memory::OFF_INODE_SB);
    if read::<u64>(superblock, &memory::OFF_SB_MAGIC) == OVERLAYFS {
        // No more than two are stacked (`FILESYSTEM_MAX_STACK_DEPTH` of include/linux/fs.h).
        inode = match upper(inode) {
            0 => lower(inode),
            upper => upper,
        };
    }
    if inode == 0 {
        return FileKey::others(0);
    }
    Identity::at(inode).row(workload)
}

/// The inode in the upper file system of one on overlayfs; 0 where there is none.
#[inline(always)]
fn upper(inode: u64) -> u64 {
    let around = inode.wrapping_sub(constant(&memory::OFF_OVERLAY_INODE).into());
    of_entry(read(around, &memory::OFF_OVERLAY_UPPER))
}

/// The inode in a lower file system that has the data: the last, as those above may have none (`ovl_inode_lowerdata` of
/// fs/overlayfs/util.c).
#[inline(always)]
fn lower(inode: u64) -> u64 {
    let around = inode.wrapping_sub(constant(&memory::OFF_OVERLAY_INODE).into());
    let layers: u64 = read(around, &memory::OFF_OVERLAY_LOWER);
    let count: u32 = read(layers, &memory::OFF_OVERLAY_LAYERS);
    if layers == 0 || count == 0 {
        return 0;
    }
    let stack = layers.wrapping_add(constant(&memory::OFF_OVERLAY_STACK).into());
    let last = stack + u64::from(count - 1) * PATH_BYTES;
    of_entry(read_at(
        last + u64::from(constant(&memory::OFF_OVERLAY_ENTRY)),
    ))
}

/// The inode of a directory entry; 0 where there is none.
#[inline(always)]
fn of_entry(entry: u64) -> u64 {
    if entry == 0 {
        0
    } else {
        read(entry, &memory::OFF_DENTRY_INODE)
    }
}
