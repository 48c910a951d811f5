//! Runs a workload alone: `workload async --files 100`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    workload: ioprof_workloads::Workload,
    /// Write the summary as JSON to this inherited descriptor
    #[arg(long, global = true, value_name = "N")]
    summary_fd: Option<i32>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("workload: {error}");
        ExitCode::from(125)
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, ioprof_workloads::Error> {
    // SAFETY: this process has opened nothing so far, so nothing in it owns an inherited descriptor.
    let inherited = |number| unsafe { ioprof_workloads::inherited(number) };
    let summary_fd = arguments.summary_fd.map(inherited).transpose()?;
    ioprof_workloads::main(&arguments.workload, summary_fd, None)
}
