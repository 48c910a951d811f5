//! Which files the two sides of a comparison are.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{analysis::compare::MOST_RUNS, cli::Compare, error::Error, text::Text};

/// The reports of both sides: those before and behind `--`, or the only two; of a folder, those in it.
///
/// # Errors
///
/// Where it is not plain which report is on which side, where a folder has none, and where there are too many.
pub fn sides(arguments: &Compare) -> Result<[Vec<PathBuf>; 2], Error> {
    let is_option =
        |path: &&PathBuf| path.as_os_str().as_bytes().starts_with(b"--") && !path.exists();
    if let Some(path) = arguments.after.iter().find(is_option) {
        return Err(Error::OptionBehind {
            option: Text::of(path),
        });
    }
    let sides = match (&arguments.reports[..], &arguments.after[..]) {
        ([before, after], []) => [vec![before], vec![after]],
        (reports, []) => {
            return Err(Error::Sides {
                reports: reports.len(),
            });
        }
        (before, after) => [before.iter().collect(), after.iter().collect()],
    };
    let [before, after] = sides.map(|paths| {
        let reports = paths.into_iter().map(|path| reports(path));
        let reports = reports.collect::<Result<Vec<_>, _>>()?.concat();
        match reports.len() > MOST_RUNS {
            true => Err(Error::TooManyReports { most: MOST_RUNS }),
            false => Ok(reports),
        }
    });
    Ok([before?, after?])
}

/// The file, or those of a folder whose names end in `.json`, by their names.
fn reports(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |source| Error::Input {
        path: path.to_owned(),
        source,
    };
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let files: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = files.map_err(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|end| end == "json") && file.is_file());
    files.sort_unstable();
    match files.is_empty() {
        true => Err(unreadable(io::Error::other(
            "the folder has no report: none ends in .json",
        ))),
        false => Ok(files),
    }
}
