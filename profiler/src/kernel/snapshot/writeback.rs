//! Reading the pages that were made dirty.

use ioprof_ebpf::abi::{names, writeback::DirtyInode};

use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::entries},
};

/// The inodes with dirty pages, as they were last examined.
pub fn dirty(ebpf: &Ebpf) -> Result<Vec<DirtyInode>, Error> {
    let inodes = entries::<u64, DirtyInode>(ebpf, names::DIRTY)?.into_iter();
    Ok(inodes.map(|(_, inode)| inode).collect())
}
