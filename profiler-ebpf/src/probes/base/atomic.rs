//! Atomic operations on map values that CPUs share, or that several programs write.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_or, atomic_xadd, atomic_xchg};

/// Adds, and returns what was there before.
///
/// # Safety
///
/// `target` is aligned, and in a map value that is valid for the run of the program.
#[inline(always)]
pub unsafe fn add(target: *mut u64, value: u64) -> u64 {
    // SAFETY: by the caller's promise.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(target, value) }
}

/// Adds all numbers of a structure to those of another.
///
/// # Safety
///
/// `sum` is in a map value that is valid for the run of the program, `from` may be read, and `T` has nothing but `u64`s.
#[inline(always)]
pub unsafe fn add_all<T>(sum: *mut T, from: *const T) {
    for at in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: by the caller's promise.
        unsafe { add(sum.cast::<u64>().add(at), *from.cast::<u64>().add(at)) };
    }
}

/// Sets flags, and returns those that were set before.
///
/// # Safety
///
/// As for [`add`].
#[inline(always)]
pub unsafe fn set_flags(target: *mut u32, flags: u32) -> u32 {
    // SAFETY: by the caller's promise.
    unsafe { atomic_or::<u32, u32, { AtomicOrdering::SeqCst }>(target, flags) }
}

/// Sets to 0, and returns what was there before.
///
/// # Safety
///
/// As for [`add`].
#[inline(always)]
pub unsafe fn take(target: *mut u32) -> u32 {
    // SAFETY: by the caller's promise.
    unsafe { atomic_xchg::<u32, { AtomicOrdering::SeqCst }>(target, 0) }
}

/// Puts `new` where `old` is; returns what was there before.
///
/// # Safety
///
/// As for [`add`].
#[inline(always)]
pub unsafe fn replace(target: *mut u64, old: u64, new: u64) -> u64 {
    // SAFETY: by the caller's promise.
    unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
            target, old, new,
        )
        .0
    }
}

/// Raises a value that only ever grows. Gives up after some attempts, which takes as many others raising it in
/// the same nanoseconds.
///
/// # Safety
///
/// As for [`add`].
#[inline(always)]
pub unsafe fn raise(target: *mut u64, value: u64) {
    for _ in 0..8 {
        // SAFETY: by the caller's promise.
        unsafe {
            let now = target.read_volatile();
            if now >= value || replace(target, now, value) == now {
                return;
            }
        }
    }
}
