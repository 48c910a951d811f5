//! Options of `mmap`.

use super::{CommonOptions, Size};

/// A file through a sliding window of mapped memory.
#[derive(clap::Args, Clone, Debug)]
pub struct MmapOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// Access patterns, one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Pattern::Scan, Pattern::Random, Pattern::Update])]
    pub pattern: Vec<Pattern>,

    /// File size
    #[arg(long, value_name = "SIZE", default_value = "768M")]
    pub file_size: Size,

    /// Bytes of data at the start; the rest is a hole [default: all]
    #[arg(long, value_name = "SIZE")]
    pub data_size: Option<Size>,

    /// Maximum mapped window
    #[arg(long, value_name = "SIZE", default_value = "32M")]
    pub window: Size,

    /// Bytes per step of a scan
    #[arg(long, value_name = "SIZE", default_value = "1M")]
    pub block_size: Size,

    /// Accesses per pattern [default: random one per 4K, update one per 64K]
    #[arg(long, value_name = "COUNT")]
    pub operations: Option<u64>,

    /// Prefault each window (MAP_POPULATE)
    #[arg(long)]
    pub populate: bool,

    /// Request huge pages (MADV_HUGEPAGE); a note gives the bytes granted
    #[arg(long)]
    pub huge: bool,

    /// With --keep: reuse the file although an update has changed its contents, which nothing here reads for what they are
    #[arg(long, hide = true, requires = "keep")]
    pub reuse_changed: bool,
}

/// The access patterns of `mmap`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Read every byte from start to end
    Scan,
    /// Read 8 bytes at random offsets
    Random,
    /// Change 8 bytes at random offsets, then msync each window
    Update,
}
