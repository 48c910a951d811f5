//! The slot of a bio, and who may wait for it.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, Operation, Origin},
    off_cpu::{KERNEL, NOBODY},
};

use super::{
    bio::{device_of, operation},
    pages::owner,
    slot::slot_of,
};
use crate::probes::task::state::Submitter;

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

/// Where a bio goes that the running task submits; none where there is no room.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
unsafe fn of_bio(
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
        origin: owner.origin,
    };
    let slot = submitter.slot(&key, || slot_of(&key))?;
    Some(Attribution {
        slot,
        other_owner_bytes: owner.other_owner_bytes,
        waiting_workload: match owner.workload {
            0 if owner.origin == Origin::Journal as u32 => KERNEL,
            0 if owner.origin == Origin::Metadata as u32 => KERNEL,
            0 => NOBODY,
            _ if owner.is_direct_read => NOBODY,
            // The wait is for the request above.
            _ if owner.origin == Origin::Below as u32 => NOBODY,
            workload => workload,
        },
    })
}
