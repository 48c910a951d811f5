//! What is written to a device of what workloads made dirty: of each its bytes, and of their files.

use ioprof_ebpf::abi::{
    block::{BlockKey, Operation, Origin},
    writeback::DirtyOwner,
};

use super::{
    direct,
    pages::Owner,
    slot::{BLOCK_STATS, slot_of},
};
use crate::probes::{
    base::atomic,
    file::{identity::Identity, table},
    writeback::{further, outstanding},
};

/// Whose the bytes of an inode are that somebody in no workload writes; what of them is others' is given to these. The device
/// is in the upper half of the size.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn written_for_others(inode: u64, size: u64, origin: u64) -> u64 {
    let (size, device) = (size & BYTES, size & !BYTES);
    let file = Identity::at(inode);
    let (mut given_of, mut given) = (0, 0);
    let main = outstanding::submitted_by_others(
        inode,
        &file,
        size,
        |at, left| {
            let taken = give_outstanding(inode, at, left | device, origin);
            given_of += taken >> 32;
            taken & BYTES
        },
        |owner, left| given = give(owner, inode, left | device, origin),
    );
    let other_owner_bytes = given_of + given;
    let (workload, origin) = DirtyOwner::written(main.unwrap_or(0) as u32, origin as u32);
    let owner = Owner {
        workload,
        origin,
        other_owner_bytes,
        is_direct_read: false,
    };
    if is_data(owner.origin) {
        let own = size.saturating_sub(other_owner_bytes);
        count_written(owner.workload.into(), inode, own);
    }
    owner.pack()
}

/// Adds bytes that are written for a workload to those of the file. Exported, as there is no room for it on the stack of
/// those that call it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_written(workload: u64, inode: u64, bytes: u64) -> u64 {
    let written = Operation::Write as u64;
    count_for_file(workload as u32, inode, &Identity::at(inode), written, bytes);
    0
}

/// The lower half of a number, which has bytes, as those of a bio are no more than a word.
const BYTES: u64 = u32::MAX as u64;

/// Gives what an owner has outstanding in an inode to its workload, no more than so many bytes, which are written in
/// another's request; the device is in the upper half of these. How many it had, and in the upper half how many of them it was
/// given. Exported, as `outstanding.rs` says.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn give_outstanding(inode: u64, owner: u64, size: u64, origin: u64) -> u64 {
    let taken = outstanding::take_outstanding(inode, owner, size & BYTES);
    if taken == 0 {
        return 0;
    }
    let owner = further::workload_of_owner(inode, owner);
    taken | give(owner, inode, taken | size & !BYTES, origin) << 32
}

/// Gives an owner of dirty pages bytes of an inode that are written in another's request: how many it was given. The device is
/// in the upper half of the bytes.
#[inline(always)]
fn give(owner: u64, inode: u64, bytes: u64, origin: u64) -> u64 {
    let (workload, origin) = DirtyOwner::written(owner as u32, origin as u32);
    if is_data(origin) {
        count_written(workload.into(), inode, bytes & BYTES);
    }
    give_written(workload.into(), bytes, origin.into())
}

/// Gives a workload bytes that are written in another's request: how many it was given, none where there is no room. The
/// device is in the upper half of the bytes. Exported, too.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn give_written(workload: u64, bytes: u64, origin: u64) -> u64 {
    let (bytes, device) = (bytes & BYTES, bytes >> 32);
    let slot = slot_of(&BlockKey {
        workload: workload as u32,
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
pub fn count_for_file(workload: u32, inode: u64, file: &Identity, operation: u64, bytes: u64) {
    if workload == 0 || bytes == 0 {
        return;
    }
    if let Some(stats) = table::of_identity(workload, inode, file) {
        // SAFETY: the row is in the map.
        unsafe {
            atomic::add(direct::device_bytes(stats, operation), bytes);
        }
    }
}

/// Whether what is written or read is what a file holds.
#[inline(always)]
pub const fn is_data(origin: u32) -> bool {
    origin == Origin::Thread as u32
        || origin == Origin::Writeback as u32
        || origin == Origin::Unknown as u32
}
