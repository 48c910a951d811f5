//! io_uring.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    block::QueueDepth,
    histogram::Histogram,
    sum::sum,
    transferred::{Transferred, in_direction, may_have_moved_unseen},
};
use crate::{text::Text, transfer::Direction};

/// The requests of a workload to io_uring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IoUring {
    /// By opcode, those of which most were completed first.
    pub operations: Vec<UringOperation>,
    /// Submitted and not completed: `mean` is the latencies' sum over the workload's `span_ns`, or `busy_ns` where that is
    /// longer, `max` the most at once.
    pub depth: QueueDepth,
    /// Nanoseconds with at least one request submitted and not completed.
    pub busy_ns: u64,
    /// Calls of io_uring_enter that submitted requests; the others waited, or woke a thread that does. Null in reports of an
    /// older ioprof.
    #[serde(default)]
    pub submitting_calls: Option<u64>,
    /// Requests that they submitted, by the results of these calls.
    #[serde(default)]
    pub submitted_by_calls: Option<u64>,
    /// Completions that do not end a request: all but the last of a multishot request, those that say that the kernel
    /// is done with a buffer, and messages of other rings.
    pub extra_completions: u64,
    /// Completions of requests that were not seen to be submitted, as of those in flight at attach: in no other count.
    pub unmatched_completions: u64,
}

/// The requests of one opcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UringOperation {
    /// The opcode, without IORING_OP_; `io_uring N` where it has no name here.
    pub name: Text,
    /// Requests submitted, those that the kernel refused at once included.
    pub submissions: u64,
    /// Requests that were seen to complete, well or not.
    pub completions: u64,
    /// Requests submitted with IOSQE_CQE_SKIP_SUCCESS: they are seen to complete only where they fail.
    pub silent: u64,
    /// Other requests that have completed without that being seen: their memory was used again.
    pub unseen_completions: u64,
    /// How many of them failed, by the name of the error.
    pub errors: BTreeMap<Text, u64>,
    /// Bytes moved: the sum of the positive results of all completions; null for opcodes that move none, and where that is
    /// not told, as where some are silent or have completed unseen.
    pub bytes: Option<u64>,
    /// Nanoseconds from submission to completion.
    pub latency: Histogram,
    /// Of those completed: done before their submission returned.
    pub inline: u64,
    /// Those that waited until their file was ready.
    pub poll_armed: u64,
    /// Those that a worker thread executed.
    pub worker: u64,
    /// Those of `worker` that were for one from the beginning: submitted with IOSQE_ASYNC, or of an opcode that the kernel
    /// does not try by itself. The others would have made their submission wait. Null in reports of earlier versions.
    #[serde(default)]
    pub for_worker: Option<u64>,
    /// All others: they went on in the background, and an interrupt, a timer or the request before them completed them.
    pub asynchronous: u64,
}

impl IoUring {
    /// What was moved in a direction.
    pub fn transferred(&self, wanted: Direction) -> Transferred {
        let operations = self.operations.iter();
        in_direction(
            operations.map(|one| (one.name.as_str(), one.bytes, one.completions)),
            wanted,
        )
    }

    /// Whether bytes of a file may have been moved in a direction by a request whose end was not seen.
    pub fn may_have_moved_unseen(&self, wanted: Direction) -> bool {
        let operations = self.operations.iter();
        may_have_moved_unseen(
            operations.map(|one| (one.name.as_str(), one.may_have_ended_unseen())),
            wanted,
        )
    }
}

impl UringOperation {
    /// How many requests may have ended without that being seen: silent ones that fail are seen.
    pub fn may_have_ended_unseen(&self) -> u64 {
        let open = self.submissions.saturating_sub(self.completions);
        open.min(sum([self.silent, self.unseen_completions]))
    }
}
