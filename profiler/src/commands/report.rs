//! `ioprof report`, and the delivery of every report.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
    process::ExitCode,
};

use super::destination::Destination;
use crate::{
    error::Error,
    model::{
        read::{self, Refusal},
        report::{Report, SCHEMA},
    },
    output::{json, terminal, text::shortened},
};

/// Prints a saved report.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn report(path: &Path) -> Result<ExitCode, Error> {
    let unreadable = |source| Error::Input {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // A byte more than a report may have tells that it has too many, also of a file without an end.
    File::open(path)
        .and_then(|file| file.take(read::MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    let report = read::read(&bytes).map_err(|refusal| refused(path, refusal))?;
    let stdout = io::stdout();
    let text = terminal::render(&report, terminal::Style::of(stdout.is_terminal()));
    print(&mut stdout.lock(), &text);
    Ok(ExitCode::SUCCESS)
}

/// How much of what a file says is repeated to the user.
const QUOTED: usize = 200;

fn refused(path: &Path, refusal: Refusal) -> Error {
    let path = path.to_owned();
    match refusal {
        Refusal::NotAReport(reason) => Error::NotAReport {
            path,
            reason: shortened(&reason, QUOTED),
        },
        Refusal::Newer(schema) => Error::NewerSchema {
            path,
            schema: shortened(&schema, QUOTED),
            supported: SCHEMA,
        },
    }
}

/// Writes the report where the user wants it, and prints it for reading to stderr, as perf stat does.
///
/// # Errors
///
/// Where it cannot be written.
pub fn deliver(report: &Report, destination: Destination) -> Result<(), Error> {
    let stderr = io::stderr();
    let text = terminal::render(report, terminal::Style::of(stderr.is_terminal()));
    print(&mut stderr.lock(), &text);
    destination.write(&json::render(report))
}

/// Says that the probes are attached.
pub fn say_ready(pids: &[i32]) {
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let line = format!("ioprof: profiling {}; Ctrl-C ends it\n", pids.join(", "));
    print(&mut io::stderr(), &line);
}

/// Prints, without minding a reader that has gone, such as `head`.
fn print(to: &mut impl io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// The event loop, on this thread alone.
///
/// # Errors
///
/// Where the kernel refuses what it needs.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("starting the event loop"))
}
