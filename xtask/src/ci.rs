//! `cargo xtask ci`: every check and every test, cheapest first, with nothing skipped.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use crate::Cli;
use crate::error::{Error, Result};
use crate::requirements::in_ci;
use crate::workspace::Workspace;

/// The tasks, as they are called by hand.
const STEPS: &[&str] = &[
    "ebpf --setup",
    "deny",
    // Format, layers, clippy on both targets, documentation.
    "check",
    // The object, made again from its sources.
    "ebpf --check",
    // A minute in all.
    "fuzz --seconds 12",
    // The Debian package: built, installed below a folder, used from there, removed.
    "package",
    // Today's third of the probes.
    "mute",
    // Other kernels, each in a machine of its own, with another kind of disk than this one's.
    "vm --kernel 6.1,6.12 --disk nvme --test kernel -- \
     block::direct_io_is_counted block::direct_io_on_a_loop block::requests_of missing::the_kernel_refuses_no_probe \
     coverage::",
];
const TESTS: &str = "test --forbid-skip";

/// Steps with the folders that they build in and no later one does: machines of CI may have little room.
const LEAVE: &[(&str, &str)] = &[("fuzz", "target/fuzz"), ("package", "target/release")];

#[derive(clap::Args)]
pub struct Args {
    /// Leave out the tests, where `cargo xtask test` runs them anyway
    #[arg(long)]
    no_tests: bool,
}

/// `cargo xtask ci`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let tests = (!args.no_tests).then_some(TESTS);
    for step in STEPS.iter().copied().chain(tests) {
        println!("cargo xtask {step}");
        let began = Instant::now();
        let code = crate::run(workspace, &parse(step).task)?;
        println!("cargo xtask {step}: {} s", began.elapsed().as_secs());
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        if in_ci() {
            remove_what_it_leaves(workspace, step)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn remove_what_it_leaves(workspace: &Workspace, step: &str) -> Result<()> {
    let name = step.split_whitespace().next();
    for (_, folder) in LEAVE.iter().filter(|(of, _)| name == Some(of)) {
        let folder = workspace.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
    }
    Ok(())
}

fn parse(step: &str) -> Cli {
    Cli::parse_from(["xtask"].into_iter().chain(step.split_whitespace()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Cli, LEAVE, STEPS, TESTS};

    #[test]
    fn each_step_is_a_task() {
        for step in STEPS.iter().chain([&TESTS]) {
            let words = ["xtask"].into_iter().chain(step.split_whitespace());
            assert!(Cli::try_parse_from(words).is_ok(), "{step}");
        }
    }

    #[test]
    fn what_leaves_folders_is_a_step() {
        for (name, _) in LEAVE {
            let is_step = |step: &&str| step.split_whitespace().next() == Some(name);
            assert!(STEPS.iter().any(is_step), "{name}");
        }
    }
}
