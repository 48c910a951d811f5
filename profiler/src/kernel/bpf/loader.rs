//! Loading the object: its maps are sized and its constants set for this kernel and this run.

use aya::{Ebpf, EbpfLoader};
use ioprof_ebpf::abi::{
    file::{FileKey, FileStats},
    layout::Layout,
    names,
};
use zerocopy::IntoBytes as _;

use super::{btf::KernelTypes, error::one_line, limits, map, object, probes::ProbeSelection};
use crate::{
    error::Error,
    kernel::{
        syscall,
        system::{capabilities, device, machine},
    },
};

/// Disks that may come while a measurement runs.
const FURTHER_DISKS: u32 = 16;

/// Loads the object, its maps sized for so many workloads; with these sizes.
///
/// # Errors
///
/// Where the kernel or the user's privileges do not allow it.
pub fn load(
    workloads: u32,
    selection: &ProbeSelection,
    types: &KernelTypes,
) -> Result<(Ebpf, Layout), Error> {
    let disks = device::disks() + FURTHER_DISKS;
    let layout = Layout::new(workloads, disks, device::requests_at_most());
    let constants = layout.constants();
    let page_bytes = machine::page_bytes();
    let ends = types.ends();
    let queued_by_bio = u32::from(selection.queued_by_bio(types));
    let mut loader = EbpfLoader::new();
    loader.allow_unsupported_maps();
    for (symbol, value) in &types.constants {
        // A field that no probe reads any more is not in the object.
        loader.override_global(symbol, value, false);
    }
    for (symbol, value) in &constants {
        loader.override_global(symbol, value, true);
    }
    for (map, entries) in layout.entries() {
        loader.map_max_entries(map, entries);
    }
    loader
        .override_global(names::QUEUED_BY_BIO, &queued_by_bio, true)
        .override_global(names::PAGE_BYTES, &page_bytes, true);
    for (symbol, address) in &ends {
        loader.override_global(symbol, address, true);
    }
    if types.preemption.is_none() {
        loader.map_max_entries(names::MARKS, 1);
    }
    let object = object::for_kernel(types.cast, types.preemption);
    let ebpf = loader.load(object.as_bytes()).map_err(|error| {
        if limits::are_used_up(&error) {
            limits::too_few()
        } else if capabilities::can_load() {
            Error::Load {
                reason: one_line(&error),
            }
        } else {
            Error::NoPrivilege
        }
    })?;
    Ok((ebpf, layout))
}

/// Tells the probes what each system call is.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn set_call_kinds(ebpf: &mut Ebpf) -> Result<(), Error> {
    map::fill(ebpf, names::CALL_KINDS, syscall::kinds())?;
    map::fill(ebpf, names::COMPAT_KINDS, syscall::compat::kinds())
}

/// Makes the row of each workload that takes the files for which there is no other.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn make_rows_of_other_files(ebpf: &mut Ebpf, workloads: u32) -> Result<(), Error> {
    let rows = (1..=workloads).map(|number| (FileKey::others(number), FileStats::default()));
    map::insert(ebpf, names::FILES, rows)
}
