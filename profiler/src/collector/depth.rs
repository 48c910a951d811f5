//! Depths of queues.

use ioprof_ebpf::abi::block::Depth;

use crate::{kernel::snapshot::Snapshot, model::block::QueueDepth};

/// The mean depth is the time of all requests over the whole time: each adds one for as long as it lasts. Requests may outlive
/// the threads that submit them.
#[expect(clippy::cast_precision_loss, reason = "a mean is for reading")]
pub fn queue_depth(snapshot: &Snapshot, depth: &Depth, waited_ns: u64, span_ns: u64) -> QueueDepth {
    let whole_ns = span_ns.max(snapshot.busy_ns(depth)).max(1);
    QueueDepth {
        mean: waited_ns as f64 / whole_ns as f64,
        max: depth.max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mean_is_above_the_most_where_requests_outlive_the_threads() {
        let snapshot = Snapshot {
            duration_ns: 1000,
            ..Snapshot::default()
        };
        let depth = Depth {
            max: 4,
            busy_ns: 100,
            ..Depth::default()
        };
        for (span_ns, mean) in [(10, 4.0), (100, 4.0), (400, 1.0)] {
            let found = queue_depth(&snapshot, &depth, 4 * 100, span_ns);
            assert_eq!((found.mean, found.max), (mean, 4), "{span_ns}");
        }
    }
}
