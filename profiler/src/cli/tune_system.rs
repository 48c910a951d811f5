//! The options of `ioprof tune system`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueHint};

use crate::analysis::tune_system::{Cache, Name};

/// What stands below its options.
pub const HELP: &str = "\
Without --apply nothing is changed and nothing run: it lists what would be tried, and the lines
that make a value permanent. That takes no privileges. With --apply, as root, each value is set, the
command run, and the value that was found put back: in turns, N times, one setting at a time. A
value helps where the confidence interval of the wall time says so; `~` is no difference that can be
told.

Everything is put back at the end, on SIGINT, SIGTERM and SIGHUP, and by a second process where
ioprof is killed. With --keep what helps stays, until the next start. A setting is left alone where
its value is not the kernel's default, or a file of udev, sysctl.d, TuneD or fstab sets it.

The command reads from /dev/null, and what it writes to stdout is discarded. Nothing else should use
the disk meanwhile.

Examples:
  ioprof tune system /srv
  sudo ioprof tune system --apply --cache cold /srv -- tar cf - /srv/data
  sudo ioprof tune system --apply --only scheduler,nr_requests /srv -- sh load.sh";

/// `ioprof tune system`.
#[derive(Debug, Args)]
pub struct TuneSystem {
    /// A folder or a file on the disk whose settings are tried: where the command reads and writes.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Try the values, and put everything back. Requires root.
    #[arg(long, requires = "command")]
    pub apply: bool,
    /// Leave what helps in place, until the next start of the system.
    #[arg(long, requires = "apply")]
    pub keep: bool,
    /// Try each value N times.
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: u32,
    /// Try these settings only.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<Name>,
    /// The page cache before each run: as it is, or without the files below PATH.
    #[arg(long, value_enum, default_value_t = Cache::AsIs)]
    pub cache: Cache,
    /// Write the result as JSON to FILE. If FILE is `-`, to stdout: the text goes to stderr then.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// A command and its arguments.
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandName)]
    pub command: Vec<OsString>,
}
