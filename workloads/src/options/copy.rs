//! Options of `copy`.

use std::path::PathBuf;

use super::{CommonOptions, Size};

/// One large file, copied by one of several methods.
#[derive(clap::Args, Clone, Debug)]
pub struct CopyOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// Copy method
    #[arg(long, value_enum, default_value_t)]
    pub method: CopyMethod,

    /// Existing file to copy instead of a generated one
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// File size; a quarter of the file is holes
    #[arg(long, value_name = "SIZE", default_value = "640M")]
    pub file_size: Size,

    /// Generate a file without holes
    #[arg(long)]
    pub dense: bool,

    /// Bytes per read, write or splice
    #[arg(long, value_name = "SIZE", default_value = "256K")]
    pub block_size: Size,

    /// Compare contents, size and mode afterwards
    #[arg(long)]
    pub verify: bool,

    /// Skip the fsync of the copy
    #[arg(long)]
    pub no_fsync: bool,
}

/// The methods of `copy`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyMethod {
    /// The fastest supported; holes stay holes
    #[default]
    Auto,
    /// read(2) and write(2)
    ReadWrite,
    /// copy_file_range(2)
    #[value(name = "copy_file_range")]
    CopyFileRange,
    /// sendfile(2)
    Sendfile,
    /// splice(2) through a pipe
    Splice,
    /// write(2) from a mapping of the source
    Mmap,
    /// read(2) and write(2) with O_DIRECT
    Direct,
}
