//! What all tables share: flags of their updates, and numbers that are handed out in order.

use aya_ebpf::btf_maps::Array;

use super::atomic;

/// `BPF_NOEXIST` of include/uapi/linux/bpf.h.
pub const NO_EXIST: u64 = 1;

/// The next number, from 1. Of two CPUs that ask for the same key at once, one number stays unused.
#[inline(always)]
pub fn next(used: &Array<u64, 1>) -> Option<u64> {
    // SAFETY: the counter is in the map.
    used.get_ptr_mut(0)
        .map(|used| unsafe { atomic::add(used, 1) } + 1)
}
