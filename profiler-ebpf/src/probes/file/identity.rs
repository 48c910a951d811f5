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
    /// Its identity; `otherwise` stands in it where its file system tells nothing.
    #[inline(always)]
    fn identity(self, otherwise: u32) -> Identity {
        let (generation, instance) = match self.magic {
            BTRFS => (self.generation, subvolume(self.address)),
            OVERLAYFS => layers(self.address, otherwise),
            _ => (self.generation, otherwise),
        };
        Identity {
            file: FileKey {
                workload: 0,
                device: self.device,
                inode: self.number,
                generation,
                instance,
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

/// What tells an inode of overlayfs, which has no generation itself, from others of its number.
///
/// The first is the number that the overlayfs has for the lower file system that the file is in, or was copied from, as two
/// of them may have files of one number (`ovl_map_ino` of fs/overlayfs/inode.c); 0 for the one that the upper layer is in.
/// `otherwise` where the file is in none.
///
/// The second is the generation of the inode in the upper file system that it has its pages from; 1 where that has none, so
/// that the file differs from the one that it is until it is copied there. `otherwise` where it has them from a lower file
/// system, in which nothing is deleted.
///
/// `otherwise`, too, where the types of overlayfs are not known.
#[inline(always)]
fn layers(inode: u64, otherwise: u32) -> (u32, u32) {
    if constant(&memory::OFF_OVERLAY_UPPER) == ABSENT
        || constant(&memory::OFF_OVERLAY_FILE_SYSTEM) == ABSENT
    {
        return (otherwise, otherwise);
    }
    let around = inode.wrapping_sub(constant(&memory::OFF_OVERLAY_INODE).into());
    if constant(&memory::OFF_OVERLAY_LOWER) != ABSENT
        && let Some(around) = typed(around, &memory::TYPE_OVERLAY)
    {
        // SAFETY: the inode is part of such a structure.
        return unsafe { (below(around, otherwise), above(around, otherwise)) };
    }
    let both = read_layers(around, otherwise);
    ((both >> 32) as u32, both as u32)
}

/// The first of [`layers`].
///
/// # Safety
///
/// `around` is a BTF pointer to a `struct ovl_inode`.
#[inline(always)]
unsafe fn below(around: *const c_void, otherwise: u32) -> u32 {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let layers: *const c_void = field(around, &memory::OFF_OVERLAY_LOWER);
        if field::<u32>(layers, &memory::OFF_OVERLAY_LAYERS) == 0 {
            return otherwise;
        }
        let first = layers.byte_add(constant(&memory::OFF_OVERLAY_STACK) as usize);
        let layer: *const c_void = field(first, &memory::OFF_OVERLAY_LAYER);
        field(layer, &memory::OFF_OVERLAY_FILE_SYSTEM)
    }
}

/// The second of [`layers`].
///
/// # Safety
///
/// As for [`below`].
#[inline(always)]
unsafe fn above(around: *const c_void, otherwise: u32) -> u32 {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let entry: *const c_void = field(around, &memory::OFF_OVERLAY_UPPER);
        // Before the first load from it, after which the compiler takes it for none that is null.
        if entry.is_null() {
            return otherwise;
        }
        let upper: *const c_void = field(entry, &memory::OFF_DENTRY_INODE);
        field::<u32>(upper, &memory::OFF_INODE_GENERATION).max(1)
    }
}

/// Both of [`layers`], the first in the upper half, by the address of the structure around the inode. Not inlined: the
/// callers are many, and each helper takes more than the call.
#[inline(never)]
fn read_layers(around: u64, otherwise: u32) -> u64 {
    let layer: u64 = if constant(&memory::OFF_OVERLAY_LOWER) != ABSENT {
        let layers: u64 = read(around, &memory::OFF_OVERLAY_LOWER);
        let first = layers.wrapping_add(constant(&memory::OFF_OVERLAY_STACK).into());
        match read::<u32>(layers, &memory::OFF_OVERLAY_LAYERS) {
            0 => 0,
            _ => read(first, &memory::OFF_OVERLAY_LAYER),
        }
    } else if constant(&memory::OFF_OVERLAY_FIRST_LAYER) != ABSENT {
        // Before Linux 6.5 the inode has the first of the layers; before 5.19 it does not.
        read(around, &memory::OFF_OVERLAY_FIRST_LAYER)
    } else {
        0
    };
    let below: u32 = read(layer, &memory::OFF_OVERLAY_FILE_SYSTEM);
    let entry: u64 = read(around, &memory::OFF_OVERLAY_UPPER);
    let above = if entry == 0 {
        otherwise
    } else {
        let upper: u64 = read(entry, &memory::OFF_DENTRY_INODE);
        read::<u32>(upper, &memory::OFF_INODE_GENERATION).max(1)
    };
    u64::from(below) << 32 | u64::from(above)
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
