//! Reading how the page cache served calls.

use ioprof_ebpf::abi::{
    layout::{Layout, page_cache_index},
    names,
    page_cache::CacheStats,
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::PerCpuArray},
};

/// Reads the counts by [`page_cache_index`].
pub fn read(
    ebpf: &Ebpf,
    layout: &Layout,
    histograms: &Histograms<'_>,
) -> Result<Vec<(CacheStats, Buckets)>, Error> {
    let map = PerCpuArray::<CacheStats>::of(ebpf, names::CACHE)?;
    (0..page_cache_index(layout.workloads + 1, 0))
        .map(|index| {
            let series = layout.first_page_cache_series + index;
            Ok((map.sum(index)?, histograms.series(series)?))
        })
        .collect()
}
