//! Reading the kernel's structures at offsets that user space has set.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

macro_rules! constants {
    ($($symbol:ident: $structure:literal $path:literal),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            pub static $symbol: u32 = 0;
        )*
    };
}
ioprof_ebpf::kernel_fields!(constants);

/// Where the number of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_NUMBER: u32 = 0;
/// Where the first argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG0: u32 = 0;
/// Where the second argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG1: u32 = 0;
/// Where the third argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG2: u32 = 0;
/// Where the fourth argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG3: u32 = 0;
/// Where the fifth argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG4: u32 = 0;

/// Whether the kernel lets programs read memory by address, which `lockdown=confidentiality` forbids for its own, and the
/// loader then makes no difference between that and a process's: a program that calls a helper for it is refused, but
/// not where the verifier sees that it never will. Set at load.
#[unsafe(no_mangle)]
static MAY_READ: u32 = 0;

/// Whether memory may be read at an address.
#[inline(always)]
pub fn may_read() -> bool {
    constant(&MAY_READ) != 0
}

/// The value of a constant that user space sets at load; volatile, or the compiler would put in the zero.
#[inline(always)]
pub fn constant(symbol: &'static u32) -> u32 {
    // SAFETY: a reference to a static is valid for reads.
    unsafe { core::ptr::read_volatile(symbol) }
}

/// Loads a field of the structure at `base`.
///
/// # Safety
///
/// `base` is a BTF-typed pointer, a tracepoint argument or loaded from one, which the verifier checks; the
/// kernel turns a fault into a zero. `T` is an integer or a pointer of the field's size.
#[inline(always)]
pub unsafe fn field<T: Copy>(base: *const c_void, offset: &'static u32) -> T {
    // SAFETY: by the caller's promise; the verifier refuses a program that breaks it.
    unsafe { *base.byte_add(constant(offset) as usize).cast::<T>() }
}

/// Nanoseconds of the monotonic clock.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and cannot fail.
    unsafe { aya_ebpf::helpers::bpf_ktime_get_ns() }
}

/// Reads a field of the structure at an address that the verifier does not know the type of; 0 where that
/// is refused, as where none may be read.
#[inline(always)]
pub fn read<T: Copy + Default>(address: u64, offset: &'static u32) -> T {
    read_at(address.wrapping_add(constant(offset).into()))
}

/// Reads what is at an address. The helper fills in zeroes where it cannot, so that its result need not be
/// looked at: a branch less, at run time and for the verifier.
#[inline(always)]
pub fn read_at<T: Copy + Default>(address: u64) -> T {
    let mut value = T::default();
    if !may_read() {
        return value;
    }
    // SAFETY: the value is as large as is said, and the helper checks the address.
    unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<T>() as u32,
            address as *const c_void,
        )
    };
    value
}
