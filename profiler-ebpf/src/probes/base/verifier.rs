//! What keeps the verifier from going through the same code again and again: docs/adding-a-probe.md, "Ways".
//!
//! An exported function (`#[unsafe(no_mangle)] extern "C"`, not inlined) is verified once, for all numbers and for all values
//! that its pointers may be to. What its caller has known of these is forgotten. A call and its return take some 10 ns where
//! the processor's speculation is held back: what every call of a program goes through is inlined, and [`fresh`] numbers
//! are what it goes on with.

use core::arch::asm;

/// What an exported function was given a pointer to. The verifier takes it for one that may be null.
///
/// # Safety
///
/// The caller has passed a reference to it, and uses it no more while the function runs.
#[inline(always)]
pub unsafe fn given<'a, T>(pointer: *mut T) -> Option<&'a mut T> {
    // SAFETY: by the caller's promise.
    unsafe { pointer.as_mut() }
}

/// A number from where it stands in a map or in what the program was given. The verifier knows nothing of it, also where the
/// program has looked at it before.
///
/// # Safety
///
/// `place` is in the map, or in what the program was given.
#[inline(always)]
pub unsafe fn fresh<T: Copy>(place: *const T) -> T {
    // SAFETY: by the caller's promise.
    unsafe { place.read_volatile() }
}

/// A number as it is. The verifier forgets what it knows of it: it goes through what follows once, and not for every value
/// that the number may have.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn unknown(mut number: u64) -> u64 {
    // SAFETY: it moves a register to itself, and the compiler does not look into it.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(nostack, nomem, pure)) };
    number
}

/// A number that was read from where another part of a condition reads elsewhere. Without it the compiler chooses the place,
/// and reads once: of what a program was given, the verifier allows no place that is chosen.
#[inline(always)]
pub fn read_by_itself(mut number: u64) -> u64 {
    // SAFETY: it leaves the number as it is, and the compiler does not look into it.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(nostack, nomem, pure)) };
    number
}

/// An index that is less than 16, as the program has found. The verifier of Linux 6.1 forgets that where the number goes through
/// the stack; here it is told again.
#[inline(always)]
pub fn below_16(mut index: usize) -> usize {
    // SAFETY: it leaves such a number as it is, and the compiler does not look into it.
    unsafe { asm!("{0} &= 15", inout(reg) index, options(nostack, nomem, pure)) };
    index
}
