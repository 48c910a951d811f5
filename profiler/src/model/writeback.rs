//! Pages that were made dirty, and what became of them.

use serde::{Deserialize, Serialize};

/// What became of the pages of files and block devices that a workload made dirty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Writeback {
    /// Bytes that it made dirty in the page cache: what calls wrote there, but no more than the folios that became
    /// dirty, and `mapped_bytes`. What was written back and made dirty again counts again. It is at most that, where
    /// bytes were written over that were dirty.
    pub dirtied_bytes: u64,
    /// Bytes of the whole folios around them, as the kernel counts them in write_bytes of proc_pid_io(5).
    #[serde(default)]
    pub dirtied_folio_bytes: u64,
    /// Bytes of folios of metadata that it made dirty: the kernel counts them in write_bytes, too. They are in no other figure
    /// here.
    #[serde(default)]
    pub metadata_folio_bytes: u64,
    /// Bytes of the folios that it made dirty by page faults, through mappings: the most that it can have changed.
    pub mapped_bytes: u64,
    /// One page for each of those folios: the pages that it is known to have written to.
    #[serde(default)]
    pub mapped_page_bytes: u64,
    /// Bytes of them that others submitted to devices: threads of the kernel, or a process in no workload that syncs.
    /// The sum of the rows of `block` with origin `writeback`.
    pub written_bytes: u64,
    /// Bytes of dirty pages that its tasks dropped before they were written, by truncation or deletion;
    /// cancelled_write_bytes of proc_pid_io(5).
    pub cancelled_bytes: u64,
    /// Bytes that were still dirty when the run ended, at most.
    pub dirty_bytes_at_end: u64,
    /// Bytes written to devices for the files that it changed (origins `thread` and `writeback`) over the bytes that it
    /// wrote to files and block devices by calls, io_uring and io_submit(2), and `mapped_bytes`; null where these are 0
    /// or not known, or where `mapped_bytes` and `mapped_page_bytes` differ.
    pub write_amplification: Option<f64>,
    /// Between what it is: with `mapped_bytes`, and with `mapped_page_bytes` in their place.
    #[serde(default)]
    pub write_amplification_bounds: Option<Bounds>,
}

/// What a figure that is not known exactly lies between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bounds {
    /// It is no less.
    pub least: f64,
    /// It is no more.
    pub most: f64,
}
