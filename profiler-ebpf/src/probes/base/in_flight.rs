//! How many requests are in flight, by device and by workload on it, and for how long there are any.

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    block::{Depth, DepthKey},
    loss::Loss,
};

use crate::probes::base::{
    atomic, loss,
    map::{self, NO_EXIST},
};

/// The number of the depth of each (device, workload).
#[btf_map]
static DEPTH_NUMBERS: HashMap<DepthKey, u64, 1> = HashMap::new();

#[btf_map]
static DEPTHS: Array<Depth, 1> = Array::new();

/// How many numbers were handed out.
#[btf_map]
static DEPTHS_USED: Array<u64, 1> = Array::new();

/// The number of a depth, handed out where there is none yet.
#[inline(always)]
pub fn number(key: &DepthKey) -> Option<u32> {
    if DEPTH_NUMBERS.get_ptr_mut(key).is_none() {
        let _ = DEPTH_NUMBERS.insert(key, &map::next(&DEPTHS_USED)?, NO_EXIST);
    }
    known(key)
}

/// The number of a depth, where it has one.
#[inline(always)]
pub fn known(key: &DepthKey) -> Option<u32> {
    // SAFETY: the entry stays valid for the run of the program, and is never changed.
    DEPTH_NUMBERS
        .get_ptr_mut(key)
        .map(|number| unsafe { *number } as u32)
}

/// A request begins.
#[inline(always)]
pub fn begin(number: u32, now: u64) {
    begin_in(&DEPTHS, number, now);
}

/// A request ends.
#[inline(always)]
pub fn end(number: u32, now: u64) {
    end_in(&DEPTHS, number, now);
}

/// A request begins. The span with requests in flight begins where there were none: subtracting its
/// beginning and adding its end needs no lock, and is right whichever CPU does which.
#[inline(always)]
pub fn begin_in<const N: usize>(depths: &Array<Depth, N>, number: u32, now: u64) {
    let Some(depth) = depths.get_ptr_mut(number) else {
        loss::count(Loss::SlotsFull);
        return;
    };
    // SAFETY: the value is in the map.
    unsafe { enter(depth, now) };
}

/// The same for a depth that is kept elsewhere.
///
/// # Safety
///
/// `depth` is in a map.
#[inline(always)]
pub unsafe fn enter(depth: *mut Depth, now: u64) {
    // SAFETY: by the caller's promise; CPUs share the value by atomic operations.
    unsafe {
        let before = atomic::add(&raw mut (*depth).in_flight, 1);
        if before == 0 {
            atomic::add(&raw mut (*depth).busy_ns, now.wrapping_neg());
        }
        atomic::raise(&raw mut (*depth).max, before + 1);
    }
}

/// A request ends.
#[inline(always)]
pub fn end_in<const N: usize>(depths: &Array<Depth, N>, number: u32, now: u64) {
    let Some(depth) = depths.get_ptr_mut(number) else {
        return;
    };
    // SAFETY: the value is in the map.
    unsafe { leave(depth, now) };
}

/// The same for a depth that is kept elsewhere.
///
/// # Safety
///
/// `depth` is in a map.
#[inline(always)]
pub unsafe fn leave(depth: *mut Depth, now: u64) {
    // SAFETY: as in `enter`.
    unsafe {
        if atomic::add(&raw mut (*depth).in_flight, 1_u64.wrapping_neg()) == 1 {
            atomic::add(&raw mut (*depth).busy_ns, now);
        }
    }
}
