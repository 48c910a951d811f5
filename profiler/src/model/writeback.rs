//! Pages that were made dirty, and what became of them.

use serde::{Deserialize, Serialize};

/// What became of the pages that a workload made dirty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writeback {
    /// Bytes of the pages of files that it made dirty; those of a page that was written and made dirty again
    /// count again.
    pub dirtied_bytes: u64,
    /// Those of them that it made dirty outside calls: through mappings.
    pub mapped_bytes: u64,
    /// Bytes of them that others wrote to devices: threads of the kernel, or another process's sync.
    pub written_bytes: u64,
    /// Bytes that were dropped before they were written, by the kernel's count.
    pub cancelled_bytes: u64,
    /// Bytes that were still dirty when the run ended.
    pub dirty_bytes_at_end: u64,
    /// Bytes written to devices by its threads and by others for it, over the bytes that it wrote by calls,
    /// io_uring and io_submit(2), and `mapped_bytes`; none where these are 0 or not known.
    pub write_amplification: Option<f64>,
}
