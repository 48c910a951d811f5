//! The owner of a bio, also where a thread of the kernel submits it: the inode of its pages says it.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, Operation, Origin},
    off_cpu::{KERNEL, NOBODY},
};

use super::{
    bio::{SWAP, device_of, has_pages, inode_of, is_held, is_pinned, operation},
    direct,
    end::{is_direct, is_of_btrfs},
    slot::{BLOCK_STATS, slot_of},
};
use crate::probes::{
    base::{
        atomic,
        memory::{self, constant, field},
    },
    file::{identity::Identity, inode, table},
    task::state::{self, Submitter},
    writeback::{outstanding, reader},
};

/// `REQ_META`; its place among the flags changes from kernel to kernel; set at load.
#[unsafe(no_mangle)]
static REQ_META: u32 = 0;

/// `REQ_IDLE`; set at load.
#[unsafe(no_mangle)]
static REQ_IDLE: u32 = 0;

/// The first letters of the name of a thread that commits the journal of an ext4.
const JBD2: u32 = u32::from_le_bytes(*b"jbd2");

/// Where the bytes of a bio go.
#[derive(Clone, Copy)]
pub struct Attribution {
    /// Its slot.
    pub slot: BlockSlot,
    /// Bytes of it that belong to other owners, already counted for them.
    pub other_owner_bytes: u64,
    /// Who may wait for it: a workload, `KERNEL` or `NOBODY`.
    pub waiting_workload: u32,
}

/// Whose a bio is, and for what.
struct Owner {
    workload: u32,
    origin: Origin,
    other_owner_bytes: u64,
    /// It reads into the pages of who waits for it, and its completion wakes that thread.
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
    let (whole, task, submitter) = (submitter, submitter.task, submitter.workload);
    let whose = |workload, origin| Owner {
        workload,
        origin,
        other_owner_bytes: 0,
        is_direct_read: false,
    };
    // SAFETY: by the caller's promise.
    unsafe {
        // What its pages hold is of another file, if of any.
        if submitter != 0 && (is_pinned(bio) || is_direct(bio)) {
            direct::count(whole, bio, operation, size);
            return Owner {
                is_direct_read: operation as u32 == Operation::Read as u32 && !is_of_btrfs(bio),
                ..whose(submitter, Origin::Thread)
            };
        }
        let by_kernel = submitter == 0 && state::is_of_kernel(task);
        let by_journal = by_kernel && field::<u32>(task, &memory::OFF_TASK_COMM) == JBD2;
        let inode = if has_pages(flags) { inode_of(bio) } else { 0 };
        if inode == SWAP {
            return whose(submitter, Origin::Swap);
        }
        // Of no inode it is all zeroes.
        let file = Identity::at(inode);
        let is_block_device = inode::is_block_device(file.mode);
        let origin = if by_journal {
            Origin::Journal
        } else if flags & constant(&REQ_META) != 0 {
            // `JBD2_JOURNAL_REQ_FLAGS` of include/linux/jbd2.h and `xlog_write_iclog` of fs/xfs/xfs_log.c.
            if flags & constant(&REQ_IDLE) != 0 {
                Origin::Journal
            } else {
                Origin::Metadata
            }
        } else if is_block_device && is_held(bio) {
            Origin::Metadata
        } else {
            Origin::Thread
        };
        let is_write = operation as u32 == Operation::Write as u32;
        if inode == 0 {
            let is_by_thread = origin as u32 == Origin::Thread as u32 && size != 0;
            // Pages of a file system's own: which file they are for only the end of the bio may tell.
            if submitter != 0 && is_by_thread && has_pages(flags) {
                direct::count_for_owner(whole, bio, operation, size, false);
            }
            if !by_kernel || !is_by_thread {
                return whose(submitter, origin);
            }
            let workload = direct::count_for_owner(whole, bio, operation, size, true);
            if workload == 0 {
                return whose(0, Origin::Unknown);
            }
            return Owner {
                is_direct_read: operation as u32 == Operation::Read as u32 && !is_of_btrfs(bio),
                ..whose(workload, Origin::Thread)
            };
        }
        if submitter != 0 {
            if is_write {
                outstanding::submitted_by(submitter, inode, &file, size.into());
            }
            if is_data(origin) {
                count_for_file(submitter, inode, &file, operation, size.into());
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
        let origin = if by_journal && !is_block_device {
            Origin::Writeback
        } else {
            origin
        };
        if !is_write && by_kernel && is_data(origin) {
            let workload = reader::of_file(inode, &file);
            count_for_file(workload, inode, &file, operation, size.into());
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
        let workload =
            outstanding::submitted_by_others(inode, &file, size.into(), |workload, bytes| {
                other_owner_bytes +=
                    give_written(workload.into(), device.into(), origin as u64, bytes, inode);
            });
        let workload = workload.unwrap_or(0);
        if is_data(origin) {
            let own = u64::from(size).saturating_sub(other_owner_bytes);
            count_for_file(workload, inode, &file, operation, own);
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
        count_for_file(
            workload,
            inode,
            &Identity::at(inode),
            Operation::Write,
            bytes,
        );
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
            unsafe { atomic::add(&raw mut (*stats).merged_bytes, bytes) };
            bytes
        }
        None => 0,
    }
}

/// Adds bytes that go to or come from the device to those of the file.
#[inline(always)]
fn count_for_file(workload: u32, inode: u64, file: &Identity, operation: Operation, bytes: u64) {
    if workload == 0 || bytes == 0 {
        return;
    }
    if let Some(stats) = table::of_identity(workload, inode, file) {
        // SAFETY: the row is in the map.
        unsafe {
            atomic::add(direct::device_bytes(stats, operation as u64), bytes);
        }
    }
}

/// Whether what is written or read is what a file holds.
#[inline(always)]
const fn is_data(origin: Origin) -> bool {
    matches!(origin, Origin::Thread | Origin::Writeback | Origin::Unknown)
}

/// Where the numbers go of a bio that the running task submits to a disk; none for what is not accounted, or
/// where there is no room.
///
/// # Safety
///
/// `bio` and `disk` are BTF pointers to a `struct bio` and a `struct gendisk`.
#[inline(always)]
pub unsafe fn attribute(
    submitter: Submitter,
    bio: *const c_void,
    disk: *const c_void,
    flags: u32,
    size: u32,
) -> Option<Attribution> {
    let operation = operation(flags, size)?;
    submitter.count(operation);
    // SAFETY: by the caller's promise.
    unsafe { of_bio(submitter, bio, device_of(disk), operation, flags, size) }
}
