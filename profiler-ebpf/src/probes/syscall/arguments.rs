//! The arguments of a call, by the interface that it comes by.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_probe_read_user;
use ioprof_ebpf::abi::syscall::CallKind;

use crate::probes::base::memory::{self, field};

/// Where each stands in `struct pt_regs`: of a 64-bit call, and of a 32-bit one.
const REGISTERS: [(&u32, &u32); 6] = [
    (&memory::OFF_ARG0, &memory::OFF_COMPAT_ARG0),
    (&memory::OFF_ARG1, &memory::OFF_COMPAT_ARG1),
    (&memory::OFF_ARG2, &memory::OFF_COMPAT_ARG2),
    (&memory::OFF_ARG3, &memory::OFF_COMPAT_ARG3),
    (&memory::OFF_ARG4, &memory::OFF_COMPAT_ARG4),
    (&memory::OFF_ARG5, &memory::OFF_COMPAT_ARG5),
];

/// The arguments of a call.
#[derive(Clone, Copy)]
pub struct Arguments {
    registers: *const c_void,
    pub kind: CallKind,
    /// Whether the call comes by the 32-bit interface.
    pub are_compat: bool,
}

impl Arguments {
    /// Those of a call of this kind.
    ///
    /// # Safety
    ///
    /// `registers` is a BTF pointer to the `struct pt_regs` of the call.
    #[inline(always)]
    pub const unsafe fn new(registers: *const c_void, kind: CallKind) -> Self {
        Self {
            registers,
            kind,
            are_compat: kind.has(CallKind::COMPAT),
        }
    }

    /// One of them, where a call of this kind has them in registers.
    #[inline(always)]
    pub fn get<const AT: usize>(self) -> u64 {
        let (register, compat) = const { REGISTERS[AT] };
        // SAFETY: by the promise of `new`.
        unsafe {
            if self.are_compat {
                // What is above may be anything: the kernel does not look at it either.
                field::<u32>(self.registers, compat).into()
            } else {
                field(self.registers, register)
            }
        }
    }

    /// One of them, where a call of this kind may have them in memory, to which the second then points; 0 where that
    /// cannot be read.
    #[inline(always)]
    pub fn find<const AT: usize>(self) -> u64 {
        if self.kind.has(CallKind::BY_POINTER) {
            let place = self.get::<1>() + 4 * AT as u64;
            user::<u32>(place).unwrap_or(0).into()
        } else {
            self.get::<AT>()
        }
    }

    /// The offset in a file that the fourth argument is; by the 32-bit interface its upper half is the fifth.
    #[inline(always)]
    pub fn offset(self) -> u64 {
        if self.are_compat {
            self.get::<3>() | self.get::<4>() << 32
        } else {
            self.get::<3>()
        }
    }

    /// How many bytes an address or a `size_t` takes in memory.
    #[inline(always)]
    pub const fn word_bytes(self) -> u64 {
        if self.are_compat { 4 } else { 8 }
    }
}

/// The offset at an address, as a call of this kind has left it; `otherwise` where the address is 0.
#[inline(always)]
pub fn offset_at(kind: CallKind, place: u64, otherwise: u64) -> u64 {
    user_offset(place, (kind.0 & CallKind::SHORT_OFFSET).into(), otherwise)
}

/// The offset at an address, of four bytes or of eight; `otherwise` where that is 0, and where it cannot be read, which the
/// call could. Exported, as the verifier then looks at it by itself, and not once for every way to it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn user_offset(place: u64, is_short: u64, otherwise: u64) -> u64 {
    if place == 0 {
        return otherwise;
    }
    let offset = if is_short != 0 {
        user::<u32>(place).map(u64::from)
    } else {
        user::<u64>(place)
    };
    offset.unwrap_or(otherwise)
}

/// What is at an address of the running process; none where it cannot be read.
#[inline(always)]
pub fn user<T>(place: u64) -> Option<T> {
    if !memory::may_read() {
        return None;
    }
    // SAFETY: the helper checks the user's address, and `T` is an integer.
    unsafe { bpf_probe_read_user(place as *const T) }.ok()
}
