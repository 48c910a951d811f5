//! `batch`: many files through a pipeline of stages with bounded queues between them.

mod collect;
mod discover;
mod gate;
mod message;
mod pipeline;
mod progress;
mod read;
mod transform;
mod write;

use std::path::{Path, PathBuf};

use message::PipelineOptions;

use crate::data_set::{DataFile, DataSet, Folder, Kind, Layout, Specification};
use crate::error::Error;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::{BatchOptions, CacheState, value_name};
use crate::resources::{descriptor_budget, processors};
use crate::run::{Control, Run};
use crate::summary::Summary;

/// Descriptors that each worker may need: a reader's file, a writer's part of the files in flight.
const DESCRIPTORS_PER_WORKER: u64 = 8;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run()`].
pub fn run(options: &BatchOptions, control: &Control<'_>) -> Result<Summary, Error> {
    let interrupt = control.interrupt;
    let mut run = Run::new("batch", &options.common, control);
    let input = Input::prepare(options, &mut run)?;
    let transforms: Vec<String> = options.transform.iter().map(value_name).collect();
    let workers = workers(options, &mut run)?;
    run.parameter("transform", transforms.join(","));
    run.parameter("workers", workers);
    run.parameter("ordered", options.ordered);
    run.parameter("write", options.write);
    run.engine("pipeline", None);
    let pipeline_options = PipelineOptions {
        root: input.root().to_path_buf(),
        own_marker: matches!(input, Input::Made(_)),
        transforms: options.transform.clone(),
        output: input.output(options)?,
        workers,
        ordered: options.ordered,
        results: options.results.clone(),
    };
    run.measure(|gauge| pipeline::run(&pipeline_options, &Kernel, gauge, interrupt))?;
    Ok(run.finish())
}

/// Workers per stage, as the limit of open files allows.
fn workers(options: &BatchOptions, run: &mut Run<'_>) -> Result<usize, Error> {
    let wanted = options
        .workers
        .map_or_else(processors, |workers| workers as usize);
    let (limit, left) = descriptor_budget();
    let possible = usize::try_from(left / DESCRIPTORS_PER_WORKER).unwrap_or(usize::MAX);
    if possible == 0 {
        return Err(Error::Descriptors {
            limit,
            left,
            needed: DESCRIPTORS_PER_WORKER,
        });
    }
    if possible < wanted {
        run.note(format!("{wanted} workers per stage are lowered to {possible}: the limit of open files is {limit}"));
    }
    Ok(wanted.min(possible))
}

/// Where the files come from.
enum Input {
    /// Generated for the run.
    Made(DataSet),
    /// The user's; outputs go to a temporary folder.
    Named {
        root: PathBuf,
        folder: Option<Folder>,
    },
}

impl Input {
    fn prepare(options: &BatchOptions, run: &mut Run<'_>) -> Result<Self, Error> {
        if let Some(root) = &options.input {
            if !std::fs::metadata(root)
                .map_err(Error::io("open the folder", root))?
                .is_dir()
            {
                return Err(Error::io("open the folder", root)(
                    std::io::Error::from_raw_os_error(libc::ENOTDIR),
                ));
            }
            run.parameter("input", root.display());
            let folder = if options.write {
                Some(Folder::temporary(&run.location()?.dir)?)
            } else {
                None
            };
            let files = match options.common.cache {
                CacheState::AsIs => Vec::new(),
                _ => listed(root, run.interrupt),
            };
            run.prepare_cache(root, &files)?;
            return Ok(Self::Named {
                root: root.clone(),
                folder,
            });
        }
        let set = run.data_set(&Specification {
            workload: "batch",
            seed: options.common.seed,
            files: options.files,
            size: options.file_size,
            kind: Kind::Text,
            layout: Layout::Dense,
            extra_bytes: if options.write {
                options.files.saturating_mul(options.file_size.max)
            } else {
                0
            },
        })?;
        run.prepare_cache(set.dir(), &set.files)?;
        Ok(Self::Made(set))
    }

    fn root(&self) -> &Path {
        match self {
            Self::Made(set) => set.dir(),
            Self::Named { root, .. } => root,
        }
    }

    /// The folder for outputs, with --write. It is removed with the folder it is in.
    fn output(&self, options: &BatchOptions) -> Result<Option<Folder>, Error> {
        match self {
            _ if !options.write => Ok(None),
            Self::Made(set) => {
                // Outside the data set, so that discovery does not find what is being written.
                let parent = set.dir().parent().unwrap_or(Path::new("."));
                Folder::temporary(parent).map(Some)
            }
            Self::Named {
                folder: Some(folder),
                ..
            } => Folder::temporary(folder.path()).map(Some),
            Self::Named { folder: None, .. } => Ok(None),
        }
    }
}

/// The files below a folder that can be opened, and so evicted or read in. The others are counted as failed in the measured
/// phase.
fn listed(root: &Path, interrupt: &Interrupt) -> Vec<DataFile> {
    let mut files = Vec::new();
    let gauge = crate::transfer::OpenGauge::default();
    let mut walk = discover::Walk::new(root, false, &gauge);
    while let Some(found) = walk.next() {
        if interrupt.is_set() {
            break;
        }
        if let Ok(path) = found
            && let Ok(metadata) = std::fs::metadata(&path)
            && metadata.is_file()
            && std::fs::File::open(&path).is_ok()
        {
            files.push(DataFile {
                path,
                size: metadata.len(),
            });
        }
    }
    files
}

#[cfg(test)]
mod tests;
