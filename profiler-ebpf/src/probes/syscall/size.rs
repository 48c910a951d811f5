//! The bytes that a vectored call asks for.

use core::{ffi::c_void, ptr};

use aya_ebpf::helpers::bpf_probe_read_user_buf;
use ioprof_ebpf::abi::syscall::MAX_IOVECS;

use crate::probes::base::memory::{self, field};

/// Stands for the size of a vectored call whose segments are not summed here.
pub const UNKNOWN_SIZE: u64 = u64::MAX;

/// `struct iovec` of readv(2).
#[repr(C)]
#[derive(Clone, Copy)]
struct Iovec {
    base: u64,
    len: u64,
}

/// The bytes that a vectored call asks for; [`UNKNOWN_SIZE`] where they cannot be read.
///
/// # Safety
///
/// `registers` is the tracepoint's argument.
#[inline(always)]
pub unsafe fn vector_size(registers: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    let (address, count): (u64, u64) = unsafe {
        (
            field(registers, &memory::OFF_ARG1),
            field(registers, &memory::OFF_ARG2),
        )
    };
    if count == 0 {
        return 0;
    }
    if count > MAX_IOVECS as u64 || !memory::may_read() {
        return UNKNOWN_SIZE;
    }
    let mut segments = [Iovec { base: 0, len: 0 }; MAX_IOVECS];
    let bytes = ptr::from_mut(&mut segments).cast::<u8>();
    let wanted = count as usize * size_of::<Iovec>();
    // SAFETY: the slice lies within the array, which the check above and the mask keep true.
    let bytes = unsafe { core::slice::from_raw_parts_mut(bytes, wanted & 0x1ff) };
    // SAFETY: the helper checks the user's address.
    if unsafe { bpf_probe_read_user_buf(address as *const u8, bytes) }.is_err() {
        return UNKNOWN_SIZE;
    }
    // What was not read is zero.
    segments
        .iter()
        .fold(0, |sum: u64, segment| sum.wrapping_add(segment.len))
}
