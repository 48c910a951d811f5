//! Options of `batch`.

use std::path::PathBuf;

use super::{CommonOptions, SizeRange};

/// Many files through a pipeline of stages.
#[derive(clap::Args, Clone, Debug)]
pub struct BatchOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// Work on this folder instead of a data set made for the run; nothing in it is changed
    #[arg(long, value_name = "DIR")]
    pub input: Option<PathBuf>,

    /// Number of files of the data set
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub files: u64,

    /// Size of a file of the data set, or a range to draw each one's from
    #[arg(long, value_name = "SIZE[-SIZE]", default_value = "64K")]
    pub file_size: SizeRange,

    /// What to do with the contents; several are applied one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Transform::Checksum])]
    pub transform: Vec<Transform>,

    /// Write the transformed files to a folder of the run's own, and make them durable; by default they are discarded
    #[arg(long)]
    pub write: bool,

    /// Threads per stage; by default one per processor
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: Option<u32>,

    /// Give results out in the order the files were found
    #[arg(long)]
    pub ordered: bool,

    /// Write one line per file, its size, result and path, to this file
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
}

/// What a stage of `batch` does with a file's bytes.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// xxh3, 64 bits
    Checksum,
    /// Count lines
    Lines,
    /// Compress with zstd at its level 1
    Compress,
    /// Nothing
    None,
}
