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

/// What all workloads have in common.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct CommonOptions {
    /// Folder to make the data set in; by default a temporary one on a real file system (not tmpfs)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// The data set's bytes, the random offsets and the order follow from this number alone
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Leave the data set in place, and use the one that an earlier --keep left there
    #[arg(long)]
    pub keep: bool,

    /// The page cache before the measured phase
    #[arg(long, value_enum, default_value_t)]
    pub cache: CacheState,
}

/// What the page cache is to hold when the measured phase starts.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheState {
    /// Nothing of the data set: posix_fadvise, and drop_caches (the whole machine's) where root
    #[default]
    Cold,
    /// No contents of the data set's files, by posix_fadvise alone: what `cold` is without privileges
    ColdData,
    /// All of the data set, as far as memory allows
    Warm,
    /// Whatever it holds now
    AsIs,
}

/// The name of an option's value on the command line.
pub(crate) fn value_name<T: clap::ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |possible| possible.get_name().to_owned())
}
