//! The command line.

mod calibrate;
mod compare;
mod sweep;
mod tune;
mod tune_system;

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

use clap::{
    Arg, Args, Parser, Subcommand, ValueEnum, ValueHint,
    builder::{OsStringValueParser, PossibleValue, TypedValueParser},
};
use clap_complete::Shell;
use ioprof_workloads::Workload;

pub use calibrate::{Calibrate, Export};
pub use compare::{Compare, Format};
pub use sweep::{Sweep, SweepOptions};
pub use tune::{Given, Search, SearchOptions, Tune};
pub use tune_system::TuneSystem;

use crate::output::terminal::{Section, View};

/// Show where the I/O time and the device bytes of a workload go, from the system call to the device.
#[derive(Debug, Parser)]
#[command(
    name = "ioprof",
    disable_version_flag = true,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_long_help = EXIT_STATUS
)]
pub struct Cli {
    /// Print the version and its commit.
    // Not clap's own, which prints as soon as it is met: `--verbose` may stand behind it.
    #[arg(short = 'V', long)]
    pub version: bool,
    /// With --version: also print the compilers and the hash of the eBPF object.
    #[arg(short, long, requires = "version")]
    pub verbose: bool,
    /// The command; none with --version.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_STATUS: &str = "\
`ioprof run` exits with the command's status; a signal is raised again. 125: ioprof failed.
126: the command cannot be executed. 127: the command is not found. 123: --fail-on has findings.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Profile a command with all its descendants, or built-in workloads. The report goes to stderr.
    #[command(
        override_usage = "ioprof run [OPTIONS] WORKLOAD [ITS OPTIONS] [WORKLOAD ...]\n       \
                          ioprof run [OPTIONS] -- COMMAND [ARGUMENT ...]",
        after_help = RUN_HELP
    )]
    Run(Run),
    /// Profile running processes until Ctrl-C or their end. Detaching leaves them running. The report goes to stderr.
    Attach(Attach),
    /// Show the last run's report, or that of a file, on stdout. Needs no privileges.
    Report {
        /// The report, as written with -o. Without it, the last run's.
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// List the last runs and their files.
        #[arg(long, conflicts_with_all = ["file", "full", "section", "fail_on"])]
        list: bool,
        /// Exit with 123 if there is a finding of this severity or above.
        #[arg(long, value_name = "SEVERITY")]
        fail_on: Option<FailOn>,
        /// How much of it is shown.
        #[command(flatten)]
        shown: Shown,
    },
    /// Compare reports of the same work: which counts differ, and with several of each side, which times. Needs no privileges.
    #[command(
        override_usage = "ioprof compare [OPTIONS] BEFORE AFTER\n       \
                          ioprof compare [OPTIONS] BEFORE... -- AFTER...",
        after_help = compare::HELP
    )]
    Compare(Compare),
    /// Measure what the device under PATH can do, and keep it. Reads and writes a file of its own there, which has no
    /// name. Needs no privileges.
    #[command(after_help = calibrate::HELP)]
    Calibrate(Calibrate),
    /// Run a command or a built-in workload by many settings in turns: which is the fastest, and why others are slower.
    #[command(
        override_usage = "ioprof sweep [OPTIONS] WORKLOAD [ITS OPTIONS] --param OPTION=VALUES\n       \
                          ioprof sweep [OPTIONS] --param NAME=VALUES -- COMMAND [ARGUMENT ...]",
        after_help = sweep::HELP
    )]
    Sweep(Sweep),
    /// Search the settings that suit this machine: those of a workload, or of the kernel.
    #[command(subcommand)]
    Tune(Tune),
    /// Explain a finding: what it means, how its gain is computed, when it is wrong. Without ID: list them.
    Explain {
        /// The rule, such as SYNC001.
        id: Option<String>,
    },
    /// Run a built-in workload without probes, and print its own counts.
    Workload {
        /// The workload.
        #[command(subcommand)]
        workload: Workload,
        /// Also write its counts, as JSON, to this inherited descriptor.
        #[arg(long, global = true, hide = true)]
        summary_fd: Option<i32>,
        /// Signal readiness on this inherited socket, then wait there for the start.
        #[arg(long, global = true, hide = true)]
        start_fd: Option<i32>,
    },
    /// Check what this kernel and these privileges allow. Exits with 0 only if `run` works.
    Doctor {
        /// Instead: list what of this kernel's system calls, opcodes, block devices and file systems is told by name, in a
        /// class, or not at all. Needs no privileges. Exits with 1 if the kernel has one that ioprof does not know.
        #[arg(long)]
        coverage: bool,
        /// Also print what the kernel's verifier took for each eBPF program: CPU time and verified instructions.
        #[arg(short, long, conflicts_with = "coverage")]
        verbose: bool,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages.
    Man {
        /// Output directory, created if missing.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

const RUN_HELP: &str = "\
Workloads: async, mmap, batch, copy. `ioprof workload NAME --help` lists the options of each.
Several run one after the other, or together with --parallel; each has its own section.

A command runs as the invoking user: root under sudo. Built-in workloads run as the user who called
sudo. --user sets another user; environment (with HOME), limits and working directory stay.

The report goes to stderr; on a terminal a line there tells what a command does meanwhile.
Ctrl-C, SIGTERM and SIGHUP go to the command, and the report is written when it has ended: a program that
handles them, as a shell, goes on. Two within 2 seconds kill it.
The exit status is the command's; a signal is raised again.
125: ioprof failed. 126: the command cannot be executed. 127: the command is not found.
123: the command succeeded, and there are findings of --fail-on.

Examples:
  sudo ioprof run async
  sudo ioprof run async mmap batch --parallel
  sudo ioprof run -o run.json -- tar cf /dev/null /usr/share
  sudo ioprof run --repeat 10 --interleave 'cp a b' -- cp --reflink=never a b";

/// `ioprof run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The options.
    #[command(flatten)]
    pub options: RunOptions,
    /// Run N times, and show the medians and what varies. The reports of -o FILE.json are FILE.1.json and so on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: Option<u32>,
    /// Run this command, in one word, in turns with the other, before it, and compare both. The reports of -o FILE.json
    /// are FILE.before.1.json, FILE.after.1.json and so on.
    #[arg(long, value_name = "COMMAND", requires = "command")]
    pub interleave: Option<String>,
    /// Built-in workloads, each followed by its own options.
    // Not an external subcommand: clap looks for one only where no positional argument is left.
    #[arg(value_name = "WORKLOAD", allow_hyphen_values = true, value_parser = Words)]
    pub words: Vec<OsString>,
    /// A command and its arguments.
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandName)]
    pub command: Vec<OsString>,
}

/// Takes every word, as the words behind a workload are its options. Tells shells the names of the workloads.
#[derive(Clone)]
struct Words;

impl TypedValueParser for Words {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        OsStringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Workload::NAMES.iter().map(PossibleValue::new)))
    }
}

/// The options of `ioprof run`, which may also stand behind a workload.
#[derive(Clone, Debug, Default, Args)]
pub struct RunOptions {
    /// Run the workloads at the same time.
    #[arg(long)]
    pub parallel: bool,
    /// Wait for all descendants, also those that outlive the command. Ctrl-C ends the waiting and leaves them running.
    #[arg(long)]
    pub wait_all: bool,
    /// Run the command or the workloads as this user. Requires root.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Write what is dirty of the file system of PATH, then evict the file, or all files below the folder, from the page
    /// cache, before the start. May be given several times.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub evict: Vec<PathBuf>,
    /// The options that `run` and `attach` share.
    #[command(flatten)]
    pub common: Common,
}

/// The options that `run` and `attach` share.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Write the report as JSON to FILE. If FILE is `-`, to stdout: a command's own stdout goes to stderr then.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Also time minor page faults. Each minor fault on the machine then takes about 0.3 us longer.
    #[arg(long)]
    pub minor_fault_time: bool,
    /// Wait at the end until the workloads' dirty pages are written, and count these writes.
    #[arg(long)]
    pub sync: bool,
    /// Wait at most this long for requests that are in flight when the workloads end; 1 if not given, 0 not to wait.
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none)]
    pub drain: Option<std::time::Duration>,
    /// Exit with 123 if there is a finding of this severity or above, and nothing else has failed.
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Do not keep the report for `ioprof report`.
    #[arg(long)]
    pub no_save: bool,
    /// Do not attach the probe of this tracepoint, as on a kernel without it.
    #[arg(long, value_name = "TRACEPOINT", hide_short_help = true)]
    pub without_probe: Vec<String>,
    /// How much of the report is shown.
    #[command(flatten)]
    pub shown: Shown,
}

/// How much of a report is shown.
#[derive(Clone, Debug, Default, Args)]
pub struct Shown {
    /// Show the whole report, not only what fits on a screen.
    #[arg(long, conflicts_with = "section")]
    pub full: bool,
    /// Show these sections of the whole report.
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub section: Vec<Section>,
}

impl Shown {
    /// What is shown.
    pub fn view(&self) -> View {
        if !self.section.is_empty() {
            View::Sections(self.section.clone())
        } else if self.full {
            View::Full
        } else {
            View::Screen
        }
    }
}

/// The severities of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// 1 % or more of the wall time without the wait for a CPU is at stake.
    Info,
    /// 5 % or more.
    Warning,
    /// 30 % or more.
    Critical,
}

impl fmt::Display for FailOn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// `ioprof attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// The processes, with their threads and later children. Those of one program are one workload. See --tree.
    #[arg(
        short,
        long = "pid",
        value_name = "PID",
        required = true,
        value_delimiter = ','
    )]
    pub pids: Vec<i32>,
    /// Have each process be a workload of its own.
    #[arg(long)]
    pub separate: bool,
    /// Also take the processes that exist below these; what they start from now on is taken anyway.
    #[arg(long)]
    pub tree: bool,
    /// Stop after this many seconds.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<std::time::Duration>,
    /// The options that `run` and `attach` share.
    #[command(flatten)]
    pub common: Common,
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    seconds_or_none(text)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a positive number of seconds is needed, such as 10 or 0.5".into())
}

fn seconds_or_none(text: &str) -> Result<std::time::Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds is needed, such as 1 or 0.5, or 0".into())
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
    fn the_version_is_told_with_and_without_all_in_any_order() {
        let parse = |words: &[&str]| Cli::try_parse_from([&["ioprof"], words].concat());
        for (words, is_verbose) in [
            (&["--version"][..], false),
            (&["-V"], false),
            (&["--version", "--verbose"], true),
            (&["--verbose", "--version"], true),
            (&["-vV"], true),
        ] {
            let cli = parse(words).expect("it is understood");
            assert!(cli.command.is_none() && cli.version, "{words:?}");
            assert_eq!(cli.verbose, is_verbose, "{words:?}");
        }
        for mistake in [&["--verbose"][..], &[], &["--version", "doctor"]] {
            assert!(parse(mistake).is_err(), "{mistake:?}");
        }
    }

    #[test]
    fn workloads_and_commands_are_told_apart() {
        let run = |words: &[&str]| match Cli::try_parse_from([&["ioprof", "run"], words].concat()) {
            Ok(Cli {
                command: Some(Command::Run(run)),
                ..
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
