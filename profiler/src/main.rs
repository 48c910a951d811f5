//! The command: parse, execute, and print an error in one line.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use ioprof::{
    cli::{Cli, Command},
    commands,
    error::Error,
    output,
};

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| commands::refuse(&error));
    let Some(command) = cli.command else {
        return commands::version(cli.verbose);
    };
    let done = match command {
        Command::Run(run) => commands::run(run),
        Command::Attach(attach) => commands::attach(&attach),
        Command::Report { list: true, .. } => commands::list(),
        Command::Report {
            file,
            shown,
            fail_on,
            ..
        } => commands::report(file, &shown.view(), fail_on),
        Command::Compare(compare) => commands::compare(&compare),
        Command::Sweep(sweep) => commands::sweep(sweep),
        Command::Calibrate(calibrate) => commands::calibrate(&calibrate),
        Command::Tune(tune) => commands::tune(&tune),
        Command::Explain { id } => commands::explain(id.as_deref()),
        Command::Workload {
            workload,
            summary_fd,
            start_fd,
        } => commands::workload(&workload, summary_fd, start_fd),
        Command::Doctor { coverage: true, .. } => Ok(commands::coverage()),
        Command::Doctor { verbose, .. } => commands::doctor(verbose),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man { folder } => commands::man(&folder),
    };
    done.unwrap_or_else(|error| {
        if let Error::Usage(error) = &error {
            commands::refuse(error);
        }
        // A closed stderr is no reason to panic.
        let _ = write!(std::io::stderr(), "ioprof: {}", output::text::line(&error));
        ExitCode::from(error.exit_status())
    })
}
