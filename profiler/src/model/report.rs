//! The report of one run.

use ioprof_workloads::Summary;
use serde::{Deserialize, Serialize};

use super::{
    aio::Aio,
    block::Block,
    device::Device,
    fault::Faults,
    file::Files,
    finding::{Evidence, Finding, RuledOut, Undecided},
    io_uring::IoUring,
    ledger::Ledger,
    off_cpu::Time,
    page_cache::PageCache,
    row::ProcessRows,
    self_report::SelfCheck,
    syscall::Syscall,
    transferred::knows_asynchronous,
    under_way::CallsUnderWay,
    writeback::Writeback,
};
use crate::{text::Text, transfer::Direction};

/// The identifier of the report's format.
pub const SCHEMA: &str = "ioprof.report.v1";

/// One run of ioprof. Numbers are exact counts made in the kernel unless their description says otherwise; what is not
/// known is null, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The identifier of this format.
    pub schema: Text,
    /// The version of ioprof that measured.
    pub ioprof_version: Text,
    /// Where.
    pub host: Host,
    /// When the probes began to count, in UTC.
    pub started_at: Text,
    /// Nanoseconds from there to the end of the measurement.
    pub duration_ns: u64,
    /// What was profiled.
    pub workloads: Vec<Workload>,
    /// The devices that were used, the busiest first; null where a probe for requests is missing.
    pub devices: Option<Vec<Device>>,
    /// What was lost, what was missing, and the probes' sums beside the kernel's.
    pub ledger: Ledger,
    /// What is wrong by all that, the most time at stake first: the upper bound of the gain. Nothing below 1 % of the
    /// workload's wall time, as far as its threads did other things than wait for a CPU.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What was looked for, and is not wrong.
    #[serde(default)]
    pub ruled_out: Vec<RuledOut>,
    /// What could not be looked for.
    #[serde(default)]
    pub undecided: Vec<Undecided>,
}

impl Report {
    /// The figures that findings rest on, and those by which rules do not hold.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        let found = self.findings.iter().flat_map(|one| &one.evidence);
        found.chain(self.ruled_out.iter().flat_map(|one| &one.evidence))
    }
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// The node name, as uname(2) has it.
    pub name: Text,
    /// The release of its kernel, as uname(2) has it.
    pub kernel: Text,
    /// The machine, as uname(2) has it.
    pub architecture: Text,
    /// The CPUs that ioprof could run on.
    pub cpus: u64,
    /// How much of the page cache might be dirty when the run had ended; null where that is not known, and in reports of
    /// earlier versions.
    #[serde(default)]
    pub dirty_limits: Option<DirtyLimits>,
}

/// How much of the page cache may be dirty, by settings (vm.dirty_*) and by the memory that is free. Who writes is held
/// back from the middle of both on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DirtyLimits {
    /// Bytes from which on the kernel writes back, whatever their age.
    pub background_bytes: u64,
    /// Bytes that are dirty at most.
    pub bytes: u64,
}

/// The kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One of ioprof's own.
    Builtin,
    /// A command of the user's.
    Command,
    /// A process that was there before.
    Attached,
}

/// How a process ended: by itself with a status, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The processes that existed below one as ioprof attached to it, but for those of other workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Descendants {
    /// How many.
    pub existing: u64,
    /// How many of them are in scope: all with --tree, none without.
    pub in_scope: u64,
}

/// The programs that the first process of a workload executed: the command itself, and what came in its place. Of a process
/// that was attached to, those since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Executed {
    /// How many.
    pub programs: u64,
    /// The name of the last, as the kernel has it: of its file, at most 15 bytes. Null where it executed none.
    pub last: Option<Text>,
}

/// A process, its threads, and all their descendants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Workload {
    /// Its name: that of the program which its first process executed last, or of what was run or attached to where it
    /// executed none. Of several with one name the second is NAME#2.
    pub name: Text,
    /// One of ioprof's own, a command of the user's, or a process that ran before.
    pub kind: Kind,
    /// Its command line. As in all names, a byte that is not UTF-8 is \xNN, and a backslash before an x is \x5c.
    pub argv: Vec<Text>,
    /// What its first process executed; null where the probe for it is missing.
    #[serde(default)]
    pub executed: Option<Executed>,
    /// The number of its first process, of several that it was attached to the lowest; 0 where it was never started.
    pub root_pid: i32,
    /// Processes whose memory the kernel wrote to a file or a pipe as a signal ended them, core(5); null in reports of an ioprof that
    /// did not look.
    #[serde(default)]
    pub core_dumps: Option<u64>,
    /// How the first process ended; null where it still ran, was not started, or was attached to.
    pub exit: Option<Exit>,
    /// Nanoseconds from its start to the end of its first process, or of the run. Attached: `span_ns`.
    pub wall_ns: u64,
    /// Nanoseconds in which it was counted: from its first thread's coming into scope to the end of its last, or of the
    /// measurement; of a command no less than `wall_ns`. What it did, and the time of its threads, is divided by these. Null in
    /// reports of an ioprof that did not look.
    #[serde(default)]
    pub span_ns: Option<u64>,
    /// Nanoseconds of CPU time in user mode. Of a run: of the first process and the descendants that were waited for,
    /// by wait4(2). Attached: of all threads in scope, since the attaching.
    pub cpu_user_ns: u64,
    /// Nanoseconds of CPU time in the kernel, of the same.
    pub cpu_system_ns: u64,
    /// Bytes of the largest resident set. Of a run: of any process that was waited for, and never less than ioprof's
    /// own when it forked. Attached: of any process that it was attached to, since its start. Null where it is not known.
    pub max_rss_bytes: Option<u64>,
    /// Processes that were in scope.
    pub processes: u64,
    /// Threads that were in scope, the first of each process included.
    pub threads: u64,
    /// The processes that existed below the first as ioprof attached to it; null of others.
    #[serde(default)]
    pub descendants_at_attach: Option<Descendants>,
    /// Threads that still ran at the end.
    pub threads_running: u64,
    /// Where the time of its threads went; null where the probes for it are missing.
    pub time: Option<Time>,
    /// What each of its processes and threads did; null in reports of an ioprof that did not look.
    #[serde(default)]
    pub process_rows: Option<ProcessRows>,
    /// Its system calls, the most expensive first.
    pub syscalls: Vec<Syscall>,
    /// Its calls that had not returned as its threads came into scope, or at the end.
    #[serde(default)]
    pub calls_under_way: Option<CallsUnderWay>,
    /// How the page cache served it; null where the probes for that are missing.
    pub page_cache: Option<PageCache>,
    /// The files it used; null where the kernel lets no probe read its memory.
    pub files: Option<Files>,
    /// What it did by io_uring; null where a probe for it is missing, as on kernels before 6.0.
    pub io_uring: Option<IoUring>,
    /// What it did by io_submit.
    pub aio: Aio,
    /// Its requests to devices; null where the probes for them are missing.
    pub block: Option<Vec<Block>>,
    /// Its page faults; null where the probes for them are missing.
    pub faults: Option<Faults>,
    /// What became of the pages that it made dirty; null where a probe for it or for requests is missing.
    pub writeback: Option<Writeback>,
    /// What a built-in workload reports of itself; null for others, and where it reported nothing.
    pub self_reported: Option<Summary>,
    /// What a built-in workload reports of itself, beside what the probes counted; empty where it reported nothing.
    pub self_checks: Vec<SelfCheck>,
}

impl Workload {
    /// `span_ns`, as far as it is known.
    pub fn span_ns(&self) -> u64 {
        self.span_ns.unwrap_or(self.wall_ns)
    }

    /// Whether all bytes are known that it moved in a direction by io_uring and io_submit(2).
    pub fn knows_asynchronous(&self, wanted: Direction) -> bool {
        knows_asynchronous(self.io_uring.as_ref(), &self.aio, &self.syscalls, wanted)
    }
}
