//! Programs from crates.io that xtask builds for itself, in the checkout's own folder.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;
use crate::workspace::{Workspace, cargo};

/// Where a program of this name is, or would be.
pub fn path(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.tools().join("bin").join(name)
}

/// The version of the one that was installed: the last word of the first line that it answers.
pub fn version(workspace: &Workspace, name: &str) -> Option<String> {
    let answer = process::try_output(Command::new(path(workspace, name)).arg("--version"))?;
    Some(
        answer
            .lines()
            .next()?
            .split_whitespace()
            .next_back()?
            .to_owned(),
    )
}

/// Builds a program of exactly this version, with more options for `cargo install` and a setting of the
/// environment.
pub fn install(
    workspace: &Workspace,
    name: &str,
    version: &str,
    options: &[&str],
    environment: Option<(&str, &OsStr)>,
) -> Result<()> {
    let built = workspace.tools().join("build");
    let mut install = Command::new(cargo());
    install
        .args(["install", name, "--version", version])
        .args(["--locked", "--force"])
        .args(options)
        .arg("--root")
        .arg(workspace.tools())
        .arg("--target-dir")
        .arg(&built)
        .current_dir(workspace.root())
        .envs(environment);
    process::run(&mut install)?;
    // It is not built a second time, and is large.
    fs::remove_dir_all(&built).map_err(Error::file("remove", &built))
}
