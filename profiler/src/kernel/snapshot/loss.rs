//! Reading what was lost.

use ioprof_ebpf::abi::{loss::Loss, names};

use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::Array},
};

/// Whether this process may read the maps, which before Linux 5.19 took more than their descriptors.
pub fn can_be_read(ebpf: &Ebpf) -> bool {
    read(ebpf).is_ok()
}

/// Reads the counts of lost events.
pub fn read(ebpf: &Ebpf) -> Result<Vec<(Loss, u64)>, Error> {
    let map = Array::<u64>::of(ebpf, names::LOSSES)?;
    Loss::ALL
        .iter()
        .map(|(loss, _)| Ok((*loss, map.get(*loss as u32)?)))
        .collect()
}
