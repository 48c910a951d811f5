//! Asynchronous I/O by io_submit(2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    block::QueueDepth,
    histogram::Histogram,
    transferred::{Transferred, in_direction, may_have_moved_unseen},
};
use crate::{text::Text, transfer::Direction};

/// The operations of a workload by io_submit(2), by libaio or directly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Aio {
    /// By opcode, those of which most were completed first.
    pub operations: Vec<AioOperation>,
    /// Operations submitted: the sum of the results of io_submit.
    pub submitted: u64,
    /// Events reaped: the sum of the results of io_getevents and io_pgetevents. Less than `submitted` where a program
    /// takes events out of the ring without a call.
    pub reaped: u64,
    /// Submitted and not completed: `mean` is the latencies' sum over the workload's `span_ns`, or `busy_ns` where that is
    /// longer, `max` the most at once.
    pub depth: QueueDepth,
    /// Nanoseconds with at least one operation submitted and not reaped.
    pub busy_ns: u64,
    /// Control blocks that could not be read, or were more than 256 in one call: in `submitted` alone.
    pub iocbs_unread: u64,
    /// Events that could not be read, or were more than 256 in one call: in `reaped` alone.
    pub events_unread: u64,
    /// Events of operations that were not seen to be submitted: in `reaped` alone.
    pub unmatched_events: u64,
}

/// The operations of one opcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AioOperation {
    /// The opcode, without IOCB_CMD_; `io_submit N` where it has no name here.
    pub name: Text,
    /// Operations submitted.
    pub submissions: u64,
    /// Operations that were seen to complete, well or not.
    pub completions: u64,
    /// Operations that have ended without that being seen: their control block was submitted again, or their context was
    /// destroyed, by io_destroy or as their process executed another program or ended.
    pub unseen_completions: u64,
    /// How many of them failed, by the name of the error.
    pub errors: BTreeMap<Text, u64>,
    /// Bytes moved: the sum of the positive results; null for opcodes that move none, and where some have completed unseen.
    pub bytes: Option<u64>,
    /// Nanoseconds from the beginning of the io_submit that took it to the end of the call that reaped its event.
    pub latency: Histogram,
}

impl Aio {
    /// What was moved in a direction.
    pub fn transferred(&self, wanted: Direction) -> Transferred {
        let operations = self.operations.iter();
        in_direction(
            operations.map(|one| (one.name.as_str(), one.bytes, one.completions)),
            wanted,
        )
    }

    /// Whether bytes of a file may have been moved in a direction by an operation whose end was not seen.
    pub fn may_have_moved_unseen(&self, wanted: Direction) -> bool {
        let operations = self.operations.iter();
        may_have_moved_unseen(
            operations.map(|one| (one.name.as_str(), one.unseen_completions)),
            wanted,
        )
    }
}
