//! Settings that an administrator may change: which values are tried for a command, whether they help, and what makes
//! one permanent.

mod permanent;
mod ranks;
mod values;

use clap::ValueEnum;
use serde::Serialize;

pub use permanent::{Fstab, Permanent, fstab, sysctl, udev};
pub use ranks::Ranks;
pub use values::{
    DirtyValue, background_limits, dirty_limits, nr_requests, read_ahead_kb, schedulers,
};

use super::compare::{Interval, resample::fewest_runs};
use crate::text::Text;

/// The identifier of the format.
pub const SCHEMA: &str = "ioprof.tune-system.v1";

/// So seldom is any value said to help or to hinder where none does.
pub const ERROR: f64 = 0.05;

/// What `ioprof tune system` has found. What is not known is null, never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SystemTuning {
    /// The identifier of this format.
    pub schema: Text,
    /// The version of ioprof.
    pub ioprof_version: Text,
    /// When it began, in UTC.
    pub started_at: Text,
    /// How long it took.
    pub duration_ns: u64,
    /// The release of the kernel, as uname(2) has it.
    pub kernel: Text,
    /// The path that was named.
    pub path: Text,
    /// Where its file system is mounted; null where that is not known.
    pub mount_point: Option<Text>,
    /// The type of the file system.
    pub file_system: Text,
    /// The options of the mount and its own.
    pub mount_options: Text,
    /// The disk that it is on.
    pub device: Text,
    /// The disks that this one is made of.
    pub below: Vec<Text>,
    /// Whether the values were tried; if not, they are only listed.
    pub applied: bool,
    /// The command that was timed.
    pub command: Vec<Text>,
    /// The page cache before each run.
    pub cache: Cache,
    /// How often each value was tried.
    pub rounds: u64,
    /// How often the command was run, the first time included that does not count.
    pub runs: u64,
    /// Pages of the files below the path that were in the page cache after they had been evicted, at most; null where nothing
    /// was evicted, or the kernel does not tell.
    pub pages_left: Option<u64>,
    /// The settings.
    pub settings: Vec<Setting>,
    /// The best values of several settings, all at once; null where no more than one helps.
    pub together: Option<Timed>,
}

/// The page cache before each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// As the run before has left it.
    AsIs,
    /// Without the files below the path.
    Cold,
}

/// A setting by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Name {
    /// The I/O scheduler of a device.
    Scheduler,
    /// How many requests its queue takes.
    NrRequests,
    /// How much is read ahead on it.
    ReadAheadKb,
    /// How much memory may be dirty before who writes has to write back.
    DirtyRatio,
    /// The same for the kernel's own writing back.
    DirtyBackgroundRatio,
    /// When the time of an access is noted.
    Atime,
}

impl Name {
    /// As the kernel has it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::NrRequests => "nr_requests",
            Self::ReadAheadKb => "read_ahead_kb",
            Self::DirtyRatio => "dirty_ratio",
            Self::DirtyBackgroundRatio => "dirty_background_ratio",
            Self::Atime => "atime",
        }
    }
}

/// A setting, and what became of each value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// Its name.
    pub name: Name,
    /// The device, `vm`, or the mount point.
    pub of: Text,
    /// Its value; null where it cannot be read.
    pub found: Option<Text>,
    /// Why no value is tried; null where some are.
    pub left_alone: Option<Text>,
    /// The file that sets it, where one is the reason.
    pub set_by: Option<Text>,
    /// The wall times with the value that was found, in their order.
    pub found_wall_ns: Vec<u64>,
    /// The values to try, and what they came to.
    pub tried: Vec<Tried>,
    /// Which of the values helps most, from 0; null where none helps.
    pub best: Option<u64>,
    /// Whether that was left in place.
    pub kept: bool,
}

impl Setting {
    /// One of which nothing is tried.
    pub fn left_alone(name: Name, of: &str, found: Option<String>, why: String) -> Self {
        Self {
            left_alone: Some(why.into()),
            ..Self::to_try(name, of, found, Vec::new())
        }
    }

    /// One of which these values are.
    pub fn to_try(name: Name, of: &str, found: Option<String>, tried: Vec<Tried>) -> Self {
        Self {
            name,
            of: of.into(),
            found: found.map(Text::from),
            left_alone: None,
            set_by: None,
            found_wall_ns: Vec::new(),
            tried,
            best: None,
            kept: false,
        }
    }

    /// The value that helps most.
    pub fn best(&self) -> Option<&Tried> {
        self.tried.get(usize::try_from(self.best?).ok()?)
    }

    /// Judges all values by their times.
    pub fn judge(&mut self, alpha: f64) {
        for one in &mut self.tried {
            one.timed = match one.refused {
                Some(_) => None,
                None => Some(Timed::of(&self.found_wall_ns, &one.wall_ns, alpha)),
            };
        }
        let change = |one: &Tried| one.timed.as_ref().and_then(|timed| timed.change);
        let helping = (0..).zip(&self.tried).filter(|(_, one)| one.helps());
        let best = helping.min_by(|(_, one), (_, other)| {
            let [one, other] = [one, other].map(|one| change(one).unwrap_or(0.0));
            one.total_cmp(&other)
        });
        self.best = best.map(|(at, _)| at);
    }
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tried {
    /// The file that it is written to; null where it is an option of the mount.
    pub file: Option<Text>,
    /// The value.
    pub value: Text,
    /// What makes it permanent.
    pub permanent: Permanent,
    /// Why the kernel does not take it; null where it does, and where it was not asked.
    pub refused: Option<Text>,
    /// The wall times, in their order.
    pub wall_ns: Vec<u64>,
    /// What they came to; null where it was not tried.
    pub timed: Option<Timed>,
}

impl Tried {
    /// Whether it is shown to help.
    pub fn helps(&self) -> bool {
        let timed = self.timed.as_ref();
        timed.is_some_and(|timed| timed.verdict == Helping::Helps)
    }
}

/// Times before and after a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timed {
    /// The median of those before.
    pub before_ns: u64,
    /// The median of those after.
    pub after_ns: u64,
    /// The change as a part of the time before: the median of all pairs. Null where there is no pair.
    pub change: Option<f64>,
    /// Its confidence interval; null where there are too few runs for one.
    pub interval: Option<Interval>,
    /// Whether it helps.
    pub verdict: Helping,
    /// How many runs of each have an interval.
    pub fewest_runs: u64,
}

/// Whether a value helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Helping {
    /// The command takes less time: the interval is below 0.
    Helps,
    /// It takes more: the interval is above 0.
    Hinders,
    /// The interval has 0: no difference can be told.
    NotSignificant,
    /// There are too few runs for an interval.
    TooFewRuns,
}

impl Timed {
    /// Of these wall times, with an interval that is wrong with the probability `alpha`.
    pub fn of(before: &[u64], after: &[u64], alpha: f64) -> Self {
        let ranks = Ranks::of(before, after);
        let interval = ranks.interval(alpha);
        let verdict = match interval {
            None => Helping::TooFewRuns,
            Some(interval) if interval.high < 0.0 => Helping::Helps,
            Some(interval) if interval.low > 0.0 => Helping::Hinders,
            Some(_) => Helping::NotSignificant,
        };
        Self {
            before_ns: ranks::median_ns(before),
            after_ns: ranks::median_ns(after),
            change: ranks.change(),
            interval,
            verdict,
            fewest_runs: fewest_runs(alpha) as u64,
        }
    }
}

/// How probably each of so many intervals may be wrong, so that any of them is with the probability [`ERROR`].
pub fn alpha(values: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "they are a few")]
    let values = values.max(1) as f64;
    ERROR / values
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A value without times.
    pub fn tried(value: &str) -> Tried {
        Tried {
            file: None,
            value: value.into(),
            permanent: sysctl("vm.x", value),
            refused: None,
            wall_ns: Vec::new(),
            timed: None,
        }
    }

    /// Times around one, that differ a little.
    pub fn times(around: u64) -> Vec<u64> {
        let at = |run: u64| around.saturating_mul(1_000_000).saturating_add(run);
        (0..10_u64)
            .map(|run| at(run.saturating_mul(70_000)))
            .collect()
    }

    #[test]
    fn the_value_that_helps_most_is_the_best_and_a_refused_one_is_not_judged() {
        let values = [(100, false), (80, false), (50, true), (90, false)];
        let values = values.map(|(around, is_refused)| Tried {
            wall_ns: times(around),
            refused: is_refused.then(|| "no".into()),
            ..tried("x")
        });
        let mut setting = Setting::to_try(Name::Scheduler, "vda", None, values.into());
        setting.found_wall_ns = times(100);
        let alpha = alpha(setting.tried.len());
        assert!((alpha - ERROR / 4.0).abs() < 1e-9);
        setting.judge(alpha);
        assert_eq!(setting.best, Some(1));
        assert!(setting.best().is_some_and(Tried::helps));
        let verdicts = setting.tried.iter().map(|one| one.timed.as_ref());
        let verdicts: Vec<_> = verdicts.map(|timed| timed.map(|one| one.verdict)).collect();
        let (helps, same) = (Some(Helping::Helps), Some(Helping::NotSignificant));
        assert_eq!(verdicts, [same, helps, None, helps]);
    }

    #[test]
    fn nothing_is_best_where_nothing_helps_or_too_few_runs_tell() {
        for (after, expected) in [
            (times(120), Helping::Hinders),
            (times(50)[..2].to_vec(), Helping::TooFewRuns),
        ] {
            let one = Tried {
                wall_ns: after,
                ..tried("x")
            };
            let mut setting = Setting::to_try(Name::Atime, "/", None, vec![one]);
            setting.found_wall_ns = times(100)[..setting.tried[0].wall_ns.len()].to_vec();
            setting.judge(ERROR);
            let timed = setting.tried[0].timed.as_ref().expect("it is judged");
            assert_eq!((timed.verdict, setting.best), (expected, None));
            assert_eq!(timed.fewest_runs, 4);
        }
    }
}
