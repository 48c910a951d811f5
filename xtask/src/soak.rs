//! `cargo xtask soak`: how much ioprof stands.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::error::Result;
use crate::process;
use crate::runner;
use crate::workspace::{Workspace, cargo};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// SCENARIO ... and --quick; --help tells which there are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Runs `profiler/benches/soak.rs`, which loads probes and so needs root.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let mut soak = Command::new(cargo());
    soak.current_dir(workspace.root())
        .arg("bench")
        .args(runner::cargo_options("")?)
        .args(["--package", "ioprof", "--bench", "soak", "--"])
        .args(&args.args);
    process::exit_code(&mut soak)
}
