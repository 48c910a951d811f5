//! The report: the whole of one run.

use ioprof_workloads::Summary;
use serde::{Deserialize, Serialize};

use super::{
    aio::Aio, block::Block, device::Device, fault::Faults, file::Files, io_uring::IoUring,
    ledger::Ledger, off_cpu::Time, page_cache::PageCache, self_report::SelfCheck, syscall::Syscall,
    writeback::Writeback,
};
use crate::text::Text;

/// The identifier of the report's format.
pub const SCHEMA: &str = "ioprof.report.v1";

/// One run of ioprof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: Text,
    /// The version that measured.
    pub ioprof_version: Text,
    /// Where.
    pub host: Host,
    /// When, as RFC 3339 has it.
    pub started_at: Text,
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
    pub name: Text,
    /// The release of its kernel.
    pub kernel: Text,
    /// Its architecture, as uname(2) has it.
    pub architecture: Text,
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
    pub name: Text,
    /// What kind it is.
    pub kind: Kind,
    /// Its command line.
    pub argv: Vec<Text>,
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
    pub cache: Option<PageCache>,
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
