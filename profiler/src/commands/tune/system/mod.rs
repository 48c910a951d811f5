//! `ioprof tune system`.

mod found;
mod rounds;
mod settings;

use std::{io, process::ExitCode};

use nix::{sys::signal::Signal, unistd::geteuid};

use self::{
    found::{Below, Found},
    rounds::{Runner, Stop, make_best, restored, try_setting, try_together},
};
use crate::{
    analysis::tune_system::{Helping, SCHEMA, SystemTuning, Timed},
    cli::TuneSystem,
    commands::{
        begun::Begun,
        deliver::{print, show},
        run::raise,
        signals::Signals,
    },
    error::Error,
    kernel::system::{machine::release, tunable::Files},
    launch::{
        destination::Destination,
        keeper::{Keeper, Locks},
        targets,
    },
    output::{format::time, json, terminal::tune_system::render, text::line},
    text::Text,
    version,
};

/// Lists what would be tried, or tries it.
///
/// # Errors
///
/// Where there is no disk below the path, the command fails, or something cannot be put back.
pub fn system(arguments: &TuneSystem) -> Result<ExitCode, Error> {
    let begun = Begun::now();
    if arguments.apply && !geteuid().is_root() {
        return Err(Error::TuneSystem {
            reason:
                "--apply takes root: run it by sudo; without --apply it lists what it would try"
                    .into(),
        });
    }
    let name = arguments.command.first();
    let program = name.map(|name| targets::find(name)).transpose()?;
    let files = Files::of_this_machine();
    let place = Below::of(&files, &arguments.path)?;
    let names = &arguments.only;
    let locks = arguments
        .apply
        .then(|| Locks::take(&files, &place.folders(names)));
    let locks = locks.transpose()?;
    let mut found = Found::of(&files, &place, names);
    let signals = Signals::block()?;
    let destination = Destination::open(arguments.output.as_deref())?;
    let mut devices = place.devices.iter().map(Text::of);
    let mut tuning = SystemTuning {
        schema: SCHEMA.into(),
        ioprof_version: version::NUMBER.into(),
        started_at: begun.in_utc(),
        duration_ns: 0,
        kernel: release()?,
        path: Text::of(&arguments.path),
        mount_point: place.place.as_ref().map(|place| Text::of(&place.point)),
        file_system: place.mounted.kind.clone().into(),
        mount_options: place.mounted.options.clone().into(),
        device: devices.next().unwrap_or_default(),
        below: devices.collect(),
        applied: arguments.apply,
        command: arguments.command.iter().map(Text::of).collect(),
        cache: arguments.cache,
        rounds: arguments.repeat.into(),
        runs: 0,
        pages_left: None,
        settings: Vec::new(),
        together: None,
    };
    let has_values = found.values() > 0;
    if let Some((program, locks)) = program.zip(locks).filter(|_| has_values) {
        let mut runner = Runner::new(arguments, &program, &signals);
        let saved = std::mem::take(&mut found.saved);
        let mut keeper = Keeper::start(files, saved, locks)?;
        let tried = all(arguments, &mut found, &mut keeper, &mut runner);
        let together = match tried {
            Ok((together, kept)) if arguments.keep && !kept.is_empty() => {
                make_best(&found, &kept, &mut keeper)?;
                for at in kept {
                    found.items[at].setting.kept = true;
                }
                keeper.leave();
                together
            }
            other => {
                restored(&mut keeper)?;
                drop(keeper);
                match other {
                    Ok((together, _)) => together,
                    Err(Stop::Failed(error)) => return Err(error),
                    Err(Stop::Signal(signal)) => {
                        drop(destination);
                        signals.restore()?;
                        return Ok(stopped(signal));
                    }
                }
            }
        };
        (tuning.runs, tuning.pages_left) = (runner.runs, runner.pages_left);
        tuning.together = together;
    }
    tuning.settings = found.items.into_iter().map(|item| item.setting).collect();
    tuning.duration_ns = begun.elapsed_ns();
    signals.restore()?;
    show(arguments.output.as_deref(), |style| render(&tuning, style));
    destination.write(&json::tune_system(&tuning))?;
    Ok(ExitCode::SUCCESS)
}

/// Tries all settings; the best values together, and the settings whose values are worth to be kept.
fn all(
    arguments: &TuneSystem,
    found: &mut Found,
    keeper: &mut Keeper,
    runner: &mut Runner<'_>,
) -> Result<(Option<Timed>, Vec<usize>), Stop> {
    let tried = (0..found.items.len()).filter(|at| !found.items[*at].changes.is_empty());
    let tried: Vec<_> = tried.collect();
    // The first does not count: it has more to read than the others.
    let first = runner.run()?;
    let rounds = arguments.repeat;
    say_begin(found, tried.len(), rounds, first);
    for (number, at) in (1..).zip(&tried) {
        let setting = &found.items[*at].setting;
        say(&format!(
            "{number} of {}: {} of {}",
            tried.len(),
            setting.name.told(),
            setting.of
        ));
        try_setting(found, *at, rounds, keeper, runner)?;
    }
    let is_helping = |at: &usize| found.items[*at].setting.best.is_some();
    let helping: Vec<_> = tried.into_iter().filter(is_helping).collect();
    if helping.len() < 2 {
        return Ok((None, helping));
    }
    say("the best values together");
    let together = try_together(found, &helping, rounds, keeper, runner)?;
    let kept = if together.verdict == Helping::Helps {
        helping
    } else {
        // What they do together is not shown to help; what one does alone is.
        let change = |at: &usize| {
            let best = found.items[*at].setting.best();
            let timed = best.and_then(|best| best.timed.as_ref());
            timed.and_then(|timed| timed.change).unwrap_or(0.0)
        };
        let best = helping
            .into_iter()
            .min_by(|one, other| change(one).total_cmp(&change(other)));
        best.into_iter().collect()
    };
    Ok((Some(together), kept))
}

fn say_begin(found: &Found, settings: usize, rounds: u32, first_ns: u64) {
    let values = found.values();
    let runs = (values + settings) as u64 * u64::from(rounds);
    let about = first_ns.saturating_mul(runs);
    say(&format!(
        "{runs} runs of {values} values, about {}; Ctrl-C stops it and puts everything back",
        time(about)
    ));
}

fn say(text: &str) {
    print(&mut io::stderr(), &line(&format!("ioprof: {text}")));
}

fn stopped(signal: Signal) -> ExitCode {
    say(&format!("{signal}: stopped; all settings are as they were"));
    raise(signal as i32)
}
