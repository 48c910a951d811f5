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

    /// Existing directory to read instead of a generated data set
    #[arg(long, value_name = "DIR")]
    pub input: Option<PathBuf>,

    /// Number of files to generate
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub files: u64,

    /// File size, or a range of sizes
    #[arg(long, value_name = "SIZE[-SIZE]", default_value = "64K")]
    pub file_size: SizeRange,

    /// Transforms, applied in order
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Transform::Checksum])]
    pub transform: Vec<Transform>,

    /// Write and fsync the output to a temporary directory, not discard it
    #[arg(long)]
    pub write: bool,

    /// Threads per stage [default: 1 per CPU]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: Option<u32>,

    /// Report results in the order of discovery
    #[arg(long)]
    pub ordered: bool,

    /// Write a line per file here: state, sizes, checksum, lines, path
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
}

/// The transforms of `batch`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// 64-bit xxh3 checksum
    Checksum,
    /// Count lines
    Lines,
    /// Compress with zstd, level 1
    Compress,
    /// No transform
    None,
}
