//! `batch`: many files through a pipeline.

use std::os::fd::AsFd;

use nix::fcntl::OFlag;

use crate::data_set::{Kind, Layout, Specification};
use crate::error::Error;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::BatchOptions;
use crate::run::Run;
use crate::summary::Summary;
use crate::transfer::Transfer;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run`].
pub fn run(options: &BatchOptions, interrupt: &Interrupt) -> Result<Summary, Error> {
    let mut run = Run::new("batch", &options.common, interrupt);
    let set = run.data_set(&Specification {
        workload: "batch",
        seed: options.common.seed,
        files: options.files,
        size: options.file_size,
        kind: Kind::Text,
        layout: Layout::Dense,
        extra_bytes: 0,
    })?;
    run.prepare_cache(set.dir(), &set.files)?;
    run.engine("pipeline", None);
    run.measure(|gauge| {
        let mut transfer = Transfer::new(&Kernel, gauge, None);
        let mut buffer = vec![0; 1 << 20];
        for file in &set.files {
            let open = transfer
                .open(&file.path, OFlag::O_RDONLY)
                .map_err(Error::io("open", &file.path))?;
            let count = transfer
                .read_full(open.as_fd(), &mut buffer, 0)
                .map_err(Error::io("read", &file.path))?;
            std::hint::black_box(xxhash_rust::xxh3::xxh3_64(&buffer[..count]));
            transfer
                .close(open)
                .map_err(Error::io("close", &file.path))?;
            transfer.counters.finish_file();
        }
        Ok(transfer.counters)
    })?;
    Ok(run.finish())
}
