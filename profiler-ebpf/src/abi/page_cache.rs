//! How the page cache served the calls that read from files.

use zerocopy::{FromBytes, IntoBytes};

use super::{Aggregate, map_value, merge::merge};

/// How a call that reads was served. Hits, which are most calls and the fastest, are what is left of all
/// calls of their kind: the others are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Served {
    /// The call submitted a request to a device.
    Miss = 0,
    /// The call submitted none, and waited for one that was in flight.
    Wait = 1,
    /// `O_DIRECT` was set for the file: the cache was not asked.
    Direct = 2,
    /// The call did not read from a regular file, or failed.
    NotApplicable = 3,
    /// The call did neither, and some of what it read its thread's calls before had brought, and none had read.
    ReadAhead = 4,
}

/// Calls that were served in one way, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct CacheStats {
    /// Calls, and nanoseconds from entry to exit.
    pub latency: Aggregate,
    /// Bytes they moved.
    pub bytes: u64,
}
map_value!(CacheStats, 40);
merge!(CacheStats { latency, bytes });
