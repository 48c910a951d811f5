//! io_uring.

use ioprof_ebpf::abi::io_uring::{FIRST_ERROR_OPERATION, UringStats};

use super::{depth::queue_depth, histogram::histogram, syscall::errors};
use crate::{
    kernel::{
        bpf::probes::Feature, opcode::uring_name, snapshot::Snapshot, syscall::operation_name,
    },
    model::{
        histogram::Unit,
        io_uring::{IoUring, UringOperation},
    },
    transfer::{Direction, of_opcode},
};

/// Which way an opcode moves bytes; none where it moves none, or it is not known how many.
pub fn direction(name: &str, stats: &UringStats) -> Option<Direction> {
    // Silent requests that fail are seen.
    let are_all_seen = stats.silent + stats.unseen == 0 || stats.latency.count >= stats.submissions;
    of_opcode(name).filter(|_| stats.untold == 0 && are_all_seen)
}

/// The requests of a workload in `span_ns`; none where the probes for them are missing.
pub fn io_uring(snapshot: &Snapshot, workload: u32, span_ns: u64) -> Option<IoUring> {
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
                errors: errors(snapshot, workload, FIRST_ERROR_OPERATION + one.opcode),
                bytes: direction(&name, stats).map(|_| stats.results),
                latency: histogram(Unit::Ns, &stats.latency, &one.latency),
                inline: stats.inline,
                poll_armed: stats.polled,
                worker: stats.worker,
                for_worker: Some(stats.for_worker),
                asynchronous: completions
                    .saturating_sub(stats.inline + stats.polled + stats.worker),
                name: name.into(),
            }
        })
        .collect();
    operations.sort_by(|a, b| (b.completions, &a.name).cmp(&(a.completions, &b.name)));
    let enters = snapshot.calls.iter().filter(|call| {
        call.workload == workload && operation_name(call.operation) == "io_uring_enter"
    });
    let (submitting, submitted) = enters.fold((0, 0), |(calls, requests), enter| {
        let size = &enter.stats.size;
        (calls + size.count, requests + size.sum)
    });
    let waited = operations.iter().map(|one| one.latency.sum).sum();
    Some(IoUring {
        depth: queue_depth(snapshot, &totals.depth, waited, span_ns),
        busy_ns: snapshot.busy_ns(&totals.depth),
        submitting_calls: Some(submitting),
        submitted_by_calls: Some(submitted),
        extra_completions: totals.extra,
        unmatched_completions: totals.unmatched,
        operations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requests_moved_whose_end_was_not_seen_is_unknown() {
        let known = |silent, unseen, completed| {
            let mut stats = UringStats::default();
            (stats.submissions, stats.silent, stats.unseen) = (10, silent, unseen);
            stats.latency.count = completed;
            direction("WRITE", &stats).is_some()
        };
        assert!(!known(10, 0, 0) && !known(1, 0, 9) && !known(0, 1, 9));
        // Silent requests that fail are seen; what is under way has moved nothing yet.
        assert!(known(10, 0, 10) && known(0, 0, 9));
    }
}
