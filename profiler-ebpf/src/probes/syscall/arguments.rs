//! The arguments of a call, by the interface that it comes by.

use core::ffi::c_void;

use ioprof_ebpf::abi::syscall::CallKind;

use crate::probes::base::memory::{self, field};

/// Where each stands in `struct pt_regs`: of a 64-bit call, and of a 32-bit one.
const REGISTERS: [(&u32, &u32); 5] = [
    (&memory::OFF_ARG0, &memory::OFF_COMPAT_ARG0),
    (&memory::OFF_ARG1, &memory::OFF_COMPAT_ARG1),
    (&memory::OFF_ARG2, &memory::OFF_COMPAT_ARG2),
    (&memory::OFF_ARG3, &memory::OFF_COMPAT_ARG3),
    (&memory::OFF_ARG4, &memory::OFF_COMPAT_ARG4),
];

/// The arguments of a call.
#[derive(Clone, Copy)]
pub struct Arguments {
    registers: *const c_void,
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
            are_compat: kind.has(CallKind::COMPAT),
        }
    }

    /// One of them.
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
