//! How the page cache served reads.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// How calls that read from regular files were served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageCache {
    /// From the page cache, without a request and without waiting.
    pub hits: Served,
    /// By calls that made a request to a device.
    pub misses: Served,
    /// By calls that made none, and waited for one that was under way.
    pub read_ahead_waits: Served,
    /// Past the cache.
    pub direct: Served,
    /// Bytes read from devices over those that it read by these calls, io_uring and io_submit(2); none where these
    /// are 0 or not known. What page faults read is among the former.
    pub read_amplification: Option<f64>,
}

/// Calls that were served in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Bytes they read.
    pub bytes: u64,
    /// From entry to exit; its count is that of the calls.
    pub latency: Histogram,
}
