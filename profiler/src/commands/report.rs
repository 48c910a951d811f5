//! `ioprof report`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    process::ExitCode,
};

use super::deliver::{print, rest};
use crate::{
    error::Error,
    model::{
        read::{self, Refusal},
        report::SCHEMA,
    },
    output::{
        terminal::{self, Style, View},
        text::shortened,
    },
    text::Text,
};

/// Prints a saved report, or a part of it.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn report(path: &Path, view: &View) -> Result<ExitCode, Error> {
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
    let style = Style::of(&stdout);
    let mut text = terminal::render(&report, view, style);
    if *view == View::Screen {
        text.push_str(&rest(&Text::of(path).to_string(), style));
    }
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
