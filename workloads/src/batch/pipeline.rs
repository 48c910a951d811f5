//! The stages and the queues between them.
//!
//! ```text
//! discover -> jobs  -> readers -> chunks (one queue per worker) -> transformers -> outputs (one per worker) -> writers
//!                        ^                                               |                                       |
//!                        +------------------- buffers -------------------+              results -> collector <---+
//! ```
//!
//! All queues are bounded, and a reader needs a buffer from a fixed pool, so memory is bounded whatever is slow. The chunks
//! of a file all go to the same worker, in order: `number of the file % workers`.

use std::sync::Arc;

use crossbeam_channel::bounded;

use super::collect::Collector;
use super::discover;
use super::message::{Chunk, Downstream, FileResult, Job, Output, PipelineOptions};
use super::read::{BUFFER, Reader};
use super::transform::Transformer;
use super::write::Writer;
use crate::counters::Counters;
use crate::error::Error;
use crate::files::Files;
use crate::interrupt::Interrupt;
use crate::transfer::{OpenGauge, Transfer};

/// Buffers per worker. Few, so that what is read is still in the CPU's cache when it is transformed; enough that neither
/// side waits for the other each time.
const BUFFERS_PER_WORKER: usize = 16;

/// Runs the pipeline until everything found is done, or the user interrupts.
///
/// # Errors
///
/// [`Error::Worker`] where a stage died, [`Error::Io`] where the results cannot be written.
pub fn run<F: Files>(
    options: &PipelineOptions,
    files: &F,
    gauge: &OpenGauge,
    interrupt: &Interrupt,
) -> Result<Counters, Error> {
    let workers = options.workers.max(1);
    let depth = BUFFERS_PER_WORKER * workers;
    let (job_in, job_out) = bounded::<Vec<Arc<Job>>>(workers * 2);
    let (pool_in, pool_out) = bounded::<Vec<u8>>(depth);
    let (result_in, result_out) = bounded::<FileResult>(depth * 4);
    let (chunk_in, chunk_out): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| bounded::<Chunk>(depth)).unzip();
    let (output_in, output_out): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| bounded::<Output>(depth)).unzip();
    for _ in 0..depth {
        // The pool has room for all of them.
        let _ = pool_in.send(vec![0; BUFFER]);
    }
    let mut collector = Collector::new(options, files, gauge)?;
    let gate = collector.gate();
    let mut total = Counters::new();
    let collected = std::thread::scope(|scope| {
        let mut stages = Vec::new();
        let files_found = collector.files_found();
        stages.push(
            scope.spawn(move || discover::run(options, gauge, interrupt, &job_in, &files_found)),
        );
        let downstream = || Downstream {
            outputs: options.output.is_some().then(|| output_in.clone()),
            results: result_in.clone(),
        };
        for _ in 0..workers {
            let reader = Reader {
                own: Transformer::new(options.transforms.clone(), None, downstream()),
                transfer: Transfer::new(files, gauge, None),
                jobs: job_out.clone(),
                pool: pool_out.clone(),
                chunks: chunk_in.clone(),
                gate: Arc::clone(&gate),
                interrupt,
            };
            stages.push(scope.spawn(move || reader.run()));
        }
        for chunks in chunk_out {
            let transformer = Transformer::new(
                options.transforms.clone(),
                Some(pool_in.clone()),
                downstream(),
            );
            stages.push(scope.spawn(move || transformer.run(&chunks)));
        }
        if let Some(folder) = &options.output {
            for outputs in output_out {
                let writer = Writer::new(
                    folder.path(),
                    Transfer::new(files, gauge, None),
                    result_in.clone(),
                );
                stages.push(scope.spawn(move || writer.run(&outputs)));
            }
        }
        // A queue ends when all its senders are dropped: only the stages before it may hold one.
        drop((job_out, pool_in, pool_out, chunk_in, output_in, result_in));
        let collected = collector.run(&result_out);
        // Where the collector failed, the stages find their queues disconnected and end.
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
