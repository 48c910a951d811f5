//! Options of `copy`.

use std::path::PathBuf;

use super::{CommonOptions, Size};

/// The ways to copy a file.
#[derive(clap::Args, Clone, Debug)]
pub struct CopyOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// How to copy
    #[arg(long, value_enum, default_value_t)]
    pub method: CopyMethod,

    /// Copy this file instead of one made for the run; it is not changed
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Size of the file made for the run; a quarter of it is holes
    #[arg(long, value_name = "SIZE", default_value = "640M")]
    pub file_size: Size,

    /// Make the file without holes
    #[arg(long)]
    pub dense: bool,

    /// Bytes per read, write or request
    #[arg(long, value_name = "SIZE", default_value = "256K")]
    pub block_size: Size,

    /// Compare contents, size and mode of the copy with the original's afterwards
    #[arg(long)]
    pub verify: bool,

    /// Do not fsync the copy
    #[arg(long)]
    pub no_fsync: bool,
}

/// The methods of `copy`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyMethod {
    /// The fastest that the file system takes, leaving holes out
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
    /// write(2) out of a map of the original
    Mmap,
    /// read(2) and write(2) past the page cache (O_DIRECT)
    Direct,
}
