//! The options of `ioprof calibrate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What stands below its options.
pub const HELP: &str = "\
It takes about a minute, and up to 1 GiB of free space (--quick: 10 to 15 s, 256 MiB; --thorough: 10 min,
4 GiB). Nothing else should use the device meanwhile: what others do is told. Ctrl-C stops it.

Examples:
  ioprof calibrate /srv
  ioprof calibrate --export iotune /srv > io_properties.yaml
  ioprof calibrate --export iocost /srv | sudo tee /sys/fs/cgroup/io.cost.model";

/// `ioprof calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// A folder on the device, or a file in one. Without it, the current folder.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Measure fewer sizes, in 10 to 15 s.
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
    /// Measure nothing: write what is known of the device to stdout, as another program reads it.
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["quick", "thorough", "output", "no_save"])]
    pub export: Option<Export>,
}

/// What reads the limits of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// Seastar, for which iotune writes io_properties.yaml.
    Iotune,
    /// The kernel's controller io.cost, for which iocost_coef_gen.py writes a line of io.cost.model.
    Iocost,
}
