//! Which bytes of its file a folio holds.

use core::ffi::c_void;

use ioprof_ebpf::abi::fields::ABSENT;

use crate::probes::base::memory::{self, constant, field};

/// The flag of a folio of more than one page (`PG_head`); set at load.
#[unsafe(no_mangle)]
static FOLIO_IS_LARGE: u32 = 0;

/// The size of a page; set at load.
#[unsafe(no_mangle)]
pub static PAGE_BYTES: u32 = 0;

/// How many bytes it has, by `folio_nr_pages` of include/linux/mm.h.
///
/// # Safety
///
/// `folio` is a BTF pointer to a `struct folio`.
#[inline(always)]
pub unsafe fn size(folio: *const c_void) -> u64 {
    let page = u64::from(constant(&PAGE_BYTES));
    // SAFETY: by the caller's promise; the second page is there where the flag says so.
    unsafe {
        let flags: u64 = field(folio, &memory::OFF_FOLIO_FLAGS);
        if flags & u64::from(constant(&FOLIO_IS_LARGE)) == 0 {
            return page;
        }
        // Before 6.6 the order has a field of its own.
        let order = if constant(&memory::OFF_FOLIO_ORDER) != ABSENT {
            field::<u8>(folio, &memory::OFF_FOLIO_ORDER)
        } else {
            field::<u64>(folio, &memory::OFF_FOLIO_FLAGS_1) as u8
        };
        page << (order & 0x1f)
    }
}

/// Where it begins in its file, in bytes.
///
/// # Safety
///
/// As for [`size`].
#[inline(always)]
pub unsafe fn begin(folio: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    let index: u64 = unsafe { field(folio, &memory::OFF_FOLIO_INDEX) };
    index.wrapping_mul(constant(&PAGE_BYTES).into())
}
