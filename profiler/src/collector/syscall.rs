//! System calls.

use std::collections::BTreeMap;

use super::{histogram::histogram, off_cpu};
use crate::{
    kernel::{
        snapshot::Snapshot,
        syscall::{counts_messages, error_name, operation_name},
    },
    model::{histogram::Unit, syscall::Syscall},
    text::Text,
    transfer::{Direction, of_call},
};

/// The calls of a workload, the most expensive first.
pub fn syscalls(snapshot: &Snapshot, workload: u32) -> Vec<Syscall> {
    let mut calls: Vec<_> = snapshot
        .calls
        .iter()
        .filter(|call| call.workload == workload)
        .map(|call| {
            let name = operation_name(call.operation);
            let moves = direction(&name, snapshot.knows_files).is_some();
            let latency = histogram(Unit::Ns, &call.stats.latency, &call.latency);
            let (breakdown, p99_breakdown) = off_cpu::of_calls(snapshot, call, &latency).unzip();
            Syscall {
                name: name.into(),
                calls: call.stats.latency.count + call.stats.refused,
                errors: errors(snapshot, workload, call.operation),
                bytes: moves.then_some(call.stats.bytes),
                time_ns: call.stats.latency.sum,
                breakdown,
                latency,
                p99_breakdown: p99_breakdown.flatten(),
                size: moves.then(|| histogram(Unit::Bytes, &call.stats.size, &call.size)),
            }
        })
        .collect();
    calls.sort_by(|a, b| (b.time_ns, &a.name).cmp(&(a.time_ns, &b.name)));
    calls
}

/// Which way a call moves bytes; none where it moves none, or how many is not known: how long the messages were that it has
/// moved is in the memory of its process.
pub fn direction(name: &str, knows_files: bool) -> Option<Direction> {
    of_call(name).filter(|_| knows_files || !counts_messages(name))
}

/// The errors of an operation by their names.
pub fn errors(snapshot: &Snapshot, workload: u32, operation: u32) -> BTreeMap<Text, u64> {
    snapshot
        .errors
        .iter()
        .filter(|(key, _)| (key.workload, key.operation) == (workload, operation))
        .map(|(key, count)| (error_name(key.errno).into(), *count))
        .collect()
}
