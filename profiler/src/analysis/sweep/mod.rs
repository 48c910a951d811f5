//! Runs of the same work by different settings: which setting is the best, and why the others are slower.

mod beside;
mod order;
mod parameter;
mod run;
mod template;

use std::collections::BTreeMap;

use serde::Serialize;

pub use super::compare::CacheState;
pub use beside::{Beside, Longer};
pub use order::rounds;
pub use parameter::{MOST_SETTINGS, Parameter, Places, is_name, settings};
pub use run::{Ended, Operations, Run};
pub use template::Template;

use self::beside::Pace;
use super::compare::{
    Amount, Span,
    latency::{FEWEST, Merged},
    resample::{Sample, fewest_runs},
    times::{float, whole},
};
use crate::{
    model::{report::Exit, sum::sum},
    text::Text,
};

/// The knee is no more than this part below the best.
const NEAR: f64 = 0.05;
/// So seldom is any setting said to be slower than the best where all are alike.
const ERROR: f64 = 0.03;
/// The least rounds where nobody says how many.
const ROUNDS: u64 = 5;

/// What the runs of all settings have come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sweep {
    /// What was varied.
    pub parameters: Vec<Parameter>,
    /// How often each setting was to run.
    pub rounds: u64,
    /// Whether all has run that was to, but for settings that failed.
    pub is_complete: bool,
    /// What the settings are compared by.
    pub compared_by: Compared,
    /// The operations that `p50_ns` and `p99_ns` are of: those that all runs together spent more time in.
    pub latencies_of: Operations,
    /// All settings: those of the last parameter change first.
    pub settings: Vec<Setting>,
    /// The place of the best setting; null where none has run.
    pub best: Option<usize>,
    /// The place of the least setting within 5 % of the best: of those, the one with the least value of the first parameter,
    /// of these the one with the least of the second, and so on. Null where none has run.
    pub knee: Option<usize>,
    /// How many runs of each setting it takes to tell any from the best; null where there are as many.
    pub runs_needed: Option<u64>,
    /// Whether some runs found in the page cache all that they read, and others did not: then they are not alike.
    pub is_cache_mixed: bool,
}

/// What settings are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The bytes they moved, over the wall time.
    BytesPerSecond,
    /// The wall time, as a run has moved none, or how many is not known.
    WallTime,
}

/// A setting. What is not known is null; figures of several runs are medians, but for exact counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// The values by the names of their parameters.
    pub values: BTreeMap<String, String>,
    /// For each parameter the place of its value.
    #[serde(skip)]
    pub places: Places,
    /// The command line; empty where it never ran.
    pub command: Vec<Text>,
    /// How a run ended that failed: it is in no figure, and no other run followed.
    pub failed: Option<Exit>,
    /// Its runs, in their order.
    pub runs: Vec<Run>,
    /// Nanoseconds of wall time.
    pub wall_ns: Option<u64>,
    /// The bytes that a run moved.
    pub bytes: Option<Span>,
    /// The bytes over the wall time.
    pub bytes_per_second: Option<f64>,
    /// Half of the operations of `latencies_of` of all runs took no longer.
    pub p50_ns: Option<u64>,
    /// 99 % of them took no longer; null below 100 operations.
    pub p99_ns: Option<u64>,
    /// Nanoseconds of CPU time for each byte, of the runs that know it.
    pub cpu_ns_per_byte: Option<f64>,
    /// The system calls of a run.
    pub calls: Option<Span>,
    /// The operations of a run.
    pub operations: Option<Span>,
    /// Bytes of devices over the bytes moved, of all runs together.
    pub amplification: Option<f64>,
    /// Whether no other setting is as fast at a shorter p99, or faster at a p99 no longer: the Pareto front.
    pub is_on_front: bool,
    /// Beside the best; null for that itself, and where it has not run.
    pub beside_best: Option<Beside>,
}

/// What has run of a setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// For each parameter the place of its value.
    pub places: Places,
    /// The command line.
    pub command: Vec<Text>,
    /// How a run ended that failed.
    pub failed: Option<Exit>,
    /// The runs that did not.
    pub runs: Vec<Run>,
}

/// How often each of so many settings has to run, so that chance alone seldom makes one look slower than the best.
pub fn rounds_that_tell(settings: usize) -> u64 {
    (fewest_runs(error_of_each(settings)) as u64).max(ROUNDS)
}

/// The error that is left to the comparison of two of so many settings. Of equals the best is the one that was lucky, which
/// may be any, so that all pairs count.
fn error_of_each(settings: usize) -> f64 {
    let pairs = settings.saturating_mul(settings.saturating_sub(1)) / 2;
    #[expect(
        clippy::cast_precision_loss,
        reason = "they are a few thousand at most"
    )]
    let pairs = pairs.max(1) as f64;
    ERROR / pairs
}

/// What the runs of all settings have come to.
pub fn sweep(parameters: Vec<Parameter>, rounds: u64, trials: Vec<Trial>) -> Sweep {
    let is_complete = trials
        .iter()
        .all(|one| one.failed.is_some() || one.runs.len() as u64 >= rounds);
    let measured = || trials.iter().filter(|one| one.failed.is_none());
    let runs = measured().flat_map(|one| &one.runs);
    let latencies_of = Operations::of(runs.clone());
    let compared_by = match runs
        .clone()
        .all(|run| run.bytes.is_some_and(|bytes| bytes > 0))
    {
        true => Compared::BytesPerSecond,
        false => Compared::WallTime,
    };
    let is_cache_mixed = is_cache_mixed(&trials);
    let paces: Vec<_> = trials
        .iter()
        .map(|one| Pace::of(one, compared_by))
        .collect();
    let mut settings: Vec<_> = trials
        .into_iter()
        .map(|one| Setting::of(one, &parameters, latencies_of))
        .collect();
    let medians: Vec<_> = paces
        .iter()
        .map(|pace| pace.as_ref().map(|pace| pace.median))
        .collect();
    let best = best(&medians);
    let front = front(&settings, &medians);
    for (setting, is_on_front) in settings.iter_mut().zip(front) {
        setting.is_on_front = is_on_front;
    }
    let knee = knee(&parameters, &settings, &medians, best);
    let error = error_of_each(medians.iter().flatten().count());
    if let Some((place, of_best)) =
        best.and_then(|place| Some((place, paces.get(place)?.as_ref()?)))
    {
        for (at, (setting, pace)) in settings.iter_mut().zip(&paces).enumerate() {
            let other = pace.as_ref().filter(|_| at != place);
            setting.beside_best = other.map(|pace| pace.beside(of_best, error));
        }
    }
    let fewest = fewest_runs(error) as u64;
    let ran = settings.iter().filter(|one| one.wall_ns.is_some());
    let are_few =
        ran.clone().count() > 1 && ran.clone().any(|one| (one.runs.len() as u64) < fewest);
    Sweep {
        parameters,
        rounds,
        is_complete,
        compared_by,
        latencies_of,
        settings,
        best,
        knee,
        runs_needed: are_few.then_some(fewest),
        is_cache_mixed,
    }
}

/// Whether runs differ in whether what they read was cached.
fn is_cache_mixed(trials: &[Trial]) -> bool {
    let measured = trials.iter().filter(|one| one.failed.is_none());
    let mut states = measured.flat_map(|one| one.runs.iter().filter_map(|run| run.cache_state));
    let first = states.next();
    states.any(|other| Some(other) != first)
}

impl Setting {
    fn of(trial: Trial, parameters: &[Parameter], latencies_of: Operations) -> Self {
        let Trial {
            places,
            command,
            failed,
            runs,
        } = trial;
        let values = parameters.iter().zip(&places).map(|(parameter, place)| {
            let value = parameter.values.get(*place).cloned();
            (parameter.name.clone(), value.unwrap_or_default())
        });
        // What failed did other work than those that did not.
        let counted = if failed.is_some() { &[][..] } else { &runs };
        let medians = |of: &dyn Fn(&Run) -> Option<f64>| {
            let values: Option<Vec<_>> = counted.iter().map(of).collect();
            Sample::of(values?).median_of_all()
        };
        let span = |of: &dyn Fn(&Run) -> Option<u64>| {
            let counts: Option<Vec<_>> = counted.iter().map(of).collect();
            let counts = counts?;
            let min = Amount::Count(*counts.iter().min()?);
            let max = Amount::Count(*counts.iter().max()?);
            Some(Span { min, max })
        };
        let latencies = counted
            .iter()
            .map(|run| run.latencies_of(latencies_of).collect());
        let latencies: Vec<Vec<_>> = latencies.collect();
        let merged = |fewest: u64| Merged::of(&latencies, fewest);
        let all = vec![1; counted.len()];
        Self {
            values: values.collect(),
            wall_ns: medians(&|run| Some(float(run.wall_ns))).map(whole),
            bytes: span(&|run| run.bytes),
            bytes_per_second: medians(&bytes_per_second),
            p50_ns: merged(1).and_then(|one| one.p50(&all)).map(whole),
            p99_ns: merged(FEWEST).and_then(|one| one.p99(&all)).map(whole),
            cpu_ns_per_byte: cpu_ns_per_byte(counted),
            calls: span(&|run| Some(run.calls)),
            operations: span(&|run| Some(run.operations)),
            amplification: amplification(counted),
            is_on_front: false,
            beside_best: None,
            places,
            command,
            failed,
            runs,
        }
    }
}

fn bytes_per_second(run: &Run) -> Option<f64> {
    let bytes = run.bytes.filter(|bytes| *bytes > 0)?;
    (run.wall_ns > 0).then(|| float(bytes) * 1e9 / float(run.wall_ns))
}

/// Of the runs that know it.
fn cpu_ns_per_byte(runs: &[Run]) -> Option<f64> {
    let known = runs.iter().filter_map(|run| {
        let bytes = run.bytes.filter(|bytes| *bytes > 0)?;
        Some(float(run.cpu_ns?) / float(bytes))
    });
    Sample::of(known).median_of_all()
}

fn amplification(runs: &[Run]) -> Option<f64> {
    let known = |of: fn(&Run) -> Option<u64>| {
        let counts: Option<Vec<_>> = runs.iter().map(of).collect();
        Some(sum(counts?))
    };
    let bytes = known(|run| run.bytes)?;
    let of_devices = known(|run| run.device_bytes)?;
    (bytes > 0).then(|| float(of_devices) / float(bytes))
}

/// The place of the largest; the first of several.
fn best(medians: &[Option<f64>]) -> Option<usize> {
    let known = medians.iter().enumerate();
    let known = known.filter_map(|(place, median)| Some((place, (*median)?)));
    let best = known.reduce(|best, one| if one.1 > best.1 { one } else { best });
    best.map(|(place, _)| place)
}

/// Which settings are such that no other is as good in both, and better in one.
fn front(settings: &[Setting], medians: &[Option<f64>]) -> Vec<bool> {
    let figures = settings.iter().zip(medians);
    let figures: Vec<_> = figures
        .map(|(setting, median)| (*median).zip(setting.p99_ns))
        .collect();
    let is_on_front = |one: &Option<(f64, u64)>| {
        one.is_some_and(|(pace, p99)| {
            !figures.iter().flatten().any(|(other, others_p99)| {
                (*other >= pace && *others_p99 < p99) || (*other > pace && *others_p99 <= p99)
            })
        })
    };
    figures.iter().map(is_on_front).collect()
}

fn knee(
    parameters: &[Parameter],
    settings: &[Setting],
    medians: &[Option<f64>],
    best: Option<usize>,
) -> Option<usize> {
    let most = medians.get(best?).copied().flatten()?;
    let ranks: Vec<_> = parameters.iter().map(Parameter::ranks).collect();
    let rank = |setting: &Setting| {
        let places = ranks.iter().zip(&setting.places);
        let places = places.map(|(ranks, place)| ranks.get(*place).copied());
        places.collect::<Vec<_>>()
    };
    let near = settings.iter().zip(medians).enumerate();
    let near = near.filter(|(_, (_, median))| median.is_some_and(|one| one >= most * (1.0 - NEAR)));
    let least = near.min_by_key(|(_, (setting, _))| rank(setting));
    least.map(|(place, _)| place)
}

#[cfg(test)]
mod tests;
