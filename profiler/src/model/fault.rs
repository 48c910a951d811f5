//! Page faults.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// The page faults of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Those that found the page in memory or needed none from a device, by the kernel's account of its
    /// tasks.
    pub minor: u64,
    /// Their time; none where it was not asked for.
    pub minor_time: Option<FaultTime>,
    /// Those that had to wait for the page.
    pub major: u64,
    /// Those of them that were taken inside a system call.
    pub major_in_calls: u64,
    /// Their time, which is also in that of the calls.
    pub major_in_calls_ns: u64,
    /// From the exception to its end.
    pub major_latency: Histogram,
    /// Those on pages of files; none where the probes for that are missing.
    pub on_files: Option<FileFaults>,
    /// Writes to a shared mapping that made a page of a file dirty; none where the probe is missing.
    pub dirtying: Option<u64>,
}

/// What minor faults took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTime {
    /// How many were timed.
    pub faults: u64,
    /// From the exception to its end, together.
    pub time_ns: u64,
    /// Those that were taken inside a system call.
    pub in_calls: u64,
    /// Their time, which is also in that of the calls.
    pub in_calls_ns: u64,
}

/// Faults on pages of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFaults {
    /// That found the page in memory.
    pub minor: u64,
    /// That had to wait for it.
    pub major: u64,
    /// The minor ones that waited all the same, for a page that was being read already, or had pages read
    /// ahead.
    pub minor_io: u64,
    /// Their time from the exception until the page was sought again.
    pub minor_io_ns: u64,
}
