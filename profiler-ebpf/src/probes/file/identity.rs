//! Which file an inode is: read where it is needed, as addresses of inodes and of open files are used again.

use core::ffi::c_void;

use ioprof_ebpf::abi::{fields::ABSENT, file::FileKey};

use super::inode::{S_IFMT, is_block_device, is_regular};
use crate::probes::base::memory::{self, Head, constant, field, read, typed};

/// `BTRFS_SUPER_MAGIC` of include/uapi/linux/magic.h.
const BTRFS: u64 = 0x9123_683e;

/// A file as its inode shows it.
#[derive(Clone, Copy)]
pub struct Identity {
    /// The device, the inode's number, its generation and its subvolume; of no workload.
    file: FileKey,
    /// `i_mode`.
    pub mode: u32,
    /// `i_size`.
    pub bytes: u64,
}

impl Identity {
    /// That of the inode at an address.
    #[inline(always)]
    pub fn at(inode: u64) -> Self {
        if let Some(inode) = typed(inode, &memory::TYPE_INODE) {
            // SAFETY: the pointer has that type, and loads from an address that is none give zeroes.
            return unsafe { Self::of(inode) };
        }
        let (superblock, number, generation, mode, bytes) = Head::with(inode, |head| {
            (
                head.get(&memory::OFF_INODE_SB),
                head.get(&memory::OFF_INODE_NUMBER),
                head.get(&memory::OFF_INODE_GENERATION),
                head.get::<u16>(&memory::OFF_INODE_MODE),
                head.get(&memory::OFF_INODE_SIZE),
            )
        });
        let (device, magic) = Head::with(superblock, |head| {
            (
                head.get(&memory::OFF_SB_DEV),
                head.get(&memory::OFF_SB_MAGIC),
            )
        });
        Self {
            file: FileKey {
                workload: 0,
                device,
                inode: number,
                generation,
                subvolume: subvolume(inode, magic),
            },
            mode: mode.into(),
            bytes,
        }
    }

    /// The same by loads, which take no helper.
    ///
    /// # Safety
    ///
    /// `inode` is a BTF pointer to a `struct inode`.
    #[inline(always)]
    pub unsafe fn of(inode: *const c_void) -> Self {
        // SAFETY: by the caller's promise; the verifier wants to see that the pointer is none.
        unsafe {
            let superblock: *const c_void = field(inode, &memory::OFF_INODE_SB);
            let (device, magic) = if superblock.is_null() {
                (0, 0)
            } else {
                (
                    field(superblock, &memory::OFF_SB_DEV),
                    field(superblock, &memory::OFF_SB_MAGIC),
                )
            };
            Self {
                file: FileKey {
                    workload: 0,
                    device,
                    inode: field(inode, &memory::OFF_INODE_NUMBER),
                    generation: field(inode, &memory::OFF_INODE_GENERATION),
                    subvolume: subvolume(inode as u64, magic),
                },
                mode: field::<u16>(inode, &memory::OFF_INODE_MODE).into(),
                bytes: field(inode, &memory::OFF_INODE_SIZE),
            }
        }
    }

    /// The number of the inode.
    #[inline(always)]
    pub const fn number(&self) -> u64 {
        self.file.inode
    }

    /// The file, whatever it is, with a workload.
    #[inline(always)]
    pub const fn with(&self, workload: u32) -> FileKey {
        FileKey {
            workload,
            ..self.file
        }
    }

    /// The key of its row. Pipes, sockets and what else has no name share the key of their kind.
    #[inline(always)]
    pub const fn row(&self, workload: u32) -> FileKey {
        if is_regular(self.mode) || is_block_device(self.mode) {
            self.with(workload)
        } else {
            FileKey::class(workload, (self.mode & S_IFMT) >> 12)
        }
    }
}

/// The subvolume of an inode of btrfs, whose inodes have the same number and generation in a snapshot as in what it was
/// taken of; 0 for other file systems, and where btrfs's types are not known.
#[inline(always)]
fn subvolume(inode: u64, magic: u64) -> u32 {
    if magic != BTRFS || constant(&memory::OFF_BTRFS_ROOT) == ABSENT {
        return 0;
    }
    let around = inode.wrapping_sub(constant(&memory::OFF_BTRFS_INODE).into());
    let root: u64 = read(around, &memory::OFF_BTRFS_ROOT);
    read::<u64>(root, &memory::OFF_BTRFS_ROOT_ID) as u32
}
