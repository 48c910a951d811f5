//! What a workload did, as it counted it: the ground truth that the probes are compared with.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// What one run of a workload did.
///
/// Numbers are of the *measured phase* unless noted otherwise: it begins when the data set is made and the page cache is
/// prepared, and ends before the data set is removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// The workload's name on the command line: async, mmap, batch or copy.
    pub workload: String,
    /// The engine or method that really ran, such as "uring", "tokio", "copy_file_range".
    pub engine: String,
    /// Why that engine ran, unless the user named it.
    pub engine_reason: Option<String>,
    /// The parameters of the run: the seed, the folder, the state of the cache, sizes, and so on.
    pub parameters: BTreeMap<String, String>,
    /// The setup before the measured phase.
    pub setup: Setup,
    /// The calls made in the measured phase, exactly; operations without a call are left out.
    pub operations: Vec<OperationSummary>,
    /// How often a transfer met something unusual, by kind: `short_read`, `short_write`, `interrupted` (EINTR), `would_block`
    /// (EAGAIN), `shrank`, `grew`, `vanished`, `timed_out`, and so on.
    pub events: BTreeMap<String, u64>,
    /// Length of the measured phase.
    pub elapsed_ns: u64,
    /// CPU time in user mode of all threads, measured phase only.
    pub cpu_user_ns: u64,
    /// CPU time in the kernel of all threads, io_uring's workers among them, measured phase only.
    pub cpu_system_ns: u64,
    /// The most physical memory held at once in the measured phase (VmHWM, reset before it; of the whole process where the
    /// kernel does not allow the reset).
    pub peak_rss_bytes: u64,
    /// The most files the workload had open at once in the measured phase, direct descriptors of io_uring among them.
    pub peak_open_files: u64,
    /// Descriptors open after the run, cleaning up included, that were not open before it. Anything but 0 is a bug.
    pub leaked_descriptors: u64,
    /// Files finished in the measured phase, well or not.
    pub files: u64,
    /// The files that failed, the first [`Summary::LISTED_ERRORS`] of them.
    pub errors: Vec<FileError>,
    /// How many more failed than are listed.
    pub errors_not_listed: u64,
    /// The signal that ended the run early.
    pub interrupted_by: Option<i32>,
    /// What a reader should know: fallbacks taken, limits met, a data set on tmpfs.
    pub notes: Vec<String>,
}

impl Summary {
    /// How many failures are listed one by one.
    pub const LISTED_ERRORS: usize = 100;

    /// How many files failed, listed or not.
    pub fn failed(&self) -> u64 {
        self.errors.len() as u64 + self.errors_not_listed
    }

    /// The calls of that operation in the measured phase, over all of [`Via`].
    pub fn calls(&self, name: &str) -> u64 {
        self.operations
            .iter()
            .filter(|operation| operation.name == name)
            .map(|operation| operation.calls)
            .sum()
    }

    /// The bytes that operation moved in the measured phase.
    pub fn bytes(&self, name: &str) -> u64 {
        self.operations
            .iter()
            .filter(|operation| operation.name == name)
            .map(|operation| operation.bytes)
            .sum()
    }
}

/// What happened before the measured phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setup {
    /// Time spent on it.
    pub setup_ns: u64,
    /// Bytes of the data set; 0 where a kept one was found.
    pub setup_bytes: u64,
    /// Files of the data set that were made.
    pub setup_files: u64,
    /// Whether a kept data set was found and used.
    pub reused: bool,
    /// The state of the page cache, and how it was reached.
    pub cache: String,
    /// The calls that made the data set and prepared the cache, without those on the folder's marker. Without latencies.
    pub operations: Vec<OperationSummary>,
}

/// How an operation reached the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A system call of its own.
    #[default]
    Syscall,
    /// An entry of an io_uring's submission queue.
    IoUring,
    /// Loads and stores to mapped memory; the kernel sees page faults at most.
    Memory,
}

/// One kind of operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperationSummary {
    /// The operation: "open", "read", "write", "fsync", "close"... `docs/workloads.md` lists the calls behind each.
    pub name: String,
    /// How it reached the kernel.
    pub via: Via,
    /// Number of calls, failures and repeats (EINTR, EAGAIN, the rest of a short transfer) included.
    pub calls: u64,
    /// What the successful ones returned, for operations that move data; 0 for others.
    pub bytes: u64,
    /// Time spent in them. Calls in flight at once are added up: the sum may be longer than the run.
    pub time_ns: u64,
    /// Failed calls by error, "ENOSPC": 3.
    pub errors: BTreeMap<String, u64>,
    /// Latency as the workload saw it: for system calls from call to return, for io_uring from submission to
    /// seeing the completion.
    pub latency: Option<LatencySummary>,
}

/// A latency distribution. Percentiles are off by 1 % of their value at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LatencySummary {
    /// Operations timed: all, except where a note says that a sample was.
    pub count: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// The mean.
    pub mean_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// 90 % were not longer.
    pub p90_ns: u64,
    /// 99 % were not longer.
    pub p99_ns: u64,
    /// 99.9 % were not longer.
    pub p999_ns: u64,
    /// The distribution, ascending, without empty buckets.
    pub buckets: Vec<LatencyBucket>,
}

/// Operations that took from `ge_ns` to `le_ns`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LatencyBucket {
    /// The shortest latency of the bucket.
    pub ge_ns: u64,
    /// The longest latency of the bucket.
    pub le_ns: u64,
    /// How many there are.
    pub count: u64,
}

/// A file that could not be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileError {
    /// The file.
    pub path: String,
    /// What failed: "open", "read", "verify"...
    pub operation: String,
    /// What went wrong, in words.
    pub error: String,
}

impl FileError {
    pub(crate) fn new(path: &Path, failure: Failure) -> Self {
        Self {
            path: path.display().to_string(),
            operation: failure.operation.to_owned(),
            error: failure.reason,
        }
    }
}
