//! Block requests.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::text::Text;

/// What a request does to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BlockOperation {
    /// From the device.
    Read,
    /// To the device.
    Write,
    /// The device's cache is to be written.
    Flush,
    /// Blocks are no longer needed.
    Discard,
}

/// How a request came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A thread of the workload itself, or an io_uring worker of its process, submitted it.
    Thread,
    /// Another task submitted pages that the workload had made dirty.
    Writeback,
    /// It is for the journal of a file system.
    Journal,
    /// It is for other metadata of a file system.
    Metadata,
    /// A kernel thread submitted it, for an unknown owner; never a workload's.
    Unknown,
    /// It swaps pages out or in.
    Swap,
    /// The driver of a loop device made it of a request of the workload; never in no workload.
    Below,
}

/// The requests of one operation on one device, of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Block {
    /// The device's name, or its numbers as MAJOR:MINOR where it has no name.
    pub device: Text,
    /// What the requests do. A write-zeroes counts as a write; a flush is an empty write that has the device's cache
    /// written.
    pub operation: BlockOperation,
    /// How they came about. `thread`: a thread of the workload, or an io_uring worker of one of its processes,
    /// submitted them. `writeback`: another task submitted pages that the workload had made dirty. `journal` and
    /// `metadata`: for the file system, submitted by a thread of the workload, or pages that it had made dirty. `swap`:
    /// pages, whoever's, that a thread of the workload swapped out or in. `below`: the driver of a loop device made them for
    /// requests of the workload, which the rows of that device have, or the pages dirty: sums leave these out.
    pub origin: Origin,
    /// Requests completed, well or not. One that was merged into another is part of that one; 0 where all bios were
    /// merged into requests of others.
    pub requests: u64,
    /// Those of them whose completion the kernel did not show to the probes: counted, but in none of the histograms.
    pub unseen_completions: u64,
    /// Requests in flight when the counters were read: queued, not completed, and in no other figure of this row.
    #[serde(default)]
    pub in_flight_requests: u64,
    /// The workload's bytes of them.
    #[serde(default)]
    pub in_flight_bytes: u64,
    /// Those of `requests` that failed.
    pub errors: u64,
    /// Bytes of the workload's own bios: in these requests, and in those of others that they were merged into.
    pub bytes: u64,
    /// Nanoseconds from queued to (last) issued to the driver. Requests that are never issued, as flushes, have none, nor
    /// have bios of devices without requests.
    pub queue: Histogram,
    /// Nanoseconds from (last) issued to completed; of a flush, from queued to completed.
    pub service: Histogram,
    /// Nanoseconds from the beginning of the measurement to the completion of the request with the longest `service`; null
    /// where there is none, and in reports of earlier versions.
    #[serde(default)]
    pub slowest_completed_ns: Option<u64>,
    /// Bytes of each request when it completed.
    pub size: Histogram,
    /// Whether they became requests of a device below, where the workload has them again: sums leave them out.
    #[serde(default)]
    pub passed_on: bool,
}

impl Block {
    /// Whether another row has the same, of a device above or below, for the sums.
    pub fn is_counted_elsewhere(&self) -> bool {
        self.passed_on || self.origin == Origin::Below
    }

    /// The rows of one operation, each request in one of them alone.
    pub fn once(rows: &[Self], operation: BlockOperation) -> impl Iterator<Item = &Self> + Clone {
        rows.iter()
            .filter(move |row| row.operation == operation && !row.is_counted_elsewhere())
    }
}

/// Requests queued and not completed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueDepth {
    /// The mean over the run: the time of all completed requests from queued to completed, over `duration_ns`; of
    /// io_uring and io_submit over the workload's `span_ns`, or `busy_ns` where that is longer.
    pub mean: f64,
    /// The most there were at once.
    pub max: u64,
}
