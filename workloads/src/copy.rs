//! `copy`: the ways to copy a file.

use std::os::fd::AsFd;

use nix::fcntl::OFlag;

use crate::data_set::{Kind, Layout, Specification};
use crate::error::Error;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::{CopyOptions, SizeRange};
use crate::run::Run;
use crate::summary::Summary;
use crate::transfer::Transfer;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run`].
pub fn run(options: &CopyOptions, interrupt: &Interrupt) -> Result<Summary, Error> {
    let mut run = Run::new("copy", &options.common, interrupt);
    let size = SizeRange {
        min: options.file_size.0,
        max: options.file_size.0,
    };
    let set = run.data_set(&Specification {
        workload: "copy",
        seed: options.common.seed,
        files: 1,
        size,
        kind: Kind::Noise,
        layout: Layout::Dense,
        extra_bytes: options.file_size.0,
    })?;
    run.prepare_cache(set.dir(), &set.files)?;
    run.engine("read-write", None);
    run.measure(|gauge| {
        let mut transfer = Transfer::new(&Kernel, gauge, None);
        let mut buffer = vec![0; 1 << 20];
        for file in &set.files {
            let source = transfer
                .open(&file.path, OFlag::O_RDONLY)
                .map_err(Error::io("open", &file.path))?;
            let path = set.dir().join("copy");
            let target = transfer
                .open(&path, OFlag::O_WRONLY | OFlag::O_CREAT)
                .map_err(Error::io("create", &path))?;
            let mut at = 0;
            loop {
                let count = transfer
                    .read_full(source.as_fd(), &mut buffer, at)
                    .map_err(Error::io("read", &file.path))?;
                if count == 0 {
                    break;
                }
                transfer
                    .write_all(target.as_fd(), &buffer[..count], at)
                    .map_err(Error::io("write", &path))?;
                at += count as u64;
            }
            transfer
                .sync(target.as_fd())
                .map_err(Error::io("fsync", &path))?;
            transfer
                .close(source)
                .map_err(Error::io("close", &file.path))?;
            transfer.close(target).map_err(Error::io("close", &path))?;
            transfer.counters.finish_file();
        }
        Ok(transfer.counters)
    })?;
    Ok(run.finish())
}
