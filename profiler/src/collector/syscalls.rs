//! System calls.

use std::collections::BTreeMap;

use ioprof_ebpf::abi::syscall::{CallKind, MAX_OPERATIONS};

use super::{Snapshot, Unit, histogram, time};
use crate::{
    kernel::syscall::{error_name, kinds, operation_name},
    model::report::Syscall,
};

/// The calls of a workload, the most expensive first.
pub fn syscalls(snapshot: &Snapshot, workload: u32) -> Vec<Syscall> {
    let moves_bytes = moving_operations();
    let mut calls: Vec<_> = snapshot
        .calls
        .iter()
        .filter(|call| call.workload == workload)
        .map(|call| {
            let moves = moves_bytes[call.operation as usize];
            let latency = histogram(Unit::Ns, &call.stats.latency, &call.latency);
            let (time, p99_time) = time::of_calls(snapshot, call, &latency).unzip();
            Syscall {
                name: operation_name(call.operation).into(),
                calls: call.stats.latency.count + call.stats.refused,
                errors: errors(snapshot, workload, call.operation),
                bytes: moves.then_some(call.stats.bytes),
                time_ns: call.stats.latency.sum,
                time,
                latency,
                p99_time: p99_time.flatten(),
                size: moves.then(|| histogram(Unit::Bytes, &call.stats.size, &call.size)),
            }
        })
        .collect();
    calls.sort_by(|a, b| (b.time_ns, &a.name).cmp(&(a.time_ns, &b.name)));
    calls
}

/// The errors of an operation by their names.
pub fn errors(snapshot: &Snapshot, workload: u32, operation: u32) -> BTreeMap<String, u64> {
    snapshot
        .errors
        .iter()
        .filter(|(key, _)| (key.workload, key.operation) == (workload, operation))
        .map(|(key, count)| (error_name(key.errno), *count))
        .collect()
}

/// Which operations move bytes.
fn moving_operations() -> [bool; MAX_OPERATIONS as usize] {
    let mut moving = [false; MAX_OPERATIONS as usize];
    for kind in kinds().map(CallKind) {
        moving[kind.operation() as usize] |= kind.has(CallKind::MOVES_BYTES);
    }
    moving
}
