//! The options of each workload, as clap reads them.

mod async_files;
mod batch;
mod copy;
mod mmap;
mod size;

use std::path::PathBuf;

pub use async_files::{Access, AsyncOptions, EngineChoice, SyncWhen};
pub use batch::{BatchOptions, Transform};
pub use copy::{CopyMethod, CopyOptions};
pub use mmap::{MmapOptions, Pattern};
pub use size::{Size, SizeRange};

/// The options of all workloads.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct CommonOptions {
    /// Directory for the data set [default: a temporary one, not on tmpfs]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Seed of file contents, sizes, random offsets and order
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Keep the data set, and reuse one kept before
    #[arg(long)]
    pub keep: bool,

    /// Page cache at the start of the measured phase
    #[arg(long, value_enum, default_value_t)]
    pub cache: CacheState,
}

/// The state of the page cache when the measured phase starts.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheState {
    /// Evict the data set; as root, the whole machine's cache
    #[default]
    Cold,
    /// Evict file contents alone, not names and inodes
    ColdData,
    /// Read every file once
    Warm,
    /// Leave it unchanged
    AsIs,
}

/// The name of an option's value on the command line.
pub(crate) fn value_name<T: clap::ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |possible| possible.get_name().to_owned())
}
