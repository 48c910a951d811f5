//! The io_uring engine: one ring per thread, direct descriptors, registered buffers, batched submission.

mod block_file;
mod driver;
mod entry;
mod ring;
mod task;

use std::sync::Arc;

pub use ring::{Buffers, available, create};

use super::plan::Plan;
use crate::counters::Counters;
use crate::error::Error;
use crate::transfer::OpenGauge;

/// Memory for transfers, over all threads. Files in flight beyond it are open and wait for a buffer.
const BUFFER_BYTES: usize = 48 << 20;

/// What the engine did, and what the kernel refused.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What all threads counted.
    pub counters: Counters,
    /// What the kernel refused, without repetitions.
    pub notes: Vec<String>,
}

/// Runs the plan, on the calling thread where one is enough.
///
/// # Errors
///
/// [`Error::Uring`] where a ring cannot be set up, [`Error::Io`] where the file of blocks cannot be opened.
pub fn run(plan: &Plan, gauge: &Arc<OpenGauge>) -> Result<Outcome, Error> {
    let workers = plan.workers;
    let limits = |worker: usize| Limits {
        depth: plan.depth / workers + usize::from(worker < plan.depth % workers),
        buffer_bytes: BUFFER_BYTES / workers,
    };
    if workers == 1 {
        return driver::run(plan, limits(0), gauge);
    }
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || driver::run(plan, limits(worker), gauge)))
            .collect();
        threads
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect::<Vec<_>>()
    });
    let mut total = Outcome::default();
    for outcome in outcomes {
        let outcome = outcome.map_err(|_| Error::Worker("uring".to_owned()))??;
        total.counters.merge(outcome.counters);
        for note in outcome.notes {
            if !total.notes.contains(&note) {
                total.notes.push(note);
            }
        }
    }
    Ok(total)
}

/// What one thread may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most items in flight.
    pub depth: usize,
    /// Most memory for buffers.
    pub buffer_bytes: usize,
}
