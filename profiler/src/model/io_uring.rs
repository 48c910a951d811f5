//! io_uring.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    block::QueueDepth,
    histogram::Histogram,
    transferred::{Transferred, in_direction},
};
use crate::{text::Text, transfer::Direction};

/// What a workload did by io_uring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IoUring {
    /// By opcode, those that took the most time together first.
    pub operations: Vec<UringOperation>,
    /// Requests submitted and not completed.
    pub depth: QueueDepth,
    /// Time with at least one of them.
    pub busy_ns: u64,
    /// Completions that are not the end of a request.
    pub extra_completions: u64,
    /// Completions of requests that were not seen to be submitted.
    pub unmatched_completions: u64,
}

/// The requests of one opcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UringOperation {
    /// The opcode, without `IORING_OP_`.
    pub name: Text,
    /// Requests submitted.
    pub submissions: u64,
    /// Requests that were seen to complete.
    pub completions: u64,
    /// Requests submitted with `IOSQE_CQE_SKIP_SUCCESS`: only those that fail are seen to complete.
    pub silent: u64,
    /// Requests that have completed unseen.
    pub unseen_completions: u64,
    /// Those that completed with an error, by its name.
    pub errors: BTreeMap<Text, u64>,
    /// Bytes moved; none for opcodes that move none.
    pub bytes: Option<u64>,
    /// From submission to completion.
    pub latency: Histogram,
    /// Of those completed: done within the call that submitted them.
    pub inline: u64,
    /// They waited for their file to be ready.
    pub poll_armed: u64,
    /// A worker thread executed them.
    pub worker: u64,
    /// They went on by themselves after submission, and an interrupt or the like completed them.
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
}
