//! The runs of a command: with the value that was found and with others, in turns.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use super::found::{Found, Item};
use crate::{
    analysis::tune_system::{Cache, Timed, alpha},
    cli::TuneSystem,
    commands::{begun::Begun, signals::Signals},
    error::Error,
    kernel::system::{evict::evict, tunable::Unrestored},
    launch::keeper::Keeper,
    text::Text,
};

/// Why there are no more runs.
pub enum Stop {
    /// A signal asks for it.
    Signal(Signal),
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What runs the command.
pub struct Runner<'a> {
    arguments: &'a TuneSystem,
    program: &'a Path,
    signals: &'a Signals,
    /// How often it was run.
    pub runs: u64,
    /// See the model.
    pub pages_left: Option<u64>,
}

impl<'a> Runner<'a> {
    /// Of a command.
    pub const fn new(arguments: &'a TuneSystem, program: &'a Path, signals: &'a Signals) -> Self {
        Self {
            arguments,
            program,
            signals,
            runs: 0,
            pages_left: None,
        }
    }

    /// Runs it once, after what it begins with is the same as for all others; its wall time.
    ///
    /// # Errors
    ///
    /// Where it fails, or a signal asks to stop.
    pub fn run(&mut self) -> Result<u64, Stop> {
        if let Some(signal) = self.signals.pending() {
            return Err(Stop::Signal(signal));
        }
        self.prepare()?;
        let failed = Error::system::<io::Error>;
        let [name, words @ ..] = &self.arguments.command[..] else {
            return Err(Error::EndedEarly.into());
        };
        // It discards what is written, too. Where tar and grep find /dev/null, they read less.
        let sink = File::options().write(true).open("/dev/zero");
        let sink = sink.map_err(failed("opening /dev/zero"))?;
        let mut command = Command::new(self.program);
        command
            .arg0(name)
            .args(words)
            .stdin(Stdio::null())
            .stdout(sink);
        let mask = self.signals.mask_before();
        // SAFETY: the call that the child makes is one that a signal handler may make.
        unsafe { command.pre_exec(move || Ok(mask.thread_set_mask()?)) };
        let begun = Begun::now();
        let child = command
            .spawn()
            .map_err(|source| Error::CommandNotExecutable {
                command: Text::of(name),
                source,
            })?;
        let pid = i32::try_from(child.id())
            .map_err(|_| failed("starting the command")(io::Error::other("its number is none")))?;
        let (ended, stopped) = self.signals.wait(Pid::from_raw(pid))?;
        let wall = begun.elapsed_ns();
        self.runs += 1;
        if let Some(signal) = stopped {
            return Err(Stop::Signal(signal));
        }
        let how = match ended {
            WaitStatus::Exited(_, 0) => return Ok(wall),
            WaitStatus::Exited(_, status) => format!("ended with exit status {status}"),
            WaitStatus::Signaled(_, signal, _) => format!("was ended by {signal}"),
            _ => "did not end".to_owned(),
        };
        let reason = format!(
            "{} {how}; give a command that succeeds each time",
            Text::of(name)
        );
        Err(Error::TuneSystem { reason }.into())
    }

    /// Has what the run before left dirty written, and the files evicted where they are to be.
    fn prepare(&mut self) -> Result<(), Error> {
        let path = &self.arguments.path;
        match self.arguments.cache {
            Cache::AsIs => {
                let synced = File::open(path).and_then(|file| Ok(nix::unistd::syncfs(file)?));
                synced.map_err(Error::system("syncing the file system"))?;
            }
            // Which begins by that.
            Cache::Cold => {
                let left = evict(path).map_err(Error::system("evicting the files"))?;
                self.pages_left = self.pages_left.max(left);
            }
        }
        Ok(())
    }
}

/// Puts everything back.
///
/// # Errors
///
/// What cannot be.
pub fn restored(keeper: &mut Keeper) -> Result<(), Error> {
    let unrestored = keeper.restore();
    if unrestored.is_empty() {
        return Ok(());
    }
    let told = unrestored
        .iter()
        .map(|one: &Unrestored| format!("{} was {} ({})", one.place, one.found, one.reason));
    let reason = format!(
        "not all is as it was, write it by hand: {}",
        told.collect::<Vec<_>>().join("; ")
    );
    Err(Error::TuneSystem { reason })
}

/// Tries all values of a setting: every second round goes backwards, so that no value has a better place than another.
///
/// # Errors
///
/// Where the command fails, or a signal asks to stop.
pub fn try_setting(
    found: &mut Found,
    at: usize,
    rounds: u32,
    keeper: &mut Keeper,
    runner: &mut Runner<'_>,
) -> Result<(), Stop> {
    let alpha = alpha(found.values());
    let Item {
        setting,
        changes,
        group,
    } = &mut found.items[at];
    for round in 0..rounds {
        // The value that was found is none of the changes.
        let places = std::iter::once(None).chain((0..changes.len()).map(Some));
        let mut places: Vec<_> = places.collect();
        if round % 2 == 1 {
            places.reverse();
        }
        for place in places {
            let Some(value) = place else {
                restored(keeper)?;
                setting.found_wall_ns.push(runner.run()?);
                continue;
            };
            let tried = &mut setting.tried[value];
            if tried.refused.is_some() {
                continue;
            }
            match keeper.change(*group, &changes[value])? {
                Ok(()) => tried.wall_ns.push(runner.run()?),
                Err(error) => {
                    tried.refused = Some(error.to_string().into());
                    restored(keeper)?;
                }
            }
        }
    }
    restored(keeper)?;
    setting.judge(alpha);
    Ok(())
}

/// Makes the best value of each of these settings.
///
/// # Errors
///
/// Where the kernel does not take one that it took before.
pub fn make_best(found: &Found, of: &[usize], keeper: &mut Keeper) -> Result<(), Error> {
    for item in of.iter().map(|at| &found.items[*at]) {
        let best = item.setting.best;
        let best = best.and_then(|best| usize::try_from(best).ok());
        if let Some(change) = best.and_then(|best| item.changes.get(best)) {
            let made = keeper.change(item.group, change)?;
            made.map_err(Error::system("setting the best value"))?;
        }
    }
    Ok(())
}

/// Times the best values of these settings all at once.
///
/// # Errors
///
/// As of one setting.
pub fn try_together(
    found: &Found,
    of: &[usize],
    rounds: u32,
    keeper: &mut Keeper,
    runner: &mut Runner<'_>,
) -> Result<Timed, Stop> {
    let [mut before, mut after] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let is_backwards = round % 2 == 1;
        for is_changed in [is_backwards, !is_backwards] {
            restored(keeper)?;
            if is_changed {
                make_best(found, of, keeper)?;
                after.push(runner.run()?);
            } else {
                before.push(runner.run()?);
            }
        }
    }
    restored(keeper)?;
    Ok(Timed::of(&before, &after, alpha(found.values())))
}
