//! What stands beside the committed object: its sources' hash, its own, and the toolchain that made it.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// The object that `profiler` embeds.
pub fn object_path(workspace: &Workspace) -> PathBuf {
    workspace.join("profiler/ebpf/ioprof.bpf.o")
}

/// The record beside it.
pub fn record_path(workspace: &Workspace) -> PathBuf {
    workspace.join("profiler/ebpf/record.json")
}

/// The versions that decide which bytes come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The whole line that `rustc --version` prints.
    pub rustc: String,
    /// LLVM's version, from `rustc --version --verbose`.
    pub llvm: String,
    /// The version that `bpf-linker --version` prints.
    pub bpf_linker: String,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, LLVM {}, bpf-linker {}",
            self.rustc, self.llvm, self.bpf_linker
        )
    }
}

/// What the committed object was made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub sources_sha256: String,
    pub object_sha256: String,
    #[serde(flatten)]
    pub toolchain: Versions,
}

impl Record {
    /// Reads the committed record.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let path = record_path(workspace);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoRecord(path));
            }
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        serde_json::from_str(&text)
            .map_err(|error| Error::malformed(path.display().to_string(), error))
    }

    /// Writes it beside the object.
    pub fn write(&self, workspace: &Workspace) -> Result<()> {
        let path = record_path(workspace);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::malformed("the record", error))?;
        text.push('\n');
        fs::write(&path, text).map_err(Error::file("write", &path))
    }
}
