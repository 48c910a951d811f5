//! Pages that were made dirty, and what became of them.

use serde::{Deserialize, Serialize};

/// What became of the pages of files and block devices that a workload made dirty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Writeback {
    /// Bytes of the pages that it made dirty, by calls and through mappings. A page that was written and made dirty
    /// again counts again. Folios are counted whole.
    pub dirtied_bytes: u64,
    /// Those of them that it made dirty outside calls, through mappings.
    pub mapped_bytes: u64,
    /// Bytes of them that others submitted to devices: threads of the kernel, or a process in no workload that syncs.
    /// The sum of the rows of `block` with origin `writeback`.
    pub written_bytes: u64,
    /// Bytes of dirty pages that its tasks dropped before they were written, by truncation or deletion;
    /// cancelled_write_bytes of proc_pid_io(5).
    pub cancelled_bytes: u64,
    /// Bytes that were still dirty when the run ended; at most what the page cache held of each file.
    pub dirty_bytes_at_end: u64,
    /// Bytes written to devices for it (origins `thread` and `writeback`) over the bytes that it wrote by calls,
    /// io_uring and io_submit(2), and `mapped_bytes`; null where these are 0 or not known.
    pub write_amplification: Option<f64>,
}
