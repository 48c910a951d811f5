//! `cargo xtask check`: all that can be known without running a test, cheapest first.

use std::process::Command;

use crate::deny;
use crate::ebpf;
use crate::error::Result;
use crate::layers;
use crate::process;
use crate::workspace::{Workspace, cargo};

/// `cargo xtask check`.
pub fn run(workspace: &Workspace) -> Result<()> {
    step("format");
    process::run(cargo_in(workspace).args(["fmt", "--all", "--check"]))?;
    step("layers");
    layers::run(workspace)?;
    step("eBPF sources");
    ebpf::check_sources(workspace)?;
    step("clippy");
    process::run(
        cargo_in(workspace)
            .args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--locked",
            ])
            .args(["--", "--deny", "warnings"]),
    )?;
    step("documentation");
    process::run(
        cargo_in(workspace)
            .args([
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--locked",
            ])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    if deny::is_installed(workspace) {
        step("licences");
        deny::run(workspace)?;
    } else {
        println!("licences are not checked: `cargo xtask deny` installs what does");
    }
    step("clippy on the probes");
    ebpf::lint(workspace)
}

fn step(name: &str) {
    println!("checking {name}");
}

fn cargo_in(workspace: &Workspace) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(workspace.root());
    command
}
