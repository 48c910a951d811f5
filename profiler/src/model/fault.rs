//! Page faults.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// The page faults of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Faults {
    /// Faults that did not wait for a page, by the kernel's account of the tasks.
    pub minor: u64,
    /// Their time; null unless --minor-fault-time was given.
    pub minor_time: Option<FaultTime>,
    /// Faults that had to wait for a page to be read, or for a task that was reading it.
    pub major: u64,
    /// Those of them that were taken inside a system call.
    pub major_in_calls: u64,
    /// Their nanoseconds, which are also in the time of the calls.
    pub major_in_calls_ns: u64,
    /// Nanoseconds of each major fault, from the exception to the kernel's counting of it.
    pub major_latency: Histogram,
    /// Those on pages of files; null where the probes for that are missing.
    pub on_files: Option<FileFaults>,
    /// Faults that made a clean page of a file dirty, by a write to a shared mapping; null where the probe for that is
    /// missing.
    pub dirtying: Option<u64>,
}

/// The time of minor faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FaultTime {
    /// How many were timed.
    pub faults: u64,
    /// Nanoseconds from the exception to the kernel's counting of it, of all threads together.
    pub time_ns: u64,
    /// Those that were taken inside a system call.
    pub in_calls: u64,
    /// Their nanoseconds, which are also in the time of the calls.
    pub in_calls_ns: u64,
}

/// Faults on pages of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileFaults {
    /// Those that found the page in memory.
    pub minor: u64,
    /// Those that had to wait for it.
    pub major: u64,
    /// The minor ones that waited all the same, for a page that was already being read, or that had pages read ahead.
    pub minor_io: u64,
    /// Their nanoseconds, from the exception until the page was looked up again.
    pub minor_io_ns: u64,
}
