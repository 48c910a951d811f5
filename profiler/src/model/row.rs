//! What each process and each thread of a workload did.

use serde::{Deserialize, Serialize};

use super::off_cpu::Time;
use crate::text::Text;

/// What a thread did, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Did {
    /// Calls that returned.
    pub calls: u64,
    /// Bytes that calls read.
    pub read_bytes: u64,
    /// Bytes that calls wrote.
    pub written_bytes: u64,
    /// Bytes that calls moved from descriptor to descriptor.
    pub copied_bytes: u64,
    /// Bytes of the read requests to devices that it submitted itself, by the kernel's count: `read_bytes` of /proc/PID/io.
    pub device_read_bytes: u64,
    /// Bytes of pages that it made dirty, and of its direct writes, by the kernel's count: `write_bytes` of /proc/PID/io.
    /// When they are written is not its doing.
    pub device_write_bytes: u64,
    /// Where its time went; null where the probes for it are missing. Time on a CPU is divided by the workload's mean cost
    /// of a call.
    pub time: Option<Time>,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThreadRow {
    /// Its number, as the first namespace of PIDs has it.
    pub tid: u32,
    /// The name that it had last.
    pub name: Text,
    /// Whether it still ran at the end.
    pub running: bool,
    /// Nanoseconds from the beginning of the measurement to its coming into scope; null where it did nothing in it.
    pub began_ns: Option<u64>,
    /// Nanoseconds from there to its end, or that of the measurement.
    pub lifetime_ns: u64,
    /// What it did.
    #[serde(flatten)]
    pub did: Did,
}

/// Threads of one name that have no row of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThreadsOfName {
    /// The name that each had last; null for the threads of all further names.
    pub name: Option<Text>,
    /// How many.
    pub threads: u64,
    /// What they did.
    #[serde(flatten)]
    pub did: Did,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessRow {
    /// Its number, as the first namespace of PIDs has it.
    pub pid: u32,
    /// The name that its first thread had last.
    pub name: Text,
    /// Its command line; null where it had ended before the measurement did.
    pub argv: Option<Vec<Text>>,
    /// Whether it still ran at the end.
    pub running: bool,
    /// Nanoseconds from the beginning of the measurement to its coming into scope; null where it did nothing in it.
    pub began_ns: Option<u64>,
    /// Nanoseconds from there to its end, or that of the measurement.
    pub lifetime_ns: u64,
    /// How many threads it had.
    pub threads: u64,
    /// What they did.
    #[serde(flatten)]
    pub did: Did,
    /// Its threads, the most active first.
    pub thread_rows: Vec<ThreadRow>,
    /// Those that have no row of their own, by their names.
    pub threads_by_name: Vec<ThreadsOfName>,
}

/// Processes of one name that have no row of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessesOfName {
    /// The name that the first thread of each had last; null for the processes of all further names.
    pub name: Option<Text>,
    /// How many.
    pub processes: u64,
    /// How many threads they had.
    pub threads: u64,
    /// What they did.
    #[serde(flatten)]
    pub did: Did,
}

/// The processes of a workload. All rows of processes, or all rows of threads, add up to what the workload did by calls, and
/// to its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessRows {
    /// The most active first.
    pub processes: Vec<ProcessRow>,
    /// Those that have no row of their own, by their names.
    pub by_name: Vec<ProcessesOfName>,
}
