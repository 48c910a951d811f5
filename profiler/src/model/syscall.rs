//! System calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{histogram::Histogram, off_cpu::CallTime, sum::sum};
use crate::text::Text;

/// A system call of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Syscall {
    /// The name of the call, or `other` for all without an entry of their own.
    pub name: Text,
    /// Calls that returned, those that a seccomp filter answered included, which have no latency. Those that never
    /// return, such as exit_group, are not counted.
    pub calls: u64,
    /// How many of them failed, by the name of the error. A call that a signal interrupted has the kernel's own code,
    /// such as ERESTARTSYS.
    pub errors: BTreeMap<Text, u64>,
    /// Bytes moved: the sum of the positive results, or of the messages that they count; null for calls that move none, and
    /// where the messages cannot be read.
    pub bytes: Option<u64>,
    /// Nanoseconds from entry to exit, of all threads together.
    pub time_ns: u64,
    /// Where that time went; null where the probes for it are missing.
    pub breakdown: Option<CallTime>,
    /// Nanoseconds from entry to exit of each call.
    pub latency: Histogram,
    /// Where the time of a call went that takes about as long as the 99th percentile: the mean of those in its octave
    /// of latencies; null where there is none, or where its histograms do not have all values.
    pub p99_breakdown: Option<CallTime>,
    /// Bytes each call asked for, those that failed included; null for calls that move none.
    pub size: Option<Histogram>,
}

impl Syscall {
    /// The calls that returned an error.
    pub fn failed(&self) -> u64 {
        sum(self.errors.values().copied())
    }
}
