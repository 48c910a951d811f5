//! The command line.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use clap::{Args, Parser, Subcommand};
use ioprof_workloads::Workload;

/// Where the I/O time and the device bytes of a workload went, from the system call to the device.
#[derive(Debug, Parser)]
#[command(name = "ioprof", version, long_version = VERSION.as_str(), max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The version with the eBPF object it carries, for --version; -V has the number alone.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let number = env!("CARGO_PKG_VERSION");
    format!(
        "{number}\neBPF object {}",
        crate::kernel::OBJECT_RECORD.trim()
    )
});

/// What ioprof can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Profile built-in workloads, or a command with all its descendants.
    #[command(
        override_usage = "ioprof run [OPTIONS] WORKLOAD [ITS OPTIONS] [WORKLOAD ...]\n       \
                          ioprof run [OPTIONS] -- COMMAND [ARGUMENT ...]",
        after_help = RUN_HELP
    )]
    Run(Run),
    /// Profile processes that already run, until Ctrl-C or their end; they live on.
    Attach(Attach),
    /// Print a saved report again; needs no privileges.
    Report {
        /// A report that was written with -o.
        file: PathBuf,
    },
    /// Run a built-in workload without any probe, and print what it did.
    Workload {
        /// Which.
        #[command(subcommand)]
        workload: Workload,
        /// Also write what it did, as JSON, to this inherited descriptor.
        #[arg(long, global = true, hide = true)]
        summary_fd: Option<i32>,
        /// Say on this inherited socket when the data are made, and wait there for the word to begin.
        #[arg(long, global = true, hide = true)]
        start_fd: Option<i32>,
    },
    /// Show what this kernel and these privileges allow; exit 0 only if `run` would work.
    Doctor,
}

const RUN_HELP: &str = "\
Workloads: async, mmap, batch, copy; `ioprof workload NAME --help` shows the options of each.
Several run one after the other, or together with --parallel; each has its own section.

The report goes to stderr, so that the command's output stays its own. The exit status is that of
the command (a signal is raised again); ioprof's own failure is 125, a command that cannot be
executed 126, one that is not found 127.

Examples:
  sudo ioprof run async
  sudo ioprof run async mmap batch --parallel
  sudo ioprof run -o run.json -- tar cf /dev/null /usr/share";

/// `ioprof run`.
#[derive(Debug, Args)]
pub struct Run {
    /// How to run.
    #[command(flatten)]
    pub options: RunOptions,
    /// Built-in workloads, each followed by its own options.
    // Not an external subcommand: clap looks for one only where no positional argument is left.
    #[arg(value_name = "WORKLOAD", allow_hyphen_values = true)]
    pub words: Vec<OsString>,
    /// A command and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// The options of `ioprof run`, which may also stand behind a workload.
#[derive(Clone, Debug, Default, Args)]
pub struct RunOptions {
    /// Run several workloads together rather than one after the other.
    #[arg(long)]
    pub parallel: bool,
    /// What every profiling has.
    #[command(flatten)]
    pub common: Common,
}

/// What `run` and `attach` share.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Write the report as JSON to FILE, or to stdout where it is `-`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Also time minor page faults; each one of any process on the machine then takes about 0.3 us longer.
    #[arg(long)]
    pub minor_fault_time: bool,
    /// Wait at the end until what the workloads made dirty is written, and count that, too.
    #[arg(long)]
    pub sync: bool,
    /// Go without the probe at this tracepoint, as on a kernel that does not have it.
    #[arg(long, value_name = "TRACEPOINT", hide_short_help = true)]
    pub without_probe: Vec<String>,
}

/// `ioprof attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// The processes, each a workload of its own with all its threads and later children.
    #[arg(
        short,
        long = "pid",
        value_name = "PID",
        required = true,
        value_delimiter = ','
    )]
    pub pids: Vec<i32>,
    /// End after this many seconds.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<std::time::Duration>,
    /// What every profiling has.
    #[command(flatten)]
    pub common: Common,
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a positive number of seconds is needed, as in 10 or 0.5".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn workloads_and_commands_are_told_apart() {
        let run = |words: &[&str]| match Cli::try_parse_from([&["ioprof", "run"], words].concat()) {
            Ok(Cli {
                command: Command::Run(run),
            }) => run,
            other => panic!("{other:?}"),
        };
        let builtin = run(&["-o", "x.json", "async", "--files", "10", "mmap"]);
        assert_eq!(builtin.words, ["async", "--files", "10", "mmap"]);
        assert!(builtin.command.is_empty());
        let command = run(&["--", "async", "--", "-o"]);
        assert_eq!(command.command, ["async", "--", "-o"]);
        assert!(command.words.is_empty());
    }
}
