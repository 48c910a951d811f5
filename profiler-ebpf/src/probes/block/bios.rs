//! Devices whose drivers take bios and no requests: zram, brd, pmem. The bio is what is queued and completed.
//!
//! What is made of others is left to these; who writes to it is remembered.
//!
//! Both tracepoints report the bios of all devices, before one becomes a request and after its request has ended.

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use ioprof_ebpf::abi::{fields::ABSENT, turn::Twice};

use super::{
    bio::look_at,
    life::{count, queued},
    requests::{self, Way},
    writers,
};
use crate::probes::{
    base::{
        memory::{self, constant, field, now},
        turn, window,
    },
    task::wait,
};

#[btf_tracepoint(function = "block_bio_queue")]
fn bio_queue(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BioQueue) else {
        return;
    };
    let bio: *const c_void = ctx.arg(0);
    // SAFETY: `bio` is the argument of the tracepoint, and the disk is loaded from it.
    unsafe {
        let (disk, flags, size) = look_at(bio);
        let driver: *const c_void = field(disk, &memory::OFF_DISK_DRIVER);
        if field::<u64>(driver, &memory::OFF_DRIVER_SUBMIT_BIO) == 0 {
            return;
        }
        if has_disks_below(disk) {
            writers::remember(bio, flags, size);
        } else if !passes_on(driver) {
            queued(requests::key_of_bio(bio), bio, disk, flags, size, Way::Bio);
        }
    }
}

#[btf_tracepoint(function = "block_bio_complete")]
fn bio_complete(ctx: BtfTracePointContext) {
    let Some(_turn) = turn::of_event(&ctx, Twice::BioComplete) else {
        return;
    };
    // Whose device it is, its driver may have changed; that there is none at all is one look.
    if requests::no_bio_is_in_flight() || !window::is_open() {
        return;
    }
    let bio: *const c_void = ctx.arg(1);
    let Some((key, state)) = requests::find_bio(bio) else {
        return;
    };
    let now = now();
    // SAFETY: the entry stays valid for the run of the program, and is that of the key; `bio` is the argument of the
    // tracepoint. A bio completes once, so that no other CPU writes the entry now.
    let (done, failed) = unsafe {
        wait::completed(&*state, now);
        (*state).done_bytes = (*state).size;
        let done = *state;
        requests::forget(key, state, Way::Bio);
        (done, field::<u8>(bio, &memory::OFF_BIO_STATUS) != 0)
    };
    requests::leave(&done, now);
    count(&done, now, failed, Way::Bio);
}

/// Whether a driver that takes bios hands them to another device, of which the kernel keeps no list: it passes on commands for
/// persistent reservations, as the heads of NVMe multipath do.
///
/// # Safety
///
/// `driver` is a BTF pointer to a `struct block_device_operations`.
#[inline(always)]
unsafe fn passes_on(driver: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u64>(driver, &memory::OFF_DRIVER_RESERVATIONS) != 0 }
}

/// Whether a disk is made of others, which count what it hands to them.
///
/// # Safety
///
/// `disk` is a BTF pointer to a `struct gendisk`.
#[inline(always)]
unsafe fn has_disks_below(disk: *const c_void) -> bool {
    if constant(&memory::OFF_DISK_BELOW) == ABSENT {
        return false;
    }
    // SAFETY: by the caller's promise. A list is empty where its head points to itself.
    unsafe {
        let first: u64 = field(disk, &memory::OFF_DISK_BELOW);
        first != (disk as u64).wrapping_add(constant(&memory::OFF_DISK_BELOW).into())
    }
}
