//! Reading the pages that were made dirty.

use std::collections::HashMap;

use ioprof_ebpf::abi::{
    file::FileKey,
    names,
    writeback::{BlockOfOwners, DirtyInode, DirtyOwner, FurtherOwners},
};

use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::Hash},
};

/// An inode with bytes that were made dirty and not submitted, as it was last examined.
#[derive(Clone, Debug, Default)]
pub struct Dirty {
    /// Which file it is, of no workload.
    pub file: FileKey,
    /// The bytes of it that the page cache holds.
    pub cached_bytes: u64,
    /// Whose the bytes are.
    pub owners: Vec<DirtyOwner>,
}

/// Those inodes.
pub fn dirty(ebpf: &Ebpf) -> Result<Vec<Dirty>, Error> {
    let mut further: HashMap<u64, Vec<DirtyOwner>> = HashMap::new();
    for entry in Hash::<BlockOfOwners, FurtherOwners>::of(ebpf, names::DIRTY_OWNERS)?.iter() {
        let (key, block) = entry?;
        let outstanding = block.owners.iter().filter(|owner| owner.bytes > 0);
        further.entry(key.inode).or_default().extend(outstanding);
    }
    let mut inodes = Vec::new();
    for entry in Hash::<u64, DirtyInode>::of(ebpf, names::DIRTY)?.iter() {
        let (address, inode) = entry?;
        let mut owners = further.remove(&address).unwrap_or_default();
        owners.extend(inode.owners.iter().filter(|owner| owner.bytes > 0));
        if !owners.is_empty() {
            inodes.push(Dirty {
                file: inode.file,
                cached_bytes: inode.cached_bytes,
                owners,
            });
        }
    }
    Ok(inodes)
}
