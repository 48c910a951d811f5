//! `mmap`: a file through a sliding window of mapped memory.

mod guard;
mod patterns;
pub mod window;

use std::fs::{File, OpenOptions};

use memmap2::Advice;

use window::{Mapping, Window, spans};

use crate::buffers::PAGE;
use crate::counters::{Counters, Operation};
use crate::data_set::{DataFile, Kind, Layout, Specification};
use crate::error::{Error, Failure};
use crate::interrupt::Interrupt;
use crate::options::{MmapOptions, Pattern, value_name};
use crate::run::{Control, Run};
use crate::summary::Summary;

/// Windows end on boundaries of the largest page size that Linux knows (64 KiB on arm64), so that maps may start there.
const WINDOW_UNIT: u64 = 64 << 10;

/// Runs the workload.
///
/// # Errors
///
/// See [`crate::run()`].
pub fn run(options: &MmapOptions, control: &Control<'_>) -> Result<Summary, Error> {
    check(options)?;
    let interrupt = control.interrupt;
    let mut run = Run::new("mmap", &options.common, control);
    let set = run.data_set(&Specification {
        workload: "mmap",
        seed: options.common.seed,
        files: 1,
        size: options.file_size.into(),
        kind: Kind::Noise,
        layout: options
            .data_size
            .map_or(Layout::Dense, |data| Layout::Head(data.0)),
        extra_bytes: 0,
    })?;
    if options.pattern.contains(&Pattern::Update) && !options.reuse_changed {
        set.will_be_modified()?;
    }
    run.prepare_cache(set.dir(), &set.files)?;
    let patterns: Vec<String> = options.pattern.iter().map(value_name).collect();
    run.parameter("pattern", patterns.join(","));
    run.parameter("data_size", options.data_size.unwrap_or(options.file_size));
    run.parameter("window", options.window);
    run.parameter("block_size", options.block_size);
    run.engine("mmap", None);
    if options
        .pattern
        .iter()
        .any(|pattern| *pattern != Pattern::Scan)
    {
        run.note(format!(
            "of random accesses one in {} is timed: a clock read takes longer than an access",
            patterns::RUN
        ));
    }
    let mut huge = None;
    run.measure(|gauge| {
        let mut counters = Counters::new();
        if let Some(file) = set.files.first() {
            gauge.opened();
            let result = work(options, file, interrupt, &mut counters, &mut huge);
            gauge.closed();
            match result {
                Ok(()) => {}
                Err(error @ (Error::Truncated { .. } | Error::Io { .. })) => {
                    counters.fail(&file.path, Failure::new("access", error.to_string()))
                }
                Err(error) => return Err(error),
            }
            counters.finish_file();
        }
        Ok(counters)
    })?;
    if let Some(bytes) = huge {
        run.note(format!(
            "--huge: {bytes} bytes of the first window are mapped with huge pages"
        ));
    }
    Ok(run.finish())
}

fn check(options: &MmapOptions) -> Result<(), Error> {
    let refuse = |text: &str| Err(Error::Options(text.to_owned()));
    if options.window.0 < WINDOW_UNIT {
        return refuse("--window must be at least 64K");
    }
    if options.block_size.0 < PAGE {
        return refuse("--block-size must be at least 4K");
    }
    if options.file_size.0 == 0 || i64::try_from(options.file_size.0).is_err() {
        return refuse("--file-size must be at least 1 byte, and below 8 EiB");
    }
    Ok(())
}

/// All patterns, one after the other. `huge` receives the bytes of the first window in huge pages, with --huge.
fn work(
    options: &MmapOptions,
    file: &DataFile,
    interrupt: &Interrupt,
    counters: &mut Counters,
    huge: &mut Option<u64>,
) -> Result<(), Error> {
    let write = options.pattern.contains(&Pattern::Update);
    let open = counters
        .call(
            Operation::Open,
            |_| 0,
            || OpenOptions::new().read(true).write(write).open(&file.path),
        )
        .map_err(Error::io("open", &file.path))?;
    let mut result = Ok(());
    for pattern in &options.pattern {
        result = one_pattern(*pattern, options, file, &open, interrupt, counters, huge);
        if result.is_err() {
            break;
        }
    }
    let closed = counters.call(Operation::Close, |()| 0, || Ok(nix::unistd::close(open)?));
    result.and(closed.map_err(Error::io("close", &file.path)))
}

fn one_pattern(
    pattern: Pattern,
    options: &MmapOptions,
    file: &DataFile,
    open: &File,
    interrupt: &Interrupt,
    counters: &mut Counters,
    huge: &mut Option<u64>,
) -> Result<(), Error> {
    let advice = if pattern == Pattern::Scan {
        Advice::Sequential
    } else {
        Advice::Random
    };
    let mapping = Mapping {
        populate: options.populate,
        huge: options.huge,
        advice,
    };
    let operations = options.operations.unwrap_or(match pattern {
        Pattern::Update => file.size.div_ceil(64 << 10),
        Pattern::Scan | Pattern::Random => file.size.div_ceil(PAGE),
    });
    let block = usize::try_from(options.block_size.0).unwrap_or(usize::MAX);
    for span in spans(file.size, options.window.0 / WINDOW_UNIT * WINDOW_UNIT) {
        if interrupt.is_set() {
            break;
        }
        let seed = options
            .common
            .seed
            .wrapping_mul(31)
            .wrapping_add(span.offset);
        let share = patterns::share(operations, span, file.size);
        let mut window = Window::open(
            open,
            &file.path,
            span,
            mapping,
            pattern == Pattern::Update,
            counters,
        )?;
        let done = match pattern {
            Pattern::Scan => patterns::scan(&window, block, interrupt, counters),
            Pattern::Random => patterns::random(&window, share, seed, interrupt, counters),
            Pattern::Update => patterns::update(&mut window, share, seed, interrupt, counters)
                .and_then(|()| window.sync(counters))
                .and_then(|()| window.check()),
        };
        if options.huge && huge.is_none() {
            *huge = Some(crate::resources::huge_file_bytes());
        }
        window.close(counters);
        done?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
