//! Devices, and whose requests they served.

use serde::{Deserialize, Serialize};

use super::block::{Origin, QueueDepth};
use crate::text::Text;

/// A device over the run, for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its name, or its numbers where it has none any more.
    pub name: Text,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Read requests completed.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Write requests completed.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Flushes asked for and completed.
    pub flushes: u64,
    /// Discards completed.
    pub discards: u64,
    /// Time of its read requests from made to completed, together.
    pub read_ns: u64,
    /// The same of its write requests.
    pub write_ns: u64,
    /// Time with at least one request made and not completed.
    pub busy_ns: u64,
    /// `busy_ns` over the run's duration, from 0 to 1.
    pub utilization: f64,
    /// Requests made and not completed.
    pub queue_depth: QueueDepth,
    /// Whose requests they were: each workload's, those of what workloads share, and everybody else's.
    pub shares: Vec<Share>,
    /// The devices that are made of it or of its partitions; their requests become requests of this one.
    #[serde(default)]
    pub holders: Vec<Text>,
    /// The devices it is made of.
    #[serde(default)]
    pub slaves: Vec<Text>,
    /// The file that a loop device shows.
    #[serde(default)]
    pub backing_file: Option<Text>,
}

/// The part of one workload in what a device did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The workload's name; none for everybody else, and for what is shared.
    pub workload: Option<Text>,
    /// What is shared, [`Origin::Journal`] or [`Origin::Metadata`], or [`Origin::Unknown`]; none for a workload
    /// and for other processes, whose requests are counted together whatever their origin.
    pub origin: Option<Origin>,
    /// Requests completed, of all operations.
    pub requests: u64,
    /// Bytes read and written.
    pub bytes: u64,
    /// `bytes` over those of everybody, from 0 to 1; none where there are none.
    pub bytes_share: Option<f64>,
    /// Time with at least one of its requests in flight.
    pub busy_ns: u64,
    /// The most of its requests that were in flight at once.
    pub queue_depth_max: u64,
    /// `busy_ns` over the device's, from 0 to 1; none where that is 0. The parts of workloads whose
    /// requests are in flight together add up to more than 1.
    pub busy_share: Option<f64>,
}
