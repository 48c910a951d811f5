//! The errors that stop a workload, each in one line: what happened, and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a workload could not run, or not go on.
///
/// Errors of single files are not an `Error`: they are counted and listed in [`Summary::errors`](crate::Summary::errors).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused an operation that the workload cannot do without.
    #[error("cannot {operation} {}: {source}; {}", path.display(), remedy(source))]
    Io {
        /// What was tried, as a verb: "open", "write".
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The data set does not fit.
    #[error(
        "{} has {available_bytes} bytes free, {needed_bytes} are needed; free some, choose another --dir or a smaller data set",
        dir.display()
    )]
    Space {
        /// Where the data set was to be.
        dir: PathBuf,
        /// What it needs, with a reserve.
        needed_bytes: u64,
        /// What an unprivileged user may still take there.
        available_bytes: u64,
    },
    /// The folder that a kept data set would take was not made by ioprof.
    #[error("{} exists and was not made by ioprof, so it is left alone; remove it or choose another --dir", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// Another run is using the kept data set.
    #[error("{} is in use by another ioprof; wait for it or choose another --dir", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// Options that contradict each other or the machine.
    #[error("{0}")]
    Options(String),
    /// Too few descriptors for a single file.
    #[error(
        "the limit of {limit} open files leaves {left} for the workload, which needs {needed}; raise it with `ulimit -n`"
    )]
    Descriptors {
        /// The soft limit.
        limit: u64,
        /// What is left below it.
        left: u64,
        /// The least the workload can work with.
        needed: u64,
    },
    /// io_uring was requested and is not available.
    #[error("io_uring is not available: {reason}; use --engine tokio or auto")]
    Uring {
        /// The error of the kernel.
        reason: String,
    },
    /// The ceiling of a device is measured by io_uring alone.
    #[error(
        "io_uring is not available, and nothing else keeps a device busy: {reason}; see kernel.io_uring_disabled"
    )]
    NoUring {
        /// The error of the kernel.
        reason: String,
    },
    /// Direct I/O failed.
    #[error("direct I/O fails: {source}; choose a folder on another file system")]
    Direct {
        /// The error of the kernel.
        source: io::Error,
    },
    /// Signal handlers could not be installed.
    #[error(
        "cannot install the handlers of SIGINT, SIGTERM and SIGHUP: {source}; the process may be run under a seccomp filter"
    )]
    Signals {
        /// The error of the kernel.
        source: io::Error,
    },
    /// A mapped file became shorter than its map.
    #[error("{} ends before offset {offset_bytes}: it was truncated while it was mapped; run again once nothing else changes it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the access failed, from the file's start.
        offset_bytes: u64,
    },
    /// A descriptor that the workload was to inherit cannot be used.
    #[error(
        "cannot use descriptor {descriptor}: {source}; pass one that is open and can be written to"
    )]
    Descriptor {
        /// Its number.
        descriptor: i32,
        /// What went wrong.
        source: io::Error,
    },
    /// A worker thread ended abnormally: a bug.
    #[error(
        "a worker of the workload ended abnormally ({0}); this is a bug in ioprof, please report it"
    )]
    Worker(String),
}

impl Error {
    /// An [`Error::Io`], for `map_err`.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }
}

/// Why a file failed: an entry of [`Summary::errors`](crate::Summary::errors), without the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed: "open", "read", "verify"...
    pub operation: &'static str,
    /// What went wrong, and what to do about it.
    pub reason: String,
}

impl Failure {
    /// A failure that the kernel did not report.
    pub fn new(operation: &'static str, reason: impl Into<String>) -> Self {
        Self {
            operation,
            reason: reason.into(),
        }
    }

    /// What the kernel reported, for `map_err`.
    pub fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| {
            let reason = match error.raw_os_error() {
                Some(_) => format!("{error}; {}", remedy(&error)),
                None => error.to_string(),
            };
            Self { operation, reason }
        }
    }
}

/// What a user can do about an error of the kernel.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "free some space or choose another --dir",
        Some(libc::EDQUOT) => "the quota is used up: free some space or choose another --dir",
        Some(libc::EROFS) => "the file system is read-only: choose another --dir",
        Some(libc::ENOENT) => "check the path, or create it first",
        Some(libc::ENOTDIR) => "name a folder, not a file",
        Some(libc::EACCES | libc::EPERM) => "choose a path you may use",
        Some(libc::EMFILE) => {
            "raise the limit of open files with `ulimit -n`, or lower --depth or --workers"
        }
        Some(libc::ENFILE) => "the system is out of open files: raise fs.file-max",
        Some(libc::EINVAL) => {
            "the file system may not support this (direct I/O and its alignment, if --direct): try without"
        }
        Some(libc::EIO) => "the device reports an error: see the kernel's log",
        Some(libc::EFBIG) => {
            "the file system or `ulimit -f` allows no file this large: choose a smaller one"
        }
        Some(libc::ENOMEM) => "lower --depth, --workers or --block-size, or free some memory",
        _ => "check the path and the file system",
    }
}

/// The name of an error number, such as "ENOSPC": the key of [`OperationSummary::errors`](crate::OperationSummary::errors).
pub(crate) fn errno_number_name(number: i32) -> String {
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => format!("E{number}"),
        known => format!("{known:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_line_that_names_a_remedy() {
        let path = PathBuf::from("/data");
        let errors = [
            Error::Io {
                operation: "write",
                path: path.clone(),
                source: io::Error::from_raw_os_error(libc::ENOSPC),
            },
            Error::Space {
                dir: path.clone(),
                needed_bytes: 2,
                available_bytes: 1,
            },
            Error::Foreign { dir: path.clone() },
            Error::Descriptors {
                limit: 8,
                left: 0,
                needed: 4,
            },
            Error::Truncated {
                path,
                offset_bytes: 4096,
            },
        ];
        for error in errors {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            assert!(text.contains(';'), "no remedy in: {text}");
        }
    }

    #[test]
    fn errors_have_their_usual_names() {
        assert_eq!(errno_number_name(libc::ENOSPC), "ENOSPC");
        assert_eq!(errno_number_name(100_000), "E100000");
    }
}
