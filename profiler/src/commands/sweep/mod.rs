//! `ioprof sweep`.

mod plan;

use std::{io, process::ExitCode};

use nix::unistd::dup2_stdout;

use self::plan::Plan;
use super::{
    begun::Begun,
    deliver::print,
    run::once,
    series::{Next, Series},
};
use crate::{
    analysis::sweep::{self, Run},
    cli,
    error::Error,
    launch::destination::Destination,
    model::report::{Exit, Host},
    output::{
        json::{self, SWEEP, Swept},
        terminal::{
            Style,
            sweep::{progress, render},
        },
        text::line,
    },
    version,
};

/// Runs all settings in turns, and tells which is the fastest, and why others are slower.
///
/// # Errors
///
/// Where the command line is wrong. Failures of a run are told by that.
pub fn sweep(arguments: cli::Sweep) -> Result<ExitCode, Error> {
    let plan = Plan::of(arguments)?;
    // Before the destination, whose file a signal would leave behind.
    let mut series = Series::begin()?;
    let destination = Destination::open(plan.output.as_deref())?;
    let begun = Begun::now();
    print(&mut io::stderr(), &line(&plan.told()));
    if plan.drops_all_caches() {
        let warning = "ioprof: --cache cold: each run drops the page cache of the whole machine; --cache cold-data \
                       evicts the workload's files alone";
        print(&mut io::stderr(), &line(&warning));
    }
    let mut trials = plan.trials();
    let settings = trials.len();
    let mut host: Option<Host> = None;
    let mut number = 0;
    let turns = plan.turns();
    let measured = turns.iter().filter(|(round, _)| round.is_some()).count();
    for (round, at) in turns {
        if trials[at].failed.is_some() {
            continue;
        }
        let report = match series.next()? {
            Next::Copy(file) => {
                // The file that it would remove is that of the other process.
                std::mem::forget(destination);
                if plan.output.as_deref().is_some_and(Destination::is_stdout) {
                    dup2_stdout(io::stderr())
                        .map_err(Error::system("redirecting the standard output"))?;
                }
                return once(plan.runs[at].clone(), Some(file));
            }
            Next::Over(report) => report,
        };
        let Some(report) = report else {
            break;
        };
        number += usize::from(round.is_some());
        let Some((ended, run)) = Run::of(&report, (round.unwrap_or(0), number as u64)) else {
            break;
        };
        host.get_or_insert(report.host);
        let trial = &mut trials[at];
        trial.command = ended.command;
        trial.failed = ended.exit.filter(|exit| *exit != Exit::Code(0));
        let which = match round {
            Some(_) => ("run", number, measured),
            None => ("warm-up", at.saturating_add(1), settings),
        };
        let told = progress(
            which,
            (&plan.parameters, &plan.settings[at]),
            (&run, trial.failed),
        );
        print(&mut io::stderr(), &line(&told));
        if round.is_some() && trial.failed.is_none() {
            trial.runs.push(run);
        }
    }
    if let Some(host) = &host {
        let sweep = sweep::sweep(plan.parameters, plan.rounds, trials);
        let swept = Swept {
            schema: SWEEP,
            ioprof_version: version::NUMBER,
            host,
            started_at: begun.in_utc(),
            duration_ns: begun.elapsed_ns(),
            kind: plan.kind,
            command: &plan.command,
            cache: plan.cache.as_deref(),
            warm_up: plan.warm_up,
            stopped_by: series.stopped().map(nix::sys::signal::Signal::as_str),
            sweep: &sweep,
        };
        let stderr = io::stderr();
        let text = render(&swept, &plan.name, plan.full, Style::of(&stderr));
        print(&mut stderr.lock(), &text);
        destination.write(&json::sweep(&swept))?;
    }
    series.end()
}
