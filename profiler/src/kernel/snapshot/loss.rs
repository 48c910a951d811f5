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

/// Takes the losses of calls from an earlier reading. The probes of their begin and of their end are detached one after the
/// other: a call in between has one of the two, and is not lost.
pub fn take_calls(losses: &mut [(Loss, u64)], earlier: &[(Loss, u64)]) {
    for ((loss, count), (_, before)) in losses.iter_mut().zip(earlier) {
        if matches!(loss, Loss::ExitUnmatched | Loss::ExitMissed) {
            *count = *before;
        }
    }
}

#[cfg(test)]
mod tests {
    use ioprof_ebpf::abi::loss::Loss;

    use super::take_calls;

    #[test]
    fn calls_between_two_probes_are_not_lost() {
        let earlier = [(Loss::ExitUnmatched, 1), (Loss::FilesFull, 2)];
        let mut losses = [(Loss::ExitUnmatched, 282), (Loss::FilesFull, 3)];
        take_calls(&mut losses, &earlier);
        assert_eq!(losses, [(Loss::ExitUnmatched, 1), (Loss::FilesFull, 3)]);
    }
}
