//! What an inode and the flags of an open file say of the file.

use core::ffi::c_void;

use crate::probes::base::memory::{self, constant, field, typed};

/// The types in `i_mode`, see inode(7).
pub const S_IFMT: u32 = 0o170_000;

const S_IFREG: u32 = 0o100_000;

const S_IFBLK: u32 = 0o060_000;

/// Whether a file is a regular one, by its mode.
#[inline(always)]
pub const fn is_regular(mode: u32) -> bool {
    mode & S_IFMT == S_IFREG
}

/// Whether a file is a block device, by its mode.
#[inline(always)]
pub const fn is_block_device(mode: u32) -> bool {
    mode & S_IFMT == S_IFBLK
}

/// Whether the device that an inode is that of is held by a file system, or by another who wants it alone.
#[inline(always)]
pub fn is_held(inode: u64) -> bool {
    // The inode is embedded in a structure that the device begins (`struct bdev_inode` of block/bdev.c).
    let device = inode.wrapping_sub(constant(&memory::OFF_BDEV_INODE).into());
    memory::read::<u64>(device, &memory::OFF_BDEV_HOLDER) != 0
}

/// Whether an inode has pages in the page cache: 1 or 0. Not inlined: its callers have no more of the stack.
#[inline(never)]
pub fn has_pages(inode: u64) -> u32 {
    let pages: u64 = if let Some(inode) = typed(inode, &memory::TYPE_INODE) {
        // SAFETY: the pointer has that type, and the mapping is loaded from it.
        unsafe {
            let mapping: *const c_void = field(inode, &memory::OFF_INODE_MAPPING);
            field(mapping, &memory::OFF_MAPPING_PAGES)
        }
    } else {
        let mapping: u64 = memory::read(inode, &memory::OFF_INODE_MAPPING);
        memory::read(mapping, &memory::OFF_MAPPING_PAGES)
    };
    u32::from(pages != 0)
}

/// `O_DIRECT`, which is not the same on all architectures; set at load.
#[unsafe(no_mangle)]
static O_DIRECT: u32 = 0;

/// Whether calls on a file go past the cache, by its flags.
#[inline(always)]
pub fn is_direct(flags: u32) -> bool {
    flags & constant(&O_DIRECT) != 0
}

/// `O_APPEND`, which is the same on all architectures that ioprof is built for.
const O_APPEND: u32 = 0o2000;

/// `O_ACCMODE`, likewise; nothing of it is `O_RDONLY`.
const O_ACCMODE: u32 = 0o3;

/// Whether a file is open for reading alone.
#[inline(always)]
pub const fn is_read_only(flags: u32) -> bool {
    flags & O_ACCMODE == 0
}

/// Whether what is written to a file goes to its end.
#[inline(always)]
pub const fn appends(flags: u32) -> bool {
    flags & O_APPEND != 0
}
