//! The window in which events count.

use aya::Ebpf;
use ioprof_ebpf::abi::{names, window::OPEN};
use nix::time::{ClockId, clock_gettime};

use super::map;
use crate::error::Error;

/// Events count from here on; the time of it, in nanoseconds of the monotonic clock.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn open(ebpf: &mut Ebpf) -> Result<u64, Error> {
    let now = now_ns()?;
    map::fill(ebpf, names::WINDOW, [OPEN])?;
    // What was queued before the window was open has an earlier time than this.
    map::fill(ebpf, names::WINDOW, [OPEN, now_ns()?])?;
    Ok(now)
}

/// Events count no more; the time of it. Programs that have begun before still run: see [`wait_for_programs`].
///
/// # Errors
///
/// Where the map cannot be written.
pub fn close(ebpf: &mut Ebpf) -> Result<u64, Error> {
    let now = now_ns()?;
    map::fill(ebpf, names::WINDOW, [now])?;
    Ok(now)
}

/// Waits until every program that runs now has ended.
pub fn wait_for_programs() {
    // A program is a section in which RCU is read, and this waits for all that have begun (membarrier(2)). Kernels that
    // keep CPUs free of the tick refuse it: what a program does then, in less than a microsecond after the end of the
    // window, may be read in part.
    // SAFETY: the call takes integers.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}

/// Nanoseconds of the monotonic clock, which the probes use.
///
/// # Errors
///
/// Where the kernel has no such clock.
pub fn now_ns() -> Result<u64, Error> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_err(Error::system("reading the monotonic clock"))?;
    Ok(now.tv_sec().cast_unsigned() * 1_000_000_000 + now.tv_nsec().cast_unsigned())
}
