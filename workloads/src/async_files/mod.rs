//! `async`: many files, or many blocks of one file, in flight at once.

mod item;
mod plan;
mod tokio_pool;

use std::sync::Arc;
use std::time::Duration;

use plan::{Plan, Source};

use crate::buffers::PAGE;
use crate::data_set::{DataSet, Kind, Layout, Specification};
use crate::error::Error;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::offsets::Blocks;
use crate::options::{Access, AsyncOptions, SizeRange, value_name};
use crate::resources::{descriptor_budget, processors};
use crate::run::Run;
use crate::summary::Summary;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run`].
pub fn run(options: &AsyncOptions, interrupt: &Interrupt) -> Result<Summary, Error> {
    let settings = Settings::new(options)?;
    let mut run = Run::new("async", &options.common, interrupt);
    let set = run.data_set(&settings.specification(options))?;
    run.prepare_cache(set.dir(), &set.files)?;
    settings.describe(options, &mut run);
    let plan = Arc::new(settings.plan(options, &set, interrupt));
    run.engine("tokio", None);
    run.measure(|gauge| Ok(tokio_pool::run(plan, Kernel, Arc::clone(gauge))?.0))?;
    Ok(run.finish())
}

/// The options with their defaults filled in and checked against each other.
struct Settings {
    file_size: SizeRange,
    files: u64,
    block_size: u64,
    depth: usize,
    workers: usize,
    read_percent: u8,
}

impl Settings {
    fn new(options: &AsyncOptions) -> Result<Self, Error> {
        let whole = options.access == Access::Files;
        let gibibyte = SizeRange {
            min: 1 << 30,
            max: 1 << 30,
        };
        let small = SizeRange {
            min: 64 << 10,
            max: 64 << 10,
        };
        let file_size = options
            .file_size
            .unwrap_or(if whole { small } else { gibibyte });
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
        let workers = options
            .workers
            .map_or(if whole { processors() } else { 1 }, |workers| {
                workers as usize
            })
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

    fn plan(&self, options: &AsyncOptions, set: &DataSet, interrupt: &Interrupt) -> Plan {
        let size = set.files.first().map_or(0, |file| file.size);
        let blocks = match options.access {
            Access::Files => None,
            Access::Random => Some(Blocks::shuffled(size, self.block_size, options.common.seed)),
            Access::Sequential => Some(Blocks::sequential(size, self.block_size)),
        };
        let items = blocks.map_or(set.files.len() as u64, |blocks| blocks.count());
        let (_, budget) = descriptor_budget();
        Plan {
            files: set.files.clone(),
            blocks,
            content: set.content,
            block_size: self.block_size,
            depth: self.depth.min(budget as usize).max(1),
            workers: self.workers,
            read_percent: self.read_percent,
            direct: options.direct,
            verify: options.verify,
            fsync: options.fsync,
            timeout: Duration::from_secs_f64(options.timeout),
            source: Source::new(
                items,
                options.duration.map(Duration::from_secs_f64),
                interrupt,
            ),
        }
    }
}
