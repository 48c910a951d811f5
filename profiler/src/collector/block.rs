//! Block requests.

use std::collections::BTreeSet;

use ioprof_ebpf::abi::block::{self, Operation, Slowest, device_number};

use super::{context::Context, histogram::histogram};
use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{Requests, Snapshot},
    },
    model::{
        block::{Block, BlockOperation, Origin},
        histogram::Unit,
    },
    text::Text,
};

/// The requests of a workload; none where the probes for them are missing.
pub fn block(snapshot: &Snapshot, context: &Context<'_>, workload: u32) -> Option<Vec<Block>> {
    if !snapshot.has(Feature::Block) {
        return None;
    }
    let own: Vec<_> = snapshot
        .requests
        .iter()
        .filter(|requests| requests.key.workload == workload && is_used(requests))
        .collect();
    let device = |requests: &Requests| context.device(device_number(requests.key.device));
    let used: BTreeSet<Text> = own.iter().map(|requests| device(requests)).collect();
    let mut blocks: Vec<_> = own
        .into_iter()
        .map(|requests| Block {
            device: device(requests),
            operation: operation(requests.key.operation),
            origin: origin(requests.key.origin),
            requests: requests.stats.requests(),
            unseen_completions: requests.stats.unseen,
            errors: requests.stats.errors,
            bytes: requests.stats.own_bytes(),
            in_flight_requests: requests.in_flight.requests,
            in_flight_bytes: requests.in_flight.bytes,
            queue: histogram(Unit::Ns, &requests.stats.queue, &requests.queue),
            service: histogram(Unit::Ns, &requests.stats.service, &requests.service),
            slowest_completed_ns: slowest_completed_ns(snapshot, &requests.stats.slowest),
            size: histogram(Unit::Bytes, &requests.stats.size, &requests.size),
            passed_on: context
                .topology(device_number(requests.key.device))
                .slaves
                .iter()
                .any(|below| used.contains(below)),
        })
        .collect();
    blocks.sort_by(|a, b| {
        (&a.device, a.origin, a.operation).cmp(&(&b.device, b.origin, b.operation))
    });
    Some(blocks)
}

fn slowest_completed_ns(snapshot: &Snapshot, slowest: &Slowest) -> Option<u64> {
    (slowest.completed_ns != 0).then(|| snapshot.since_it_began(slowest.completed_ns))
}

/// Whether a slot has anything: its requests, or its bios in requests of others.
pub const fn is_used(requests: &Requests) -> bool {
    requests.stats.requests() > 0
        || requests.stats.merged_bytes > 0
        || requests.in_flight.requests > 0
}

/// The origins of the ABI in the report.
const ORIGINS: [(block::Origin, Origin); 7] = [
    (block::Origin::Thread, Origin::Thread),
    (block::Origin::Writeback, Origin::Writeback),
    (block::Origin::Journal, Origin::Journal),
    (block::Origin::Metadata, Origin::Metadata),
    (block::Origin::Unknown, Origin::Unknown),
    (block::Origin::Swap, Origin::Swap),
    (block::Origin::Below, Origin::Below),
];

fn origin(number: u32) -> Origin {
    let found = ORIGINS.iter().find(|(known, _)| *known as u32 == number);
    found.map_or(Origin::Thread, |(_, origin)| *origin)
}

/// The operations of the ABI in the report.
const OPERATIONS: [(Operation, BlockOperation); 4] = [
    (Operation::Read, BlockOperation::Read),
    (Operation::Write, BlockOperation::Write),
    (Operation::Flush, BlockOperation::Flush),
    (Operation::Discard, BlockOperation::Discard),
];

fn operation(number: u32) -> BlockOperation {
    let found = OPERATIONS.iter().find(|(known, _)| *known as u32 == number);
    found.map_or(BlockOperation::Read, |(_, operation)| *operation)
}
