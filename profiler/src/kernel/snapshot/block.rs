//! Reading the requests and their depths.

use ioprof_ebpf::abi::{
    block::{self, BlockKey, BlockSlot, BlockStats, Depth, DepthKey, RequestState},
    layout::{Layout, block_series},
    names,
};
use nix::time::{ClockId, clock_gettime};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::{
        bpf::{
            Ebpf,
            map::{Array, PerCpuArray, entries},
        },
        system::device,
    },
};

/// One operation on one device by one workload, of one origin.
#[derive(Clone, Debug)]
pub struct Requests {
    /// The owner, the device and the operation.
    pub key: BlockKey,
    /// All CPUs together.
    pub stats: BlockStats,
    /// Nanoseconds from queued to issued.
    pub queue: Buckets,
    /// Nanoseconds from issued to completed.
    pub service: Buckets,
    /// Bytes.
    pub size: Buckets,
}

/// What is compared with the kernel's own counts, which go on: read at the same moment as these.
pub struct BlockReading {
    /// Each slot, all CPUs together.
    pub slots: Vec<(BlockKey, BlockSlot, BlockStats)>,
    /// The depths.
    pub depths: Vec<(DepthKey, Depth)>,
    /// When they were read, in nanoseconds of the monotonic clock.
    pub read_at_ns: u64,
}

/// Reads the requests and their depths.
pub fn read(ebpf: &Ebpf) -> Result<BlockReading, Error> {
    let slots = slots(ebpf)?;
    let depths = depths(ebpf)?;
    Ok(BlockReading {
        slots,
        depths,
        // After the depths: a span that began before they were read has begun before this.
        read_at_ns: now_ns()?,
    })
}

/// Requests whose completion was not seen and whose record was not reused since: those still recorded as issued on a
/// device that has none in flight, by slot with their bytes.
fn unseen(ebpf: &Ebpf, slots: &[(BlockKey, BlockSlot)]) -> Result<Vec<(u32, u64)>, Error> {
    let asked_at = now_ns()?;
    let idle: Vec<u32> = slots
        .iter()
        .filter(|(key, _)| device::is_idle(block::device_number(key.device)))
        .map(|(_, slot)| slot.stats)
        .collect();
    let recorded = entries::<u64, RequestState>(ebpf, names::REQUESTS)?;
    Ok(recorded
        .into_iter()
        .map(|(_, request)| request)
        .filter(|request| idle.contains(&request.slot.stats))
        .filter(|request| request.queued_ns != 0)
        .filter(|request| request.issued_ns != 0 && request.issued_ns < asked_at)
        .map(|request| {
            let own = request.size.saturating_sub(request.other_owner_bytes);
            (request.slot.stats, own)
        })
        .collect())
}

/// Nanoseconds of the monotonic clock, which the probes use.
fn now_ns() -> Result<u64, Error> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_err(Error::system("reading the monotonic clock"))?;
    Ok(now.tv_sec().cast_unsigned() * 1_000_000_000 + now.tv_nsec().cast_unsigned())
}

fn slots(ebpf: &Ebpf) -> Result<Vec<(BlockKey, BlockSlot, BlockStats)>, Error> {
    let map = PerCpuArray::<BlockStats>::of(ebpf, names::BLOCK_STATS)?;
    let slots = entries::<BlockKey, BlockSlot>(ebpf, names::SLOTS)?;
    let unseen = unseen(ebpf, &slots)?;
    let with_stats = |(key, slot): (BlockKey, BlockSlot)| {
        let mut stats = map.sum(slot.stats)?;
        for (_, bytes) in unseen.iter().filter(|(number, _)| *number == slot.stats) {
            stats.unseen += 1;
            stats.unseen_bytes += bytes;
        }
        Ok((key, slot, stats))
    };
    slots.into_iter().map(with_stats).collect()
}

/// The requests of each slot, with their histograms.
pub fn requests(
    slots: Vec<(BlockKey, BlockSlot, BlockStats)>,
    layout: &Layout,
    histograms: &Histograms<'_>,
) -> Result<Vec<Requests>, Error> {
    let with_histograms = |(key, slot, stats): (BlockKey, BlockSlot, BlockStats)| {
        let series = block_series(layout.first_block_series, slot.stats);
        Ok(Requests {
            key,
            stats,
            queue: histograms.series(series)?,
            service: histograms.series(series + 1)?,
            size: histograms.series(series + 2)?,
        })
    };
    slots.into_iter().map(with_histograms).collect()
}

fn depths(ebpf: &Ebpf) -> Result<Vec<(DepthKey, Depth)>, Error> {
    let map = Array::<Depth>::of(ebpf, names::DEPTHS)?;
    entries::<DepthKey, u64>(ebpf, names::DEPTH_NUMBERS)?
        .into_iter()
        .map(|(key, number)| Ok((key, map.get(number as u32)?)))
        .collect()
}
