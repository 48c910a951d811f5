//! `ioprof report`, and the delivery of every report.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    process::ExitCode,
};

use serde::Deserialize as _;

use super::destination::Destination;
use crate::{
    error::Error,
    model::report::{Report, SCHEMA},
    output::{json, terminal},
};

/// Prints a saved report.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn report(path: &Path) -> Result<ExitCode, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Input {
        path: path.to_owned(),
        source,
    })?;
    let report = parse(path, &bytes)?;
    let stdout = io::stdout();
    let text = terminal::render(&report, terminal::Style::of(stdout.is_terminal()));
    print(&mut stdout.lock(), &text);
    Ok(ExitCode::SUCCESS)
}

/// The part of a report by which its version is known.
#[derive(serde::Deserialize)]
struct Versioned {
    schema: String,
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Report, Error> {
    let wrong = |reason: String| Error::NotAReport {
        path: path.to_owned(),
        reason,
    };
    let not_json = |error: serde_json::Error| {
        wrong(if error.is_eof() {
            format!("it is truncated ({error})")
        } else {
            format!("it is not JSON ({error})")
        })
    };
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(not_json)?;
    let Ok(Versioned { schema }) = Versioned::deserialize(&value) else {
        return Err(wrong("it has no \"schema\"".into()));
    };
    if schema != SCHEMA {
        return Err(if schema.starts_with("ioprof.report.") {
            Error::NewerSchema {
                path: path.to_owned(),
                schema,
                supported: SCHEMA,
            }
        } else {
            wrong(format!("its schema is {schema:?}"))
        });
    }
    // From the bytes again, so that a mistake is told with its place.
    serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        match parse(Path::new("run.json"), bytes) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it was taken for a report"),
        }
    }

    #[test]
    fn what_is_not_a_report_is_refused_with_its_reason() {
        assert!(refusal(b"hello").contains("not JSON"));
        assert!(refusal(b"{\"schema\": \"ioprof.rep").contains("truncated"));
        assert!(refusal(b"{}").contains("no \"schema\""));
        assert!(refusal(b"{\"schema\": \"other\"}").contains("its schema is"));
        assert!(refusal(b"{\"schema\": \"ioprof.report.v2\"}").contains("use a newer ioprof"));
        assert!(refusal(b"{\"schema\": \"ioprof.report.v1\"}").contains("missing field"));
        for bytes in [&b"hello"[..], b"", b"{}", b"\xff"] {
            assert_eq!(refusal(bytes).lines().count(), 1);
        }
    }
}
