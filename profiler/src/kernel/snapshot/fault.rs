//! Reading the page faults.

use ioprof_ebpf::abi::fault::{self, FaultStats};

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
    workloads: u32,
    histograms: &Histograms<'_>,
) -> Result<Vec<Faults>, Error> {
    let map = PerCpuArray::<FaultStats>::of(ebpf, "FAULTS")?;
    // Their series are the last, one for each workload.
    let first = histograms.count().saturating_sub(map.count());
    (1..=workloads)
        .map(|workload| {
            let mut stats = FaultStats::default();
            for cpu in map.get(workload - 1)?.iter() {
                stats.merge(cpu);
            }
            Ok(Faults {
                stats,
                major: histograms.series(fault::series(first, workload))?,
            })
        })
        .collect()
}
