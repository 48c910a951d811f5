//! The options of `ioprof calibrate`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// What stands below its options.
pub const HELP: &str = "\
It takes about a minute, and up to 1 GiB of free space (--quick: 10 s, 256 MiB; --thorough: 10 min,
4 GiB). Nothing else should use the device meanwhile: what others do is told. Ctrl-C stops it.

Example:
  ioprof calibrate /srv";

/// `ioprof calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// A folder on the device, or a file in one. Without it, the current folder.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Measure fewer sizes, in about 10 s.
    #[arg(long)]
    pub quick: bool,
    /// Measure more sizes for longer, in about 10 min.
    #[arg(long, conflicts_with = "quick")]
    pub thorough: bool,
    /// Write the calibration as JSON to FILE. If FILE is `-`, to stdout: the table goes to stderr then.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Do not keep the calibration.
    #[arg(long)]
    pub no_save: bool,
}
