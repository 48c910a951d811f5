//! Errors by their number.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ioprof_ebpf::abi::{layout::MAX_ERRORS, loss::Loss, syscall::ErrorKey};

use crate::probes::base::{atomic, loss, map::NO_EXIST};

#[btf_map]
static ERRORS: HashMap<ErrorKey, u64, { MAX_ERRORS as usize }> = HashMap::new();

/// The largest error number a call can return, `MAX_ERRNO` of include/linux/err.h.
const MAX_ERRNO: u64 = 4095;

/// Whether a result stands for an error.
#[inline(always)]
pub const fn is_error(result: u64) -> bool {
    result >= MAX_ERRNO.wrapping_neg()
}

/// Counts an error by its number.
#[inline(always)]
pub fn count_error(workload: u32, operation: u32, errno: u32) {
    let key = ErrorKey {
        workload,
        operation,
        errno,
        padding: 0,
    };
    if ERRORS.get_ptr_mut(&key).is_none() {
        // Another CPU may put the same key in first: what matters is that it is there.
        let _ = ERRORS.insert(&key, &0, NO_EXIST);
    }
    match ERRORS.get_ptr_mut(&key) {
        Some(counter) => {
            // SAFETY: the counter is in the map.
            unsafe { atomic::add(counter, 1) };
        }
        None => {
            loss::count(Loss::ErrorsFull);
        }
    }
}
