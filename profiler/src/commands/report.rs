//! `ioprof report`.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
    process::ExitCode,
};

use super::{deliver::print, gate};
use crate::{
    analysis,
    cli::FailOn,
    error::Error,
    model::{
        read::{self, Refusal},
        report::SCHEMA,
    },
    output::{terminal, text::shortened},
};

/// Prints a saved report.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn report(path: &Path, fail_on: Option<FailOn>) -> Result<ExitCode, Error> {
    let unreadable = |source| Error::Input {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // A byte more than a report may have tells that it has too many, also of a file without an end.
    File::open(path)
        .and_then(|file| file.take(read::MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    let mut report = read::read(&bytes).map_err(|refusal| refused(path, refusal))?;
    // By the rules of this ioprof, whatever the one that measured has found.
    analysis::judge(&mut report);
    let stdout = io::stdout();
    let text = terminal::render(&report, terminal::Style::of(stdout.is_terminal()));
    print(&mut stdout.lock(), &text);
    Ok(gate::status(&report, fail_on))
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
