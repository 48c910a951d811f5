//! The built-in workloads: `async`, `mmap`, `batch` and `copy`.
//!
//! Each does file I/O the way a careful program does, and counts the calls it makes: its [`Summary`] is the ground truth that
//! ioprof's probes are compared with. Nothing here depends on the probes.
//!
//! ```no_run
//! # fn main() -> Result<(), ioprof_workloads::Error> {
//! use clap::Parser;
//! use ioprof_workloads::{Control, Interrupt, Workload};
//!
//! #[derive(Parser)]
//! struct Arguments {
//!     #[command(subcommand)]
//!     workload: Workload,
//! }
//!
//! let arguments = Arguments::parse_from(["example", "async", "--files", "100"]);
//! let interrupt = Interrupt::install()?;
//! let summary = ioprof_workloads::run(&arguments.workload, &Control::standalone(&interrupt))?;
//! println!("{} reads", summary.calls("read"));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod async_files;
mod batch;
mod buffers;
mod cache;
pub mod ceiling;
mod copy;
mod counters;
mod data_set;
pub mod display;
mod error;
#[cfg(test)]
mod faulty;
mod files;
mod interrupt;
mod mmap;
mod offsets;
mod operation;
pub mod options;
mod report;
mod resources;
mod run;
#[cfg(test)]
#[path = "../tests/common/skip.rs"]
mod skip;
mod summary;
mod transfer;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use nix::fcntl::{FcntlArg, FdFlag};

pub use cache::cached_pages;
pub use data_set::{Folder, Location};
pub use error::Error;
pub use interrupt::Interrupt;
use options::CacheState;
pub use options::{AsyncOptions, BatchOptions, CopyOptions, MmapOptions};
pub use run::Control;
pub use summary::{
    FileError, LatencyBucket, LatencySummary, OperationSummary, Setup, Summary, Via,
};

use resources::Descriptors;

/// A built-in workload with its options.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Workload {
    /// Many files, or many blocks of one file, in flight at once
    Async(AsyncOptions),
    /// A file through a sliding window of mapped memory
    Mmap(MmapOptions),
    /// Many files through a pipeline: discover, read, transform, write or discard
    Batch(BatchOptions),
    /// One large file, copied by one of several methods
    Copy(CopyOptions),
}

impl Workload {
    /// The names on the command line.
    pub const NAMES: &[&str] = &["async", "mmap", "batch", "copy"];

    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Async(_) => "async",
            Self::Mmap(_) => "mmap",
            Self::Batch(_) => "batch",
            Self::Copy(_) => "copy",
        }
    }

    /// The state of the page cache that its measured phase begins with.
    pub const fn cache(&self) -> CacheState {
        match self {
            Self::Async(options) => options.common.cache,
            Self::Mmap(options) => options.common.cache,
            Self::Batch(options) => options.common.cache,
            Self::Copy(options) => options.common.cache,
        }
    }
}

/// Runs a workload: makes its data set, prepares the page cache, measures the work, cleans up.
///
/// Files that fail are counted and listed in the summary; the run continues without them. An interrupt ends it early, with
/// a summary of what was done.
///
/// # Errors
///
/// Where the workload cannot run: contradicting options, too little space, a missing folder.
pub fn run(workload: &Workload, control: &Control<'_>) -> Result<Summary, Error> {
    let before = Descriptors::now();
    let mut summary = match workload {
        Workload::Async(options) => async_files::run(options, control),
        Workload::Mmap(options) => mmap::run(options, control),
        Workload::Batch(options) => batch::run(options, control),
        Workload::Copy(options) => copy::run(options, control),
    }?;
    summary.leaked_descriptors = Descriptors::now().leaked_since(&before);
    Ok(summary)
}

/// Runs a workload as a program: handles signals, prints the summary to stdout and, with `summary_fd`, writes it there as
/// one JSON document.
///
/// `start_fd` is a socket to the process that measures. A byte is written to it when the data set is made and the cache is
/// prepared, and another when the measured phase is over. After each the workload waits for a byte, or for the other end
/// to be closed.
///
/// The exit status is 0 if all went well, 1 if any file failed, and 128 plus the signal's number if one ended the run early.
///
/// # Errors
///
/// As [`run()`]; and where the handlers cannot be installed or the summary cannot be written.
pub fn main(
    workload: &Workload,
    summary_fd: Option<OwnedFd>,
    start_fd: Option<OwnedFd>,
) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::install()?;
    let start = start_fd.map(File::from);
    let summary = run(
        workload,
        &Control {
            interrupt: &interrupt,
            before_measuring: &|| wait_for_go_ahead(start.as_ref()),
            after_measuring: &|| wait_for_go_ahead(start.as_ref()),
        },
    )?;
    drop(start);
    // A closed stdout (`| head`) is not a failure of the workload.
    let _ = io::stdout().write_all(report::text(&summary).as_bytes());
    if let Some(file) = summary_fd {
        let descriptor = file.as_raw_fd();
        write_summary(&summary, file.into())
            .map_err(|source| Error::Descriptor { descriptor, source })?;
    }
    Ok(exit_code(&summary))
}

fn exit_code(summary: &Summary) -> ExitCode {
    match summary.interrupted_by {
        Some(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        None if summary.failed() > 0 => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    }
}

/// Takes over a descriptor that this process was started with, and marks it close-on-exec. One that is marked so already
/// was not inherited, or was taken before, and is refused.
///
/// # Errors
///
/// [`Error::Descriptor`] where `number` is not an inherited descriptor.
///
/// # Safety
///
/// Nothing else in the process may own the descriptor.
pub unsafe fn inherited(number: RawFd) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Descriptor {
        descriptor: number,
        source,
    };
    // SAFETY: F_GETFD reads a flag; a number that is not a descriptor is an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 {
        return Err(failed(io::Error::last_os_error()));
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(failed(io::Error::from_raw_os_error(libc::EBADF)));
    }
    // SAFETY: the descriptor is open, and nothing else owns it: the caller promises that.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    nix::fcntl::fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .map_err(|errno| failed(errno.into()))?;
    Ok(descriptor)
}

/// Reports the end of a phase, and waits for the go-ahead to begin the next. Without a peer it begins at once.
fn wait_for_go_ahead(mut start: Option<&File>) {
    if let Some(start) = &mut start {
        let _ = start
            .write_all(&[1])
            .and_then(|()| start.read_exact(&mut [0]));
    }
}

fn write_summary(summary: &Summary, mut file: File) -> io::Result<()> {
    // In one write: each would be one of the calls that a profiler counts.
    let mut json = serde_json::to_vec(summary)?;
    json.push(b'\n');
    file.write_all(&json)
}
