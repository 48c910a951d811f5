//! I/O that a program asks for now and is told of later: io_uring, and io_submit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{histogram::Histogram, report::QueueDepth};

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
    pub name: String,
    /// Requests submitted.
    pub submissions: u64,
    /// Requests that were seen to complete.
    pub completions: u64,
    /// Requests submitted with `IOSQE_CQE_SKIP_SUCCESS`: only those that fail are seen to complete.
    pub silent: u64,
    /// Requests that have completed unseen.
    pub unseen_completions: u64,
    /// Those that completed with an error, by its name.
    pub errors: BTreeMap<String, u64>,
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
    pub name: String,
    /// Operations submitted.
    pub submissions: u64,
    /// Operations that were seen to complete.
    pub completions: u64,
    /// Operations that have completed unseen.
    pub unseen_completions: u64,
    /// Those that completed with an error, by its name.
    pub errors: BTreeMap<String, u64>,
    /// Bytes moved; none for opcodes that move none.
    pub bytes: Option<u64>,
    /// From the beginning of the call that submitted to the end of the one that reaped.
    pub latency: Histogram,
}

/// Which way an operation moves bytes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    Read,
    /// From the program.
    Written,
    /// From file to file.
    Copied,
}

/// Bytes and operations.
pub type Moved = (u64, u64);

/// The opcodes that move bytes of files, as read(2), write(2) and splice(2) do, with their direction.
const MOVING: [(&str, Direction); 14] = [
    ("READ", Direction::Read),
    ("READV", Direction::Read),
    ("READ_FIXED", Direction::Read),
    ("READV_FIXED", Direction::Read),
    ("READ_MULTISHOT", Direction::Read),
    ("PREAD", Direction::Read),
    ("PREADV", Direction::Read),
    ("WRITE", Direction::Written),
    ("WRITEV", Direction::Written),
    ("WRITE_FIXED", Direction::Written),
    ("WRITEV_FIXED", Direction::Written),
    ("PWRITE", Direction::Written),
    ("PWRITEV", Direction::Written),
    ("SPLICE", Direction::Copied),
];

/// The opcodes that move bytes of sockets alone.
const SENDING: [&str; 7] = [
    "SEND",
    "SENDMSG",
    "SEND_ZC",
    "SENDMSG_ZC",
    "RECV",
    "RECVMSG",
    "RECV_ZC",
];

/// Which way an opcode moves bytes; none where it moves none, or those of a socket alone.
pub fn direction(opcode: &str) -> Option<Direction> {
    let found = MOVING.iter().find(|(name, _)| *name == opcode);
    found.map(|(_, direction)| *direction)
}

/// Whether the result of an opcode is a number of bytes.
pub fn moves_bytes(opcode: &str) -> bool {
    direction(opcode).is_some() || SENDING.contains(&opcode)
}

impl IoUring {
    /// What was moved in a direction.
    pub fn moved(&self, wanted: Direction) -> Moved {
        let operations = self.operations.iter();
        sum(
            operations.map(|one| (one.name.as_str(), one.bytes, one.completions)),
            wanted,
        )
    }
}

impl Aio {
    /// What was moved in a direction.
    pub fn moved(&self, wanted: Direction) -> Moved {
        let operations = self.operations.iter();
        sum(
            operations.map(|one| (one.name.as_str(), one.bytes, one.completions)),
            wanted,
        )
    }
}

fn sum<'a>(
    operations: impl Iterator<Item = (&'a str, Option<u64>, u64)>,
    wanted: Direction,
) -> Moved {
    operations
        .filter(|(name, ..)| direction(name) == Some(wanted))
        .fold((0, 0), |sum, (_, bytes, completions)| {
            (
                sum.0.saturating_add(bytes.unwrap_or(0)),
                sum.1.saturating_add(completions),
            )
        })
}
