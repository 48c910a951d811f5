//! `bpf-linker`: which one is used, and which version is installed where there is none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::tools;
use crate::workspace::Workspace;

/// The version that `cargo xtask ebpf --setup` installs.
pub const VERSION: &str = "0.13.0";

/// Its crate and its program.
pub const NAME: &str = "bpf-linker";

/// A `bpf-linker` that was found.
#[derive(Debug, Clone)]
pub struct Linker {
    folder: PathBuf,
    pub version: String,
}

impl Linker {
    /// The one that xtask installed for this checkout, or else the first on `PATH`.
    pub fn find(workspace: &Workspace) -> Option<Self> {
        Self::installed(workspace).or_else(|| Self::at(&process::find_on_path(NAME)?))
    }

    /// The one that xtask installed for this checkout.
    pub fn installed(workspace: &Workspace) -> Option<Self> {
        Self::at(&tools::path(workspace, NAME))
    }

    fn at(program: &Path) -> Option<Self> {
        let answer = process::try_output(Command::new(program).arg("--version"))?;
        Some(Self {
            folder: program.parent()?.to_owned(),
            version: parse_version(&answer)?.to_owned(),
        })
    }

    /// `PATH` with this linker before any other.
    pub fn search_path(&self) -> OsString {
        let mut path = self.folder.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        path
    }
}

fn parse_version(answer: &str) -> Option<&str> {
    answer.trim().strip_prefix(NAME)?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn the_version_is_the_word_after_the_name() {
        assert_eq!(parse_version("bpf-linker 0.13.0\n"), Some("0.13.0"));
        assert_eq!(parse_version("ld 2.40\n"), None);
        assert_eq!(parse_version(""), None);
    }
}
