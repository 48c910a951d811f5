//! `ioprof tune`.

mod bench;
mod child;
mod options;
mod progress;
mod search;
mod subject;
mod system;
mod told;

use std::process::ExitCode;

use ioprof_workloads::Interrupt;

use self::{bench::Bench, progress::Progress, search::Search, subject::Subject, told::Told};
use super::{
    begun::Begun,
    deliver::{show, stopped},
};
use crate::{
    cli::{SearchOptions, Tune},
    error::Error,
    launch::destination::Destination,
    output::{json, terminal::tune::render},
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
    let begun = Begun::now();
    subject.fix(&options.fix)?;
    // Before the destination, whose file a signal would leave behind.
    let interrupt = Interrupt::install()?;
    let destination = Destination::open(options.output.as_deref())?;
    let progress = Progress::of(options.time);
    progress.preparing();
    let bench = Bench::prepare(subject, options.time, &interrupt);
    let Some(mut bench) = bench.inspect_err(|_| progress.clear())? else {
        progress.clear();
        return Ok(stopped(
            &interrupt,
            "nothing was measured; the data set is gone",
        ));
    };
    let found = Search::new(&mut bench, options.target, &progress).search();
    progress.clear();
    let told = Told {
        bench: &bench,
        found: &found?,
        target: options.target,
        begun,
    };
    let tuning = told.tuning()?;
    show(options.output.as_deref(), |style| render(&tuning, style));
    destination.write(&json::tuning(&tuning))?;
    // The folder goes.
    drop(bench);
    if interrupt.is_set() {
        return Ok(stopped(
            &interrupt,
            "the search is not complete; the data set is gone",
        ));
    }
    Ok(ExitCode::SUCCESS)
}
