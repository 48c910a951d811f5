//! What is drawn, the same each time it is drawn from the same seed.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng as _};

/// A number below a bound, each as probable as any other, but for one part in 2^64.
pub fn below(bound: usize, random: &mut Xoshiro256PlusPlus) -> usize {
    let drawn = u128::from(random.next_u64()).saturating_mul(bound as u128) >> 64;
    drawn as usize
}

/// Puts all into a drawn order, by Fisher and Yates.
pub fn shuffle<T>(all: &mut [T], random: &mut Xoshiro256PlusPlus) {
    for last in (1..all.len()).rev() {
        all.swap(below(last.saturating_add(1), random), last);
    }
}
