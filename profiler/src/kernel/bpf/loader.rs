//! Loading the object: its maps are sized and its constants set for this kernel and this run.

use aya::{Ebpf, EbpfLoader};
use ioprof_ebpf::{
    abi::{
        aio,
        block::{self, MAX_DEPTHS, MAX_SLOTS},
        file::{FileKey, FileStats},
        io_uring as uring, page_cache as cache,
        syscall::MAX_OPERATIONS,
    },
    histogram::OCTAVES,
};

use super::{
    btf::KernelTypes, error::one_line, layout::FirstSeries, limits, map, object,
    probes::ProbeSelection,
};
use crate::{
    error::Error,
    kernel::{
        syscall,
        system::{capabilities, device, machine},
    },
};

/// Loads the object, its maps sized for so many workloads.
///
/// # Errors
///
/// Where the kernel or the user's privileges do not allow it.
pub fn load(
    workloads: u32,
    selection: &ProbeSelection,
    types: &KernelTypes,
) -> Result<Ebpf, Error> {
    let workloads = workloads.max(1);
    let first_series = FirstSeries::new(workloads);
    // On every disk, of which some may come later, by each owner: four operations of its threads, writeback,
    // journal and metadata.
    let disks = device::disks() + 16;
    let slots = (8 * disks * (workloads + 1)).min(MAX_SLOTS);
    let depths = (disks * (workloads + 5)).min(MAX_DEPTHS);
    let requests = device::requests_at_most();
    let page_bytes = machine::page_bytes();
    let btrfs_end = types.btrfs_end();
    let queued_by_bio = u32::from(selection.queued_by_bio(types));
    let first_fault_series = block::series(first_series.block, slots + 1);
    let mut loader = EbpfLoader::new();
    loader.allow_unsupported_maps();
    for (symbol, value) in &types.constants {
        // A field that no probe reads any more is not in the object.
        loader.override_global(symbol, value, false);
    }
    loader
        .override_global("FIRST_BLOCK_SERIES", &first_series.block, true)
        .override_global("FIRST_URING_SERIES", &first_series.uring, true)
        .override_global("FIRST_AIO_SERIES", &first_series.aio, true)
        .override_global("QUEUED_BY_BIO", &queued_by_bio, true)
        .override_global("REQUESTS_KEPT", &(requests / 4 * 3), true)
        .override_global("PAGE_BYTES", &page_bytes, true)
        .override_global("BTRFS_END", &btrfs_end, true)
        .map_max_entries("CALLS", workloads * MAX_OPERATIONS)
        .map_max_entries("WORKLOADS", workloads + 1)
        .override_global("FIRST_CACHE_SERIES", &first_series.cache, true)
        .override_global("FIRST_FAULT_SERIES", &first_fault_series, true)
        .map_max_entries("CACHE", cache::index(workloads + 1, 0))
        .map_max_entries("DIRECTORY", (first_fault_series + workloads) * OCTAVES)
        .map_max_entries("FAULTS", workloads)
        .map_max_entries("MAPPED", workloads + 1)
        .map_max_entries("BLOCKS", 256 + 512 * workloads)
        .map_max_entries("SLOTS", slots)
        .map_max_entries("BLOCK_STATS", slots + 1)
        .map_max_entries("DEPTH_NUMBERS", depths)
        .map_max_entries("DEPTHS", depths + 1)
        .map_max_entries("REQUESTS", requests)
        .map_max_entries("MERGED", requests)
        .map_max_entries("URING_STATS", workloads * uring::OPCODES)
        .map_max_entries("URING_TOTALS", workloads + 1)
        .map_max_entries("AIO_STATS", workloads * aio::OPCODES)
        .map_max_entries("AIO_TOTALS", workloads + 1)
        .load(object::bytes())
        .map_err(|error| {
            if limits::are_used_up(&error) {
                limits::too_few()
            } else if capabilities::can_load() {
                Error::Load {
                    reason: one_line(&error),
                }
            } else {
                Error::NoPrivilege
            }
        })
}

/// Tells the probes what each system call is.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn set_call_kinds(ebpf: &mut Ebpf) -> Result<(), Error> {
    map::fill(ebpf, "CALL_KINDS", syscall::kinds())
}

/// Makes the row of each workload that takes the files for which there is no other.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn make_rows_of_other_files(ebpf: &mut Ebpf, workloads: u32) -> Result<(), Error> {
    let rows = (1..=workloads).map(|number| (FileKey::others(number), FileStats::default()));
    map::insert(ebpf, "FILES", rows)
}
