//! What the workloads of a run have done so far, all together: not a part of the report.

use std::collections::BTreeMap;

use crate::transfer::Direction;

/// What they have done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What they moved by calls, io_uring and io_submit; none where that is not known.
    pub moved: Option<Moved>,
    /// Their requests to devices in flight; none where that is not known.
    pub in_flight: Option<u64>,
    /// Nanoseconds of calls that have a name, and of operations of io_uring, by that.
    pub time_ns: BTreeMap<String, u64>,
}

/// Bytes that were moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// To the program.
    pub read_bytes: u64,
    /// From the program.
    pub written_bytes: u64,
    /// From descriptor to descriptor.
    pub copied_bytes: u64,
}

impl Moved {
    /// Adds some, one way.
    pub const fn add(&mut self, direction: Direction, bytes: u64) {
        let sum = match direction {
            Direction::Read => &mut self.read_bytes,
            Direction::Written => &mut self.written_bytes,
            Direction::Copied => &mut self.copied_bytes,
        };
        *sum = sum.saturating_add(bytes);
    }
}
