//! System calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{histogram::Histogram, off_cpu::CallTime, sum::sum};
use crate::text::Text;

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syscall {
    /// Its name, or `other` for all without a name of their own.
    pub name: Text,
    /// Calls that returned.
    pub calls: u64,
    /// Those that returned an error, by its name.
    pub errors: BTreeMap<Text, u64>,
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
