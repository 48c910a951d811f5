//! The bytes that a vectored call asks for.

use core::ptr;

use aya_ebpf::helpers::bpf_probe_read_user_buf;
use ioprof_ebpf::abi::syscall::MAX_IOVECS;

use super::arguments::Arguments;
use crate::probes::base::memory;

/// Stands for the size of a vectored call whose segments are not summed here.
pub const UNKNOWN_SIZE: u64 = u64::MAX;

/// The words of eight bytes that so many `struct iovec` take: the address of each, and then its length; or both in one,
/// the length above, where they have four bytes each.
const WORDS: usize = 2 * MAX_IOVECS;

/// The bytes that a vectored call asks for; [`UNKNOWN_SIZE`] where they cannot be read.
#[inline(always)]
pub fn vector_size(arguments: Arguments) -> u64 {
    let (address, count) = (arguments.get::<1>(), arguments.get::<2>());
    if count == 0 {
        return 0;
    }
    if count > MAX_IOVECS as u64 || !memory::may_read() {
        return UNKNOWN_SIZE;
    }
    let mut words = [0_u64; WORDS];
    let bytes = ptr::from_mut(&mut words).cast::<u8>();
    let wanted = (2 * count * arguments.word_bytes()) as usize;
    // SAFETY: the slice lies within the array, which the check above and the mask keep true.
    let bytes = unsafe { core::slice::from_raw_parts_mut(bytes, wanted & 0x1ff) };
    // SAFETY: the helper checks the user's address.
    if unsafe { bpf_probe_read_user_buf(address as *const u8, bytes) }.is_err() {
        return UNKNOWN_SIZE;
    }
    // What was not read is zero.
    let sum = |sum: u64, length: u64| sum.wrapping_add(length);
    if arguments.are_compat {
        let segments = words[..MAX_IOVECS].iter();
        segments.map(|word| word >> 32).fold(0, sum)
    } else {
        words.iter().skip(1).step_by(2).copied().fold(0, sum)
    }
}
