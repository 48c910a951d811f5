//! `cargo xtask ci`: everything, cheapest first, with nothing skipped.

use std::process::ExitCode;

use crate::check;
use crate::ebpf;
use crate::error::Result;
use crate::test;
use crate::workspace::Workspace;

/// `cargo xtask ci`.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    check::run(workspace)?;
    ebpf::setup(workspace)?;
    let reproduced = ebpf::check(workspace)?;
    if reproduced != ExitCode::SUCCESS {
        return Ok(reproduced);
    }
    test::run_all(workspace)
}
