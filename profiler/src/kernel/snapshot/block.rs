//! Reading the requests and their depths.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    thread::sleep,
    time::Duration,
};

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
    /// All CPUs together, at the moment of the kernel's own counts.
    pub stats: BlockStats,
    /// Those that had not completed when they were read.
    pub in_flight: InFlight,
    /// The same as the histograms were read, which is later: those that the histograms belong to.
    pub later: BlockStats,
    /// Nanoseconds from queued to issued.
    pub queue: Buckets,
    /// Nanoseconds from issued to completed.
    pub service: Buckets,
    /// Bytes.
    pub size: Buckets,
}

/// Requests that were queued and have not completed.
#[derive(Clone, Copy, Debug, Default)]
pub struct InFlight {
    /// How many.
    pub requests: u64,
    /// Their owner's bytes.
    pub bytes: u64,
}

/// A slot: its key, its numbers on all CPUs together, and what is in flight.
type Slot = (BlockKey, BlockSlot, BlockStats, InFlight);

/// What is compared with the kernel's own counts, which go on: read at the same moment as these.
pub struct BlockReading {
    /// Each slot.
    pub slots: Vec<Slot>,
    /// The depths.
    pub depths: Vec<(DepthKey, Depth)>,
    /// When they were read, in nanoseconds of the monotonic clock.
    pub read_at_ns: u64,
}

/// Records of requests, each by its key and when it was issued, which a later request under the same key has later.
pub type Records = HashSet<(u64, u64)>;

/// How often, and after how long each time, a device is asked whether it is idle.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until the workloads' requests, and those they share, have completed, as far as that is soon: a journal that is
/// just written keeps a device from being idle, which would tell that completions were not seen. The records of those
/// that were not.
pub fn wait_for_completions(ebpf: &Ebpf) -> Result<Records, Error> {
    let mut unseen = Records::new();
    for _ in 0..TRIES {
        let is_shared_or_own = |key: &BlockKey| DepthKey::owner(key.workload, key.origin) != 0;
        let (completed, under_way) = recorded_of(ebpf, is_shared_or_own)?;
        unseen.extend(completed.iter().map(|(record, _)| *record));
        if under_way.iter().all(|(record, _)| unseen.contains(record)) {
            break;
        }
        sleep(PAUSE);
    }
    Ok(unseen)
}

/// How many requests of the workloads are in flight, by the records.
pub fn in_flight(ebpf: &Ebpf) -> Result<usize, Error> {
    Ok(recorded_of(ebpf, |key| key.workload != 0)?.1.len())
}

/// Reads the requests and their depths; `unseen` are records of requests that are known to have completed.
pub fn read(ebpf: &Ebpf, unseen: &Records) -> Result<BlockReading, Error> {
    let slots = slots(ebpf, unseen)?;
    let depths = depths(ebpf)?;
    Ok(BlockReading {
        slots,
        depths,
        // After the depths: a span that began before they were read has begun before this.
        read_at_ns: now_ns()?,
    })
}

/// Records that are still there, with the requests.
type Recorded = Vec<((u64, u64), RequestState)>;

/// The requests in the slots of the keys that are wanted, as [`recorded`] has them.
fn recorded_of(
    ebpf: &Ebpf,
    is_wanted: impl Fn(&BlockKey) -> bool,
) -> Result<(Recorded, Recorded), Error> {
    let mut slots = entries::<BlockKey, BlockSlot>(ebpf, names::SLOTS)?;
    slots.retain(|(key, _)| is_wanted(key));
    recorded(ebpf, &slots)
}

/// The requests in these slots that are recorded as queued: those issued to devices with none in flight, which have
/// completed unseen, and the others.
fn recorded(ebpf: &Ebpf, slots: &[(BlockKey, BlockSlot)]) -> Result<(Recorded, Recorded), Error> {
    let asked_at = now_ns()?;
    let devices: BTreeSet<u32> = slots.iter().map(|(key, _)| key.device).collect();
    let idle: BTreeSet<u32> = devices
        .into_iter()
        .filter(|device| device::is_idle(block::device_number(*device)))
        .collect();
    let devices: HashMap<u32, u32> = slots
        .iter()
        .map(|(key, slot)| (slot.stats, key.device))
        .collect();
    let is_on_idle = |request: &RequestState| {
        (1..asked_at).contains(&request.issued_ns)
            && devices
                .get(&request.slot.stats)
                .is_some_and(|device| idle.contains(device))
    };
    // After the devices were asked: a request that has completed meanwhile is not recorded any more.
    Ok(entries::<u64, RequestState>(ebpf, names::REQUESTS)?
        .into_iter()
        .filter(|(_, request)| request.queued_ns != 0)
        .filter(|(_, request)| devices.contains_key(&request.slot.stats))
        .map(|(key, request)| ((key, request.issued_ns), request))
        .partition(|(_, request)| is_on_idle(request)))
}

/// Nanoseconds of the monotonic clock, which the probes use.
fn now_ns() -> Result<u64, Error> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_err(Error::system("reading the monotonic clock"))?;
    Ok(now.tv_sec().cast_unsigned() * 1_000_000_000 + now.tv_nsec().cast_unsigned())
}

fn slots(ebpf: &Ebpf, unseen: &Records) -> Result<Vec<Slot>, Error> {
    let map = PerCpuArray::<BlockStats>::of(ebpf, names::BLOCK_STATS)?;
    let slots = entries::<BlockKey, BlockSlot>(ebpf, names::SLOTS)?;
    let (mut completed, under_way) = recorded(ebpf, &slots)?;
    let (known, under_way): (Recorded, Recorded) = under_way
        .into_iter()
        .partition(|(record, _)| unseen.contains(record));
    completed.extend(known);
    let of_slot = |requests: &Recorded, slot: &BlockSlot| {
        let mut sum = InFlight::default();
        let own = requests.iter().map(|(_, request)| request);
        for request in own.filter(|request| request.slot.stats == slot.stats) {
            sum.requests += 1;
            sum.bytes += request.size.saturating_sub(request.other_owner_bytes);
        }
        sum
    };
    let with_stats = |(key, slot): (BlockKey, BlockSlot)| {
        let mut stats = map.sum(slot.stats)?;
        let unseen = of_slot(&completed, &slot);
        stats.unseen += unseen.requests;
        stats.unseen_bytes += unseen.bytes;
        Ok((key, slot, stats, of_slot(&under_way, &slot)))
    };
    slots.into_iter().map(with_stats).collect()
}

/// The requests of each slot, with their histograms.
pub fn requests(
    ebpf: &Ebpf,
    slots: Vec<Slot>,
    layout: &Layout,
    histograms: &Histograms<'_>,
) -> Result<Vec<Requests>, Error> {
    let map = PerCpuArray::<BlockStats>::of(ebpf, names::BLOCK_STATS)?;
    let with_histograms = |(key, slot, stats, in_flight): Slot| {
        let series = block_series(layout.first_block_series, slot.stats);
        let (later, [queue, service, size]) = if slot.has_histograms == 0 {
            (stats, Default::default())
        } else {
            Histograms::together(
                || map.sum(slot.stats),
                || {
                    Ok([
                        histograms.series(series)?,
                        histograms.series(series + 1)?,
                        histograms.series(series + 2)?,
                    ])
                },
            )?
        };
        Ok(Requests {
            key,
            stats,
            in_flight,
            later,
            queue,
            service,
            size,
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
