//! The command line of `ioprof sweep`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueHint};

use super::Words;

/// What stands below its options.
pub const HELP: &str = "\
VALUES are divided by commas. A range such as 4k..1m doubles from its first end up to its last.
In a command {NAME} stands for the value; {{NAME}} stands for the text {NAME}. Of a built-in
workload NAME is one of its options; one that takes no value is swept by yes,no.

Settings take turns: a round of all, then another in another order. The table goes to stderr.

Examples:
  sudo ioprof sweep --param bs=4K..1M -- dd if=data of=/dev/null bs={bs}
  sudo ioprof sweep async --access random --direct --param depth=1,4,16,64";

/// `ioprof sweep`.
#[derive(Clone, Debug, Args)]
pub struct Sweep {
    /// The options.
    #[command(flatten)]
    pub options: SweepOptions,
    /// A built-in workload, followed by its own options.
    #[arg(value_name = "WORKLOAD", allow_hyphen_values = true, value_parser = Words)]
    pub words: Vec<OsString>,
    /// A command and its arguments, with {NAME} where the value of a parameter goes.
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandName)]
    pub command: Vec<OsString>,
}

/// The options of `ioprof sweep`, which may also stand behind a workload.
#[derive(Clone, Debug, Default, Args)]
pub struct SweepOptions {
    /// Vary NAME over VALUES, such as bs=4k..1m or depth=1,4,16. Several parameters make all combinations.
    #[arg(long = "param", value_name = "NAME=VALUES")]
    pub parameters: Vec<String>,
    /// Run each setting N times; if not given, as often as telling the settings apart takes, and at least 5 times.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: Option<u32>,
    /// Do not run each setting once before, unmeasured.
    #[arg(long)]
    pub no_warm_up: bool,
    /// Run the command or the workload as this user. Requires root.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Before each run evict this file, or all files below this folder, from the page cache. May be given several times.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub evict: Vec<PathBuf>,
    /// Show all settings, and all that made each slower.
    #[arg(long)]
    pub full: bool,
    /// Write the sweep as JSON to FILE. If FILE is `-`, to stdout: a command's own stdout goes to stderr then.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}
