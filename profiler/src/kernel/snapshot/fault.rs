//! Reading the page faults.

use ioprof_ebpf::abi::{
    fault::FaultStats,
    layout::{Layout, fault_series},
    names,
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::PerCpuArray},
};

/// The page faults of one workload.
#[derive(Clone, Debug)]
pub struct Faults {
    /// All CPUs together.
    pub stats: FaultStats,
    /// Nanoseconds of the major ones.
    pub major: Buckets,
}

/// Reads the page faults of each workload.
pub fn read(
    ebpf: &Ebpf,
    layout: &Layout,
    histograms: &Histograms<'_>,
) -> Result<Vec<Faults>, Error> {
    let map = PerCpuArray::<FaultStats>::of(ebpf, names::FAULTS)?;
    (1..=layout.workloads)
        .map(|workload| {
            let series = fault_series(layout.first_fault_series, workload);
            Ok(Faults {
                stats: map.sum(workload - 1)?,
                major: histograms.series(series)?,
            })
        })
        .collect()
}
