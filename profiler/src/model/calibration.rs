//! What a device can do, as `ioprof calibrate` has measured it.

use ioprof_workloads::ceiling::{PageCacheCost, Point};
use serde::{Deserialize, Serialize};

use crate::text::Text;

/// The identifier of the calibration's format.
pub const SCHEMA: &str = "ioprof.calibration.v1";

/// The ceiling of a device, or of a stack of devices, under a file system. What is not known is null, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Calibration {
    /// The identifier of this format.
    pub schema: Text,
    /// The version of ioprof that measured.
    pub ioprof_version: Text,
    /// When it began, in UTC.
    pub started_at: Text,
    /// How long it took.
    pub duration_ns: u64,
    /// How thorough it was.
    pub mode: Mode,
    /// The release of the kernel, as uname(2) has it.
    pub kernel: Text,
    /// What was measured.
    pub device: CalibratedDevice,
    /// The file system that the file was on.
    pub file_system: FileSystem,
    /// The bytes of the file that was read and written.
    pub file_bytes: u64,
    /// Loads of one operation, pattern and size, at growing depths.
    pub series: Vec<Series>,
    /// Random reads and writes mixed, of 4 KiB, at the depth where random reads alone gain no more.
    pub mixes: Vec<Mix>,
    /// Appends of 4 KiB, each made durable by fdatasync(2): latencies are those of both calls.
    pub append: Option<Point>,
    /// Reads in order of 128 KiB by read(2), with the kernel's read-ahead: latencies are those of the call.
    pub buffered_read: Option<Point>,
    /// What a read costs whose bytes are in the page cache.
    pub page_cache: Option<PageCacheCost>,
    /// What others read and wrote on the device meanwhile, at least; null where the kernel does not tell.
    pub others_bytes: Option<u64>,
}

/// How thorough a calibration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// About 10 s.
    Quick,
    /// About a minute.
    Standard,
    /// About ten minutes.
    Thorough,
}

/// The device. What it does not tell of itself is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CalibratedDevice {
    /// Its name.
    pub name: Text,
    /// The partition, where the file system is on one.
    pub partition: Option<Text>,
    /// Its model.
    pub model: Option<Text>,
    /// The revision of its firmware.
    pub firmware: Option<Text>,
    /// Its serial number.
    pub serial: Option<Text>,
    /// Its worldwide name, or the UUID of a device of the device mapper or of md.
    pub uuid: Option<Text>,
    /// The file behind a loop device.
    pub backing_file: Option<Text>,
    /// Its capacity.
    pub size_bytes: Option<u64>,
    /// The scheduler of its queue.
    pub scheduler: Option<Text>,
    /// How many requests the scheduler takes.
    pub nr_requests: Option<u64>,
    /// The kind of its write cache, as the kernel has it.
    pub write_cache: Option<Text>,
    /// Whether it is said to rotate.
    pub rotational: Option<bool>,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileSystem {
    /// Its type.
    pub kind: Text,
    /// The options of the mount and its own.
    pub options: Text,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// From the device.
    Read,
    /// To the device.
    Write,
}

impl Operation {
    /// Several of them, in a word.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// The order of offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Drawn, in the whole file.
    Random,
    /// One behind the other.
    Sequential,
}

impl Pattern {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Sequential => "sequential",
        }
    }
}

/// Loads that differ in their depth alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Series {
    /// What is done.
    pub operation: Operation,
    /// In which order.
    pub pattern: Pattern,
    /// Bytes of an operation.
    pub size_bytes: u64,
    /// The points, by depth.
    pub points: Vec<Measured>,
    /// The least depth within 5 % of the best of those at which half of the operations take at most 5 times as long as at
    /// depth 1; null where no point counts.
    pub knee_depth: Option<u64>,
    /// The ceiling: what was done at the least depth within 5 % of the best of all, by the point measured again where
    /// that is to be preferred. Null where no point counts.
    pub operations_per_second: Option<f64>,
    /// The point of the ceiling, measured again at the end of the calibration, for longer.
    pub again: Option<Measured>,
    /// Whether the device did more in the beginning than it sustains: it does 15 % less at the end. Null where it was not
    /// measured again, or was not steady, or others' I/O may be the reason.
    pub burst: Option<bool>,
}

/// A point, and what the device did meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    /// The point.
    #[serde(flatten)]
    pub point: Point,
    /// What others read and wrote on the device meanwhile, at least; null where the kernel does not tell.
    pub others_bytes: Option<u64>,
    /// Requests that the device completed meanwhile, of anybody: fewer than operations where these were merged. Null where
    /// the kernel does not tell, and in calibrations of earlier versions.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Why the point does not count; null where it does.
    pub refused: Option<Refusal>,
}

/// Why a point contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The device did less than half of it: the rest came from a cache above it, or went to another device.
    NotFromTheDevice,
    /// The device's requests have twice the bytes that were asked for, or more: it was measured with another size.
    OtherSize,
}

impl Measured {
    /// Whether operations became fewer requests, by a tenth or more; none where that is not known.
    pub fn is_merged(&self) -> Option<bool> {
        let requests = u128::from(self.requests?).saturating_mul(10);
        Some(requests < u128::from(self.point.operations).saturating_mul(9))
    }
}

/// A mix of random reads and writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mix {
    /// Reads in 100 operations.
    pub read_percent: u64,
    /// Bytes of an operation.
    pub size_bytes: u64,
    /// What it came to.
    pub measured: Measured,
}
