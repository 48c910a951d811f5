//! What a built-in workload reports of itself, beside the probes' counts.

use crate::text::Text;
use serde::{Deserialize, Serialize};

/// An operation of a built-in workload, self-reported and as the probes counted it. The count is never less, and hardly
/// more: by what the program's runtime does for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SelfCheck {
    /// What the workload calls it.
    pub operation: Text,
    /// System calls and requests to io_uring, self-reported.
    pub reported_calls: u64,
    /// System calls and requests to io_uring that the probes counted.
    pub counted_calls: u64,
    /// Bytes, self-reported.
    pub reported_bytes: u64,
    /// Bytes that the probes counted.
    pub counted_bytes: u64,
}
