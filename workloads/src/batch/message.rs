//! What the stages of the pipeline pass to each other.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::data_set::Folder;
use crate::error::Failure;
use crate::options::Transform;

/// Bytes of a file per chunk.
pub const CHUNK: usize = 256 << 10;

/// What a pipeline is to do.
#[derive(Debug)]
pub struct PipelineOptions {
    /// The folder to walk.
    pub root: PathBuf,
    /// The folder is a data set, with a marker that is not part of it.
    pub own_marker: bool,
    /// Applied one after the other.
    pub transforms: Vec<Transform>,
    /// Where outputs go; `None` discards them.
    pub output: Option<Folder>,
    /// Threads per stage.
    pub workers: usize,
    /// Results in the order of discovery.
    pub ordered: bool,
    /// Where one line per file goes.
    pub results: Option<PathBuf>,
}

/// A file in the pipeline.
#[derive(Debug)]
pub struct Job {
    /// Its index in the order of discovery.
    pub number: u64,
    /// Its path.
    pub path: PathBuf,
}

/// Which part of its file a chunk is.
#[derive(Debug)]
pub enum Part {
    /// The file in one chunk.
    Whole,
    /// The first of several.
    First,
    /// Neither the first nor the last.
    Middle,
    /// The last of several.
    Last,
    /// No more follows: the file failed.
    Failed(Failure),
    /// No more follows: not a regular file, but a link to a folder or the like.
    Skipped,
}

impl Part {
    /// Whether no more of the file follows.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::First | Self::Middle)
    }
}

/// Part of a file on its way from a reader to a transformer.
#[derive(Debug)]
pub struct Chunk {
    /// The file.
    pub job: Arc<Job>,
    /// From the pool, and goes back there.
    pub buffer: Vec<u8>,
    /// How much of the buffer is filled.
    pub length: usize,
    /// Which part of the file this is.
    pub part: Part,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileResult {
    /// Its index in the order of discovery.
    pub number: u64,
    /// Its path.
    pub path: PathBuf,
    /// Bytes read.
    pub bytes: u64,
    /// xxh3 of the checksum's input.
    pub checksum: Option<u64>,
    /// Line ends in the line count's input.
    pub lines: Option<u64>,
    /// Bytes after the last transform.
    pub output_bytes: u64,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Not a regular file.
    pub skipped: bool,
}

impl FileResult {
    /// Nothing read yet.
    pub fn new(job: &Job) -> Self {
        Self {
            number: job.number,
            path: job.path.clone(),
            ..Self::default()
        }
    }
}

/// A transformed part of a file on its way to a writer.
#[derive(Debug)]
pub struct Output {
    /// The file.
    pub job: Arc<Job>,
    /// What is to be written.
    pub bytes: Vec<u8>,
    /// With the file's last part: its result.
    pub result: Option<FileResult>,
}

/// Where a transformer's results go.
pub struct Downstream {
    /// To the writers, one queue for each; `None` discards the outputs.
    pub outputs: Option<Vec<Sender<Output>>>,
    /// To the collector, where nothing is written.
    pub results: Sender<FileResult>,
}
