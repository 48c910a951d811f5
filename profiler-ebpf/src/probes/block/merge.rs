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
use ioprof_ebpf::abi::block::{BlockSlot, MAX_BIOS, MergedBio};

use super::{bio::look_at, owner::attribute, slot::BLOCK_STATS};
use crate::probes::{
    base::{
        atomic,
        memory::{self, field},
    },
    task::state,
};

/// Merged bios by their address. A request that fails before it is issued leaves its own behind, which the
/// map then forgets.
#[btf_map]
static MERGED: LruHashMap<u64, MergedBio, 1> = LruHashMap::new();

#[btf_tracepoint(function = "block_bio_backmerge")]
fn block_backmerge(ctx: BtfTracePointContext) {
    remember(ctx.arg(0));
}

#[btf_tracepoint(function = "block_bio_frontmerge")]
fn block_frontmerge(ctx: BtfTracePointContext) {
    remember(ctx.arg(0));
}

/// Remembers a bio that the running task submits.
#[inline(always)]
fn remember(bio: *const c_void) {
    // SAFETY: `bio` is the argument of a tracepoint.
    unsafe {
        let (disk, flags, size) = look_at(bio);
        if let Some(owner) = attribute(state::submitter(), bio, disk, flags, size) {
            put(bio, size, owner.slot, owner.other_owner_bytes);
        }
    }
}

#[inline(always)]
fn put(bio: *const c_void, size: u32, slot: BlockSlot, other_owner_bytes: u64) {
    let merged = MergedBio {
        bytes: u64::from(size).saturating_sub(other_owner_bytes),
        slot,
        other_owner_bytes,
    };
    // Where there is no room, the bytes stay with the request's owner.
    let _ = MERGED.insert(&(bio as u64), &merged, 0);
}

/// Calls `visit` for each bio of a request.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct request`.
#[inline(always)]
unsafe fn for_each_bio(request: *const c_void, mut visit: impl FnMut(*const c_void)) {
    // SAFETY: by the caller's promise; the rest is loaded from it.
    unsafe {
        let last: u64 = field(request, &memory::OFF_REQUEST_BIOTAIL);
        let mut bio: *const c_void = field(request, &memory::OFF_REQUEST_BIO);
        for _ in 0..MAX_BIOS {
            if bio.is_null() {
                return;
            }
            visit(bio);
            if bio as u64 == last {
                return;
            }
            bio = field(bio, &memory::OFF_BIO_NEXT);
        }
    }
}

/// Remembers the bios of a request that becomes part of another, but for those that are remembered: that is all
/// but its first, of which others have been given `other_owner_bytes`.
///
/// # Safety
///
/// As for [`for_each_bio`].
#[inline(always)]
pub unsafe fn remember_all(request: *const c_void, slot: &BlockSlot, other_owner_bytes: u64) {
    // SAFETY: by the caller's promise.
    unsafe {
        for_each_bio(request, |bio| {
            if MERGED.get_ptr(&(bio as u64)).is_none() {
                put(
                    bio,
                    field(bio, &memory::OFF_BIO_SIZE),
                    *slot,
                    other_owner_bytes,
                );
            }
        });
    }
}

/// Gives the bytes of other owners' bios to them, and returns how many there are.
///
/// # Safety
///
/// As for [`for_each_bio`].
#[inline(always)]
pub unsafe fn reassign_merged(request: *const c_void, owner: &BlockSlot) -> u64 {
    // SAFETY: by the caller's promise.
    unsafe {
        let first: u64 = field(request, &memory::OFF_REQUEST_BIO);
        if first == field(request, &memory::OFF_REQUEST_BIOTAIL) {
            return 0;
        }
        let mut foreign = 0;
        for_each_bio(request, |bio| {
            let key = bio as u64;
            let Some(merged) = MERGED.get_ptr(&key) else {
                return;
            };
            let merged = *merged;
            let _ = MERGED.remove(&key);
            foreign += merged.other_owner_bytes;
            if merged.slot.stats == owner.stats {
                return;
            }
            if let Some(stats) = BLOCK_STATS.get_ptr_mut(merged.slot.stats) {
                atomic::add(&raw mut (*stats).merged_bytes, merged.bytes);
                foreign += merged.bytes;
            }
        });
        foreign
    }
}
