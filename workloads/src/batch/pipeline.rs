//! The stages and the queues between them.
//!
//! ```text
//! discover -> found -> readers -> chunks (one queue per worker) -> transformers -> outputs (one per worker) -> writers
//!                        ^                                               |                                       |
//!                        +------------------- buffers -------------------+              results -> collector <---+
//! ```
//!
//! All queues are bounded, and a reader needs a buffer from a fixed pool, so memory is bounded whatever is slow. The chunks
//! of a file all go to the same worker, in order: `number of the file % workers`.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::collect::Collector;
use super::discover::{Found, Walk};
use super::read::Reader;
use super::transform::Transformer;
use super::write::Writer;
use crate::counters::Counters;
use crate::data_set::Folder;
use crate::error::Error;
use crate::files::Files;
use crate::interrupt::Interrupt;
use crate::options::Transform;
use crate::transfer::{OpenGauge, Transfer};

/// Bytes of a file read at once and passed on.
pub const CHUNK: usize = 256 << 10;

/// Buffers per worker. Few, so that what is read is still in the CPU's cache when it is transformed; enough that neither
/// side waits for the other each time.
const BUFFERS_PER_WORKER: usize = 16;

/// Files handed to a reader at once: waking a thread for each would cost more than opening it.
const FOUND_AT_ONCE: usize = 32;

/// What a pipeline is to do.
#[derive(Debug)]
pub struct Settings {
    /// The folder to walk.
    pub root: PathBuf,
    /// The folder is a data set, with a marker that is not part of it.
    pub own_marker: bool,
    /// Applied one after the other.
    pub transforms: Vec<Transform>,
    /// Where outputs go.
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
    /// Its place in the order of discovery.
    pub number: u64,
    /// What it is.
    pub found: Found,
}

/// Why a file failed: the operation and the error.
pub type Failure = (&'static str, String);

/// Part of a file on its way from reading to transforming.
#[derive(Debug)]
pub struct Chunk {
    /// The file.
    pub job: Arc<Job>,
    /// From the pool; goes back there.
    pub buffer: Vec<u8>,
    /// How much of it is filled.
    pub length: usize,
    /// Whether this is the file's first.
    pub first: bool,
    /// Whether this is the file's last.
    pub last: bool,
    /// The file failed: what was read is of no use.
    pub failure: Option<Failure>,
    /// Not a file to be worked on after all, such as a link to a folder.
    pub skipped: bool,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileResult {
    /// Its place in the order of discovery.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes read.
    pub bytes: u64,
    /// xxh3 of what came to the checksum.
    pub checksum: Option<u64>,
    /// Line ends in what came to the count.
    pub lines: Option<u64>,
    /// Bytes after the last transform.
    pub output_bytes: u64,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Not worked on.
    pub skipped: bool,
}

/// A transformed part of a file on its way to the writer.
#[derive(Debug)]
pub struct Output {
    /// The file.
    pub job: Arc<Job>,
    /// What is to be written.
    pub bytes: Vec<u8>,
    /// With the file's last part: what is known of it.
    pub result: Option<FileResult>,
}

/// Runs the pipeline until everything found is done, or the user interrupts.
///
/// # Errors
///
/// [`Error::Worker`] where a stage died, [`Error::Io`] where the results cannot be written.
pub fn run<F: Files>(
    settings: &Settings,
    files: &F,
    gauge: &OpenGauge,
    interrupt: &Interrupt,
) -> Result<Counters, Error> {
    let workers = settings.workers.max(1);
    let depth = BUFFERS_PER_WORKER * workers;
    let (found_in, found_out) = bounded::<Vec<Arc<Job>>>(workers * 2);
    let (pool_in, pool_out) = bounded::<Vec<u8>>(depth);
    let (result_in, result_out) = bounded::<FileResult>(depth * 4);
    let (chunk_in, chunk_out): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| bounded::<Chunk>(depth)).unzip();
    let (output_in, output_out): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| bounded::<Output>(depth)).unzip();
    for _ in 0..depth {
        // The pool has room for all of them.
        let _ = pool_in.send(vec![0; CHUNK]);
    }
    let mut collector = Collector::new(settings, files, gauge)?;
    let gate = collector.gate();
    let mut total = Counters::new();
    let collected = std::thread::scope(|scope| {
        let mut stages = Vec::new();
        let total_files = collector.total();
        stages.push(
            scope.spawn(move || discover(settings, gauge, interrupt, &found_in, &total_files)),
        );
        let next = || Next {
            outputs: settings.output.is_some().then(|| output_in.clone()),
            results: result_in.clone(),
        };
        for _ in 0..workers {
            let reader = Reader {
                own: Transformer::new(settings.transforms.clone(), None, next()),
                transfer: Transfer::new(files, gauge, None),
                found: found_out.clone(),
                pool: pool_out.clone(),
                chunks: chunk_in.clone(),
                gate: Arc::clone(&gate),
                interrupt,
            };
            stages.push(scope.spawn(move || reader.run()));
        }
        for chunks in chunk_out {
            let transformer =
                Transformer::new(settings.transforms.clone(), Some(pool_in.clone()), next());
            stages.push(scope.spawn(move || transformer.run(&chunks)));
        }
        if let Some(folder) = &settings.output {
            for outputs in output_out {
                let writer = Writer::new(
                    folder.path(),
                    Transfer::new(files, gauge, None),
                    result_in.clone(),
                );
                stages.push(scope.spawn(move || writer.run(&outputs)));
            }
        }
        // Each queue ends once the stages before it have: nothing but they may hold its sending end.
        drop((found_out, pool_in, pool_out, chunk_in, output_in, result_in));
        let collected = collector.run(&result_out);
        // Where the collector failed, nobody takes results any more; the stages notice and end.
        drop(result_out);
        for stage in stages {
            match stage.join() {
                Ok(counters) => total.merge(counters),
                Err(_) => return Err(Error::Worker("batch".to_owned())),
            }
        }
        collected
    });
    total.merge(collector.counters());
    collected.map(|()| total)
}

/// Where a transformer's work goes.
pub struct Next {
    /// To the writers, one queue for each; `None` discards.
    pub outputs: Option<Vec<Sender<Output>>>,
    /// To the collector, where nothing is written.
    pub results: Sender<FileResult>,
}

/// The number of files, as far as discovery got.
pub type Total = Arc<std::sync::atomic::AtomicU64>;

fn discover(
    settings: &Settings,
    gauge: &OpenGauge,
    interrupt: &Interrupt,
    found_in: &Sender<Vec<Arc<Job>>>,
    total: &Total,
) -> Counters {
    let mut walk = Walk::new(&settings.root, settings.own_marker, gauge);
    let mut failed = Counters::new();
    let mut batch = Vec::with_capacity(FOUND_AT_ONCE);
    let mut number = 0;
    while let Some(found) = walk.next() {
        if interrupt.is_set() {
            break;
        }
        match found {
            Ok(found) => {
                batch.push(Arc::new(Job { number, found }));
                number += 1;
            }
            Err(unlisted) => failed.fail(&unlisted.path, unlisted.operation, &unlisted.error),
        }
        if batch.len() == FOUND_AT_ONCE && found_in.send(std::mem::take(&mut batch)).is_err() {
            break;
        }
        total.store(number, std::sync::atomic::Ordering::Relaxed);
    }
    // Fails only if the readers have ended.
    let _ = found_in.send(batch);
    failed.merge(walk.counters());
    failed
}

/// Everything a queue still gives.
pub fn drain<T>(queue: &Receiver<T>) -> impl Iterator<Item = T> + '_ {
    queue.iter()
}
