//! The commands, put together from the parts.

mod attach;
mod begun;
mod calibrate;
mod ceilings;
mod compare;
mod coverage;
mod deliver;
mod doctor;
mod explain;
mod gate;
mod generate;
mod measurement;
mod repeat;
mod report;
mod run;
mod series;
mod signals;
mod status;
mod stop;
mod sweep;
mod tune;

use std::process::ExitCode;

use ioprof_workloads::Workload;

pub use attach::attach;
pub use calibrate::calibrate;
pub use compare::compare;
pub use coverage::coverage;
pub use doctor::doctor;
pub use explain::explain;
pub use generate::{completions, man};
pub use report::{list, report};
pub use run::run;
pub use sweep::sweep;
pub use tune::tune;

use crate::{error::Error, output::text, version};

/// Ends the process as clap does where the command line is wrong or asks for help. The message may quote any bytes.
pub fn refuse(error: &clap::Error) -> ! {
    let message = error.render().to_string();
    let lines: Vec<_> = message.lines().map(text::visible).collect();
    if message.lines().eq(lines.iter().map(AsRef::as_ref)) {
        error.exit();
    }
    eprintln!("{}", lines.join("\n"));
    std::process::exit(error.exit_code())
}

/// `ioprof workload`: the workload alone.
///
/// # Errors
///
/// Those of the workload.
pub fn workload(
    workload: &Workload,
    summary_fd: Option<i32>,
    start_fd: Option<i32>,
) -> Result<ExitCode, Error> {
    // SAFETY: this process has opened nothing so far, so nothing in it owns an inherited descriptor.
    let inherited = |number| unsafe { ioprof_workloads::inherited(number) };
    let summary_fd = summary_fd.map(inherited).transpose()?;
    let start_fd = start_fd.map(inherited).transpose()?;
    Ok(ioprof_workloads::main(workload, summary_fd, start_fd)?)
}

/// `ioprof --version`: one line, or all facts.
pub fn version(verbose: bool) -> ExitCode {
    if verbose {
        print!("{}", version::verbose());
    } else {
        println!("{}", version::line());
    }
    ExitCode::SUCCESS
}
