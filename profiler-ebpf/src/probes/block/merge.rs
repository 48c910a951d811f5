//! Bios that are merged into a request that is there already, perhaps another workload's.
//!
//! A bio is remembered with its owner when it is merged; when the request is issued, the bytes of other
//! owners are taken out of its own.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::LruHashMap,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    block::{BlockSlot, MAX_BIOS, MergedBio, RequestState},
    turn::Twice,
};

use super::{bio::look_at, owner::attribute, slot::BLOCK_STATS};
use crate::probes::{
    base::{
        atomic,
        memory::{self, field},
        turn, window,
    },
    task::state,
};

/// Merged bios by their address. Those of a request that was queued before the window, or that fails before
/// it is issued, stay behind until the map has no room.
#[btf_map]
static MERGED: LruHashMap<u64, MergedBio, 1> = LruHashMap::new();

#[btf_tracepoint(function = "block_bio_backmerge")]
fn block_backmerge(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockBackmerge) else {
        return;
    };
    remember(ctx.arg(0));
}

#[btf_tracepoint(function = "block_bio_frontmerge")]
fn block_frontmerge(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BlockFrontmerge) else {
        return;
    };
    remember(ctx.arg(0));
}

/// Remembers a bio that the running task submits.
#[inline(always)]
fn remember(bio: *const c_void) {
    if !window::is_open() {
        return;
    }
    // SAFETY: `bio` is the argument of a tracepoint.
    unsafe {
        let (disk, flags, size) = look_at(bio);
        if let Some(owner) = attribute(state::submitter(), bio, disk, flags, size) {
            put(bio as u64, size.into(), owner.slot, owner.other_owner_bytes);
        }
    }
}

#[inline(always)]
fn put(bio: u64, size: u64, slot: BlockSlot, other_owner_bytes: u64) {
    let merged = MergedBio {
        bytes: size.saturating_sub(other_owner_bytes),
        slot,
        other_owner_bytes,
    };
    // Where there is no room, the bytes stay with the request's owner.
    let _ = MERGED.insert(&bio, &merged, 0);
}

/// Remembers the bio of a request that becomes part of another; those that were merged into it are remembered.
#[inline(always)]
pub fn remember_request(request: &RequestState) {
    put(
        request.bio,
        request.size,
        request.slot,
        request.other_owner_bytes,
    );
}

/// Gives the bytes of other owners' bios to them, and returns how many there are.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct request`.
#[inline(always)]
pub unsafe fn reassign_merged(request: *const c_void, state: &RequestState) -> u64 {
    let mut foreign = 0;
    let task = state::current();
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let last: u64 = field(request, &memory::OFF_REQUEST_BIOTAIL);
        let mut bio: *const c_void = field(request, &memory::OFF_REQUEST_BIO);
        if bio as u64 == last {
            return 0;
        }
        for _ in 0..MAX_BIOS {
            if bio.is_null() {
                break;
            }
            // What is remembered under the address of its own is of an earlier bio.
            if bio as u64 != state.bio {
                foreign += reassign(memory::address(bio, task), state.slot.stats.into());
            }
            if bio as u64 == last {
                break;
            }
            bio = field(bio, &memory::OFF_BIO_NEXT);
        }
    }
    foreign
}

/// Gives the bytes of a bio, by its address, to its owner, and returns how many are not those of the slot with these
/// statistics. Exported, as the verifier then looks at it by itself, and not once for every bio of a request.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reassign(bio: u64, stats: u64) -> u64 {
    let Some(merged) = MERGED.get_ptr(&bio) else {
        return 0;
    };
    // SAFETY: the memory of an entry stays the map's, also where it gives way to another meanwhile.
    let merged = unsafe { *merged };
    let _ = MERGED.remove(&bio);
    if u64::from(merged.slot.stats) != stats
        && let Some(stats) = BLOCK_STATS.get_ptr_mut(merged.slot.stats)
    {
        // SAFETY: the value is in the map.
        unsafe { atomic::add(&raw mut (*stats).merged_bytes, merged.bytes) };
        return merged.other_owner_bytes + merged.bytes;
    }
    merged.other_owner_bytes
}
