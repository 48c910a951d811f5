//! The least that probes on every system call can cost: two that do nothing.

use aya::Ebpf;
use ioprof_ebpf::abi::names;

use super::{
    attach::attach_one,
    btf::KernelTypes,
    loader::load,
    probes::{Feature, Probe, ProbeSelection, probe},
    verdict::Verdict,
};
use crate::error::Error;

/// The empty probes, attached until this is dropped.
pub struct Baseline {
    _ebpf: Ebpf,
}

const EMPTY: [Probe; 2] = [
    probe(names::BASELINE_ENTER, "sys_enter", Feature::Required),
    probe(names::BASELINE_EXIT, "sys_exit", Feature::Required),
];

impl Baseline {
    /// Attaches the empty probes.
    ///
    /// # Errors
    ///
    /// As for a session.
    pub fn attach() -> Result<Self, Error> {
        let types = KernelTypes::of_this_kernel()?;
        let (mut ebpf, _) = load(1, &ProbeSelection::default(), &types)?;
        let btf = KernelTypes::as_aya_reads_them()?;
        for probe in &EMPTY {
            if let Verdict::Refused { reason } = attach_one(&mut ebpf, &btf, probe) {
                return Err(Error::ProbeMissing {
                    probe: probe.program,
                    reason,
                });
            }
        }
        Ok(Self { _ebpf: ebpf })
    }
}
