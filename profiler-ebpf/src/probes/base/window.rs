//! The window in which events count.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ioprof_ebpf::abi::window::{NOT_YET, OPEN, OPENED, STATE};

/// Its state, and when it was opened; user space writes both.
#[btf_map]
static WINDOW: Array<u64, 2> = Array::new();

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
    match word(STATE) {
        NOT_YET => Window::NotYet,
        OPEN => Window::Open,
        ended_ns => Window::Over(ended_ns),
    }
}

/// Whether an event of this moment counts.
#[inline(always)]
pub fn is_open() -> bool {
    word(STATE) == OPEN
}

/// Whether something of this time, in nanoseconds of the monotonic clock, was before the window.
#[inline(always)]
pub fn was_before(time_ns: u64) -> bool {
    // Whatever completes before that time is known began before it.
    let opened_ns = word(OPENED);
    opened_ns == 0 || time_ns < opened_ns
}

/// A word of the map; 0 is [`NOT_YET`], and no time.
#[inline(always)]
fn word(index: u32) -> u64 {
    // SAFETY: the value is in the map, and read whole.
    WINDOW
        .get_ptr(index)
        .map_or(0, |word| unsafe { word.read_volatile() })
}
