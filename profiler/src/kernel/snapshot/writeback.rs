//! Reading the pages that were made dirty.

use ioprof_ebpf::abi::{layout::Layout, names, writeback::DirtyInode};

use crate::{
    error::Error,
    kernel::bpf::{
        Ebpf,
        map::{Array, entries},
    },
};

/// Bytes that each workload made dirty through mappings.
pub fn mapped(ebpf: &Ebpf, layout: &Layout) -> Result<Vec<u64>, Error> {
    let map = Array::<u64>::of(ebpf, names::MAPPED)?;
    (1..=layout.workloads)
        .map(|number| map.get(number))
        .collect()
}

/// The inodes with dirty pages, as they were last examined.
pub fn dirty(ebpf: &Ebpf) -> Result<Vec<DirtyInode>, Error> {
    let inodes = entries::<u64, DirtyInode>(ebpf, names::DIRTY)?.into_iter();
    Ok(inodes.map(|(_, inode)| inode).collect())
}
