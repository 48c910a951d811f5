//! Which file an inode is: read where it is needed, as addresses of inodes and of open files are used again.

use core::ffi::c_void;

use ioprof_ebpf::abi::{fields::ABSENT, file::FileKey};

use super::inode::{S_IFMT, is_block_device, is_regular};
use crate::probes::base::memory::{self, Head, constant, field, read, typed};

/// `BTRFS_SUPER_MAGIC` of include/uapi/linux/magic.h.
const BTRFS: u64 = 0x9123_683e;

/// `OVERLAYFS_SUPER_MAGIC` of the same.
pub const OVERLAYFS: u64 = 0x794c_7630;

/// A file as its inode shows it.
#[derive(Clone, Copy)]
pub struct Identity {
    /// All that tells it from others; of no workload.
    file: FileKey,
    /// `i_mode`.
    pub mode: u32,
    /// `i_size`; 0 where it was not read.
    pub bytes: u64,
    /// `s_magic` of its file system.
    pub magic: u64,
}

/// What is read of an inode and its superblock, in whatever way.
struct Inode {
    address: u64,
    number: u64,
    generation: u32,
    mode: u16,
    bytes: u64,
    device: u32,
    magic: u64,
}

impl Inode {
    /// Its identity; `otherwise` is the instance where its file system tells of none.
    #[inline(always)]
    fn identity(self, otherwise: u32) -> Identity {
        Identity {
            file: FileKey {
                workload: 0,
                device: self.device,
                inode: self.number,
                generation: self.generation,
                instance: instance(self.address, self.magic, otherwise),
            },
            mode: self.mode.into(),
            bytes: self.bytes,
            magic: self.magic,
        }
    }
}

impl Identity {
    /// That of the inode at an address.
    #[inline(always)]
    pub fn at(inode: u64) -> Self {
        if let Some(inode) = typed(inode, &memory::TYPE_INODE) {
            // SAFETY: the pointer has that type, and loads from an address that is none give zeroes.
            return unsafe { Self::of(inode) };
        }
        let superblock: u64 = read(inode, &memory::OFF_INODE_SB);
        Inode {
            address: inode,
            number: read(inode, &memory::OFF_INODE_NUMBER),
            generation: read(inode, &memory::OFF_INODE_GENERATION),
            mode: read(inode, &memory::OFF_INODE_MODE),
            bytes: 0,
            device: read(superblock, &memory::OFF_SB_DEV),
            magic: read(superblock, &memory::OFF_SB_MAGIC),
        }
        .identity(0)
    }

    /// The same with `i_size`, by fewer calls of the helper and with more of the stack.
    #[inline(always)]
    pub fn at_once(inode: u64) -> Self {
        let (superblock, number, generation, mode, bytes) = Head::with(inode, |head| {
            (
                head.get(&memory::OFF_INODE_SB),
                head.get(&memory::OFF_INODE_NUMBER),
                head.get(&memory::OFF_INODE_GENERATION),
                head.get(&memory::OFF_INODE_MODE),
                head.get(&memory::OFF_INODE_SIZE),
            )
        });
        let (device, magic) = Head::with(superblock, |head| {
            (
                head.get(&memory::OFF_SB_DEV),
                head.get(&memory::OFF_SB_MAGIC),
            )
        });
        Inode {
            address: inode,
            number,
            generation,
            mode,
            bytes,
            device,
            magic,
        }
        .identity(0)
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
            let nothing = nothing(inode);
            let (device, magic) = if superblock.is_null() {
                (nothing, nothing.into())
            } else {
                (
                    field(superblock, &memory::OFF_SB_DEV),
                    field(superblock, &memory::OFF_SB_MAGIC),
                )
            };
            Inode {
                address: inode as u64,
                number: field(inode, &memory::OFF_INODE_NUMBER),
                generation: field(inode, &memory::OFF_INODE_GENERATION),
                mode: field(inode, &memory::OFF_INODE_MODE),
                bytes: field(inode, &memory::OFF_INODE_SIZE),
                device,
                magic,
            }
            .identity(nothing)
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

/// What tells an inode from others besides its number and generation, by the kind of its file system; `otherwise` where
/// there is nothing.
#[inline(always)]
fn instance(inode: u64, magic: u64, otherwise: u32) -> u32 {
    match magic {
        BTRFS => subvolume(inode),
        OVERLAYFS => generation_above(inode, otherwise),
        _ => otherwise,
    }
}

/// The subvolume of an inode of btrfs, whose inodes have the same number and generation in a snapshot as in what it was
/// taken of; 0 where btrfs's types are not known.
#[inline(always)]
fn subvolume(inode: u64) -> u32 {
    if constant(&memory::OFF_BTRFS_ROOT) == ABSENT {
        return 0;
    }
    let around = inode.wrapping_sub(constant(&memory::OFF_BTRFS_INODE).into());
    if let Some(around) = typed(around, &memory::TYPE_BTRFS) {
        // SAFETY: the inode is part of such a structure, and the rest is loaded from it.
        return unsafe {
            let root: *const c_void = field(around, &memory::OFF_BTRFS_ROOT);
            field::<u64>(root, &memory::OFF_BTRFS_ROOT_ID) as u32
        };
    }
    let root: u64 = read(around, &memory::OFF_BTRFS_ROOT);
    read::<u64>(root, &memory::OFF_BTRFS_ROOT_ID) as u32
}

/// The generation of the inode in the upper file system that an inode of overlayfs, which has none itself, has its pages
/// from; 1 where that has none, so that the file differs from the one that it is until it is copied there. `otherwise`
/// where it has them from a lower file system, in which nothing is deleted, and where the types of overlayfs are not known.
#[inline(always)]
fn generation_above(inode: u64, otherwise: u32) -> u32 {
    if constant(&memory::OFF_OVERLAY_UPPER) == ABSENT {
        return otherwise;
    }
    let around = inode.wrapping_sub(constant(&memory::OFF_OVERLAY_INODE).into());
    let (entry, generation): (u64, u32) = if let Some(around) = typed(around, &memory::TYPE_OVERLAY)
    {
        // SAFETY: the inode is part of such a structure, and the rest is loaded from it.
        unsafe {
            let entry: *const c_void = field(around, &memory::OFF_OVERLAY_UPPER);
            let upper: *const c_void = field(entry, &memory::OFF_DENTRY_INODE);
            (entry as u64, field(upper, &memory::OFF_INODE_GENERATION))
        }
    } else {
        let entry: u64 = read(around, &memory::OFF_OVERLAY_UPPER);
        let upper: u64 = read(entry, &memory::OFF_DENTRY_INODE);
        (entry, read(upper, &memory::OFF_INODE_GENERATION))
    };
    match (entry, generation) {
        (0, _) => otherwise,
        (_, 0) => 1,
        (_, generation) => generation,
    }
}

/// 0, which the verifier does not know: it would go through all that follows once for a number that it knows, and again
/// for others.
///
/// # Safety
///
/// `inode` is a BTF pointer to a `struct inode`.
#[inline(always)]
unsafe fn nothing(inode: *const c_void) -> u32 {
    let at = constant(&memory::OFF_INODE_NUMBER) as usize;
    // SAFETY: by the caller's promise. The number of an inode that is in use does not change.
    unsafe {
        let number = inode.byte_add(at).cast::<u64>();
        (number.read_volatile() ^ number.read_volatile()) as u32
    }
}
