//! `cargo xtask test`: every test, with those that could not run counted and named.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::ebpf;
use crate::error::{Error, Result};
use crate::process;
use crate::requirements::{self, Consent, Purpose, in_ci, programs};
use crate::runner;
use crate::workspace::{Workspace, cargo};

/// The test binary that needs root.
const NEEDS_ROOT: &str = "kernel";

#[derive(clap::Args)]
pub struct Args {
    /// Fail where a test cannot run here, as CI does
    #[arg(long)]
    forbid_skip: bool,

    #[command(flatten)]
    consent: Consent,

    /// What `cargo test` is given besides
    #[arg(last = true)]
    cargo_args: Vec<OsString>,
}

/// `cargo xtask test`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    ebpf::check_sources(workspace)?;
    // Who names tests knows what they need.
    if args.cargo_args.is_empty() || args.consent.yes {
        let missing = requirements::provide(Purpose::Tests, &args.consent)?;
        if !missing.is_empty() {
            println!("without {}, tests are skipped", programs(&missing));
        }
    }
    let forbid_skip = args.forbid_skip || in_ci();
    let mut tests = tests(workspace, forbid_skip)?;
    if !names_package(&args.cargo_args) {
        tests.arg("--workspace");
    }
    tests.arg("--no-fail-fast").args(&args.cargo_args);
    run_counting(workspace, &mut tests)
}

/// Whether these arguments say themselves what is to be tested.
fn names_package(cargo_args: &[OsString]) -> bool {
    cargo_args
        .iter()
        .map(|arg| arg.to_string_lossy())
        .take_while(|arg| arg != "--")
        .any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

/// The kernel tests alone, on an object other than the committed one.
pub fn run_kernel_tests(workspace: &Workspace, object: &Path) -> Result<ExitCode> {
    let mut tests = tests(workspace, in_ci())?;
    tests
        .args(["--package", "ioprof", "--test", NEEDS_ROOT])
        .env("IOPROF_EBPF_OBJECT", object);
    run_counting(workspace, &mut tests)
}

/// What makes cargo start the kernel tests as root.
pub fn as_root() -> Result<Vec<String>> {
    runner::cargo_options(NEEDS_ROOT)
}

fn tests(workspace: &Workspace, forbid_skip: bool) -> Result<Command> {
    let mut tests = Command::new(cargo());
    tests
        .current_dir(workspace.root())
        .arg("test")
        .args(as_root()?)
        .env("IOPROF_SKIP_LOG", skip_log(workspace))
        .env_remove("IOPROF_FORBID_SKIP");
    if forbid_skip {
        tests.env("IOPROF_FORBID_SKIP", "1");
    }
    Ok(tests)
}

/// Where tests write that they were skipped. Not in /tmp: there, root may not write to another user's file.
fn skip_log(workspace: &Workspace) -> PathBuf {
    workspace.join("target/skipped-tests.log")
}

fn run_counting(workspace: &Workspace, tests: &mut Command) -> Result<ExitCode> {
    let log = skip_log(workspace);
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    }
    fs::write(&log, "").map_err(Error::file("write", &log))?;
    let code = process::exit_code(tests)?;
    let skipped = fs::read_to_string(&log).map_err(Error::file("read", &log))?;
    print!("{}", summary(&skipped));
    Ok(code)
}

/// How many tests were skipped, and which.
fn summary(log: &str) -> String {
    let mut lines: Vec<_> = log.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut summary = format!("tests skipped: {}\n", lines.len());
    for line in lines {
        summary += &format!("  {line}\n");
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::{names_package, summary};

    #[test]
    fn a_package_of_choice_is_tested_alone() {
        let names = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(Into::into).collect();
            names_package(&args)
        };
        assert!(names(&["-p", "ioprof"]));
        assert!(names(&["--lib", "--package=ioprof"]));
        assert!(!names(&["--lib", "--", "-p"]));
        assert!(!names(&[]));
    }

    #[test]
    fn names_each_skipped_test_once() {
        assert_eq!(summary(""), "tests skipped: 0\n");
        assert_eq!(
            summary("skipped: b: no root\nskipped: a: no loop device\nskipped: b: no root\n"),
            "tests skipped: 2\n  skipped: a: no loop device\n  skipped: b: no root\n"
        );
    }
}
