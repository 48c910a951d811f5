//! What makes reports hard to compare.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    analysis::reliability::doubts,
    model::{
        page_cache::PageCache,
        report::{Kind, Report, Workload},
    },
    text::Text,
};

/// What else differs than the work, or puts figures in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Something that the work runs on, or with.
    Differs {
        /// What.
        what: &'static str,
        /// On the first side; of runs that differ, all there is.
        before: Text,
        /// On the second.
        after: Text,
    },
    /// The same, where the runs of each side differ in it, and the sides do not.
    Mixed {
        /// What.
        what: &'static str,
        /// What there is.
        values: Text,
    },
    /// The ledger of a report has an alarm.
    InDoubt {
        /// Of which side.
        side: Side,
        /// The first such report of the side, from 0.
        run: u64,
        /// How many such reports the side has.
        runs: u64,
    },
}

/// The sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

impl Side {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// All of them, what is in doubt first.
pub fn of(before: &[Report], after: &[Report]) -> Vec<Condition> {
    let sides = [(Side::Before, before), (Side::After, after)];
    let in_doubt = sides.into_iter().filter_map(in_doubt);
    let [before, after] = [before, after].map(|runs| runs.iter().map(facts).collect::<Vec<_>>());
    let facts = before.first().map_or(0, Vec::len);
    let differing = (0..facts).filter_map(|at| differing(&before, &after, at));
    in_doubt.chain(differing).collect()
}

fn in_doubt((side, runs): (Side, &[Report])) -> Option<Condition> {
    let is_doubtful = |report: &Report| !doubts(report).is_empty();
    Some(Condition::InDoubt {
        side,
        run: runs.iter().position(is_doubtful)? as u64,
        runs: runs.iter().filter(|report| is_doubtful(report)).count() as u64,
    })
}

/// How the fact of a place differs.
fn differing(before: &[Vec<Fact>], after: &[Vec<Fact>], at: usize) -> Option<Condition> {
    let (what, _) = before.first()?.get(at)?;
    // What does not apply to a run says nothing.
    let values = |runs: &[Vec<Fact>]| {
        let values = runs.iter().filter_map(|facts| facts.get(at)?.1.clone());
        values.collect::<BTreeSet<_>>()
    };
    let [before, after] = [before, after].map(values);
    if before.is_empty() || after.is_empty() || (before == after && before.len() == 1) {
        return None;
    }
    let listed = |values: &BTreeSet<Text>| {
        let values: Vec<_> = values.iter().map(Text::as_str).collect();
        Text::from(values.join(" | "))
    };
    Some(match before == after {
        true => Condition::Mixed {
            what,
            values: listed(&before),
        },
        false => Condition::Differs {
            what,
            before: listed(&before),
            after: listed(&after),
        },
    })
}

/// What it is, and its value where it applies.
type Fact = (&'static str, Option<Text>);

fn facts(report: &Report) -> Vec<Fact> {
    let missing = report.ledger.missing();
    let missing: BTreeSet<_> = missing.map(|(probe, _)| probe.name.as_str()).collect();
    let missing = match missing.is_empty() {
        true => "none".to_owned(),
        false => missing.into_iter().collect::<Vec<_>>().join(" "),
    };
    let facts = [
        ("host", report.host.name.clone()),
        ("kernel", report.host.kernel.clone()),
        ("architecture", report.host.architecture.clone()),
        ("CPUs", report.host.cpus.to_string().into()),
        ("ioprof", report.ioprof_version.clone()),
        ("missing probes", missing.into()),
    ];
    let facts = facts.map(|(what, value)| (what, Some(value)));
    let facts = facts
        .into_iter()
        .chain([("schedulers", schedulers(report))]);
    let workloads = report.workloads.iter().flat_map(of_workload);
    facts.chain(workloads).collect()
}

fn of_workload(workload: &Workload) -> Vec<Fact> {
    let kind = match workload.kind {
        Kind::Builtin => "built-in",
        Kind::Command => "command",
        Kind::Attached => "attached",
    };
    let words: Vec<_> = workload.argv.iter().map(Text::as_str).collect();
    let exit = workload.exit.map_or_else(
        || "none".to_owned(),
        |exit| format!("{exit:?}").to_lowercase(),
    );
    vec![
        ("kind of workload", Some(kind.into())),
        ("command line", Some(words.join(" ").into())),
        ("exit", Some(exit.into())),
        ("devices", devices(workload)),
        (
            "cache state",
            workload
                .page_cache
                .as_ref()
                .and_then(cache_state)
                .map(|state| state.words().into()),
        ),
    ]
}

/// The schedulers of the devices that workloads had requests to; none where they are not known.
fn schedulers(report: &Report) -> Option<Text> {
    let devices = report.devices.iter().flatten();
    let used = devices.filter(|one| one.shares.iter().any(|share| share.workload.is_some()));
    let schedulers: BTreeSet<_> = used
        .filter_map(|one| {
            Some(format!(
                "{} {}",
                one.name.as_str(),
                one.scheduler.as_ref()?.as_str()
            ))
        })
        .collect();
    let schedulers = schedulers.into_iter().collect::<Vec<_>>().join(", ");
    (!schedulers.is_empty()).then(|| schedulers.into())
}

/// The devices that it had requests to; none where it had none, or they are not known.
fn devices(workload: &Workload) -> Option<Text> {
    let rows = workload.block.as_deref().unwrap_or_default();
    let devices: BTreeSet<_> = rows.iter().map(|row| row.device.as_str()).collect();
    let devices = devices.into_iter().collect::<Vec<_>>().join(" ");
    (!devices.is_empty()).then(|| devices.into())
}

/// Whether what was read was in the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheState {
    /// All was.
    AllCached,
    /// Some was read from devices.
    ReadFromDevices,
}

impl CacheState {
    const fn words(self) -> &'static str {
        match self {
            Self::AllCached => "all cached",
            Self::ReadFromDevices => "read from devices",
        }
    }
}

/// Whether what was read was in the page cache; none where nothing was read through it.
pub fn cache_state(cache: &PageCache) -> Option<CacheState> {
    let ahead = cache
        .read_ahead
        .as_ref()
        .map_or(0, |served| served.latency.count);
    let missed = [
        cache.misses.latency.count,
        cache.read_ahead_waits.latency.count,
        ahead,
    ];
    if missed.iter().any(|reads| *reads > 0) {
        return Some(CacheState::ReadFromDevices);
    }
    (cache.hits.latency.count > 0).then_some(CacheState::AllCached)
}
