//! What an inode and the flags of an open file say of the file.

use crate::probes::base::memory::{self, constant, read};

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

/// `O_DIRECT`, which is not the same on all architectures; set at load.
#[unsafe(no_mangle)]
static O_DIRECT: u32 = 0;

/// Whether a file was opened to go past the cache.
#[inline(always)]
pub fn is_direct(flags: u32) -> bool {
    flags & constant(&O_DIRECT) != 0
}

/// Whether the inode at an address is that of a block device.
#[inline(always)]
pub fn is_block_device_at(inode: u64) -> bool {
    let mode: u16 = read(inode, &memory::OFF_INODE_MODE);
    is_block_device(mode.into())
}
