//! `cargo xtask deny`: the licences of all crates and where they come from, by cargo-deny and deny.toml.

use std::process::Command;

use crate::error::Result;
use crate::process;
use crate::tools;
use crate::workspace::{Workspace, cargo};

const PROGRAM: &str = "cargo-deny";
const VERSION: &str = "0.20.2";

/// It runs for a second, so optimising it would take longer than it saves; nothing is fetched by it.
const OPTIONS: &[&str] = &["--debug", "--no-default-features"];

/// Whether it is installed in this checkout.
pub fn is_installed(workspace: &Workspace) -> bool {
    tools::version(workspace, PROGRAM).as_deref() == Some(VERSION)
}

/// Fails where deny.toml does not allow a crate. Installs cargo-deny first where it is missing.
pub fn run(workspace: &Workspace) -> Result<()> {
    if !is_installed(workspace) {
        tools::install(workspace, PROGRAM, VERSION, OPTIONS, None)?;
    }
    process::run(
        Command::new(tools::path(workspace, PROGRAM))
            .args(["--locked", "check", "licenses", "bans", "sources"])
            .current_dir(workspace.root())
            .env("CARGO", cargo()),
    )
}
