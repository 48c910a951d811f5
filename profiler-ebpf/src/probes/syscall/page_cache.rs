//! How the page cache served the calls that read.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use ioprof_ebpf::abi::{
    layout::page_cache_index,
    off_cpu::WaitKind,
    page_cache::{CacheStats, Served},
    syscall::CallKind,
    task::{Returned, TaskState},
};

use crate::probes::{
    base::{atomic, histogram, memory::constant},
    file::{inode, read_ahead},
};

#[btf_map]
static CACHE: PerCpuArray<CacheStats, 1> = PerCpuArray::new();

/// The first histogram series of these; set at load.
#[unsafe(no_mangle)]
static FIRST_CACHE_SERIES: u32 = 0;

/// Counts a call that reads and was not served from the cache at once. `file` has the flags of the file, and in its upper
/// half the mode; 0 where there is none.
#[inline(always)]
pub fn count(state: &mut TaskState, file: u64, latency: u64, bytes: u64) {
    let (flags, mode) = (file as u32, (file >> 32) as u32);
    let (is_file, is_direct) = (inode::is_regular(mode), inode::is_direct(flags));
    let was_ahead = is_file && !is_direct && read_ahead::take(&mut state.file, bytes);
    let served = match () {
        () if !is_file => Served::NotApplicable,
        () if is_direct => Served::Direct,
        () if state.requests as u32 != 0 => Served::Miss,
        () if has_waited(state) => Served::Wait,
        () if was_ahead => Served::ReadAhead,
        // As of /proc: its file system has the data elsewhere, or makes it.
        () if state.file.has_pages == 0 => Served::NotApplicable,
        () => return,
    };
    let index = page_cache_index(state.workload, served as u32);
    let Some(stats) = CACHE.get_ptr_mut(index) else {
        return;
    };
    // SAFETY: the value is this CPU's own. No other program writes it, but for what `settle` adds: see `late.rs`.
    unsafe {
        (*stats).latency.add(latency);
        (*stats).bytes += bytes;
    }
    histogram::record(constant(&FIRST_CACHE_SERIES) + index, latency);
    state.returned.read_index = index;
    state.returned.read_ns = state.returned.entered_ns;
}

/// Adds what a call took on its way out, which is counted already, to its time.
#[inline(always)]
pub fn settle(returned: &Returned, latency: u64) {
    if returned.read_ns != returned.entered_ns {
        return;
    }
    let Some(stats) = CACHE.get_ptr_mut(returned.read_index) else {
        return;
    };
    // SAFETY: the value is in the map; as in `late::settle`.
    unsafe {
        atomic::add(&raw mut (*stats).latency.sum, latency - returned.latency_ns);
        atomic::raise(&raw mut (*stats).latency.max, latency);
    }
    let series = constant(&FIRST_CACHE_SERIES) + returned.read_index;
    histogram::move_shared(series.into(), returned.latency_ns, latency);
}

/// Adds bytes to those that the cache has nothing to do with, of a call that is counted.
#[inline(always)]
pub fn add_uncached(workload: u32, bytes: u64) {
    let index = page_cache_index(workload, Served::NotApplicable as u32);
    if let Some(stats) = CACHE.get_ptr_mut(index) {
        // SAFETY: as in `count`.
        unsafe { (*stats).bytes += bytes };
    }
}

/// Whether a thread has waited for a device in the call in flight, and not for what that has written: as where it moves data to a
/// file that is made durable. Nor for its own memory.
#[inline(always)]
fn has_waited(state: &TaskState) -> bool {
    let waits = &state.clock.call_waits;
    state.clock.call_off_ns != 0
        && state.requests & TaskState::IN_FAULT == 0
        && (state.requests < TaskState::OTHER || !CallKind(state.kind).has(CallKind::TRANSFERS))
        && waits[WaitKind::Queue as usize]
            + waits[WaitKind::Service as usize]
            + waits[WaitKind::Device as usize]
            != 0
}
