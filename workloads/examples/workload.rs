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
    ioprof_workloads::main(&arguments.workload, arguments.summary_fd, None).unwrap_or_else(
        |error| {
            eprintln!("workload: {error}");
            ExitCode::from(125)
        },
    )
}
