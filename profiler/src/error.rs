//! The errors, each in one line with its remedy.

use std::{io, path::PathBuf};

use crate::text::Text;

/// A failure of ioprof itself; a failure of the profiled command is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The kernel rejects BPF programs of this user.
    #[error(
        "no permission to load BPF programs: run as root (sudo), or give CAP_BPF and CAP_PERFMON, \
         e.g. sudo setcap cap_bpf,cap_perfmon+ep PATH_OF_IOPROF"
    )]
    NoPrivilege,
    /// The kernel has no BTF.
    #[error(
        "no BTF at {path}: ioprof needs a kernel of 5.15 or later built with CONFIG_DEBUG_INFO_BTF=y"
    )]
    NoBtf {
        /// The path that was tried.
        path: PathBuf,
    },
    /// The kernel is too old for the probes.
    #[error("Linux {release} is too old for ioprof, which needs 5.15 or later")]
    OldKernel {
        /// The release, as `uname -r` prints it.
        release: String,
    },
    /// The kernel's BTF cannot be used.
    #[error(
        "the kernel's BTF cannot be used ({reason}); please report this with your kernel's version"
    )]
    Btf {
        /// What is wrong with it.
        reason: String,
    },
    /// The object could not be loaded.
    #[error(
        "the eBPF object cannot be loaded: {reason}; `ioprof doctor` shows what this kernel allows"
    )]
    Load {
        /// The loader's words, in one line.
        reason: String,
    },
    /// A required probe is missing.
    #[error(
        "the probe {probe} cannot be attached: {reason}; `ioprof doctor` shows what this kernel allows"
    )]
    ProbeMissing {
        /// The program.
        probe: &'static str,
        /// The reason.
        reason: String,
    },
    /// A map could not be read or written.
    #[error("the map {map} cannot be used: {reason}")]
    Map {
        /// The map.
        map: &'static str,
        /// The loader's words.
        reason: String,
    },
    /// There is no such process.
    #[error("no process {pid}: it may have ended; `ps -e` lists those there are")]
    NoProcess {
        /// What the user asked for.
        pid: i32,
    },
    /// A thread that is not the first of its process.
    #[error(
        "{pid} is a thread of process {process}: attach to the process, and all its threads are profiled"
    )]
    NotAProcess {
        /// What the user asked for.
        pid: i32,
        /// The process the thread belongs to.
        process: i32,
    },
    /// The process is a zombie.
    #[error("process {pid} is a zombie: it has ended, and its parent has not waited for it")]
    Ended {
        /// What the user asked for.
        pid: i32,
    },
    /// A kernel thread makes no system calls.
    #[error(
        "{pid} is a kernel thread ({name}): ioprof profiles user processes, and shows what the kernel writes for them as `other`"
    )]
    KernelThread {
        /// What the user asked for.
        pid: i32,
        /// Its name.
        name: Text,
    },
    /// More workloads than one run supports.
    #[error("{count} workloads in one run, and at most {most} are supported: start several ioprof")]
    TooManyWorkloads {
        /// How many were asked for.
        count: usize,
        /// The limit.
        most: u32,
    },
    /// Neither a workload's name nor `-- COMMAND`.
    #[error(
        "no workload named \"{name}\": there are {names}; a command goes behind --, as in: ioprof run -- {name}"
    )]
    UnknownWorkload {
        /// What the user asked for.
        name: Text,
        /// The workloads there are.
        names: String,
    },
    /// An option of `run` among those of a workload.
    #[error("{option} goes before the workload, as in: ioprof run {option} ... async")]
    OptionOfRun {
        /// What the user asked for.
        option: Text,
    },
    /// There is no such rule.
    #[error("no finding named \"{id}\": there are {ids}; `ioprof explain` lists them")]
    UnknownRule {
        /// What the user asked for.
        id: Text,
        /// The rules there are.
        ids: String,
    },
    /// Neither a workload nor a command.
    #[error(
        "nothing to run: name a workload ({names}), or a command behind --, as in: ioprof run -- ls"
    )]
    NothingToRun {
        /// The workloads there are.
        names: String,
    },
    /// The command does not exist.
    #[error("{command}: command not found; check the spelling and PATH")]
    CommandNotFound {
        /// The command.
        command: Text,
    },
    /// The command cannot be executed.
    #[error("{command}: cannot be executed ({source}); check its permissions and format")]
    CommandNotExecutable {
        /// The command.
        command: Text,
        /// The kernel's reason.
        source: io::Error,
    },
    /// There is no such user.
    #[error("no user named {name:?}: `getent passwd` lists those there are")]
    UnknownUser {
        /// What the user asked for.
        name: String,
    },
    /// Only root may run commands as another user.
    #[error("--user {name} is not permitted: run ioprof as root (sudo)")]
    NotRoot {
        /// What the user asked for.
        name: String,
    },
    /// The kernel rejects the change of the user.
    #[error("cannot run anything as {name}: {source}")]
    User {
        /// The user.
        name: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The child ended before it executed the command.
    #[error("the command was ended before it began; nothing was measured")]
    EndedEarly,
    /// A signal arrived while the probes were loaded.
    #[error("{signal} came before the command began; nothing was measured")]
    Interrupted {
        /// Its name.
        signal: &'static str,
    },
    /// The probes and their maps need more descriptors than the limit.
    #[error(
        "the probes take about {needed} descriptors, and at most {limit} may be open: raise the hard limit (ulimit -Hn)"
    )]
    TooFewDescriptors {
        /// How many are needed.
        needed: u64,
        /// RLIMIT_NOFILE.
        limit: u64,
    },
    /// The report cannot be written where the user wants it.
    #[error(
        "cannot write the report to {}: {source}; choose another place with -o",
        Text::of(path)
    )]
    Output {
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A man page cannot be written.
    #[error("cannot write {path}: {source}; choose another folder for the man pages")]
    ManPage {
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A report cannot be read.
    #[error("cannot read {}: {source}", Text::of(path))]
    Input {
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// No report was kept.
    #[error(
        "no report was kept: `ioprof run` keeps one; `ioprof report FILE` shows one written with -o"
    )]
    NoReports,
    /// A file that is not a report.
    #[error("{} is not a report of ioprof: {reason}", Text::of(path))]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A report of a later ioprof.
    #[error(
        "{} has the schema \"{schema}\", and this ioprof reads \"{supported}\": use a newer ioprof",
        Text::of(path)
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: String,
        /// The schema that this ioprof reads.
        supported: &'static str,
    },
    /// Reports whose workloads cannot be matched.
    #[error(
        "the first report has {before} workloads and another {after}: compare runs of the same work"
    )]
    OtherWorkloads {
        /// How many the first has.
        before: usize,
        /// How many another has.
        after: usize,
    },
    /// Reports that are not on two sides.
    #[error(
        "{reports} reports before --: name two, or those of each side as in: ioprof compare a1.json a2.json -- b1.json \
         b2.json"
    )]
    Sides {
        /// How many there are before `--`.
        reports: usize,
    },
    /// An option where reports are.
    #[error("{option} is no report: options go before --")]
    OptionBehind {
        /// What the user asked for.
        option: Text,
    },
    /// Several reports would go to what is no file, such as stdout.
    #[error(
        "-o {} is no file that can be numbered, and each run has a report: name files by -o FILE",
        Text::of(path)
    )]
    NotNumbered {
        /// What the user asked for.
        path: PathBuf,
    },
    /// A text that is no command.
    #[error(
        "--interleave {command:?} is no command: give one with its quotes closed, as in --interleave 'cp a b'"
    )]
    NoWords {
        /// What the user asked for.
        command: String,
    },
    /// More reports than a comparison takes.
    #[error("a side has more than {most} reports: name fewer")]
    TooManyReports {
        /// The limit.
        most: usize,
    },
    /// A gate that cannot be decided.
    #[error("--gate {gate:?}: {reason}")]
    Gate {
        /// What the user asked for.
        gate: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// What is below a path cannot be evicted from the page cache.
    #[error(
        "cannot evict {} from the page cache: {source}; name a file or a folder",
        Text::of(path)
    )]
    Evict {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A sweep that cannot be made.
    #[error("sweep: {reason}")]
    Sweep {
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// What is below a path cannot be calibrated.
    #[error("cannot calibrate {}: {reason}", Text::of(path))]
    Calibrate {
        /// What the user asked for.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// What a device can do is not known.
    #[error("cannot export the limits of {}: {reason}", Text::of(path))]
    Export {
        /// What the user asked for.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// An option that contradicts a search for settings.
    #[error("{reason}")]
    TuneOption {
        /// Which, and what to do.
        reason: String,
    },
    /// Settings cannot be searched.
    #[error("cannot tune {workload}: {reason}")]
    Tune {
        /// The workload.
        workload: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// The settings of the system cannot be tried.
    #[error("cannot tune the system: {reason}")]
    TuneSystem {
        /// Why, and what to do.
        reason: String,
    },
    /// A built-in workload failed.
    #[error(transparent)]
    Workload(#[from] ioprof_workloads::Error),
    /// An operation failed that is not expected to.
    #[error("{what}: {source}")]
    System {
        /// The operation.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: names the operation.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            what,
            source: source.into(),
        }
    }

    /// The exit status, by the convention of env(1) and timeout(1); 2 for a wrong argument, as of clap.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::CommandNotFound { .. } => 127,
            Self::CommandNotExecutable { .. } => 126,
            Self::Gate { .. }
            | Self::OptionOfRun { .. }
            | Self::Sides { .. }
            | Self::TooManyReports { .. }
            | Self::OptionBehind { .. }
            | Self::NotNumbered { .. }
            | Self::NoWords { .. }
            | Self::Sweep { .. }
            | Self::TuneOption { .. } => 2,
            _ => 125,
        }
    }
}
