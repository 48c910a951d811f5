//! Options of `mmap`.

use super::{CommonOptions, Size};

/// A file larger than memory allows, through a window of mapped memory.
#[derive(clap::Args, Clone, Debug)]
pub struct MmapOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// What to do with the file; several are done one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Pattern::Scan, Pattern::Random, Pattern::Update])]
    pub pattern: Vec<Pattern>,

    /// Size of the file
    #[arg(long, value_name = "SIZE", default_value = "768M")]
    pub file_size: Size,

    /// How much of the file, from its start, holds data; the rest is a hole. By default all
    #[arg(long, value_name = "SIZE")]
    pub data_size: Option<Size>,

    /// Most of the file that is mapped at once
    #[arg(long, value_name = "SIZE", default_value = "32M")]
    pub window: Size,

    /// Bytes per step: of a scan's borrowed slice, of an update
    #[arg(long, value_name = "SIZE", default_value = "1M")]
    pub block_size: Size,

    /// Random reads (8 bytes each) and updates (8 bytes each) to do over the whole file; by default one per 4 KiB, and one per 64 KiB
    #[arg(long, value_name = "COUNT")]
    pub operations: Option<u64>,

    /// Let the kernel read each window before it is used (MAP_POPULATE)
    #[arg(long)]
    pub populate: bool,

    /// Ask for huge pages (MADV_HUGEPAGE); a note says whether the kernel gave any
    #[arg(long)]
    pub huge: bool,
}

/// What `mmap` does with the file.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Read every byte, from start to end
    Scan,
    /// Read 8 bytes at random places
    Random,
    /// Change 8 bytes at random places, then msync each window
    Update,
}
