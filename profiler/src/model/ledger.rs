//! The ledger: what was lost, what was missing, and what the kernel counted itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sum::sum;
use crate::text::Text;

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It ran.
    Attached,
    /// Another does its work on this kernel, or it was not requested.
    NotNeeded {
        /// The reason.
        reason: Text,
    },
    /// The kernel has no such tracepoint, or the user excluded it.
    Absent {
        /// The reason.
        reason: Text,
    },
    /// The kernel rejected it.
    Refused {
        /// The kernel's words.
        reason: Text,
    },
}

impl Verdict {
    /// Why what the probe counts is unknown; none where it is not.
    pub fn reason_missing(&self) -> Option<&Text> {
        match self {
            Self::Attached | Self::NotNeeded { .. } => None,
            Self::Absent { reason } | Self::Refused { reason } => Some(reason),
        }
    }
}

/// A probe, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probe {
    /// The program.
    pub name: Text,
    /// What it is attached to.
    pub tracepoint: Text,
    /// What became of it: it ran; another does its work; the kernel has no such tracepoint, or the user excluded it;
    /// the kernel rejected it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Events it did not see because it was running on that CPU already; null where that is not known.
    pub missed: Option<u64>,
    /// Its runs while the overhead was measured; null where it was not.
    pub measured_runs: Option<u64>,
    /// Nanoseconds those runs took; null where that was not measured.
    pub measured_ns: Option<u64>,
}

/// A sum of the probes, beside one of the kernel's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// The workload; null where it is about all processes.
    pub workload: Option<Text>,
    /// The device; null where it is about a workload on all devices.
    pub device: Option<Text>,
    /// What is compared. call_read_bytes and call_written_bytes: results of calls, with rchar and wchar of
    /// proc_pid_io(5). block_read_bytes and block_written_bytes: the workload's own requests, with read_bytes and
    /// write_bytes of the same; write_bytes counts pages as they become dirty. device_owned_bytes: bytes read and
    /// written whose owner is known. device_read_bytes, device_written_bytes, device_discarded_bytes, device_reads,
    /// device_writes, device_flushes: all processes' requests, with /sys/block/DEV/stat; device_writes has the flushes in
    /// it that were asked for, device_flushes are those that the device has executed.
    pub what: CheckKind,
    /// What the probes counted: bytes, or requests for device_reads and device_writes.
    pub counted: u64,
    /// What the kernel counted, in the same unit.
    pub kernel: u64,
}

/// What a check compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Bytes that calls returned, against `rchar` of /proc/PID/io.
    CallReadBytes,
    /// Bytes that calls took, against `wchar`.
    CallWrittenBytes,
    /// Bytes of the workload's own read requests, against `read_bytes`.
    BlockReadBytes,
    /// Bytes of the workload's own write requests, against `write_bytes`, which counts pages as they
    /// become dirty: the two differ by what is written later, by others.
    BlockWrittenBytes,
    /// Bytes read from a device by all processes, against /sys/block/DEV/stat.
    DeviceReadBytes,
    /// Bytes written to a device by all processes, against /sys/block/DEV/stat.
    DeviceWrittenBytes,
    /// Bytes discarded on a device by all processes, against /sys/block/DEV/stat.
    DeviceDiscardedBytes,
    /// Bytes read and written of which it is known whose they are, against /sys/block/DEV/stat.
    DeviceOwnedBytes,
    /// Read requests, against /sys/block/DEV/stat.
    DeviceReads,
    /// Write requests, those for a flush included, against /sys/block/DEV/stat.
    DeviceWrites,
    /// Flushes that the device has executed, against /sys/block/DEV/stat.
    DeviceFlushes,
    /// Major page faults that the probes saw, against `maj_flt` of the tasks.
    MajorFaults,
    /// Minor page faults that were timed, against `min_flt` of the tasks.
    MinorFaults,
}

impl CheckKind {
    /// Whether numbers of events are compared, and not bytes.
    pub const fn is_count(self) -> bool {
        matches!(
            self,
            Self::DeviceReads
                | Self::DeviceWrites
                | Self::DeviceFlushes
                | Self::MajorFaults
                | Self::MinorFaults
        )
    }
}

/// A histogram whose buckets do not hold as many values as it counts: its quantiles are null where that leaves them
/// less certain than 1.6 %.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IncompleteHistogram {
    /// The workload.
    pub workload: Text,
    /// Which of its histograms: the section of the report, the row and the column.
    pub what: Text,
    /// The values counted.
    pub count: u64,
    /// The values in buckets.
    pub in_buckets: u64,
}

/// What a system call costs that does nothing, and what the probes add to it. In nanoseconds of CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallCost {
    /// Nanoseconds of its entry and exit, without probes.
    pub bare_ns: u64,
    /// Nanoseconds that the probes add in a process in scope.
    pub in_scope_ns: u64,
    /// Nanoseconds that they add there while the statistics of BPF programs are on.
    pub with_statistics_ns: u64,
    /// Of both, nanoseconds that lie between the probes' time stamps, and so in the latency of each call; null in reports
    /// of an older ioprof.
    #[serde(default)]
    pub inside_ns: Option<u64>,
    /// Nanoseconds that they add in any other process of the machine.
    pub others_ns: u64,
    /// How many nanoseconds these were apart, at both ends of the run and in between.
    pub error_ns: u64,
}

/// What was lost, what was missing, and what the kernel counted for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ledger {
    /// Events that were lost, by kind; all kinds are there.
    pub lost: BTreeMap<Text, u64>,
    /// Requests that were queued before the window and completed in it: in no other count.
    pub requests_in_flight_at_attach: u64,
    /// Their bytes; null in reports of an older ioprof.
    #[serde(default)]
    pub bytes_in_flight_at_attach: Option<u64>,
    /// Calls that were in progress when the probes were attached: in no other count.
    pub calls_in_flight_at_attach: u64,
    /// Calls by the 32-bit interface, which are counted by the names of the 64-bit ones.
    pub compat_calls: u64,
    /// Vectored calls whose size is that of what was moved, because their segments were too many or could not be read.
    pub vectors_unread: u64,
    /// What became of each probe.
    pub probes: Vec<Probe>,
    /// Nanoseconds of CPU time that the probes took of the machine over the run: for calls, by what they cost each; for
    /// other events in proportion to the part that was measured. Null where that may not be measured.
    pub probe_cpu_ns: Option<u64>,
    /// The part of the run in which that was measured, from 0 to 1; null where it may not be.
    pub probe_cpu_measured_share: Option<f64>,
    /// What a call costs that does nothing; null where it could not be measured.
    pub call_cost: Option<CallCost>,
    /// Sums of the probes, beside the kernel's own.
    pub checks: Vec<Check>,
    /// The histograms whose buckets do not hold as many values as they count; all were compared.
    pub incomplete_histograms: Vec<IncompleteHistogram>,
    /// Messages of the probes and of ioprof.
    pub messages: Vec<Text>,
}

impl Ledger {
    /// Events lost, of all kinds.
    pub fn lost_total(&self) -> u64 {
        sum(self.lost.values().copied()).saturating_add(self.missed())
    }

    /// Events that probes did not see because they were running on that CPU already.
    pub fn missed(&self) -> u64 {
        sum(self.probes.iter().filter_map(|probe| probe.missed))
    }

    /// The probes that are missing, and why.
    pub fn missing(&self) -> impl Iterator<Item = (&Probe, &Text)> {
        self.probes
            .iter()
            .filter_map(|probe| Some((probe, probe.verdict.reason_missing()?)))
    }
}
