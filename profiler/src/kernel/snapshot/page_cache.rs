//! Reading how the page cache served calls.

use ioprof_ebpf::abi::page_cache::{self, CacheStats};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::bpf::{Ebpf, FirstSeries, map::PerCpuArray},
};

/// Reads the counts by [`page_page_cache::index`].
pub fn read(
    ebpf: &Ebpf,
    workloads: u32,
    histograms: &Histograms<'_>,
) -> Result<Vec<(CacheStats, Buckets)>, Error> {
    let map = PerCpuArray::<CacheStats>::of(ebpf, "CACHE")?;
    let first = FirstSeries::new(workloads).cache;
    (0..page_cache::index(workloads + 1, 0))
        .map(|index| {
            let mut stats = CacheStats::default();
            for cpu in map.get(index)?.iter() {
                stats.latency.merge(&cpu.latency);
                stats.bytes += cpu.bytes;
            }
            Ok((stats, histograms.series(first + index)?))
        })
        .collect()
}
