//! Reading the pages that were made dirty.

use ioprof_ebpf::abi::{layout::MAX_DIRTY_INODES, names, writeback::DirtyInode};

use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::Hash},
};

/// The inodes with dirty pages, as they were last examined.
pub fn dirty(ebpf: &Ebpf) -> Result<Vec<DirtyInode>, Error> {
    // As for the rows of files.
    let mut inodes = Vec::with_capacity(MAX_DIRTY_INODES as usize);
    for entry in Hash::<u64, DirtyInode>::of(ebpf, names::DIRTY)?.iter() {
        inodes.push(entry?.1);
    }
    Ok(inodes)
}
