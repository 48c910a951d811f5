//! Reading the kernel's structures at offsets that user space has set.

use core::{arch::asm, ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel};
use ioprof_ebpf::abi::names::CAST;

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
/// Where the sixth argument of a system call stands in `struct pt_regs`.
#[unsafe(no_mangle)]
pub static OFF_ARG5: u32 = 0;
/// Where the first argument of a call by the 32-bit interface stands there.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG0: u32 = 0;
/// Its second.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG1: u32 = 0;
/// Its third.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG2: u32 = 0;
/// Its fourth.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG3: u32 = 0;
/// Its fifth.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG4: u32 = 0;
/// Its sixth.
#[unsafe(no_mangle)]
pub static OFF_COMPAT_ARG5: u32 = 0;

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

/// A number with a mask that the compiler cannot leave out: where it knows that a number is small, older verifiers may not.
#[inline(always)]
pub fn masked<const MASK: u32>(mut number: u64) -> u64 {
    // SAFETY: it changes a register.
    unsafe { asm!("{} &= {}", inout(reg) number, const MASK, options(nostack, nomem, pure)) };
    number
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

/// Whether a function is the one whose lower half is known, which a constant that is set at load has; 0 where it is not.
#[inline(always)]
pub fn is_function(function: u64, known: &'static u32) -> bool {
    let known = constant(known);
    known != 0 && function as u32 == known
}

/// Reads what is at an address. The helper fills in zeroes where it cannot, so that its result need not be
/// looked at: a branch less, at run time and for the verifier.
#[inline(always)]
pub fn read_at<T: Copy + Default>(address: u64) -> T {
    let mut value = T::default();
    // SAFETY: the value is as large as is said.
    unsafe { fill((&raw mut value).cast(), size_of::<T>() as u32, address) };
    value
}

/// Reads so many bytes at an address to a place on the stack, where any may be read.
///
/// # Safety
///
/// The place has room for them. The helper checks the address.
#[inline(always)]
unsafe fn fill(place: *mut c_void, bytes: u32, address: u64) {
    if may_read() {
        // SAFETY: by the caller's promise.
        unsafe { bpf_probe_read_kernel(place, bytes, address as *const c_void) };
    }
}

/// One place on the stack for all that is read of addresses, where there is little room: each [`read`] takes one.
pub struct Slot(u64);

impl Slot {
    /// An empty place.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Reads an address, as [`read`] does.
    #[inline(always)]
    pub fn read(&mut self, address: u64, offset: &'static u32) -> u64 {
        self.0 = 0;
        let from = address.wrapping_add(constant(offset).into());
        // SAFETY: the place is as large as is said.
        unsafe { fill((&raw mut self.0).cast(), size_of::<u64>() as u32, from) };
        self.0
    }
}

macro_rules! types {
    ($($symbol:ident: $structure:literal),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            pub static $symbol: u32 = 0;
        )*
    };
}
ioprof_ebpf::kernel_types!(types);

/// A BTF pointer to what is at an address, where the kernel can make one: fields are then loaded from it, which takes no
/// helper. A fault gives zeroes.
#[inline(always)]
pub fn typed(address: u64, number: &'static u32) -> Option<*const c_void> {
    let number = constant(number);
    if number == 0 {
        return None;
    }
    let pointer: *const c_void;
    // SAFETY: user space has put in the kernel's function, which returns its first argument, or else no number is set;
    // the verifier checks what is loaded from it.
    unsafe {
        asm!(
            "call {}",
            const CAST,
            inlateout("r1") address => _,
            inlateout("r2") u64::from(number) => _,
            lateout("r0") pointer,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, nomem),
        );
    }
    Some(pointer)
}

/// The address that a BTF pointer holds, as a number: an exported function takes no pointer. The verifier lets the
/// difference of two pointers be a number, and one of them is known as a number, too.
///
/// `task` is the running task.
#[inline(always)]
pub fn address(pointer: *const c_void, task: *const c_void) -> u64 {
    let mut number = pointer as u64;
    // SAFETY: it changes a register. The compiler does not see what it subtracts, and so cannot add first, which would be
    // arithmetic on a pointer.
    unsafe {
        asm!("{} -= {}", inout(reg) number, in(reg) task as u64, options(nostack, nomem, pure))
    };
    // SAFETY: the helper takes nothing and cannot fail.
    number.wrapping_add(unsafe { bpf_get_current_task() })
}

/// How many bytes of a structure are read at once.
const HEAD_BYTES: usize = 128;

/// The beginning of a structure at an address that cannot be given a type. One call of the helper reads all of its fields
/// that stand there, others take one each.
pub struct Head {
    address: u64,
    words: MaybeUninit<[u64; HEAD_BYTES / 8]>,
}

impl Head {
    /// Reads the structure at an address, and takes from it what is wanted; zeroes where that is refused. The copy is on
    /// the stack no longer than that.
    #[inline(always)]
    pub fn with<T>(address: u64, take: impl FnOnce(&Self) -> T) -> T {
        let mut head = Self {
            address,
            words: MaybeUninit::uninit(),
        };
        // SAFETY: the array is as large as is said.
        unsafe { fill(head.words.as_mut_ptr().cast(), HEAD_BYTES as u32, address) };
        take(&head)
    }

    /// A field of at most eight bytes.
    #[inline(always)]
    pub fn get<T: Copy + Default>(&self, offset: &'static u32) -> T {
        if !may_read() {
            return T::default();
        }
        let at = constant(offset) as usize;
        if at > HEAD_BYTES - size_of::<T>() {
            return read(self.address, offset);
        }
        // SAFETY: the helper has filled the array, with zeroes where it could not read, and the field lies within it, at
        // an offset that is aligned as the kernel has it; `T` is an integer.
        unsafe { *self.words.as_ptr().byte_add(at).cast::<T>() }
    }
}
