//! io_uring and io_submit.

use ioprof_ebpf::abi::{aio, block::Depth, io_uring as uring};

use super::{Snapshot, Unit, histogram, syscalls::errors};
use crate::{
    kernel::{
        bpf::probes::Feature,
        opcode::{aio_name, uring_name},
    },
    model::{
        asynchronous::{Aio, AioOperation, Direction, IoUring, UringOperation, moves_bytes},
        report::{QueueDepth, Syscall},
    },
};

/// What a workload did by io_uring in `wall_ns`; none where the probes for it are missing.
pub fn io_uring(snapshot: &Snapshot, workload: u32, wall_ns: u64) -> Option<IoUring> {
    if !snapshot.has(Feature::IoUring) {
        return None;
    }
    let counted = &snapshot.async_io;
    let totals = counted.uring_totals.get(workload as usize - 1)?;
    let mut operations: Vec<_> = counted
        .uring
        .iter()
        .filter(|one| one.workload == workload)
        .map(|one| {
            let (name, stats) = (uring_name(one.opcode), &one.stats);
            let completions = stats.latency.count;
            UringOperation {
                submissions: stats.submissions,
                completions,
                silent: stats.silent,
                unseen_completions: stats.unseen,
                errors: errors(
                    snapshot,
                    workload,
                    uring::FIRST_ERROR_OPERATION + one.opcode,
                ),
                bytes: moves_bytes(&name).then_some(stats.results),
                latency: histogram(Unit::Ns, &stats.latency, &one.latency),
                inline: stats.inline,
                poll_armed: stats.polled,
                worker: stats.worker,
                asynchronous: completions
                    .saturating_sub(stats.inline + stats.polled + stats.worker),
                name: name.into(),
            }
        })
        .collect();
    operations.sort_by(|a, b| (b.latency.sum, &a.name).cmp(&(a.latency.sum, &b.name)));
    let waited = operations.iter().map(|one| one.latency.sum).sum();
    Some(IoUring {
        depth: depth(&totals.depth, waited, wall_ns),
        busy_ns: snapshot.busy_ns(&totals.depth),
        extra_completions: totals.extra,
        unmatched_completions: totals.unmatched,
        operations,
    })
}

/// Bytes that a workload moved by no system call; none where it used io_uring, and the probes for that are
/// missing.
pub fn moved_via_async(
    io_uring: Option<&IoUring>,
    aio: &Aio,
    syscalls: &[Syscall],
    wanted: Direction,
) -> Option<u64> {
    let by_uring = match io_uring {
        Some(io_uring) => io_uring.moved(wanted).0,
        None if syscalls.iter().any(|call| call.name == "io_uring_enter") => return None,
        None => 0,
    };
    Some(by_uring + aio.moved(wanted).0)
}

/// What a workload did by io_submit in `wall_ns`. It is seen by the calls, whose probes are always there.
pub fn aio(snapshot: &Snapshot, workload: u32, wall_ns: u64) -> Aio {
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
                bytes: moves_bytes(&name).then_some(stats.results),
                latency: histogram(Unit::Ns, &stats.latency, &one.latency),
                name: name.into(),
            }
        })
        .collect();
    operations.sort_by(|a, b| (b.latency.sum, &a.name).cmp(&(a.latency.sum, &b.name)));
    let waited = operations.iter().map(|one| one.latency.sum).sum();
    Aio {
        submitted: totals.submitted,
        reaped: totals.reaped,
        depth: depth(&totals.depth, waited, wall_ns),
        busy_ns: snapshot.busy_ns(&totals.depth),
        iocbs_unread: totals.iocbs_unread,
        events_unread: totals.events_unread,
        unmatched_events: totals.unmatched,
        operations,
    }
}

/// The mean over the time is the time of all requests over it: each adds one for as long as it lasts.
#[expect(clippy::cast_precision_loss, reason = "a mean is for reading")]
fn depth(depth: &Depth, waited_ns: u64, wall_ns: u64) -> QueueDepth {
    QueueDepth {
        mean: waited_ns as f64 / wall_ns.max(1) as f64,
        max: depth.max,
    }
}
