//! The report: the whole of one run.

use std::collections::BTreeMap;

use ioprof_workloads::Summary;
use serde::{Deserialize, Serialize};

use super::{
    asynchronous::{Aio, IoUring},
    file::{Cache, Files},
    histogram::Histogram,
    ledger::Ledger,
    sum::sum,
    time::{CallTime, Time},
};

/// The identifier of the report's format.
pub const SCHEMA: &str = "ioprof.report.v1";

/// One run of ioprof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version that measured.
    pub ioprof_version: String,
    /// Where.
    pub host: Host,
    /// When, as RFC 3339 has it.
    pub started_at: String,
    /// From the attaching of the probes to their last reading.
    pub duration_ns: u64,
    /// What was profiled.
    pub workloads: Vec<Workload>,
    /// The devices that were touched, by anybody; none where the probes for requests are missing.
    pub devices: Option<Vec<Device>>,
    /// The books.
    pub ledger: Ledger,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The release of its kernel.
    pub kernel: String,
    /// Its architecture, as uname(2) has it.
    pub architecture: String,
    /// How many CPUs are online.
    pub cpus: u64,
}

/// What kind of workload it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One of ioprof's own.
    Builtin,
    /// A command of the user's.
    Command,
    /// A process that was there before.
    Attached,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// One workload: a process, its threads, and all their descendants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// What kind it is.
    pub kind: Kind,
    /// Its command line.
    pub argv: Vec<String>,
    /// Its first process.
    pub root_pid: i32,
    /// How the first process ended; none where it still runs.
    pub exit: Option<Exit>,
    /// From its coming into scope to its end, or to the end of the run.
    pub wall_ns: u64,
    /// CPU time in user mode.
    pub cpu_user_ns: u64,
    /// CPU time in the kernel.
    pub cpu_system_ns: u64,
    /// The largest resident set of any of its processes; none where it is not known.
    pub max_rss_bytes: Option<u64>,
    /// Processes that were in scope.
    pub processes: u64,
    /// Threads that were in scope, the first of each process included.
    pub threads: u64,
    /// Threads that still ran at the end.
    pub threads_running: u64,
    /// Where the time of its threads went; none where the probes for it are missing.
    pub time: Option<Time>,
    /// Its system calls, the most expensive first.
    pub syscalls: Vec<Syscall>,
    /// How the page cache served it; none where the probes for that are missing.
    pub cache: Option<Cache>,
    /// The files it used; none where the kernel does not let the probes see them.
    pub files: Option<Files>,
    /// What it did by io_uring; none where the probes for it are missing.
    pub io_uring: Option<IoUring>,
    /// What it did by io_submit.
    pub aio: Aio,
    /// Its requests to devices; none where the probes for them are missing.
    pub block: Option<Vec<Block>>,
    /// Its page faults; none where the probes for them are missing.
    pub faults: Option<Faults>,
    /// What it made dirty and what became of that; none where a probe for it is missing.
    pub writeback: Option<Writeback>,
    /// What a built-in workload says it did.
    pub self_reported: Option<Summary>,
    /// That beside what the probes counted; empty where nothing was said.
    pub self_checks: Vec<SelfCheck>,
}

/// What became of the pages that a workload made dirty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writeback {
    /// Bytes of the pages of files that it made dirty; those of a page that was written and made dirty again
    /// count again.
    pub dirtied_bytes: u64,
    /// Those of them that it made dirty outside calls: through mappings.
    pub mapped_bytes: u64,
    /// Bytes of them that others wrote to devices: threads of the kernel, or another process's sync.
    pub written_bytes: u64,
    /// Bytes that were dropped before they were written, by the kernel's count.
    pub cancelled_bytes: u64,
    /// Bytes that were still dirty when the run ended.
    pub dirty_bytes_at_end: u64,
    /// Bytes written to devices by its threads and by others for it, over the bytes that it wrote by calls,
    /// io_uring and io_submit(2), and `mapped_bytes`; none where these are 0 or not known.
    pub write_amplification: Option<f64>,
}

/// An operation of a built-in workload, by its own word and by the probes' count.
///
/// The count is never less, and hardly more: by what the program's runtime does for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfCheck {
    /// What the workload calls it.
    pub operation: String,
    /// System calls and requests to io_uring by its own word.
    pub reported_calls: u64,
    /// System calls and requests to io_uring that the probes counted.
    pub counted_calls: u64,
    /// Bytes by its own word.
    pub reported_bytes: u64,
    /// Bytes that the probes counted.
    pub counted_bytes: u64,
}

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syscall {
    /// Its name, or `other` for all without a name of their own.
    pub name: String,
    /// Calls that returned.
    pub calls: u64,
    /// Those that returned an error, by its name.
    pub errors: BTreeMap<String, u64>,
    /// Bytes moved; none for calls that move none.
    pub bytes: Option<u64>,
    /// Time in the call, of all threads together.
    pub time_ns: u64,
    /// Where that time went; none where the probes for it are missing.
    pub time: Option<CallTime>,
    /// From entry to exit.
    pub latency: Histogram,
    /// Where the time of a call went that takes about as long as the 99th percentile.
    pub p99_time: Option<CallTime>,
    /// Requested bytes; none for calls that move none.
    pub size: Option<Histogram>,
}

impl Syscall {
    /// The calls that returned an error.
    pub fn failed(&self) -> u64 {
        sum(self.errors.values().copied())
    }
}

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
    pub device: String,
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

/// A device over the run, for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its name, or its numbers where it has none any more.
    pub name: String,
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
    pub holders: Vec<String>,
    /// The devices it is made of.
    #[serde(default)]
    pub slaves: Vec<String>,
    /// The file that a loop device shows.
    #[serde(default)]
    pub backing_file: Option<String>,
}

/// How many requests were made and not completed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueDepth {
    /// Over the run.
    pub mean: f64,
    /// At most.
    pub max: u64,
}

/// The part of one workload in what a device did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The workload's name; none for everybody else, and for what is shared.
    pub workload: Option<String>,
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
