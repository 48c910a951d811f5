//! Devices, and the owners of their requests.

use serde::{Deserialize, Serialize};

use super::{
    block::{Origin, QueueDepth},
    calibration::Operation,
    histogram::Histogram,
};
use crate::text::Text;

/// A device over the run, for all processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Device {
    /// Its name, or its numbers as MAJOR:MINOR where it has no name.
    pub name: Text,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Whether its driver takes bios, and makes no requests of them: what is counted as requests are bios then, which wait
    /// in no queue.
    #[serde(default)]
    pub takes_bios: bool,
    /// Read requests completed.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Write requests completed, without flushes.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Flushes asked for and completed: the kernel has the device execute one for several.
    pub flushes: u64,
    /// Those that it has executed; null in reports without them.
    #[serde(default)]
    pub executed_flushes: Option<ExecutedFlushes>,
    /// Discards completed.
    pub discards: u64,
    /// Bytes they covered.
    #[serde(default)]
    pub discarded_bytes: u64,
    /// Nanoseconds from queued to completed of all its read requests together.
    pub read_ns: u64,
    /// Nanoseconds from queued to completed of all its write requests together.
    pub write_ns: u64,
    /// Nanoseconds with at least one request queued and not completed.
    pub busy_ns: u64,
    /// `busy_ns` over `duration_ns`, from 0 to 1. It is no measure of saturation: a device may work on many requests at
    /// once.
    pub utilization: f64,
    /// Requests made and not completed.
    pub queue_depth: QueueDepth,
    /// The owners of its requests; all other processes come last.
    pub shares: Vec<Share>,
    /// The devices that are made of it or of its partitions: their requests become requests of this one.
    #[serde(default)]
    pub holders: Vec<Text>,
    /// The devices it is made of.
    #[serde(default)]
    pub slaves: Vec<Text>,
    /// The file that a loop device shows; null for others.
    #[serde(default)]
    pub backing_file: Option<Text>,
    /// The I/O scheduler of its requests at the end of the run, `none` for none; null where the kernel does not say.
    #[serde(default)]
    pub scheduler: Option<Text>,
    /// How much of it might be dirty at the end of the run; null where the kernel does not say, as before Linux 6.2, and in
    /// reports of earlier versions.
    #[serde(default)]
    pub dirty_limit: Option<DirtyLimit>,
    /// What it did, beside what it can do by its calibrations; null where there are none, see `ioprof calibrate`.
    #[serde(default)]
    pub ceiling: Option<Ceiling>,
}

/// How much of a device's page cache may be dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DirtyLimit {
    /// Bytes: its part of what may be dirty on the machine.
    pub bytes: u64,
    /// Whether who writes to it is held back at that, however little is dirty elsewhere.
    pub strict: bool,
}

/// What a device did, beside what it can do by its calibrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ceiling {
    /// When the newest one that is used began, in UTC; that of the newest where none is.
    pub calibrated_at: Text,
    /// Why none is used: of which other device, kernel or scheduler it is; null where one is.
    pub unused: Option<Text>,
    /// Reads and writes: those that the device did, and that were calibrated.
    pub loads: Vec<ShareOfCeiling>,
}

/// The reads or the writes of a device over the run, of all processes, beside random ones of the same size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShareOfCeiling {
    /// Which they are.
    pub operation: Operation,
    /// Mean bytes of a request.
    pub size_bytes: u64,
    /// Mean of all requests in flight, in the time in which there were any.
    pub depth: f64,
    /// Requests completed in a second, over the run.
    pub requests_per_second: f64,
    /// What the device can do of that size at that depth. Between what was measured, it is interpolated.
    pub ceiling_at_depth_per_second: f64,
    /// `requests_per_second` over that.
    pub share_at_depth: f64,
    /// What it can do of that size at any depth.
    pub ceiling_per_second: f64,
    /// The same of requests that follow each other; null where that was not measured, and in reports of earlier versions.
    #[serde(default)]
    pub sequential_ceiling_per_second: Option<f64>,
    /// `requests_per_second` over that.
    pub share: f64,
    /// Whether all rates that these ceilings come from had become steady; false in reports of earlier versions.
    #[serde(default)]
    pub steady: bool,
}

impl ShareOfCeiling {
    /// What the device can do in a second of that size at any depth, in the order that serves better.
    pub fn best_per_second(&self) -> f64 {
        let in_order = self.sequential_ceiling_per_second.unwrap_or(0.0);
        self.ceiling_per_second.max(in_order)
    }
}

/// The flushes that a device has executed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExecutedFlushes {
    /// How many.
    pub requests: u64,
    /// Those of them that completed without being seen to: in `requests`, not in `service`.
    pub unseen_completions: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Nanoseconds from issued to completed.
    pub service: Histogram,
}

/// The part of one workload in what a device did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// The workload's name; null for what is shared, and for processes that are in none.
    pub workload: Option<Text>,
    /// What is in no workload: `journal` and `metadata` of file systems, shared by all who use them; `unknown` was
    /// submitted by kernel threads for an unknown owner; `swap` by kernel threads and other processes. Null for a workload, and for other processes.
    pub origin: Option<Origin>,
    /// Requests completed, of all operations.
    pub requests: u64,
    /// Bytes read and written.
    pub bytes: u64,
    /// `bytes` over those of all processes, from 0 to 1; null where there are none.
    pub bytes_share: Option<f64>,
    /// Nanoseconds with at least one of its requests queued and not completed.
    pub busy_ns: u64,
    /// The most of its requests that were queued and not completed at once.
    pub queue_depth_max: u64,
    /// `busy_ns` over the device's; null where that is 0. The parts of workloads whose requests overlap add up to more
    /// than 1.
    pub busy_share: Option<f64>,
}
