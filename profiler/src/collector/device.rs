//! Devices, and the owners of their requests.

use std::collections::BTreeSet;

use ioprof_ebpf::abi::block::{BlockStats, Depth, DepthKey, Operation, device_number};

use super::{block::is_used, context::Context, histogram::histogram};
use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{Requests, Snapshot},
    },
    model::{
        block::{Origin, QueueDepth},
        device::{Device, DirtyLimit, ExecutedFlushes, Share},
        histogram::{Histogram, Unit},
    },
};

/// The devices that were used, the busiest first; none where the probes for requests are missing: then it is unknown,
/// not zero.
pub fn devices(snapshot: &Snapshot, context: &Context<'_>) -> Option<Vec<Device>> {
    if !snapshot.has(Feature::Block) {
        return None;
    }
    let packed: BTreeSet<u32> = snapshot
        .requests
        .iter()
        .map(|requests| requests.key.device)
        .collect();
    let mut devices: Vec<_> = packed
        .into_iter()
        .map(|packed| device(snapshot, context, packed))
        .collect();
    devices.sort_by(|a, b| (b.busy_ns, &a.name).cmp(&(a.busy_ns, &b.name)));
    Some(devices)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shares and means are for reading, and spans of months fit into 53 bits of nanoseconds"
)]
fn device(snapshot: &Snapshot, context: &Context<'_>, packed: u32) -> Device {
    let (major, minor) = device_number(packed);
    let topology = context.topology((major, minor));
    let (executed, asked_for): (Vec<_>, Vec<_>) = snapshot
        .requests
        .iter()
        .filter(|requests| requests.key.device == packed)
        .partition(|requests| is_executed_flush(requests));
    let of_device = || asked_for.iter();
    let sum = |operation: Operation, value: fn(&BlockStats) -> u64| -> u64 {
        of_device()
            .filter(|requests| requests.key.operation == operation as u32)
            .map(|requests| value(&requests.stats))
            .sum()
    };
    let count = BlockStats::requests;
    let bytes = BlockStats::own_bytes;
    let depth = depth(snapshot, packed, DepthKey::EVERYBODY);
    let busy_ns = snapshot.busy_ns(&depth);
    let request_ns: u64 = of_device()
        .map(|requests| in_flight_ns(&requests.stats))
        .sum();
    let duration = context.duration_ns.max(1) as f64;
    Device {
        name: context.device((major, minor)),
        major,
        minor,
        takes_bios: context.takes_bios((major, minor)),
        reads: sum(Operation::Read, count),
        read_bytes: sum(Operation::Read, bytes),
        writes: sum(Operation::Write, count),
        written_bytes: sum(Operation::Write, bytes),
        flushes: sum(Operation::Flush, count),
        executed_flushes: Some(executed_flushes(executed.first().copied())),
        discards: sum(Operation::Discard, count),
        discarded_bytes: sum(Operation::Discard, bytes),
        read_ns: sum(Operation::Read, in_flight_ns),
        write_ns: sum(Operation::Write, in_flight_ns),
        busy_ns,
        utilization: busy_ns as f64 / duration,
        queue_depth: QueueDepth {
            mean: request_ns as f64 / duration,
            max: depth.max,
        },
        shares: shares(snapshot, context, packed, busy_ns),
        holders: topology.holders,
        slaves: topology.slaves,
        backing_file: topology.backing_file,
        scheduler: topology.scheduler,
        dirty_limit: topology.dirty_limit.map(|limit| DirtyLimit {
            bytes: limit.bytes,
            strict: limit.is_strict,
        }),
        // It is set beside its calibrations when the report is whole.
        ceiling: None,
    }
}

const fn is_executed_flush(requests: &Requests) -> bool {
    requests.key.operation == Operation::ExecutedFlush as u32
}

fn executed_flushes(requests: Option<&Requests>) -> ExecutedFlushes {
    requests.map_or_else(
        || ExecutedFlushes {
            requests: 0,
            unseen_completions: 0,
            errors: 0,
            service: Histogram::empty(Unit::Ns),
        },
        |requests| ExecutedFlushes {
            requests: requests.stats.requests(),
            unseen_completions: requests.stats.unseen,
            errors: requests.stats.errors,
            service: histogram(Unit::Ns, &requests.stats.service, &requests.service),
        },
    )
}

/// The time from queued to completed of all requests.
const fn in_flight_ns(stats: &BlockStats) -> u64 {
    stats.queue.sum + stats.service.sum
}

fn depth(snapshot: &Snapshot, device: u32, workload: u32) -> Depth {
    snapshot
        .depths
        .iter()
        .find(|(key, _)| *key == DepthKey { device, workload })
        .map_or_else(Depth::default, |(_, depth)| *depth)
}

#[expect(clippy::cast_precision_loss, reason = "as in `device`")]
fn shares(snapshot: &Snapshot, context: &Context<'_>, packed: u32, busy: u64) -> Vec<Share> {
    let is_data = |operation: u32| {
        operation == Operation::Read as u32 || operation == Operation::Write as u32
    };
    let of_device: Vec<&Requests> = snapshot
        .requests
        .iter()
        .filter(|requests| requests.key.device == packed && is_used(requests))
        .filter(|requests| !is_executed_flush(requests))
        .collect();
    // A workload, or a shared origin.
    let owner = |requests: &Requests| DepthKey::owner(requests.key.workload, requests.key.origin);
    let bytes = |wanted: Option<u32>| -> u64 {
        of_device
            .iter()
            .filter(|requests| wanted.is_none_or(|wanted| owner(requests) == wanted))
            .filter(|requests| is_data(requests.key.operation))
            .map(|requests| requests.stats.own_bytes())
            .sum()
    };
    let all_bytes = bytes(None);
    let part = |of: u64, whole: u64| (whole > 0).then(|| of as f64 / whole as f64);
    let owners: BTreeSet<u32> = of_device.iter().map(|requests| owner(requests)).collect();
    let mut shares: Vec<_> = owners
        .into_iter()
        .map(|number| {
            let own_depth = depth(snapshot, packed, number);
            let own_busy = snapshot.busy_ns(&own_depth);
            let own_bytes = bytes(Some(number));
            Share {
                workload: context.workload(number),
                origin: shared(number),
                requests: of_device
                    .iter()
                    .filter(|requests| owner(requests) == number)
                    .map(|requests| requests.stats.requests())
                    .sum(),
                bytes: own_bytes,
                bytes_share: part(own_bytes, all_bytes),
                busy_ns: own_busy,
                queue_depth_max: own_depth.max,
                busy_share: part(own_busy, busy),
            }
        })
        .collect();
    // The workloads, then what they share, then all other processes.
    shares.sort_by_key(|share| {
        let is_workload = share.workload.is_some();
        (!is_workload, share.origin.is_none(), share.origin)
    });
    shares
}

/// The shared origin that a depth belongs to; none for a workload.
const fn shared(owner: u32) -> Option<Origin> {
    match owner {
        DepthKey::JOURNAL => Some(Origin::Journal),
        DepthKey::METADATA => Some(Origin::Metadata),
        DepthKey::UNKNOWN => Some(Origin::Unknown),
        DepthKey::SWAP => Some(Origin::Swap),
        _ => None,
    }
}
