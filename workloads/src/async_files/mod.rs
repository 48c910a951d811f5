//! `async`: many files, or many blocks of one file, in flight at once.

mod item;
mod plan;
mod tokio_pool;
pub(crate) mod uring;

use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::OFlag;
use plan::{ItemQueue, Plan};

use crate::buffers::PAGE;
use crate::data_set::{DataSet, Kind, Layout, Specification};
use crate::error::Error;
use crate::files::Kernel;
use crate::offsets::Blocks;
use crate::options::{Access, AsyncOptions, EngineChoice, Size, SizeRange, value_name};
use crate::resources::{descriptor_budget, processors};
use crate::run::{Control, Run};
use crate::summary::Summary;
use crate::transfer::Transfer;

/// Default threads of the tokio engine: enough to keep a device busy, few enough to be cheap.
const POOL_THREADS: usize = 32;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run()`].
pub fn run(options: &AsyncOptions, control: &Control<'_>) -> Result<Summary, Error> {
    let engine = choose(options.engine)?;
    let effective = EffectiveOptions::new(options, &engine)?;
    let mut run = Run::new("async", &options.common, control);
    let set = run.data_set(&effective.specification(options))?;
    if options.direct {
        run.with_setup(|transfer| check_direct(&set, transfer))?;
    }
    run.prepare_cache(set.dir(), &set.files)?;
    effective.describe(options, &mut run);
    let plan = Arc::new(effective.plan(options, &set, &mut run)?);
    let mut notes = Vec::new();
    run.engine(engine.name, engine.reason);
    let of_blocks = plan.blocks.is_some();
    run.measure(|gauge| {
        let (mut counters, stuck) = if engine.uring {
            let outcome = uring::run(&plan, gauge)?;
            notes = outcome.notes;
            (outcome.counters, 0)
        } else {
            tokio_pool::run(plan, Kernel, Arc::clone(gauge))?
        };
        if of_blocks {
            counters.finish_file();
        }
        if stuck > 0 {
            notes.push(format!(
                "{stuck} calls never returned; what their threads did is not counted"
            ));
        }
        Ok(counters)
    })?;
    notes.into_iter().for_each(|note| run.note(note));
    Ok(run.finish())
}

/// The engine that runs, and why.
struct Engine {
    uring: bool,
    name: &'static str,
    reason: Option<String>,
}

fn choose(wanted: EngineChoice) -> Result<Engine, Error> {
    let tokio = |reason| Engine {
        uring: false,
        name: "tokio",
        reason,
    };
    let uring = |reason| Engine {
        uring: true,
        name: "uring",
        reason,
    };
    match (wanted, uring::available()) {
        (EngineChoice::Tokio, _) => Ok(tokio(None)),
        (EngineChoice::Uring, Ok(())) => Ok(uring(None)),
        (EngineChoice::Uring, Err(reason)) => Err(Error::Uring { reason }),
        (EngineChoice::Auto, Ok(())) => {
            Ok(uring(Some("auto: the kernel allows io_uring".to_owned())))
        }
        (EngineChoice::Auto, Err(reason)) => {
            Ok(tokio(Some(format!("auto: no io_uring, {reason}"))))
        }
    }
}

/// Whether the file system supports direct I/O; tmpfs and some network file systems do not.
fn check_direct(set: &DataSet, transfer: &mut Transfer<'_, Kernel>) -> Result<(), Error> {
    let Some(file) = set.files.first() else {
        return Ok(());
    };
    match transfer.open(&file.path, OFlag::O_RDONLY | OFlag::O_DIRECT) {
        Ok(open) => transfer.close(open).map_err(Error::io("close", &file.path)),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(Error::Options(format!(
            "the file system of {} does not support direct I/O; choose another --dir or omit --direct",
            set.dir().display()
        ))),
        Err(error) => Err(Error::io("open", &file.path)(error)),
    }
}

/// The options with their defaults filled in and checked against each other.
struct EffectiveOptions {
    file_size: SizeRange,
    files: u64,
    block_size: u64,
    depth: usize,
    workers: usize,
    read_percent: u8,
}

impl EffectiveOptions {
    fn new(options: &AsyncOptions, engine: &Engine) -> Result<Self, Error> {
        let whole = options.access == Access::Files;
        let default_size = Size(if whole { 64 << 10 } else { 1 << 30 });
        let file_size = options.file_size.unwrap_or(default_size.into());
        let default_block = match options.access {
            Access::Files => 64 << 10,
            Access::Random => 4 << 10,
            Access::Sequential => 1 << 20,
        };
        let block_size = options.block_size.map_or(default_block, |size| size.0);
        if block_size == 0 || block_size > 1 << 30 {
            return Err(Error::Options(
                "--block-size must be from 1 byte to 1G".to_owned(),
            ));
        }
        let read_percent = options.read_percent.unwrap_or(if whole { 80 } else { 100 });
        if options.direct && !block_size.is_multiple_of(PAGE) {
            return Err(Error::Options(format!(
                "--direct needs a --block-size that is a multiple of {PAGE}, not {block_size}"
            )));
        }
        if options.direct
            && read_percent < 100
            && !(file_size.min == file_size.max && file_size.min.is_multiple_of(PAGE))
        {
            return Err(Error::Options(format!(
                "--direct writes need one --file-size that is a multiple of {PAGE}"
            )));
        }
        let depth = options
            .depth
            .map_or(if whole { 256 } else { 32 }, |depth| depth as usize);
        let default_workers = match (engine.uring, whole) {
            // A ring keeps many in flight from one thread; whole files also need CPU time for opening and copying.
            (true, true) => processors(),
            (true, false) => 1,
            // A thread has one in flight.
            (false, _) => POOL_THREADS,
        };
        let workers = options
            .workers
            .map_or(default_workers, |workers| workers as usize)
            .min(depth);
        Ok(Self {
            file_size,
            files: if whole { options.files } else { 1 },
            block_size,
            depth,
            workers,
            read_percent,
        })
    }

    fn specification(&self, options: &AsyncOptions) -> Specification {
        Specification {
            workload: "async",
            seed: options.common.seed,
            files: self.files,
            size: self.file_size,
            kind: Kind::Noise,
            layout: Layout::Dense,
            extra_bytes: 0,
        }
    }

    fn describe(&self, options: &AsyncOptions, run: &mut Run<'_>) {
        run.parameter("access", value_name(&options.access));
        run.parameter("block_size", self.block_size);
        run.parameter("depth", self.depth);
        run.parameter("read_percent", self.read_percent);
        run.parameter("direct", options.direct);
        run.parameter("verify", options.verify);
        run.parameter("fsync", value_name(&options.fsync));
    }

    /// The depth that the limit of open files allows. Direct descriptors have the same limit (io_uring_register(2)).
    fn depth_within_limit(&self, run: &mut Run<'_>) -> Result<usize, Error> {
        let (limit, left) = descriptor_budget();
        if left == 0 {
            return Err(Error::Descriptors {
                limit,
                left,
                needed: 1,
            });
        }
        if left < self.depth as u64 {
            run.note(format!(
                "--depth {} is lowered to {left}: the limit of open files is {limit}",
                self.depth
            ));
        }
        Ok(self.depth.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    fn plan(
        &self,
        options: &AsyncOptions,
        set: &DataSet,
        run: &mut Run<'_>,
    ) -> Result<Plan, Error> {
        let size = set.files.first().map_or(0, |file| file.size);
        let blocks = match options.access {
            Access::Files => None,
            Access::Random => Some(Blocks::shuffled(size, self.block_size, options.common.seed)),
            Access::Sequential => Some(Blocks::sequential(size, self.block_size)),
        };
        let items = blocks.map_or(set.files.len() as u64, |blocks| blocks.count());
        let depth = self.depth_within_limit(run)?;
        Ok(Plan {
            files: set.files.clone(),
            blocks,
            content: set.content,
            block_size: self.block_size,
            depth,
            workers: self.workers.min(depth),
            read_percent: self.read_percent,
            direct: options.direct,
            verify: options.verify,
            fsync: options.fsync,
            timeout: Duration::from_secs_f64(options.timeout),
            queue: ItemQueue::new(
                items,
                options.duration.map(Duration::from_secs_f64),
                run.interrupt,
            ),
        })
    }
}

#[cfg(test)]
mod tests;
