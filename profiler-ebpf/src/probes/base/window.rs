//! The window in which events count.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::window::{NOT_YET, OPEN};

/// Its state; user space writes it.
#[btf_map]
static WINDOW: Array<u64, 1> = Array::new();

/// Where an event falls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Before the window.
    NotYet,
    /// Inside it.
    Open,
    /// After it, which ended at this time.
    Over(u64),
}

/// Where an event of this moment falls.
#[inline(always)]
pub fn state() -> Window {
    match word() {
        NOT_YET => Window::NotYet,
        OPEN => Window::Open,
        ended_ns => Window::Over(ended_ns),
    }
}

/// Whether an event of this moment counts.
#[inline(always)]
pub fn is_open() -> bool {
    word() == OPEN
}

#[inline(always)]
fn word() -> u64 {
    // SAFETY: the value is in the map, and read whole.
    WINDOW
        .get_ptr(0)
        .map_or(NOT_YET, |state| unsafe { state.read_volatile() })
}
