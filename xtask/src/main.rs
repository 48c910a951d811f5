//! `cargo xtask`: builds, checks and measures ioprof.

mod apt;
mod bench;
mod check;
mod ci;
mod deny;
mod ebpf;
mod error;
mod fuzz;
mod hash;
mod layers;
mod mute;
mod package;
mod privileges;
mod process;
mod profile;
mod requirements;
mod runner;
mod soak;
mod test;
mod tools;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::workspace::Workspace;

/// Builds, checks and measures ioprof.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build ioprof and start `ioprof run` with these arguments, through sudo where that is needed
    Run(profile::Args),
    /// Run every test, those that need root through sudo where that works
    Test(test::Args),
    /// Build the eBPF object and record what it was built from
    Ebpf(ebpf::Args),
    /// Check format, layers, lints, documentation, licences and the eBPF record
    Check,
    /// Check which module names which, how long files are, and for paths of one machine
    Layers,
    /// Check the licences of all crates, and where they come from
    Deny,
    /// Run the kernel tests on other kernels, in virtual machines
    Vm(vm::Args),
    /// Measure what ioprof costs
    Bench(bench::Args),
    /// Build the Debian package, install it below a folder, and check it there
    Package(package::Args),
    /// Fuzz the parsers of untrusted input
    Fuzz(fuzz::Args),
    /// Put a load on ioprof, and fail where it loses something or grows
    Soak(soak::Args),
    /// Leave one probe after the other unattached, and fail where no test notices
    Mute(mute::Args),
    /// Run every check and every test, and fail where one is skipped
    Ci(ci::Args),
    /// Start a program that cargo built, through sudo if it needs root
    #[command(hide = true)]
    Runner(runner::Args),
}

fn main() -> ExitCode {
    // Programs such as mkfs are there, which a user's PATH may lack.
    let path = process::search_path();
    // SAFETY: no other thread has started yet that could read the environment.
    unsafe { std::env::set_var("PATH", path) };
    let task = Cli::parse().task;
    match Workspace::find().and_then(|workspace| run(&workspace, &task)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, task: &Task) -> Result<ExitCode> {
    match task {
        Task::Run(args) => profile::run(workspace, args),
        Task::Test(args) => test::run(workspace, args),
        Task::Ebpf(args) => match ebpf::run(workspace, args)? {
            Some(object) => test::run_kernel_tests(workspace, &object),
            None => Ok(ExitCode::SUCCESS),
        },
        Task::Check => check::run(workspace).map(|()| ExitCode::SUCCESS),
        Task::Layers => layers::run(workspace).map(|()| ExitCode::SUCCESS),
        Task::Deny => deny::run(workspace).map(|()| ExitCode::SUCCESS),
        Task::Vm(args) => vm::run(workspace, args),
        Task::Bench(args) => bench::run(workspace, args),
        Task::Package(args) => package::run(workspace, args).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(args) => fuzz::run(workspace, args),
        Task::Soak(args) => soak::run(workspace, args),
        Task::Mute(args) => mute::run(workspace, args),
        Task::Ci(args) => ci::run(workspace, args),
        Task::Runner(args) => runner::run(args),
    }
}
