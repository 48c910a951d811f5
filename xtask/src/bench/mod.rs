//! `cargo xtask bench`: what ioprof costs, and what it is set against.

mod findings;
mod limited;
mod workloads;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::process;
use crate::requirements::{self, Consent, Purpose};
use crate::runner;
use crate::workspace::{Workspace, cargo};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// What ioprof adds to a system call, beside what else is installed, and what it leaves of fio's reads
    Overhead {
        /// What the benchmark is given
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// What findings say that their cures save, beside what these save; as root, or where sudo works
    Findings(findings::Args),
    /// The built-in workloads side by side with what others do on the same files; as root for cold caches
    Workloads {
        #[command(flatten)]
        consent: Consent,
    },
}

/// `cargo xtask bench`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    match &args.bench {
        Bench::Overhead { args } => overhead(workspace, args),
        Bench::Findings(args) => findings::run(workspace, args),
        Bench::Workloads { consent } => workloads(consent),
    }
}

fn workloads(consent: &Consent) -> Result<ExitCode> {
    let missing = requirements::provide(Purpose::Benchmarks, consent)?;
    let is_there = |program: &str| missing.iter().all(|tool| tool.program != program);
    workloads::run(&is_there)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| Error::Bench(error.to_string()))
}

/// Runs `profiler/benches/overhead/`, which loads probes and so needs root.
fn overhead(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode> {
    let mut bench = Command::new(cargo());
    bench
        .current_dir(workspace.root())
        .arg("bench")
        .args(runner::cargo_options("")?)
        .args(["--package", "ioprof", "--bench", "overhead", "--"])
        .args(args);
    process::exit_code(&mut bench)
}
