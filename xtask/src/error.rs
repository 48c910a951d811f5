//! What can go wrong, in one line each: what happened and what to do.

use std::path::{Path, PathBuf};

/// The result of a task.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("cannot start `{command}`: {source}; is it installed and on PATH?")]
    Start {
        command: String,
        source: std::io::Error,
    },

    #[error("`{command}` failed ({status}); its own output above says why")]
    Failed { command: String, status: String },

    #[error("{what} is not what was expected: {why}")]
    Malformed { what: String, why: String },

    #[error(
        "no toolchain here can build the eBPF object ({found}); run `cargo xtask ebpf --setup`, or \
         `rustup toolchain install nightly --component rust-src,clippy` and `cargo binstall bpf-linker`"
    )]
    NoToolchain { found: String },

    #[error(
        "the compiler of the eBPF object has no clippy; run `cargo xtask ebpf --setup`, or \
         `rustup component add clippy --toolchain nightly`"
    )]
    NoClippy,

    #[error("`ebpf --setup` knows Debian's packages alone, and {why}; {remedy}")]
    Setup { why: String, remedy: &'static str },

    #[error("no eBPF object is recorded in {}; run `cargo xtask ebpf` and commit what it writes", .0.display())]
    NoRecord(PathBuf),

    #[error(
        "the eBPF sources no longer match the committed object; run `cargo xtask ebpf` and commit what it writes"
    )]
    SourcesChanged,

    #[error(
        "the committed eBPF object is not the one its record tells of; run `cargo xtask ebpf` and commit what it writes"
    )]
    ObjectChanged,

    #[error(
        "{chain} take {bytes} bytes of the stack, and kernels give {limit}: have the caller call one after the other, or \
         keep less on the stack"
    )]
    StackTooDeep {
        bytes: u64,
        limit: u64,
        chain: String,
    },

    #[error(
        "the recorded toolchain makes other bytes than the committed object's; the new ones are in {}, \
         run `cargo xtask ebpf` and commit what it writes", .0.display()
    )]
    NotReproduced(PathBuf),

    #[error("the workloads were not compared: {0}")]
    Bench(String),

    #[error("no package of a kernel of {series} in Debian's archives; `newest` is always there")]
    NoKernel { series: String },

    #[error("not installed: {programs}; install them, or run again with --yes on Debian")]
    Missing { programs: String },

    #[error("cannot ask on the terminal: {source}; --yes makes that needless")]
    Terminal { source: std::io::Error },

    #[error("{0}")]
    Fuzz(String),

    #[error("{0}")]
    Mute(String),

    #[error("{0} places break a rule of the layout; each is named above")]
    Layers(usize),
}

impl Error {
    /// For `map_err` on file operations.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Something that was read does not have the form it should have.
    pub fn malformed(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Malformed {
            what: what.into(),
            why: why.to_string(),
        }
    }
}
