//! The programs, each beside the maps it writes.

mod base;
mod baseline;
mod block;
mod fault;
mod file;
mod io_uring;
mod syscall;
mod task;
mod writeback;

/// The licence that the kernel checks before it lends its GPL-only helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached; it must only exist.
    loop {}
}
