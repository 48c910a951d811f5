//! Whose a bio is, also where a thread of the kernel submits it: the inode of its pages says it.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, Operation, Origin},
    off_cpu::{KERNEL, NOBODY},
};

use super::{
    atomic,
    block::{BLOCK_STATS, slot_of},
    file,
    kernel::{self, constant, field},
    outstanding, reader,
    task::{self, Submitter},
};

/// `REQ_META`; its place among the flags changes from kernel to kernel; set at load.
#[unsafe(no_mangle)]
static REQ_META: u32 = 0;

/// `REQ_IDLE`; set at load.
#[unsafe(no_mangle)]
static REQ_IDLE: u32 = 0;

/// The lower half of the address of `btrfs_simple_end_io` of fs/btrfs/bio.c: the upper one is that of all the
/// kernel's functions. 0 where there is none, or the kernel's types do not tell what it ends; set at load.
#[unsafe(no_mangle)]
static BTRFS_END: u32 = 0;

/// `REQ_OP_READ`, `REQ_OP_WRITE` and `REQ_OP_ZONE_APPEND` of include/linux/blk_types.h: those with pages.
const REQ_OP_MASK: u32 = 0xff;
const REQ_OP_WRITE: u32 = 1;
const REQ_OP_ZONE_APPEND: u32 = 7;

/// The low bits of a page's mapping, which say that it is no file's (`PAGE_MAPPING_FLAGS` of
/// include/linux/page-flags.h).
const MAPPING_FLAGS: u64 = 3;

/// `BIO_PAGE_PINNED` of include/linux/blk_types.h: its pages are a program's, pinned for direct I/O. Before 6.5 the
/// same bit is `BIO_NO_PAGE_REF`, which is direct I/O, too.
const PINNED: u16 = 1;

/// What no address of a page's description reaches, as arm64 leaves the last GiB to other things and others leave more, and
/// every mask exceeds: it clears the bits by which the descriptions of a page of 16 GiB differ.
const FIRST_MASK: u64 = 0_u64.wrapping_sub(1 << 30);

/// The size of `struct bio_vec` on 64-bit machines.
const VECTOR_BYTES: u64 = 16;

/// The first letters of the name of a thread that commits the journal of an ext4.
const JBD2: u32 = u32::from_le_bytes(*b"jbd2");

/// Where the bytes of a bio go.
#[derive(Clone, Copy)]
pub struct Attribution {
    /// Its slot.
    pub slot: BlockSlot,
    /// Bytes of it that were others', and that these have been given.
    pub other_owner_bytes: u64,
    /// Who may wait for it: a workload, `KERNEL` or `NOBODY`.
    pub waiting_workload: u32,
}

/// Whose a bio is, and for what.
struct Owner {
    workload: u32,
    origin: Origin,
    other_owner_bytes: u64,
    /// It reads into pages of the submitter's, whom its completion wakes.
    is_direct_read: bool,
}

/// Where a bio goes that the running task submits; none where there is no room.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn of_bio(
    submitter: Submitter,
    bio: *const c_void,
    device: u32,
    operation: Operation,
    flags: u32,
    size: u32,
) -> Option<Attribution> {
    // SAFETY: by the caller's promise.
    let owner = unsafe { owner(submitter, bio, device, operation, flags, size) };
    let key = BlockKey {
        workload: owner.workload,
        device,
        operation: operation as u32,
        origin: owner.origin as u32,
    };
    let slot = submitter.slot(&key, || slot_of(&key))?;
    Some(Attribution {
        slot,
        other_owner_bytes: owner.other_owner_bytes,
        waiting_workload: match (owner.workload, owner.origin) {
            (0, Origin::Journal | Origin::Metadata) => KERNEL,
            (0, _) => NOBODY,
            _ if owner.is_direct_read => NOBODY,
            (workload, _) => workload,
        },
    })
}

/// # Safety
///
/// As for [`of_bio`].
#[inline(always)]
unsafe fn owner(
    submitter: Submitter,
    bio: *const c_void,
    device: u32,
    operation: Operation,
    flags: u32,
    size: u32,
) -> Owner {
    let (task, submitter) = (submitter.task, submitter.workload);
    let whose = |workload, origin| Owner {
        workload,
        origin,
        other_owner_bytes: 0,
        is_direct_read: false,
    };
    // SAFETY: by the caller's promise.
    unsafe {
        // Pages of no file: there is nothing to look for.
        if submitter != 0 && field::<u16>(bio, &kernel::OFF_BIO_BI_FLAGS) & PINNED != 0 {
            return Owner {
                is_direct_read: operation as u32 == Operation::Read as u32 && !is_of_btrfs(bio),
                ..whose(submitter, Origin::Thread)
            };
        }
        let by_kernel = submitter == 0 && task::is_of_kernel(task);
        let by_journal = by_kernel && field::<u32>(task, &kernel::OFF_TASK_COMM) == JBD2;
        let inode = if has_pages(flags) { inode_of(bio) } else { 0 };
        let origin = if by_journal {
            Origin::Journal
        } else if flags & constant(&REQ_META) != 0 {
            // `JBD2_JOURNAL_REQ_FLAGS` of include/linux/jbd2.h and `xlog_write_iclog` of fs/xfs/xfs_log.c.
            if flags & constant(&REQ_IDLE) != 0 {
                Origin::Journal
            } else {
                Origin::Metadata
            }
        } else if inode != 0 && is_block_device(inode) && is_held(bio) {
            Origin::Metadata
        } else {
            Origin::Thread
        };
        let is_write = operation as u32 == Operation::Write as u32;
        if inode == 0 {
            let nobodys = by_kernel && origin as u32 == Origin::Thread as u32 && size > 0;
            return whose(submitter, if nobodys { Origin::Unknown } else { origin });
        }
        if submitter != 0 {
            if is_write {
                outstanding::submitted_by(submitter, inode, size.into());
            }
            if is_data(origin) {
                count_for_file(submitter, inode, operation, size.into());
            }
            return whose(submitter, origin);
        }
        // Data that others submit were made dirty by someone.
        let origin = match origin {
            Origin::Thread if is_write => Origin::Writeback,
            Origin::Thread if by_kernel => Origin::Unknown,
            origin => origin,
        };
        // The journal's thread submits pages of files, too: `jbd2_journal_submit_inode_data_buffers`.
        let origin = if by_journal && !is_block_device(inode) {
            Origin::Writeback
        } else {
            origin
        };
        if !is_write && by_kernel && is_data(origin) {
            let workload = reader::of_inode(inode);
            count_for_file(workload, inode, operation, size.into());
            let known = if workload != 0 {
                Origin::Thread
            } else {
                origin
            };
            return whose(workload, known);
        }
        if !is_write || origin as u32 == Origin::Journal as u32 {
            return whose(0, origin);
        }
        let mut other_owner_bytes = 0;
        let workload = outstanding::submitted_by_others(inode, size.into(), |workload, bytes| {
            other_owner_bytes +=
                give_written(workload.into(), device.into(), origin as u64, bytes, inode);
        });
        let workload = workload.unwrap_or(0);
        if is_data(origin) {
            let own = u64::from(size).saturating_sub(other_owner_bytes);
            count_for_file(workload, inode, operation, own);
        }
        Owner {
            other_owner_bytes,
            ..whose(workload, origin)
        }
    }
}

/// Gives a workload bytes that are written in another's request, and its file, too, where they are data; how
/// many it was given, none where there is no room. Exported, as `outstanding.rs` says.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn give_written(workload: u64, device: u64, origin: u64, bytes: u64, inode: u64) -> u64 {
    let workload = workload as u32;
    if origin == Origin::Writeback as u64 {
        count_for_file(workload, inode, Operation::Write, bytes);
    }
    let slot = slot_of(&BlockKey {
        workload,
        device: device as u32,
        operation: Operation::Write as u32,
        origin: origin as u32,
    });
    match slot.and_then(|slot| BLOCK_STATS.get_ptr_mut(slot.stats)) {
        Some(stats) => {
            // SAFETY: the value is in the map; issue may interrupt this, and adds to the same.
            atomic::add(unsafe { &raw mut (*stats).merged_bytes }, bytes);
            bytes
        }
        None => 0,
    }
}

/// Adds bytes that go to or come from the device to those of the file.
#[inline(always)]
fn count_for_file(workload: u32, inode: u64, operation: Operation, bytes: u64) {
    if workload == 0 || bytes == 0 {
        return;
    }
    if let Some(stats) = file::of_inode(workload, inode) {
        // SAFETY: the row is in the map.
        unsafe {
            let counter = if operation as u32 == Operation::Read as u32 {
                &raw mut (*stats).device_read_bytes
            } else {
                &raw mut (*stats).device_written_bytes
            };
            atomic::add(counter, bytes);
        }
    }
}

/// Whether what is written or read is what a file holds.
#[inline(always)]
const fn is_data(origin: Origin) -> bool {
    matches!(origin, Origin::Thread | Origin::Writeback | Origin::Unknown)
}

/// Whether a bio with these flags has pages.
#[inline(always)]
const fn has_pages(flags: u32) -> bool {
    let operation = flags & REQ_OP_MASK;
    operation <= REQ_OP_WRITE || operation == REQ_OP_ZONE_APPEND
}

/// The address of the inode that the first page of a bio belongs to; 0 where it is no file's: direct I/O, swap,
/// a file system's or a driver's own memory. All pages of a bio are of one inode, as no file system
/// puts two files into one.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
unsafe fn inode_of(bio: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    let (vectors, index): (u64, u32) = unsafe {
        (
            field(bio, &kernel::OFF_BIO_VECTORS),
            field(bio, &kernel::OFF_BIO_INDEX),
        )
    };
    if vectors == 0 {
        return 0;
    }
    let page: u64 = file::read(
        vectors + u64::from(index) * VECTOR_BYTES,
        &kernel::OFF_VECTOR_PAGE,
    );
    if page == 0 {
        return 0;
    }
    let mapping: u64 = file::read(head_of(page), &kernel::OFF_PAGE_MAPPING);
    if mapping == 0 {
        // SAFETY: by the caller's promise.
        return unsafe { inode_of_btrfs_bio(bio) };
    }
    if mapping & MAPPING_FLAGS != 0 {
        return 0;
    }
    file::read(mapping, &kernel::OFF_MAPPING_HOST)
}

/// The head of the compound page that a page belongs to, which may be itself. Its tails have the lowest bit set, and
/// the head's address above it, or in later kernels the mask that makes that address of their own
/// (`compound_info_has_mask` of include/linux/page-flags.h).
#[inline(always)]
fn head_of(page: u64) -> u64 {
    let head: u64 = file::read(page, &kernel::OFF_PAGE_HEAD);
    if head & 1 == 0 {
        page
    } else if head >= FIRST_MASK {
        page & head
    } else {
        head - 1
    }
}

/// The inode of a bio of btrfs with pages of its own, which hold what it has compressed; 0 of other bios. The
/// function that is called at its end tells that the bio is embedded in a `struct btrfs_bio`.
///
/// # Safety
///
/// As for [`inode_of`].
#[inline(always)]
unsafe fn inode_of_btrfs_bio(bio: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    if !unsafe { is_of_btrfs(bio) } {
        return 0;
    }
    let around = (bio as u64).wrapping_sub(constant(&kernel::OFF_BTRFS_BIO).into());
    match file::read::<u64>(around, &kernel::OFF_BTRFS_BIO_INODE) {
        0 => 0,
        inode => inode + u64::from(constant(&kernel::OFF_BTRFS_INODE)),
    }
}

/// Whether a bio is one that a thread of btrfs ends.
///
/// # Safety
///
/// As for [`inode_of`].
#[inline(always)]
unsafe fn is_of_btrfs(bio: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    let end: u64 = unsafe { field(bio, &kernel::OFF_BIO_END) };
    let of_btrfs = constant(&BTRFS_END);
    of_btrfs != 0 && end as u32 == of_btrfs
}

/// Whether an inode is that of a block device.
#[inline(always)]
fn is_block_device(inode: u64) -> bool {
    let mode: u16 = file::read(inode, &kernel::OFF_INODE_MODE);
    file::is_block_device(mode.into())
}

/// Whether the device of a bio is held by a file system, or another who wants it alone.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
unsafe fn is_held(bio: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        let device: *const c_void = field(bio, &kernel::OFF_BIO_BDEV);
        field::<u64>(device, &kernel::OFF_BDEV_HOLDER) != 0
    }
}
