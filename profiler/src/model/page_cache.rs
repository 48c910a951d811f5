//! How the page cache served reads.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// How calls that read from regular files were served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PageCache {
    /// From the page cache, where it was before, without a request and without waiting.
    pub hits: Served,
    /// By calls that made a request to a device.
    pub misses: Served,
    /// From the page cache, likewise, where calls of the same thread had brought it, and none had read it; null where that
    /// was not told apart.
    #[serde(default)]
    pub read_ahead: Option<Served>,
    /// By calls that made none, and waited for one that was in progress.
    pub read_ahead_waits: Served,
    /// Past the cache.
    pub direct: Served,
    /// Bytes read from devices, by page faults too, over those that it read by these calls, io_uring and io_submit(2);
    /// null where these are 0 or not known.
    pub read_amplification: Option<f64>,
}

impl PageCache {
    /// The ways that are known, by their keys.
    pub fn ways(&self) -> impl Iterator<Item = (&'static str, &Served)> {
        [
            ("hits", Some(&self.hits)),
            ("misses", Some(&self.misses)),
            ("read_ahead", self.read_ahead.as_ref()),
            ("read_ahead_waits", Some(&self.read_ahead_waits)),
            ("direct", Some(&self.direct)),
        ]
        .into_iter()
        .filter_map(|(key, served)| Some((key, served?)))
    }
}

/// Calls that the page cache served in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Served {
    /// Bytes they read.
    pub bytes: u64,
    /// Nanoseconds from entry to exit; its count is that of the calls.
    pub latency: Histogram,
}
