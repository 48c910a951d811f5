//! Whether the figures of a report are complete and right.

use super::counters::disagrees;
use crate::{
    model::{
        ledger::{Check, Probe},
        report::Report,
    },
    text::Text,
};

/// Something that puts the figures in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// Events were lost: so many of each kind of the ledger, and so many that probes missed.
    EventsLost(Vec<(&'a Text, u64)>, u64),
    /// A probe is missing, for this reason.
    ProbeMissing(&'a Probe, &'a Text),
    /// The probes' counter and the kernel's disagree.
    CountersDisagree(&'a Check),
}

/// All that puts the figures of a run in doubt.
pub fn doubts(report: &Report) -> Vec<Doubt<'_>> {
    let ledger = &report.ledger;
    let kinds = ledger.lost.iter().filter(|(_, lost)| **lost > 0);
    let kinds = kinds.map(|(kind, lost)| (kind, *lost)).collect();
    let lost = (ledger.lost_total() > 0).then(|| Doubt::EventsLost(kinds, ledger.missed()));
    let missing = ledger.missing();
    let checks = ledger
        .checks
        .iter()
        .filter(|check| disagrees(check, report));
    lost.into_iter()
        .chain(missing.map(|(probe, reason)| Doubt::ProbeMissing(probe, reason)))
        .chain(checks.map(Doubt::CountersDisagree))
        .collect()
}
