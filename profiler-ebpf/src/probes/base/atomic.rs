//! Atomic operations on map values that CPUs share.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

/// Adds, and returns what was there before.
#[inline(always)]
pub fn add(target: *mut u64, value: u64) -> u64 {
    // SAFETY: callers pass a pointer into a map value, aligned and valid for the run of the program.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(target, value) }
}

/// Adds to a number of 32 bits.
#[inline(always)]
pub fn add_u32(target: *mut u32, value: u32) {
    // SAFETY: as in `add`.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::SeqCst }>(target, value) };
}

/// Puts `new` where `old` is; returns what was there before.
#[inline(always)]
pub fn replace(target: *mut u64, old: u64, new: u64) -> u64 {
    // SAFETY: as in `add`.
    unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
            target, old, new,
        )
        .0
    }
}

/// Raises a value that only ever grows. Gives up after some attempts, which takes as many other CPUs
/// raising it in the same nanoseconds.
#[inline(always)]
pub fn raise(target: *mut u64, value: u64) {
    for _ in 0..8 {
        // SAFETY: as in `add`.
        let now = unsafe { target.read_volatile() };
        if now >= value || replace(target, now, value) == now {
            return;
        }
    }
}
