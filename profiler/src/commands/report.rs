//! `ioprof report`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    deliver::{print, rest},
    gate,
};
use crate::{
    analysis,
    cli::FailOn,
    error::Error,
    launch::history::History,
    model::{
        read::{self, Refusal},
        report::{Report, SCHEMA},
    },
    output::{
        terminal::{self, Style, View, runs},
        text::shortened,
    },
    text::Text,
};

/// Prints the report of a file, or the last that was kept, or a part of it.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn report(
    file: Option<PathBuf>,
    view: &View,
    fail_on: Option<FailOn>,
) -> Result<ExitCode, Error> {
    let path = file.map_or_else(last, Ok)?;
    let report = read(&path)?;
    let stdout = io::stdout();
    let style = Style::of(&stdout);
    let mut text = terminal::render(&report, view, style);
    if *view == View::Screen {
        text.push_str(&rest(Some(&Text::of(&path)), style));
    }
    print(&mut stdout.lock(), &text);
    Ok(gate::status(&report, fail_on))
}

/// Lists the reports that were kept.
///
/// # Errors
///
/// Where there are none.
pub fn list() -> Result<ExitCode, Error> {
    let stdout = io::stdout();
    let saved = kept()?.into_iter().map(|path| {
        let report = read(&path).map_err(|error| error.to_string());
        (Text::of(&path), report)
    });
    let saved: Vec<_> = saved.collect();
    print(
        &mut stdout.lock(),
        &runs::render(&saved, Style::of(&stdout)),
    );
    Ok(ExitCode::SUCCESS)
}

fn last() -> Result<PathBuf, Error> {
    kept()?.into_iter().next().ok_or(Error::NoReports)
}

/// The reports that were kept: one at least.
fn kept() -> Result<Vec<PathBuf>, Error> {
    let history = History::of_caller().map_err(|_| Error::NoReports)?;
    match history.saved() {
        Ok(saved) if !saved.is_empty() => Ok(saved),
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Input {
            path: history.folder().to_owned(),
            source,
        }),
        _ => Err(Error::NoReports),
    }
}

/// The report of a file, judged anew.
///
/// # Errors
///
/// Where the file cannot be read or is not a report.
pub fn read(path: &Path) -> Result<Report, Error> {
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
    Ok(report)
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
