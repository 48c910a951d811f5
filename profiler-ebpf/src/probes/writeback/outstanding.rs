//! The bytes of dirty pages that are outstanding, taken as they are submitted.
//!
//! The exported functions are looked at by the verifier by themselves, and not once for every pass of the loops
//! that call them.

use ioprof_ebpf::abi::writeback::{DirtyInode, MAX_OWNERS};

use super::{
    dirty::DIRTY,
    further::{self, FIRST},
};
use crate::probes::{
    base::{atomic, verifier::unknown},
    file::identity::Identity,
};

/// Takes bytes that an owner has outstanding in an inode, as they are submitted; how many they were.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn take_outstanding(address: u64, owner: u64, size: u64) -> u64 {
    let Some(owner) = further::owner(address, owner) else {
        return 0;
    };
    // SAFETY: the owner is in the map.
    let bytes = unsafe { &raw mut (*owner).bytes };
    for _ in 0..8 {
        // SAFETY: the counter is in the map.
        unsafe {
            let there = bytes.read_volatile();
            let taken = if there < size { there } else { size };
            if taken == 0 || atomic::replace(bytes, there, there - taken) == there {
                return taken;
            }
        }
    }
    0
}

/// The record of a file, by the address of its inode. That of another one, which stood there before, is none.
#[inline(always)]
fn of_file(address: u64, file: &Identity) -> Option<*mut DirtyInode> {
    // SAFETY: the record is in the map.
    DIRTY
        .get_ptr_mut(&address)
        .filter(|record| unsafe { (**record).file == file.with(0) })
}

/// Takes bytes of an inode that a task in scope submits: its own workload's first.
#[inline(always)]
pub fn submitted_by(workload: u32, address: u64, file: &Identity, size: u64) {
    let Some(record) = of_file(address, file) else {
        return;
    };
    let mut left = size;
    for at in 1..MAX_OWNERS {
        // SAFETY: the record is in the map.
        if unsafe { (*record).owners[at].workload } == workload {
            left = left.saturating_sub(take_outstanding(address, at as u64, left));
        }
    }
    // SAFETY: the record is in the map.
    let has_further = unsafe { (*record).blocks } != 0;
    if has_further {
        left = left.saturating_sub(further::take_further(address, workload.into(), left));
    }
    if left == 0 || !has_further && is_clean(record) {
        return;
    }
    for at in 0..MAX_OWNERS {
        left = left.saturating_sub(take_outstanding(address, at as u64, left));
    }
    if has_further {
        further::take_further(address, 0, left);
    }
}

/// Whether no owner in the record has outstanding bytes.
#[inline(always)]
fn is_clean(record: *const DirtyInode) -> bool {
    // SAFETY: callers pass a record of the map; each number is read whole.
    (0..MAX_OWNERS)
        .all(|at| unsafe { (&raw const (*record).owners[at].bytes).read_volatile() == 0 })
}

/// Whose the bytes of an inode are that somebody in no workload submits: the one with the most of them. What of them is
/// others' is given to these: `give_of` has an owner's number and how many there still are, takes no more than these of what
/// it has outstanding, and returns how many it took; `give` has a workload and bytes that none has outstanding. None where no
/// workload has made pages of the inode dirty.
#[inline(always)]
pub fn submitted_by_others(
    address: u64,
    file: &Identity,
    size: u64,
    mut give_of: impl FnMut(u64, u64) -> u64,
    give: impl FnOnce(u64, u64),
) -> Option<u64> {
    let record = of_file(address, file)?;
    // SAFETY: the record is in the map.
    let (blocks, excess) = unsafe {
        // What nobody was seen to make dirty: where pages were dirty before, they are others'; else a
        // mirror has the same pages written again.
        let excess = if (*record).was_dirty != 0 {
            0
        } else {
            (*record).last
        };
        ((*record).blocks, excess.into())
    };
    let largest = largest_owner(record);
    let (mut at, most) = (largest % FIRST, largest / FIRST);
    if blocks != 0 {
        let further = further::largest_further(address, most);
        if further != 0 {
            at = further;
        }
    }
    if at == 0 && most == 0 {
        return Some(excess);
    }
    let main = further::workload_of_owner(address, at);
    let mut left = size.saturating_sub(take_outstanding(address, at, size));
    if left > 0 {
        for at in further::numbers(blocks) {
            // Not more than there were; a comparison would have the verifier go on from either.
            left = left.wrapping_sub(give_of(at, left));
        }
        if left > 0 && excess != main {
            give(excess, left);
        }
    }
    Some(main)
}

/// The owner in a record that has the most outstanding bytes: its number, and above that the bytes. Exported: the verifier
/// does not go through what follows once for each.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn largest_owner(record: *const DirtyInode) -> u64 {
    let (mut main, mut most) = (0, 0);
    if record.is_null() {
        return 0;
    }
    for at in 0..MAX_OWNERS {
        // SAFETY: callers pass a record of the map; each number is read whole.
        let bytes = unsafe { (&raw const (*record).owners[at].bytes).read_volatile() };
        if bytes > most {
            (main, most) = (unknown(at as u64), bytes);
        }
    }
    most * FIRST + main
}
