//! The programs, each beside the maps it writes.

mod aio;
mod atomic;
mod baseline;
mod block;
mod cache;
mod depth;
mod dirty;
mod fault;
mod file;
mod file_call;
mod histogram;
mod kernel;
mod loss;
mod merge;
mod origin;
mod outstanding;
mod path;
mod reader;
mod request;
mod syscall;
mod task;
mod time;
mod uring;
mod walk;

/// The licence that the kernel checks before it lends its GPL-only helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached; it must only exist.
    loop {}
}
