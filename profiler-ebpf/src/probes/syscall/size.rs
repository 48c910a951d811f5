//! The bytes that a vectored call asks for.

use core::ptr;

use aya_ebpf::{btf_maps::PerCpuArray, helpers::bpf_probe_read_user_buf, macros::btf_map};
use ioprof_ebpf::abi::syscall::{CallKind, MAX_IOVECS, MAX_MESSAGES};

use super::arguments::{Arguments, user};
use crate::probes::base::memory;

/// Stands for the size of a vectored call whose segments are not summed here.
pub const UNKNOWN_SIZE: u64 = u64::MAX;

/// The words of eight bytes that so many `struct iovec` take: the address of each, and then its length; or both in one,
/// the length above, where they have four bytes each.
const WORDS: usize = 2 * MAX_IOVECS;

/// A vector: the stack has no room for one.
#[btf_map]
static VECTOR: PerCpuArray<[u64; WORDS], 1> = PerCpuArray::new();

/// The bytes that a vectored call asks for; [`UNKNOWN_SIZE`] where they cannot be read.
#[inline(always)]
pub fn vector_size(arguments: Arguments, kind: CallKind) -> u64 {
    let (address, count) = if kind.size() == CallKind::SIZE_MESSAGE {
        let Some(vector) = vector_of_message(arguments) else {
            return UNKNOWN_SIZE;
        };
        vector
    } else {
        (arguments.get::<1>(), arguments.get::<2>())
    };
    if count == 0 {
        return 0;
    }
    if count > MAX_IOVECS as u64 || !memory::may_read() {
        return UNKNOWN_SIZE;
    }
    let Some(words) = VECTOR.get_ptr_mut(0) else {
        return UNKNOWN_SIZE;
    };
    // SAFETY: the value is this CPU's own, and no other program writes it.
    let words = unsafe { &mut *words };
    *words = [0; WORDS];
    let bytes = ptr::from_mut(words).cast::<u8>();
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

/// The vector of the `struct msghdr` that the second argument points to, behind the address of a name and its length: its
/// address, and how many segments it has.
#[inline(always)]
fn vector_of_message(arguments: Arguments) -> Option<(u64, u64)> {
    let message = arguments.find::<1>();
    if arguments.are_compat {
        let [address, count] = user::<[u32; 2]>(message.wrapping_add(8))?;
        Some((address.into(), count.into()))
    } else {
        let [address, count] = user::<[u64; 2]>(message.wrapping_add(16))?;
        Some((address, count))
    }
}

/// The bytes of so many messages that a call has moved, by what it has written behind each `struct msghdr`.
#[inline(always)]
pub fn message_bytes(arguments: Arguments, messages: u64) -> u64 {
    sum_of_messages(arguments.find::<1>(), messages, arguments.word_bytes())
}

/// The same of those at an address, where addresses have so many bytes. Exported, as the verifier then looks at it by
/// itself, and not once for every way to it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sum_of_messages(first: u64, messages: u64, word_bytes: u64) -> u64 {
    let mut sum = 0_u64;
    for part in 0..MAX_MESSAGES / PART {
        let before = part * PART;
        if before >= messages {
            break;
        }
        let there = first.wrapping_add(before * 8 * word_bytes);
        sum = sum.wrapping_add(sum_of_part(there, messages - before, word_bytes));
    }
    sum
}

/// How many messages are gone through at once: the verifier goes through each pass of a loop.
const PART: u64 = 32;

/// The same of no more than these. Exported, too.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sum_of_part(first: u64, messages: u64, word_bytes: u64) -> u64 {
    // Seven words, and the length in another.
    let (behind, each) = (7 * word_bytes, 8 * word_bytes);
    let mut sum = 0_u64;
    for at in 0..PART.min(messages) {
        sum = sum.wrapping_add(message_length(first.wrapping_add(at * each + behind)));
    }
    sum
}

/// The length of a message, which is there: the call has written it. Exported, too: not once for every pass of the loop.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn message_length(place: u64) -> u64 {
    user::<u32>(place).unwrap_or(0).into()
}
