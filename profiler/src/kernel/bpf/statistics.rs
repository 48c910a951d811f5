//! The kernel's statistics of BPF programs.

use std::{io, os::fd::OwnedFd};

/// Switches run-time statistics on, until the descriptor is closed. Requires CAP_SYS_ADMIN.
///
/// # Errors
///
/// The kernel's reason.
pub fn enable() -> io::Result<OwnedFd> {
    aya::sys::enable_stats(aya::sys::Stats::RunTime).map_err(|error| error.io_error)
}
