//! `copy`: one large file, copied by one of several methods.

mod copier;
mod methods;
mod verify;

use std::path::{Path, PathBuf};

use copier::Copier;

use crate::buffers::{PAGE, round_up};
use crate::counters::Counters;
use crate::data_set::{DataFile, DataSet, Folder, Kind, Layout, Specification};
use crate::error::{Error, Failure};
use crate::options::{CopyMethod, CopyOptions, value_name};
use crate::run::{Control, Run};
use crate::summary::Summary;

/// Length of the extents of data and holes of a sparse source.
const EXTENT: u64 = 4 << 20;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run()`].
pub fn run(options: &CopyOptions, control: &Control<'_>) -> Result<Summary, Error> {
    if options.block_size.0 < PAGE || options.block_size.0 > 1 << 30 {
        return Err(Error::Options(
            "--block-size must be from 4K to 1G".to_owned(),
        ));
    }
    let interrupt = control.interrupt;
    let mut run = Run::new("copy", &options.common, control);
    run.parameter("method", value_name(&options.method));
    run.parameter("block_size", options.block_size);
    let source = Source::prepare(options, &mut run)?;
    let target = source.dir().join("copy");

    let mut method = None;
    let mut notes = Vec::new();
    run.measure(|gauge| {
        if source.files().is_empty() {
            return Ok(Counters::new());
        }
        let mut copier = Copier::new(options, interrupt, gauge)?;
        for file in source.files() {
            if let Err(failed) = copier.copy(&file.path, &target) {
                copier.transfer.counters.fail(&failed.path, failed.failure);
                // No partial copy is kept; where it cannot be removed here, it is with the folder.
                let _ = std::fs::remove_file(&target);
            }
            copier.transfer.counters.finish_file();
        }
        method = Some(copier.method_used());
        notes = std::mem::take(&mut copier.notes);
        Ok(copier.transfer.counters)
    })?;
    let used = method.unwrap_or(options.method);
    run.engine(
        &value_name(&used),
        (used != options.method)
            .then(|| notes.join("; "))
            .filter(|text| !text.is_empty()),
    );
    notes.into_iter().for_each(|note| run.note(note));
    if options.verify && target.exists() && !interrupt.is_set() {
        for file in source.files() {
            match verify::compare(&file.path, &target, options.method == CopyMethod::Auto)? {
                Ok(()) => {
                    run.note("verified: contents, size and mode of the copy match the source")
                }
                Err(difference) => run.fail(&target, Failure::new("verify", difference)),
            }
        }
    }
    // A kept data set stays unchanged, and truncating an old copy would count in the next run.
    if target.exists() {
        std::fs::remove_file(&target).map_err(Error::io("remove", &target))?;
    }
    Ok(run.finish())
}

/// What is copied.
enum Source {
    /// A file made for the run; the copy goes beside it.
    Made(DataSet),
    /// The user's file; the copy goes to a folder of the run's own.
    Named {
        files: Vec<DataFile>,
        folder: Folder,
    },
}

impl Source {
    fn prepare(options: &CopyOptions, run: &mut Run<'_>) -> Result<Self, Error> {
        let Some(path) = &options.input else {
            let size = options.file_size.0;
            let layout = if options.dense {
                Layout::Dense
            } else {
                Layout::Striped(EXTENT)
            };
            let set = run.data_set(&Specification {
                workload: "copy",
                seed: options.common.seed,
                files: 1,
                size: options.file_size.into(),
                kind: Kind::Noise,
                layout,
                extra_bytes: layout.data_bytes(size),
            })?;
            run.prepare_cache(set.dir(), &set.files)?;
            return Ok(Self::Made(set));
        };
        let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if !metadata.is_file() {
            return Err(Error::Options(format!(
                "{} is not a regular file; name one with --input",
                path.display()
            )));
        }
        let location = run.location()?;
        location.check_space(round_up(metadata.len()), 1)?;
        let folder = Folder::temporary(&location.dir)?;
        let files = vec![DataFile {
            path: PathBuf::clone(path),
            size: metadata.len(),
        }];
        run.parameter("input", path.display());
        run.parameter("file_size", metadata.len());
        let source = Self::Named { files, folder };
        run.prepare_cache(source.dir(), source.files())?;
        Ok(source)
    }

    fn files(&self) -> &[DataFile] {
        match self {
            Self::Made(set) => &set.files,
            Self::Named { files, .. } => files,
        }
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Made(set) => set.dir(),
            Self::Named { folder, .. } => folder.path(),
        }
    }
}

#[cfg(test)]
mod tests;
