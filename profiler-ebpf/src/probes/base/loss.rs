//! Counting what is lost.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::loss::Loss;

use super::atomic;

#[btf_map]
static LOSSES: Array<u64, { Loss::ALL.len() }> = Array::new();

/// Counts one loss, and says whether it was the first of its kind.
#[inline(always)]
pub fn count(loss: Loss) -> bool {
    add(loss, 1)
}

/// Counts so many, and says whether they were the first of their kind.
#[inline(always)]
pub fn add(loss: Loss, number: u64) -> bool {
    // SAFETY: the counter is in the map.
    LOSSES
        .get_ptr_mut(loss as u32)
        .is_some_and(|counter| unsafe { atomic::add(counter, number) } == 0)
}
