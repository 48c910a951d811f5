//! Asynchronous I/O by io_submit(2).

use ioprof_ebpf::abi::aio;

use super::{depth::queue_depth, histogram::histogram, syscall::errors};
use crate::{
    kernel::{opcode::aio_name, snapshot::Snapshot},
    model::{
        aio::{Aio, AioOperation},
        histogram::Unit,
    },
    transfer::of_opcode,
};

/// The operations of a workload in `span_ns`. They are seen by the calls, whose probes are always attached.
pub fn aio(snapshot: &Snapshot, workload: u32, span_ns: u64) -> Aio {
    let counted = &snapshot.async_io;
    let totals = counted
        .aio_totals
        .get(workload as usize - 1)
        .copied()
        .unwrap_or_default();
    let mut operations: Vec<_> = counted
        .aio
        .iter()
        .filter(|one| one.workload == workload)
        .map(|one| {
            let (name, stats) = (aio_name(one.opcode), &one.stats);
            AioOperation {
                submissions: stats.submissions,
                completions: stats.latency.count,
                unseen_completions: stats.unseen,
                errors: errors(snapshot, workload, aio::FIRST_ERROR_OPERATION + one.opcode),
                bytes: of_opcode(&name)
                    .filter(|_| stats.unseen == 0)
                    .map(|_| stats.results),
                latency: histogram(Unit::Ns, &stats.latency, &one.latency),
                name: name.into(),
            }
        })
        .collect();
    operations.sort_by(|a, b| (b.completions, &a.name).cmp(&(a.completions, &b.name)));
    let waited = operations.iter().map(|one| one.latency.sum).sum();
    Aio {
        submitted: totals.submitted,
        reaped: totals.reaped,
        depth: queue_depth(snapshot, &totals.depth, waited, span_ns),
        busy_ns: snapshot.busy_ns(&totals.depth),
        iocbs_unread: totals.iocbs_unread,
        events_unread: totals.events_unread,
        unmatched_events: totals.unmatched,
        operations,
    }
}
