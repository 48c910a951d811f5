//! Block requests.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::text::Text;

/// What a request does to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A thread of the workload itself, or an io_uring worker of its process, submitted it.
    Thread,
    /// Somebody else submitted pages that the workload had made dirty.
    Writeback,
    /// It is for the journal of a file system.
    Journal,
    /// It is for other metadata of a file system.
    Metadata,
    /// A thread of the kernel submitted it, and nothing says for whom; never a workload's.
    Unknown,
}

/// Requests of one operation on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The device's name, or its numbers where it has none any more.
    pub device: Text,
    /// What they do.
    pub operation: BlockOperation,
    /// How they came about.
    pub origin: Origin,
    /// Requests completed.
    pub requests: u64,
    /// Those of them whose completion the probes were not shown: counted, but in none of the histograms.
    pub unseen_completions: u64,
    /// Those that failed.
    pub errors: u64,
    /// Bytes of the workload's own bios, in these requests and in those of others they were merged into.
    pub bytes: u64,
    /// From made to issued.
    pub queue: Histogram,
    /// From issued to completed; of a flush, from made to completed.
    pub service: Histogram,
    /// Bytes of each.
    pub size: Histogram,
    /// Whether they became requests of a device below, where the workload has them again: sums leave them out.
    #[serde(default)]
    pub passed_on: bool,
}

impl Block {
    /// The rows of one operation, each request in one of them alone.
    pub fn once(rows: &[Self], operation: BlockOperation) -> impl Iterator<Item = &Self> + Clone {
        rows.iter()
            .filter(move |row| row.operation == operation && !row.passed_on)
    }
}

/// How many requests were made and not completed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueDepth {
    /// Over the run.
    pub mean: f64,
    /// At most.
    pub max: u64,
}
