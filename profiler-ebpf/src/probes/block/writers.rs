//! Who writes to a device that is made of others, where a thread of its driver may submit what it makes of the bio: dm-crypt
//! encrypts in a worker, and a thread of the array writes the copies of a mirror that the writer himself does not.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::LruHashMap, macros::btf_map};
use ioprof_ebpf::abi::{block::Operation, layout::MAX_STACKED_WRITES};

use super::{bio::operation, end};
use crate::probes::{
    base::{memory, window},
    task::state,
};

/// By the address of the bio that all others are made of: the workload. An address that is used again is that of a bio which
/// is queued, and entered or taken out, before one that is made of it.
#[btf_map]
static WRITERS: LruHashMap<u64, u32, { MAX_STACKED_WRITES as usize }> = LruHashMap::new();

/// Remembers the workload of the running task, which submits a bio to a device that is made of others.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn remember(bio: *const c_void, flags: u32, size: u32) {
    if !end::is_known_to_hand_over()
        || !matches!(operation(flags, size), Some(Operation::Write))
        || !window::is_open()
    {
        return;
    }
    let submitter = state::submitter();
    writes(
        memory::address(bio, submitter.task),
        submitter.workload.into(),
    );
}

/// Exported, as the verifier then looks at it by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn writes(bio: u64, workload: u64) -> u64 {
    let (key, workload) = (end::whole(bio).0, workload as u32);
    // SAFETY: the memory of an entry stays the map's, also where it gives way to another meanwhile.
    let known = unsafe { WRITERS.get(&key) }.copied();
    if known.unwrap_or(0) == workload {
        return 0;
    }
    if workload != 0 {
        // Where there is no room, it is unknown.
        let _ = WRITERS.insert(&key, &workload, 0);
    } else if key == bio {
        let _ = WRITERS.remove(&key);
    }
    // Else a driver above has handed it over: it is still whose it was.
    0
}

/// The workload that submitted the bio that one is made of; 0 where that is not known. Exported, too.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn writer_of(bio: u64) -> u64 {
    if !end::is_known_to_hand_over() {
        return 0;
    }
    let key = end::whole(bio).0;
    // SAFETY: the memory of an entry stays the map's, also where it gives way to another meanwhile.
    unsafe { WRITERS.get(&key) }.copied().unwrap_or(0).into()
}
