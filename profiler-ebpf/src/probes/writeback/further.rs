//! Owners of dirty pages beyond those that the record of their inode has places for, in blocks. All owners of an inode are
//! numbered: those of the record first, then those of its blocks.
//!
//! The exported functions are looked at by the verifier by themselves.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ioprof_ebpf::abi::{
    layout::MAX_DIRTY_INODES,
    writeback::{BlockOfOwners, DirtyInode, DirtyOwner, FurtherOwners, MAX_BLOCKS, MAX_OWNERS},
};

use super::{dirty::DIRTY, outstanding::take_outstanding};
use crate::probes::base::atomic;

/// Where there are few workloads, user space makes it small.
#[btf_map]
static DIRTY_OWNERS: HashMap<BlockOfOwners, FurtherOwners, { MAX_DIRTY_INODES as usize }> =
    HashMap::new();

/// The number of the first owner in a block, and that behind the last.
pub const FIRST: u64 = MAX_OWNERS as u64;
const END: u64 = FIRST * (1 + MAX_BLOCKS as u64);

const fn key(inode: u64, number: u32) -> BlockOfOwners {
    BlockOfOwners {
        inode,
        number,
        padding: 0,
    }
}

/// How many blocks an inode has.
#[inline(always)]
fn blocks(inode: u64) -> u32 {
    // SAFETY: the record is in the map.
    DIRTY
        .get_ptr_mut(&inode)
        .map_or(0, |record| unsafe { (*record).blocks })
}

/// An owner of an inode.
#[inline(always)]
pub fn owner(inode: u64, at: u64) -> Option<*mut DirtyOwner> {
    let place = at as usize & (MAX_OWNERS - 1);
    // SAFETY: the owners are in the maps, and the index is masked to the array.
    unsafe {
        if at < FIRST {
            let record = DIRTY.get_ptr_mut(&inode)?;
            return Some(&raw mut (*record).owners[place]);
        }
        let block = DIRTY_OWNERS.get_ptr_mut(&key(inode, (at / FIRST) as u32))?;
        Some(&raw mut (*block).owners[place])
    }
}

/// The first of the further owners that is so; 0 where none is.
#[inline(always)]
fn first(inode: u64, is_so: impl Fn(&DirtyOwner) -> bool) -> u64 {
    let used = blocks(inode);
    for at in FIRST..END {
        if at / FIRST > used.into() {
            break;
        }
        let Some(owner) = owner(inode, at) else {
            break;
        };
        // SAFETY: the owner is in the map; other CPUs only take bytes away.
        if unsafe { is_so(&*owner) } {
            return at;
        }
    }
    0
}

/// The number of the further owner that a workload is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn further_of(inode: u64, workload: u64) -> u64 {
    first(inode, |owner| u64::from(owner.workload) == workload)
}

/// That of one that has nothing outstanding. Not sought with the former: the verifier would go through each pass once for
/// every place that was found before.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn free_further(inode: u64) -> u64 {
    first(inode, |owner| owner.bytes == 0)
}

/// Adds bytes that a workload made dirty, where it is a further owner; whether it is. `may_join` says whether it becomes
/// one. The inode is locked.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn add_further(inode: u64, workload: u64, size: u64, may_join: u64) -> u64 {
    let workload = workload as u32;
    let known = further_of(inode, workload.into());
    if known == 0 && may_join == 0 {
        return 0;
    }
    let place = if known == 0 {
        free_further(inode)
    } else {
        known
    };
    if place != 0 {
        let Some(owner) = owner(inode, place) else {
            return 0;
        };
        // SAFETY: the owner is in the map; other CPUs only take bytes away.
        unsafe {
            (*owner).workload = workload;
            atomic::add(&raw mut (*owner).bytes, size);
        }
        return 1;
    }
    let number = blocks(inode) + 1;
    if number > MAX_BLOCKS as u32 {
        return 0;
    }
    let Some(record) = DIRTY.get_ptr_mut(&inode) else {
        return 0;
    };
    let key = key(inode, number);
    // SAFETY: the record is in the map, and so is the block, which no other CPU looks for before the record has its
    // number.
    unsafe {
        // A block of something, as the stack has no room for one. Where there is no place, the caller counts it.
        let owners = (&raw const (*record).owners).cast::<FurtherOwners>();
        if DIRTY_OWNERS.insert(&key, &*owners, 0).is_err() {
            return 0;
        }
        let Some(block) = DIRTY_OWNERS.get_ptr_mut(&key) else {
            return 0;
        };
        for at in 0..MAX_OWNERS {
            let owner = &raw mut (*block).owners[at];
            (&raw mut (*owner).bytes).write_volatile(if at == 0 { size } else { 0 });
            (&raw mut (*owner).workload).write_volatile(if at == 0 { workload } else { 0 });
        }
        (&raw mut (*record).blocks).write_volatile(number);
    }
    1
}

/// Forgets all blocks of an inode.
///
/// # Safety
///
/// `record` is in the map.
#[inline(always)]
pub unsafe fn forget(record: *const DirtyInode) {
    // SAFETY: by the caller's promise.
    unsafe {
        if (*record).blocks != 0 {
            forget_further((*record).inode);
        }
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn forget_further(inode: u64) -> u64 {
    for number in 1..=MAX_BLOCKS as u32 {
        // Where there are fewer, there is nothing to remove.
        let _ = DIRTY_OWNERS.remove(&key(inode, number));
    }
    0
}

/// Adds bytes as [`add_further`] does.
#[inline(always)]
pub fn add(inode: u64, workload: u32, size: u64, may_join: bool) -> bool {
    add_further(inode, workload.into(), size, may_join.into()) != 0
}

/// Takes bytes of further owners as they are submitted, those of one workload or, where that is 0, of all; how many they
/// were.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn take_further(inode: u64, workload: u64, size: u64) -> u64 {
    let used = blocks(inode);
    let mut left = size;
    for at in FIRST..END {
        if left == 0 || at / FIRST > used.into() {
            break;
        }
        if workload == 0 || workload_of_owner(inode, at) == workload {
            // Not more than there were; a comparison would have the verifier go on from either.
            left = left.wrapping_sub(take_outstanding(inode, at, left));
        }
    }
    size - left
}

/// The workload of an owner.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn workload_of_owner(inode: u64, at: u64) -> u64 {
    // SAFETY: the owner is in the map.
    owner(inode, at).map_or(0, |owner| unsafe { (*owner).workload }.into())
}

/// The further owner that has the most bytes outstanding, and more than these; 0 where none has.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn largest_further(inode: u64, than: u64) -> u64 {
    let used = blocks(inode);
    let (mut largest, mut most) = (0, than);
    for at in FIRST..END {
        if at / FIRST > used.into() {
            break;
        }
        let Some(owner) = owner(inode, at) else {
            break;
        };
        // SAFETY: the owner is in the map; the number is read whole.
        let bytes = unsafe { (&raw const (*owner).bytes).read_volatile() };
        if bytes > most {
            (largest, most) = (at, bytes);
        }
    }
    largest
}

/// The numbers of all owners, where an inode has so many blocks.
#[inline(always)]
pub fn numbers(blocks: u32) -> impl Iterator<Item = u64> {
    (0..END).take_while(move |at| at / FIRST <= blocks.into())
}
