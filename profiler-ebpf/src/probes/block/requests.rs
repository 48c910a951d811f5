//! The table of requests in flight.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ioprof_ebpf::abi::block::{BlockSlot, Operation, RequestState};

use super::slot::BLOCK_STATS;
use crate::probes::{
    base::{
        atomic, in_flight,
        map::NO_EXIST,
        memory::{self, constant, field},
    },
    task::{loop_device, wait},
};

/// How I/O reaches the driver.
#[derive(Clone, Copy)]
pub enum Way {
    /// As a request, which waits in a queue until it is issued.
    Request,
    /// As the bio itself, which the driver takes as it is submitted.
    Bio,
}

impl Way {
    #[inline(always)]
    pub const fn has_queue(self) -> bool {
        matches!(self, Self::Request)
    }
}

/// Requests in flight, by the address of the request; by that of the bio where only that is known yet. Bios of devices
/// without requests, by [`key_of_bio`].
#[btf_map]
static REQUESTS: HashMap<u64, RequestState, 1> = HashMap::new();

/// How many requests have an entry.
#[btf_map]
static REQUESTS_USED: Array<u64, 1> = Array::new();

/// How many of them are those of bios.
#[btf_map]
static BIOS_USED: Array<u64, 1> = Array::new();

/// How many entries may stay there when their requests complete; set at load.
#[unsafe(no_mangle)]
static REQUESTS_KEPT: u32 = 0;

/// 1 where requests are first seen by their bio (kernels before 6.5 have no block_io_start); set at load.
#[unsafe(no_mangle)]
static QUEUED_BY_BIO: u32 = 0;

/// Records a request; false where there is no room. Its entry is there already where the request was used
/// before: it stays when the request completes, as there are only so many.
#[inline(always)]
pub fn enter(key: u64, new: &RequestState, now: u64, way: Way) -> bool {
    let Some(entry) = REQUESTS.get_ptr_mut(&key) else {
        let entered = REQUESTS.insert(&key, new, NO_EXIST).is_ok();
        if entered {
            add_used(way, 1);
        }
        return entered;
    };
    // SAFETY: the entry stays valid for the run of the program.
    unsafe {
        if (*entry).queued_ns != 0 {
            completed_unseen(&*entry, now);
        }
        *entry = *new;
    }
    true
}

/// Adds to the numbers of entries.
#[inline(always)]
fn add_used(way: Way, number: u64) {
    let of_bios = match way {
        Way::Request => None,
        Way::Bio => BIOS_USED.get_ptr_mut(0),
    };
    for used in [REQUESTS_USED.get_ptr_mut(0), of_bios]
        .into_iter()
        .flatten()
    {
        // SAFETY: the counter is in the map.
        unsafe { atomic::add(used, number) };
    }
}

/// Counts a request whose place is taken by another. It has completed, or its place would not be free: only
/// when is not known.
#[inline(always)]
fn completed_unseen(request: &RequestState, now: u64) {
    leave(request, now);
    if let Some(stats) = BLOCK_STATS.get_ptr_mut(request.slot.stats) {
        let own = request.size.saturating_sub(request.other_owner_bytes);
        // SAFETY: the statistics are in the map. Requests are entered as they are queued, and by their bios as
        // they are issued, which may interrupt the former.
        unsafe {
            atomic::add(&raw mut (*stats).unseen, 1);
            atomic::add(&raw mut (*stats).unseen_bytes, own);
        }
    }
}

/// Forgets a request that has completed or was merged. Its entry is kept, unless it is a bio's, whose address means nothing later, or the table
/// is filling with requests of devices that have gone.
///
/// # Safety
///
/// `entry` is the entry of `key`, as [`find`] gives it.
#[inline(always)]
pub unsafe fn forget(key: u64, entry: *mut RequestState, way: Way) {
    // SAFETY: by the caller's promise; an entry stays valid for the run of the program.
    unsafe { (*entry).queued_ns = 0 };
    if let Some(used) = REQUESTS_USED.get_ptr_mut(0) {
        // SAFETY: the number is in the map, and read whole.
        let is_filling = unsafe { used.read_volatile() } > constant(&REQUESTS_KEPT).into();
        let is_of_bio = !way.has_queue() || constant(&QUEUED_BY_BIO) != 0;
        if (is_filling || is_of_bio) && REQUESTS.remove(&key).is_ok() {
            add_used(way, 1_u64.wrapping_neg());
        }
    }
}

/// A request is no longer in flight.
#[inline(always)]
pub fn leave(request: &RequestState, now: u64) {
    // The kernel's own request for a flush is in nobody's depth: those that asked for it are.
    if !request.slot.is(Operation::ExecutedFlush) {
        in_flight::end(request.slot.own_depth, now);
        in_flight::end(request.slot.device_depth, now);
        loop_device::end(&request.slot);
    }
    wait::request_ends(request.waiting_workload, false, now);
    if request.issued_ns != 0 {
        wait::request_ends(request.waiting_workload, true, now);
    }
}

/// The key of a bio that becomes no request. It is no address, which are even: below, the same bio may become one.
#[inline(always)]
pub fn key_of_bio(bio: *const c_void) -> u64 {
    (bio as u64).wrapping_add(1)
}

/// Whether none of these bios is in flight.
#[inline(always)]
pub fn no_bio_is_in_flight() -> bool {
    // SAFETY: the number is in the map, and read whole.
    BIOS_USED
        .get_ptr_mut(0)
        .is_none_or(|used| unsafe { used.read_volatile() } == 0)
}

/// The record of such a bio, and its key.
#[inline(always)]
pub fn find_bio(bio: *const c_void) -> Option<(u64, *mut RequestState)> {
    let key = key_of_bio(bio);
    let state = REQUESTS.get_ptr_mut(&key)?;
    // SAFETY: the entry stays valid for the run of the program.
    unsafe { (*state).queued_ns != 0 }.then_some((key, state))
}

/// The slot of a request that has been queued and not completed, by its address.
#[inline(always)]
pub fn slot_of_queued(request: u64) -> Option<BlockSlot> {
    let state = REQUESTS.get_ptr_mut(&request)?;
    // SAFETY: the entry stays valid for the run of the program.
    unsafe { ((*state).queued_ns != 0).then(|| (*state).slot) }
}

/// The record of a request, and the key it is found by.
#[inline(always)]
pub fn find(request: *const c_void) -> Option<(u64, *mut RequestState)> {
    let key = request as u64;
    if let Some(state) = REQUESTS.get_ptr_mut(&key) {
        // SAFETY: the entry stays valid for the run of the program.
        return unsafe { (*state).queued_ns != 0 }.then_some((key, state));
    }
    if constant(&QUEUED_BY_BIO) == 0 {
        return None;
    }
    // SAFETY: `request` is the argument of a tracepoint.
    let (first, last): (u64, u64) = unsafe {
        (
            field(request, &memory::OFF_REQUEST_BIO),
            field(request, &memory::OFF_REQUEST_BIOTAIL),
        )
    };
    // A front merge puts another bio first.
    let key = if REQUESTS.get_ptr_mut(&first).is_some() {
        first
    } else {
        last
    };
    REQUESTS.get_ptr_mut(&key).map(|state| (key, state))
}
