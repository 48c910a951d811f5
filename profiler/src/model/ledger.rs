//! The ledger: what was lost, what was missing, and what the kernel counted itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sum::sum;
use crate::text::Text;

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It ran.
    Attached,
    /// Another does its work on this kernel, or nobody asked for it.
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

/// A probe in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The program.
    pub name: Text,
    /// What it is attached to.
    pub tracepoint: Text,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Events it did not see because it was running on that CPU already; none where that is not known.
    pub missed: Option<u64>,
    /// Runs while the overhead was measured; none where it was not.
    pub measured_runs: Option<u64>,
    /// Nanoseconds those runs took.
    pub measured_ns: Option<u64>,
}

/// A sum of the probes beside the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The workload; none where it is about everybody.
    pub workload: Option<Text>,
    /// The device; none where it is about all.
    pub device: Option<Text>,
    /// What is compared.
    pub what: CheckKind,
    /// What the probes counted.
    pub counted: u64,
    /// What the kernel counted.
    pub kernel: u64,
}

/// What is compared, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Bytes read from a device by everybody, against /sys/block/DEV/stat.
    DeviceReadBytes,
    /// Bytes written to a device by everybody, against /sys/block/DEV/stat.
    DeviceWrittenBytes,
    /// Bytes read and written of which it is known whose they are, against /sys/block/DEV/stat.
    DeviceOwnedBytes,
    /// Read requests, against /sys/block/DEV/stat.
    DeviceReads,
    /// Write requests, those for a flush included, against /sys/block/DEV/stat.
    DeviceWrites,
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
            Self::DeviceReads | Self::DeviceWrites | Self::MajorFaults | Self::MinorFaults
        )
    }
}

/// The ledger of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Events that were lost, by kind; all kinds are there.
    pub lost: BTreeMap<Text, u64>,
    /// Requests that were in flight when the probes were attached: in no other count.
    pub requests_in_flight_at_attach: u64,
    /// Calls that were in progress when the probes were attached: in no other count.
    pub calls_in_flight_at_attach: u64,
    /// Calls by the 32-bit interface, all counted as `other`.
    pub compat_calls: u64,
    /// Vectored calls whose size is that of what was moved, because their segments were too many.
    pub vectors_unread: u64,
    /// What became of the probes.
    pub probes: Vec<Probe>,
    /// CPU time of the probes over the run, their overhead; none where it may not be measured.
    pub probe_cpu_ns: Option<u64>,
    /// Which part of the run that was measured in, from 0 to 1; the rest is in proportion.
    pub probe_cpu_measured_share: Option<f64>,
    /// The probes' sums beside the kernel's.
    pub checks: Vec<Check>,
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
