//! `ioprof tune`.

mod bench;
mod child;
mod options;
mod progress;
mod search;
mod subject;
mod system;
mod told;

use std::{io, process::ExitCode, time::Instant};

use ioprof_workloads::Interrupt;
use nix::sys::signal::Signal;

use self::{bench::Bench, progress::Progress, search::Search, subject::Subject, told::Told};
use super::deliver::print;
use crate::{
    cli::{SearchOptions, Tune},
    error::Error,
    launch::destination::Destination,
    output::{
        json,
        terminal::{Style, tune::render},
    },
};

/// Searches settings.
///
/// # Errors
///
/// Where nothing can be measured.
pub fn tune(tune: &Tune) -> Result<ExitCode, Error> {
    let (subject, options) = match tune {
        Tune::Async(search) => (Subject::of_async(&search.workload)?, &search.options),
        Tune::Mmap(search) => (Subject::of_mmap(&search.workload)?, &search.options),
        Tune::Batch(search) => (Subject::of_batch(&search.workload)?, &search.options),
        Tune::Copy(search) => (Subject::of_copy(&search.workload)?, &search.options),
        Tune::System(arguments) => return system::system(arguments),
    };
    of_workload(subject, options)
}

fn of_workload(mut subject: Subject, options: &SearchOptions) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let started_at = jiff::Timestamp::now();
    subject.fix(&options.fix)?;
    // Before the destination, whose file a signal would leave behind.
    let interrupt = Interrupt::install()?;
    let destination = Destination::open(options.output.as_deref())?;
    let progress = Progress::of(options.time);
    progress.preparing();
    let bench = Bench::prepare(subject, options.time, &interrupt);
    let Some(mut bench) = bench.inspect_err(|_| progress.clear())? else {
        progress.clear();
        return Ok(stopped(&interrupt, "nothing was measured"));
    };
    let found = Search::new(&mut bench, options.target, &progress).search();
    progress.clear();
    let told = Told {
        bench: &bench,
        found: &found?,
        target: options.target,
        started_at,
        duration: began.elapsed(),
    };
    let tuning = told.tuning()?;
    let is_stdout = options
        .output
        .as_deref()
        .is_some_and(Destination::is_stdout);
    if is_stdout {
        print(
            &mut io::stderr(),
            &render(&tuning, Style::of(&io::stderr())),
        );
    } else {
        print(
            &mut io::stdout(),
            &render(&tuning, Style::of(&io::stdout())),
        );
    }
    destination.write(&json::tuning(&tuning))?;
    // The folder goes.
    drop(bench);
    if interrupt.is_set() {
        return Ok(stopped(&interrupt, "the search is not complete"));
    }
    Ok(ExitCode::SUCCESS)
}

fn stopped(interrupt: &Interrupt, what: &str) -> ExitCode {
    let number = interrupt.signal().unwrap_or_default();
    let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
    let told = format!("ioprof: {name}: {what}; the data set is gone\n");
    print(&mut io::stderr(), &told);
    ExitCode::from(128 + u8::try_from(number).unwrap_or(0))
}
