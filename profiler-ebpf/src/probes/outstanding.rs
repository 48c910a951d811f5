//! The bytes of dirty pages that are outstanding, taken as they are submitted.

use ioprof_ebpf::abi::dirty::MAX_OWNERS;

use super::{atomic, dirty::DIRTY};

/// Takes bytes of an owner's that are submitted now; how many they were.
#[inline(always)]
fn take(bytes: *mut u64, size: u64) -> u64 {
    for _ in 0..8 {
        // SAFETY: callers pass a counter in the map.
        let there = unsafe { bytes.read_volatile() };
        let taken = if there < size { there } else { size };
        if taken == 0 || atomic::replace(bytes, there, there - taken) == there {
            return taken;
        }
    }
    0
}

/// Takes bytes of an inode that a task in scope submits: its own workload's first.
#[inline(always)]
pub fn submitted_by(workload: u32, address: u64, size: u64) {
    let Some(record) = DIRTY.get_ptr_mut(&address) else {
        return;
    };
    let mut left = size;
    // SAFETY: the record is in the map.
    unsafe {
        for at in 1..MAX_OWNERS {
            let owner = &raw mut (*record).owners[at];
            if (*owner).workload == workload {
                left -= take(&raw mut (*owner).bytes, left);
            }
        }
        for at in 0..MAX_OWNERS {
            if left == 0 {
                break;
            }
            left -= take(&raw mut (*record).owners[at].bytes, left);
        }
    }
}

/// Whose the bytes of an inode are that somebody in no workload submits: the one with the most of them.
/// What of them is others' is passed to `give`, with their workload. None where no workload has made pages of
/// the inode dirty.
#[inline(always)]
pub fn submitted_by_others(address: u64, size: u64, mut give: impl FnMut(u32, u64)) -> Option<u32> {
    let record = DIRTY.get_ptr_mut(&address)?;
    // SAFETY: the record is in the map.
    unsafe {
        let (mut main, mut most) = (0, 0);
        for at in 0..MAX_OWNERS {
            let bytes = (&raw const (*record).owners[at].bytes).read_volatile();
            if bytes > most {
                (main, most) = (at, bytes);
            }
        }
        // What nobody was seen to make dirty: where pages were dirty before, they are others'; else a
        // mirror has the same pages written again.
        let excess = if (*record).was_dirty != 0 {
            0
        } else {
            (*record).last
        };
        if most == 0 {
            return Some(excess);
        }
        let owner = &raw mut (*record).owners[main & (MAX_OWNERS - 1)];
        let mut left = size - take(&raw mut (*owner).bytes, size);
        let main = (*owner).workload;
        if left > 0 {
            for at in 0..MAX_OWNERS {
                let owner = &raw mut (*record).owners[at];
                let taken = take(&raw mut (*owner).bytes, left);
                if taken > 0 {
                    left -= taken;
                    give((*owner).workload, taken);
                }
            }
            if left > 0 && excess != main {
                give(excess, left);
            }
        }
        Some(main)
    }
}
