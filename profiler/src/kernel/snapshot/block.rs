//! Reading the requests and their depths.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    thread::sleep,
    time::Duration,
};

use ioprof_ebpf::abi::{
    block::{self, BlockKey, BlockSlot, BlockStats, Depth, DepthKey, Origin, RequestState},
    layout::{Layout, block_series},
    names,
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::{
        bpf::{
            Ebpf,
            map::{Array, PerCpuArray, entries},
            window,
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
    /// Those that had not completed when they were read.
    pub in_flight: InFlight,
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

/// The requests at the end of the window.
pub struct BlockReading {
    /// Each slot.
    pub slots: Vec<Slot>,
    /// The depths.
    pub depths: Vec<(DepthKey, Depth)>,
    /// When that was, in nanoseconds of the monotonic clock.
    pub ended_ns: u64,
}

/// Records of requests, each by its key and when it was issued, which a later request under the same key has later.
pub type Records = HashSet<(u64, u64)>;

/// How often, and after how long each time, a device is asked whether it is idle.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// How often a record is found after its device was idle until its completion is known to be unseen: the kernel takes
/// a request for none in flight a little before it reports its completion.
const FOUND: u32 = 5;

/// Waits until the workloads' requests, and those they share, have completed, as far as that is soon: a journal that is
/// just written keeps a device from being idle, which would tell that completions were not seen. The records of those
/// that were not.
pub fn wait_for_completions(ebpf: &Ebpf) -> Result<Records, Error> {
    let mut found = HashMap::<_, u32>::new();
    for _ in 0..TRIES {
        let is_shared_or_own = |key: &BlockKey| DepthKey::owner(key.workload, key.origin) != 0;
        let (completed, under_way) = recorded_of(ebpf, is_shared_or_own)?;
        let judged = completed.iter().map(|(record, _)| *record);
        let known = under_way.iter().map(|(record, _)| *record);
        let known = known.filter(|record| found.contains_key(record));
        for record in judged.chain(known).collect::<Vec<_>>() {
            *found.entry(record).or_default() += 1;
        }
        let is_sure = |(record, _): &(_, _)| found.get(record).is_some_and(|times| *times >= FOUND);
        if completed.iter().chain(&under_way).all(is_sure) {
            break;
        }
        sleep(PAUSE);
    }
    found.retain(|_, times| *times >= FOUND);
    Ok(found.into_keys().collect())
}

/// How many requests of the workloads are in flight, by the records.
pub fn in_flight(ebpf: &Ebpf) -> Result<usize, Error> {
    Ok(recorded_of(ebpf, |key| key.workload != 0)?.1.len())
}

/// Reads the requests and their depths after the window, which ended at `ended_ns`; `unseen` are records of requests that
/// are known to have completed.
pub fn read(ebpf: &Ebpf, unseen: &Records, ended_ns: u64) -> Result<BlockReading, Error> {
    Ok(BlockReading {
        slots: slots(ebpf, unseen)?,
        depths: depths(ebpf)?,
        ended_ns,
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
    let asked_at = window::now_ns()?;
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
    Ok(all_recorded(ebpf, slots)?
        .into_iter()
        .partition(|(_, request)| is_on_idle(request)))
}

/// The requests in these slots that are recorded as queued.
fn all_recorded(ebpf: &Ebpf, slots: &[(BlockKey, BlockSlot)]) -> Result<Recorded, Error> {
    let wanted: HashSet<u32> = slots.iter().map(|(_, slot)| slot.stats).collect();
    Ok(entries::<u64, RequestState>(ebpf, names::REQUESTS)?
        .into_iter()
        .filter(|(_, request)| request.queued_ns != 0 && wanted.contains(&request.slot.stats))
        .map(|(key, request)| ((key, request.issued_ns), request))
        .collect())
}

fn slots(ebpf: &Ebpf, unseen: &Records) -> Result<Vec<Slot>, Error> {
    let map = PerCpuArray::<BlockStats>::of(ebpf, names::BLOCK_STATS)?;
    let slots = entries::<BlockKey, BlockSlot>(ebpf, names::SLOTS)?;
    // A device that is idle by now tells nothing of those that were in flight at the end of the window.
    let (completed, under_way): (Recorded, Recorded) = all_recorded(ebpf, &slots)?
        .into_iter()
        .partition(|(record, _)| unseen.contains(record));
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
    slots: Vec<Slot>,
    layout: &Layout,
    histograms: &Histograms<'_>,
) -> Result<Vec<Requests>, Error> {
    let with_histograms = |(key, slot, stats, in_flight): Slot| {
        let first = block_series(layout.first_block_series, slot.stats);
        let series = |number: u32| {
            if slot.has_histograms() {
                histograms.series(first + number)
            } else {
                Ok(Buckets::default())
            }
        };
        Ok(Requests {
            key,
            stats,
            in_flight,
            queue: series(0)?,
            service: series(1)?,
            size: series(2)?,
        })
    };
    slots.into_iter().map(with_histograms).collect()
}

/// How many requests of the workloads are in flight by what is counted as they begin and end, each once: without those that
/// a loop device has made of them. A few look-ups, where [`in_flight`] looks at every record.
pub fn in_flight_so_far(ebpf: &Ebpf) -> Result<u64, Error> {
    let slots = entries::<BlockKey, BlockSlot>(ebpf, names::SLOTS)?.into_iter();
    let own = slots.filter(|(key, _)| key.workload != 0 && key.origin != Origin::Below as u32);
    let depths: BTreeSet<u32> = own.map(|(_, slot)| slot.own_depth).collect();
    let map = Array::<Depth>::of(ebpf, names::DEPTHS)?;
    let in_flight = |depth| Ok::<_, Error>(map.get(depth)?.in_flight);
    depths.into_iter().map(in_flight).sum()
}

fn depths(ebpf: &Ebpf) -> Result<Vec<(DepthKey, Depth)>, Error> {
    let map = Array::<Depth>::of(ebpf, names::DEPTHS)?;
    entries::<DepthKey, u64>(ebpf, names::DEPTH_NUMBERS)?
        .into_iter()
        .map(|(key, number)| Ok((key, map.get(number as u32)?)))
        .collect()
}
