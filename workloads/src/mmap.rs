//! `mmap`: a file through a window of mapped memory.

use crate::counters::{Counters, Operation};
use crate::data_set::{Kind, Layout, Specification};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::options::{MmapOptions, SizeRange};
use crate::run::Run;
use crate::summary::{Summary, Via};

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run`].
pub fn run(options: &MmapOptions, interrupt: &Interrupt) -> Result<Summary, Error> {
    let mut run = Run::new("mmap", &options.common, interrupt);
    let size = SizeRange {
        min: options.file_size.0,
        max: options.file_size.0,
    };
    let layout = options
        .data_size
        .map_or(Layout::Dense, |size| Layout::Head(size.0));
    let set = run.data_set(&Specification {
        workload: "mmap",
        seed: options.common.seed,
        files: 1,
        size,
        kind: Kind::Noise,
        layout,
        extra_bytes: 0,
    })?;
    run.prepare_cache(set.dir(), &set.files)?;
    run.engine("mmap", None);
    run.measure(|_| {
        let mut counters = Counters::new();
        for file in &set.files {
            let open = std::fs::File::open(&file.path).map_err(Error::io("open", &file.path))?;
            // SAFETY: the file is the run's own and nothing else writes to it.
            let map = unsafe { memmap2::Mmap::map(&open) }.map_err(Error::io("map", &file.path))?;
            counters.record_many(Operation::Mmap, Via::Syscall, 1, 0, None);
            let sum: u64 = map.iter().map(|&byte| u64::from(byte)).sum();
            std::hint::black_box(sum);
            counters.record_many(Operation::Load, Via::Memory, 1, map.len() as u64, None);
            counters.finish_file();
        }
        Ok(counters)
    })?;
    Ok(run.finish())
}
