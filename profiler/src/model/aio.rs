//! Asynchronous I/O by io_submit(2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    block::QueueDepth,
    histogram::Histogram,
    transferred::{Transferred, in_direction},
};
use crate::{text::Text, transfer::Direction};

/// What a workload did by io_submit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aio {
    /// By opcode, those that took the most time together first.
    pub operations: Vec<AioOperation>,
    /// Operations submitted, by the results of the calls.
    pub submitted: u64,
    /// Events reaped, by the results of the calls.
    pub reaped: u64,
    /// Operations submitted and not reaped.
    pub depth: QueueDepth,
    /// Time with at least one of them.
    pub busy_ns: u64,
    /// Control blocks that were not looked at.
    pub iocbs_unread: u64,
    /// Events that were not looked at.
    pub events_unread: u64,
    /// Events of operations that were not seen to be submitted.
    pub unmatched_events: u64,
}

/// The operations of one opcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AioOperation {
    /// The opcode, without `IOCB_CMD_`.
    pub name: Text,
    /// Operations submitted.
    pub submissions: u64,
    /// Operations that were seen to complete.
    pub completions: u64,
    /// Operations that have completed unseen.
    pub unseen_completions: u64,
    /// Those that completed with an error, by its name.
    pub errors: BTreeMap<Text, u64>,
    /// Bytes moved; none for opcodes that move none.
    pub bytes: Option<u64>,
    /// From the beginning of the call that submitted to the end of the one that reaped.
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
}
