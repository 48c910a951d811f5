//! `cargo xtask ci`: everything, cheapest first, with nothing skipped.

use std::process::ExitCode;

use crate::check;
use crate::ebpf;
use crate::error::Result;
use crate::test;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Args {
    /// Leave out the tests, where `cargo xtask test` runs them anyway
    #[arg(long)]
    no_tests: bool,
}

/// `cargo xtask ci`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    check::run(workspace)?;
    ebpf::setup(workspace)?;
    let reproduced = ebpf::check(workspace)?;
    if args.no_tests || reproduced != ExitCode::SUCCESS {
        return Ok(reproduced);
    }
    test::run_all(workspace)
}
