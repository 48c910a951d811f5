//! The tokio engine: system calls on a bounded pool of blocking threads, supervised for files that take too long.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::item;
use super::plan::{Item, Plan, path_of};
use crate::buffers::Buffer;
use crate::counters::{Counters, Event, nanoseconds};
use crate::error::Error;
use crate::files::Files;
use crate::transfer::{OpenGauge, Transfer};

/// How long threads that are stuck in a call are waited for once everything else is done.
const GRACE: Duration = Duration::from_millis(500);

/// How often a thread hands in its counters: later counts are lost if a call of it never returns.
const FLUSH_NS: u64 = 20_000_000;

/// What the threads share.
struct Pool<F> {
    plan: Arc<Plan>,
    files: F,
    gauge: Arc<OpenGauge>,
    started: Instant,
    total: Mutex<Counters>,
    /// Files done. Not part of the counters, so that none is missing where a thread never hands in its own.
    done: AtomicU64,
}

impl<F> Pool<F> {
    fn add(&self, counters: Counters) {
        self.total
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .merge(counters);
    }
}

/// What a thread is working on, for the supervisor to see.
#[derive(Default)]
struct WorkerSlot {
    /// Nanoseconds since the pool's start at which the item was begun, plus one; 0 between items.
    since: AtomicU64,
    /// Index of the item's file.
    file: AtomicUsize,
    /// The item timed out: the thread is to end once its call returns.
    timed_out: AtomicBool,
}

impl WorkerSlot {
    fn begin(&self, item: Item, now: u64) {
        self.file.store(item.file, Ordering::Relaxed);
        self.since.store(now + 1, Ordering::Release);
    }

    /// Whether the item is still the thread's. Exactly one of this and `take_overdue` takes the value out.
    fn end(&self) -> bool {
        self.since.swap(0, Ordering::AcqRel) != 0
    }

    /// Takes an overdue item from the thread; returns its file.
    fn take_overdue(&self, now: u64, timeout: Duration) -> Option<usize> {
        let since = self.since.load(Ordering::Acquire);
        if since == 0 || u128::from(now.saturating_sub(since)) < timeout.as_nanos() {
            return None;
        }
        let file = self.file.load(Ordering::Relaxed);
        // A thread that finished meanwhile, or went on to the next item, keeps it.
        self.since
            .compare_exchange(since, 0, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        self.timed_out.store(true, Ordering::Release);
        Some(file)
    }
}

/// Runs the plan; returns what all threads counted, and how many are still stuck in a call.
///
/// # Errors
///
/// [`Error::Worker`] where threads cannot be started, [`Error::Io`] where the file of blocks cannot be opened.
pub fn run<F: Files + Send + 'static>(
    plan: Arc<Plan>,
    files: F,
    gauge: Arc<OpenGauge>,
) -> Result<(Counters, usize), Error> {
    let workers = plan.workers;
    let pool = Arc::new(Pool {
        plan,
        files,
        gauge,
        started: Instant::now(),
        total: Mutex::default(),
        done: AtomicU64::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        // A thread that is stuck is replaced, so there may be twice as many; the supervisor keeps to that bound.
        .max_blocking_threads(workers * 2)
        .build()
        .map_err(|error| Error::Worker(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(supervise(&pool, workers));
    runtime.shutdown_timeout(GRACE);
    let lost = outcome?;
    let mut total = std::mem::take(&mut *pool.total.lock().unwrap_or_else(PoisonError::into_inner));
    total.finish_files(pool.done.load(Ordering::Relaxed));
    Ok((total, lost))
}

/// Starts the threads, replaces those that get stuck, and waits for the others. Returns how many stayed stuck.
async fn supervise<F: Files + Send + 'static>(
    pool: &Arc<Pool<F>>,
    workers: usize,
) -> Result<usize, Error> {
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut slots: Vec<Arc<WorkerSlot>> = Vec::new();
    let start = |slots: &mut Vec<Arc<WorkerSlot>>| {
        let slot = Arc::new(WorkerSlot::default());
        slots.push(Arc::clone(&slot));
        let (pool, ended) = (Arc::clone(pool), ended.clone());
        tokio::task::spawn_blocking(move || {
            let result = work(&pool, &slot);
            // The receiver is gone only if the run is over without this thread.
            let _ = ended.send((slot.timed_out.load(Ordering::Acquire), result));
        });
    };
    for _ in 0..workers {
        start(&mut slots);
    }
    let timeout = pool.plan.timeout;
    let mut tick = tokio::time::interval(
        (timeout / 4).clamp(Duration::from_millis(1), Duration::from_millis(250)),
    );
    let (mut running, mut stuck, mut first_error) = (workers, 0_usize, None);
    while running > 0 {
        tokio::select! {
            Some((was_stuck, result)) = endings.recv() => {
                if was_stuck { stuck -= 1 } else { running -= 1 }
                if let Err(error) = result {
                    first_error.get_or_insert(error);
                }
            }
            _ = tick.tick() => {
                let now = nanoseconds(pool.started);
                let overdue: Vec<usize> = slots.iter().filter_map(|slot| slot.take_overdue(now, timeout)).collect();
                slots.retain(|slot| !slot.timed_out.load(Ordering::Acquire));
                for file in overdue {
                    running -= 1;
                    stuck += 1;
                    fail(pool, file);
                    if stuck <= workers {
                        start(&mut slots);
                        running += 1;
                    }
                }
            }
        }
    }
    // Those stuck may still return and hand in their counters.
    let patience = tokio::time::Instant::now() + GRACE;
    while stuck > 0 {
        match tokio::time::timeout_at(patience, endings.recv()).await {
            Ok(Some(_)) => stuck -= 1,
            Ok(None) | Err(_) => break,
        }
    }
    first_error.map_or(Ok(stuck), Err)
}

fn fail<F>(pool: &Pool<F>, file: usize) {
    let mut total = pool.total.lock().unwrap_or_else(PoisonError::into_inner);
    total.event(Event::TimedOut);
    total.fail(
        &path_of(&pool.plan.files, file),
        item::timed_out(pool.plan.timeout),
    );
    pool.done.fetch_add(1, Ordering::Relaxed);
}

/// One thread: item after item.
fn work<F: Files>(pool: &Pool<F>, slot: &WorkerSlot) -> Result<(), Error> {
    let plan = &*pool.plan;
    let mut buffer = Buffer::new(plan.buffer_size())
        .map_err(Error::io("allocate memory for", plan.any_path()))?;
    let mut transfer = Transfer::new(&pool.files, &pool.gauge, Some(plan.timeout));
    let mut shared = SharedFile::default();
    let mut result = Ok(());
    let mut flushed = 0;
    while let Some(item) = plan.next() {
        let now = nanoseconds(pool.started);
        if now - flushed > FLUSH_NS {
            flushed = now;
            pool.add(std::mem::take(&mut transfer.counters));
        }
        slot.begin(item, now);
        let done = match plan.blocks {
            None => item::whole_file(plan, item, &mut buffer, &mut transfer),
            Some(_) => match shared.open(plan, item, &mut transfer) {
                Ok(file) => item::block(plan, item, file.as_fd(), &mut buffer, &mut transfer),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            },
        };
        if !slot.end() {
            break;
        }
        if let Err(failure) = done {
            transfer.counters.fail(plan.path(item), failure);
        }
        if plan.blocks.is_none() {
            pool.done.fetch_add(1, Ordering::Relaxed);
        }
    }
    slot.end();
    let closed = shared.close(plan, &mut transfer);
    pool.add(transfer.counters);
    result.and(closed)
}

/// The one file of blocks, opened by a thread when it first needs it, for reading and for writing.
#[derive(Default)]
struct SharedFile {
    read: Option<OwnedFd>,
    write: Option<OwnedFd>,
}

impl SharedFile {
    fn open<F: Files>(
        &mut self,
        plan: &Plan,
        item: Item,
        transfer: &mut Transfer<'_, F>,
    ) -> Result<&OwnedFd, Error> {
        let slot = if item.read {
            &mut self.read
        } else {
            &mut self.write
        };
        match slot {
            Some(file) => Ok(file),
            None => {
                let path = plan.path(item);
                let file = transfer
                    .open(path, plan.open_flags(item.read))
                    .map_err(Error::io("open", path))?;
                Ok(slot.insert(file))
            }
        }
    }

    fn close<F: Files>(self, plan: &Plan, transfer: &mut Transfer<'_, F>) -> Result<(), Error> {
        let mut result = Ok(());
        if let Some(file) = &self.write
            && plan.fsync != crate::options::SyncWhen::Never
        {
            result = transfer
                .sync(file.as_fd())
                .map_err(Error::io("fsync", plan.any_path()));
        }
        for file in [self.read, self.write].into_iter().flatten() {
            result = result.and(
                transfer
                    .close(file)
                    .map_err(Error::io("close", plan.any_path())),
            );
        }
        result
    }
}
