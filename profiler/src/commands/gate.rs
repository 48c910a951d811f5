//! `--fail-on`: findings that make a run fail.

use std::{io, process::ExitCode};

use super::deliver::print;
use crate::{
    cli::FailOn,
    model::{finding::Severity, report::Report},
    output::format::counted,
};

/// The exit status where there are such findings: none of ioprof's own, nor one of env(1) and timeout(1).
const FOUND: u8 = 123;

/// The exit status of a run that succeeded, and a line for the user where findings make it fail.
pub fn status(report: &Report, fail_on: Option<FailOn>) -> ExitCode {
    let Some(least) = fail_on else {
        return ExitCode::SUCCESS;
    };
    let found = at_least(report, least);
    if found == 0 {
        return ExitCode::SUCCESS;
    }
    let found = counted(found, "finding", "findings");
    let line = format!("ioprof: {found} of --fail-on {least}; exit status {FOUND}\n");
    print(&mut io::stderr(), &line);
    ExitCode::from(FOUND)
}

fn at_least(report: &Report, least: FailOn) -> u64 {
    let least = match least {
        FailOn::Info => Severity::Info,
        FailOn::Warning => Severity::Warning,
        FailOn::Critical => Severity::Critical,
    };
    let found = report.findings.iter();
    found.filter(|one| one.severity >= least).count() as u64
}
