//! How many entries each map has, and how the histogram series are numbered.
//!
//! Both follow from how many workloads a run has, and how many disks and requests its machine; user space works them
//! out and sets them at load.

use super::{names, writeback::MAX_OWNERS};
use crate::histogram::OCTAVES;

/// Workloads that one run tells apart; number 0 is everything that is in no workload.
pub const MAX_WORKLOADS: u32 = 64;
/// Operations that system calls are told apart by; 0 is `other`, every call that is known and has no name of its own.
pub const MAX_OPERATIONS: u32 = 128;
/// The operation of all calls whose number is in no table.
pub const UNKNOWN_OPERATION: u32 = MAX_OPERATIONS - 1;
/// System call numbers that the table covers; larger ones are unknown.
pub const MAX_SYSCALLS: u32 = 512;
/// Numbers of the table of the 32-bit interface: those of calls, and behind them those that socketcall(2) takes.
pub const MAX_COMPAT_SYSCALLS: u32 = MAX_SYSCALLS + SOCKET_CALLS;
/// Numbers that socketcall(2) takes, include/uapi/linux/net.h; a power of two.
pub const SOCKET_CALLS: u32 = 32;
/// Errors by number, of all operations of all workloads.
pub const MAX_ERRORS: u32 = 4096;
/// Ways in which the page cache serves a call that are counted.
pub const SERVED: u32 = 5;
/// Opcodes of io_uring that are told apart; the kernel has 63 in 6.18, and adds to them.
pub const URING_OPCODES: u32 = 128;
/// Requests of io_uring that are remembered, of all rings of all workloads.
pub const MAX_URING_REQUESTS: u32 = 32_768;
/// Files that requests of io_uring under way copy from, of all rings of all workloads.
pub const MAX_URING_SOURCES: u32 = 8192;
/// Opcodes of io_submit(2) that are told apart; include/uapi/linux/aio_abi.h has nine.
pub const AIO_OPCODES: u32 = 16;
/// Operations of io_submit(2) that are remembered, of all workloads.
pub const MAX_AIO_REQUESTS: u32 = 16_384;
/// Calls that are kept which are under way at both ends, and one more: they are numbered from 1.
pub const MAX_UNDER_WAY: u32 = 256;
/// Files that are told apart, of all workloads together.
pub const MAX_FILES: u32 = 32_768;
/// Paths that are kept, a long one counting as several.
pub const MAX_PATHS: u32 = 40_960;
/// Inodes with dirty pages that are remembered at once; those with nothing left to write make room. A power of two.
pub const MAX_DIRTY_INODES: u32 = 32_768;
/// Inodes that are remembered with the workload that read them last.
pub const MAX_READ_INODES: u32 = 8192;
/// Writes to devices that are made of others that are remembered with their workload.
pub const MAX_STACKED_WRITES: u32 = 8192;
/// Tasks that have waited for I/O and not exited.
pub const MAX_WAITERS: u32 = 16_384;
/// Threads that have a row of their own, of all workloads.
pub const MAX_THREAD_ROWS: u32 = 8192;
/// Rows of threads of one name, when no more threads have their own.
pub const MAX_NAMED_ROWS: u32 = 1024;
/// Slots of block requests.
pub const MAX_SLOTS: u32 = 4096;
/// Pairs of a workload and a device that have a depth, those of all owners and of what is shared included.
pub const MAX_DEPTHS: u32 = 2048;
/// Times with requests in flight: of each workload and of the kernel's threads, from queued on and from issued on.
pub const MAX_BUSY: u32 = 2 * (MAX_WORKLOADS + 1);

/// Histogram blocks of all workloads together: one alone may have all of them.
const SHARED_BLOCKS: u32 = 1536;
/// Histogram blocks for each workload besides. A program that makes each of the named calls with latencies of ten
/// octaves takes some 1,000, and with sizes of ten octaves 130 more.
const BLOCKS: u32 = 512;

/// The series of an operation: latencies, requested bytes, and time off the CPU by octave of latency.
pub const CALL_SERIES: u32 = 3;
/// The series of a slot: queue, service and size.
pub const BLOCK_SERIES: u32 = 3;

/// The index of an operation of a workload among the calls.
#[inline(always)]
pub const fn call_index(workload: u32, operation: u32) -> u32 {
    workload.wrapping_sub(1) * MAX_OPERATIONS + operation
}

/// The first series of an operation of a workload; those of system calls come before all others.
#[inline(always)]
pub const fn call_series(workload: u32, operation: u32) -> u32 {
    CALL_SERIES * call_index(workload, operation)
}

/// The index of a way in which the page cache served a workload, and the number of its series among their like.
#[inline(always)]
pub const fn page_cache_index(workload: u32, served: u32) -> u32 {
    workload * SERVED + served
}

/// The index of an io_uring opcode of a workload, and the number of its series among their like.
#[inline(always)]
pub const fn uring_index(workload: u32, opcode: u32) -> u32 {
    workload.wrapping_sub(1) * URING_OPCODES + opcode
}

/// The index of an io_submit(2) opcode of a workload, and the number of its series among their like.
#[inline(always)]
pub const fn aio_index(workload: u32, opcode: u32) -> u32 {
    workload.wrapping_sub(1) * AIO_OPCODES + opcode
}

/// The first series of a slot, by the first of all slots.
#[inline(always)]
pub const fn block_series(first: u32, slot: u32) -> u32 {
    first + BLOCK_SERIES * slot
}

/// The series of a workload's major faults, by the first of their like.
#[inline(always)]
pub const fn fault_series(first: u32, workload: u32) -> u32 {
    first + workload.wrapping_sub(1)
}

/// The sizes of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Workloads, from 1 to [`MAX_WORKLOADS`].
    pub workloads: u32,
    /// Slots of block requests.
    pub slots: u32,
    /// Depths of block requests.
    pub depths: u32,
    /// Requests that can be in flight at once.
    pub requests: u32,
    /// The first series of the page cache.
    pub first_page_cache_series: u32,
    /// The first series of io_uring.
    pub first_uring_series: u32,
    /// The first series of io_submit(2).
    pub first_aio_series: u32,
    /// The first series of block requests.
    pub first_block_series: u32,
    /// The first series of page faults.
    pub first_fault_series: u32,
    /// How many series there are.
    pub series: u32,
}

impl Layout {
    /// For so many workloads, disks that are there or may come, and requests in flight.
    pub const fn new(workloads: u32, disks: u32, requests: u32) -> Self {
        let workloads = at_least(workloads, 1);
        // On every disk, by each owner: four operations of its threads, writeback, journal, metadata and swap; and the
        // flushes that it executes.
        let slots = at_most(disks * (10 * (workloads + 1) + 1), MAX_SLOTS);
        let depths = at_most(disks * (workloads + 6), MAX_DEPTHS);
        let first_page_cache_series = call_series(workloads + 1, 0);
        let first_uring_series = first_page_cache_series + page_cache_index(workloads + 1, 0);
        let first_aio_series = first_uring_series + uring_index(workloads + 1, 0);
        let first_block_series = first_aio_series + aio_index(workloads + 1, 0);
        // Slots are numbered from 1.
        let first_fault_series = block_series(first_block_series, slots + 1);
        Self {
            workloads,
            slots,
            depths,
            requests,
            first_page_cache_series,
            first_uring_series,
            first_aio_series,
            first_block_series,
            first_fault_series,
            series: fault_series(first_fault_series, workloads + 1),
        }
    }

    /// The maps whose size the run decides, with their entries.
    pub const fn entries(&self) -> [(&'static str, u32); 18] {
        let workloads = self.workloads;
        // Fewer workloads have all their places in the records of the inodes, and there is one for what is unknown.
        let blocks_of_owners = if workloads + 1 < MAX_OWNERS as u32 {
            1
        } else {
            MAX_DIRTY_INODES
        };
        [
            (names::CALLS, call_index(workloads + 1, 0)),
            (names::WORKLOADS, workloads + 1),
            (names::CACHE, page_cache_index(workloads + 1, 0)),
            (names::FAULTS, workloads),
            (names::URING_STATS, uring_index(workloads + 1, 0)),
            (names::URING_TOTALS, workloads + 1),
            (names::AIO_STATS, aio_index(workloads + 1, 0)),
            (names::AIO_TOTALS, workloads + 1),
            (names::DIRECTORY, self.series * OCTAVES),
            (names::BLOCKS, SHARED_BLOCKS + BLOCKS * workloads),
            (names::SLOTS, self.slots),
            (names::BLOCK_STATS, self.slots + 1),
            (names::DEPTH_NUMBERS, self.depths),
            (names::DEPTHS, self.depths + 1),
            (names::LOOP_OWNERS, self.depths + 1),
            (names::REQUESTS, self.requests),
            (names::MERGED, self.requests),
            (names::DIRTY_OWNERS, blocks_of_owners),
        ]
    }

    /// The constants that the run decides, with their values.
    pub const fn constants(&self) -> [(&'static str, u32); 6] {
        [
            (names::FIRST_CACHE_SERIES, self.first_page_cache_series),
            (names::FIRST_URING_SERIES, self.first_uring_series),
            (names::FIRST_AIO_SERIES, self.first_aio_series),
            (names::FIRST_BLOCK_SERIES, self.first_block_series),
            (names::FIRST_FAULT_SERIES, self.first_fault_series),
            // The rest is room for requests of devices that have gone.
            (names::REQUESTS_KEPT, self.requests / 4 * 3),
        ]
    }
}

const fn at_least(value: u32, least: u32) -> u32 {
    if value < least { least } else { value }
}

const fn at_most(value: u32, most: u32) -> u32 {
    if value > most { most } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_ends_where_the_next_begins() {
        for workloads in [1, 2, MAX_WORKLOADS] {
            let layout = Layout::new(workloads, 17, 1024);
            let last_call = call_series(workloads, MAX_OPERATIONS - 1) + CALL_SERIES - 1;
            assert_eq!(last_call + 1, layout.first_page_cache_series);
            let last = layout.first_page_cache_series + page_cache_index(workloads, SERVED - 1);
            assert_eq!(last + 1, layout.first_uring_series);
            let last = layout.first_uring_series + uring_index(workloads, URING_OPCODES - 1);
            assert_eq!(last + 1, layout.first_aio_series);
            let last = layout.first_aio_series + aio_index(workloads, AIO_OPCODES - 1);
            assert_eq!(last + 1, layout.first_block_series);
            let last = block_series(layout.first_block_series, layout.slots) + BLOCK_SERIES - 1;
            assert_eq!(last + 1, layout.first_fault_series);
            let last = fault_series(layout.first_fault_series, workloads);
            assert_eq!(last + 1, layout.series);
        }
    }

    #[test]
    fn no_map_is_empty_even_where_nothing_is_profiled() {
        let layout = Layout::new(0, 1, 1);
        for (map, entries) in layout.entries() {
            assert!(entries > 0, "{map}");
        }
    }
}
