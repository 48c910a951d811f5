//! Depths of queues.

use ioprof_ebpf::abi::block::Depth;

use crate::model::block::QueueDepth;

/// The mean depth is the time of all requests over the whole time: each adds one for as long as it lasts.
#[expect(clippy::cast_precision_loss, reason = "a mean is for reading")]
pub fn mean_depth(depth: &Depth, waited_ns: u64, wall_ns: u64) -> QueueDepth {
    QueueDepth {
        mean: waited_ns as f64 / wall_ns.max(1) as f64,
        max: depth.max,
    }
}
