//! The bytes of dirty pages that are outstanding, taken as they are submitted.
//!
//! The exported functions are looked at by the verifier by themselves, and not once for every pass of the loops
//! that call them.

use ioprof_ebpf::abi::writeback::{DirtyInode, MAX_OWNERS};

use super::{dirty::DIRTY, further};
use crate::probes::{base::atomic, file::identity::Identity};

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

/// Whose the bytes of an inode are that somebody in no workload submits: the one with the most of them.
/// What of them is others' is passed to `give`, with their workload. None where no workload has made pages of
/// the inode dirty.
#[inline(always)]
pub fn submitted_by_others(
    address: u64,
    file: &Identity,
    size: u64,
    mut give: impl FnMut(u32, u64),
) -> Option<u32> {
    let record = of_file(address, file)?;
    // SAFETY: the record is in the map.
    unsafe {
        let (mut main, mut most) = (0, 0);
        for at in 0..MAX_OWNERS {
            let bytes = (&raw const (*record).owners[at].bytes).read_volatile();
            if bytes > most {
                (main, most) = (at, bytes);
            }
        }
        let blocks = (*record).blocks;
        let main_further = match blocks {
            0 => 0,
            _ => further::largest_further(address, most),
        };
        // What nobody was seen to make dirty: where pages were dirty before, they are others'; else a
        // mirror has the same pages written again.
        let excess = if (*record).was_dirty != 0 {
            0
        } else {
            (*record).last
        };
        if most == 0 && main_further == 0 {
            return Some(excess);
        }
        let (at, main) = if main_further == 0 {
            let owner = &raw const (*record).owners[main & (MAX_OWNERS - 1)];
            (main as u64, (*owner).workload)
        } else {
            let workload = further::workload_of_further(address, main_further);
            (main_further, workload as u32)
        };
        let mut left = size.saturating_sub(take_outstanding(address, at, size));
        if left > 0 {
            for at in 0..MAX_OWNERS {
                let taken = take_outstanding(address, at as u64, left);
                if taken > 0 {
                    left = left.saturating_sub(taken);
                    give((*record).owners[at].workload, taken);
                }
            }
            for at in further::numbers(blocks) {
                let taken = take_outstanding(address, at, left);
                if taken > 0 {
                    left = left.saturating_sub(taken);
                    give(further::workload_of_further(address, at) as u32, taken);
                }
            }
            if left > 0 && excess != main {
                give(excess, left);
            }
        }
        Some(main)
    }
}
