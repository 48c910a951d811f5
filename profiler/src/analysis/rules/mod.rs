//! What is wrong with a run: a rule for each fault, in a file of its own.
//!
//! A rule looks at one workload. It says what its figures show, never what names or sizes suggest: where the report
//! does not have them it is silent, and says why.

mod ahead;
mod beside;
mod buffer;
mod depth;
mod durable;
mod enter;
mod folder;
mod limit;
mod mapped;
mod on_device;
mod one_byte;
mod partial;
mod poll;
mod punt;
mod reopen;
mod search;
mod shared;
mod small;
mod subject;
mod submit;
mod swapped;
mod sync;
mod tail;
mod throttle;

use std::cmp::Reverse;

use self::subject::{Candidate, Outcome, Subject};
use super::{
    reliability::{Doubt, doubts},
    time_spent::wall_without_cpu_wait_ns,
};
use crate::{
    model::{
        finding::{Confidence, Finding, RuledOut, Severity, Undecided},
        report::Report,
    },
    text::Text,
};

/// A rule.
type Rule = for<'a> fn(&Subject<'a>) -> Outcome;

/// All of them, by the names that users see.
const RULES: [(&str, Rule); 22] = [
    ("AHEAD001", ahead::rule),
    ("AIO001", submit::rule),
    ("ALIGN001", partial::rule),
    ("BYTE001", one_byte::rule),
    ("DEPTH001", depth::rule),
    ("LIMIT001", limit::rule),
    ("MMAP001", mapped::rule),
    ("OPEN001", reopen::rule),
    ("PATH001", search::rule),
    ("POLL001", poll::rule),
    ("PUNT001", punt::rule),
    ("SEEK001", beside::seek),
    ("SHARE001", shared::rule),
    ("SMALL001", small::rule),
    ("STAT001", beside::stat),
    ("SWAP001", swapped::rule),
    ("SYNC001", sync::rule),
    ("SYNC002", durable::rule),
    ("SYNC003", folder::rule),
    ("TAIL001", tail::rule),
    ("THROTTLE001", throttle::rule),
    ("URING001", enter::rule),
];

/// The names of the rules.
pub const IDS: [&str; RULES.len()] = {
    let mut ids = [""; RULES.len()];
    let mut at = 0;
    while at < RULES.len() {
        ids[at] = RULES[at].0;
        at += 1;
    }
    ids
};

/// The least that is worth telling: a part of the wall time without the wait for a CPU, in hundredths.
const LEAST_PERCENT: u64 = 1;
const WARNING_PERCENT: u64 = 5;
const CRITICAL_PERCENT: u64 = 30;

/// Puts into a report what is wrong by its figures, whatever it had before.
pub fn judge(report: &mut Report) {
    let mut findings = Vec::new();
    let mut ruled_out = Vec::new();
    let mut undecided = Vec::new();
    let is_doubtful = doubts(report)
        .iter()
        .any(|doubt| !matches!(doubt, Doubt::ProbeMissing(..)));
    for (index, workload) in report.workloads.iter().enumerate() {
        let subject = Subject {
            report,
            workload,
            index,
        };
        let whole_ns = wall_without_cpu_wait_ns(workload);
        for (id, rule) in RULES {
            match rule(&subject) {
                Outcome::Found(candidates) => {
                    let (worth, others): (Vec<_>, Vec<_>) = candidates
                        .into_iter()
                        .partition(|one| percent(one.stake_ns, whole_ns) >= LEAST_PERCENT);
                    if worth.is_empty() {
                        let evidence = others.into_iter().flat_map(|one| one.evidence).collect();
                        ruled_out.push(out(id, &workload.name, evidence));
                    }
                    findings.extend(worth.into_iter().map(|one| {
                        let stake_ns = one.stake_ns;
                        (stake_ns, finding(id, one, &subject, whole_ns, is_doubtful))
                    }));
                }
                Outcome::RuledOut(evidence) => ruled_out.push(out(id, &workload.name, evidence)),
                Outcome::Undecided(reason) => undecided.push(Undecided {
                    id: id.into(),
                    workload: workload.name.clone(),
                    reason: reason.into(),
                }),
            }
        }
    }
    findings.sort_by_key(|(stake_ns, _)| Reverse(*stake_ns));
    report.findings = findings.into_iter().map(|(_, one)| one).collect();
    report.ruled_out = ruled_out;
    report.undecided = undecided;
}

fn out(id: &str, workload: &Text, evidence: Vec<crate::model::finding::Evidence>) -> RuledOut {
    RuledOut {
        id: id.into(),
        workload: workload.clone(),
        evidence,
    }
}

/// A part in hundredths, rounded down; of nothing it is 0.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

fn finding(
    id: &str,
    one: Candidate,
    subject: &Subject<'_>,
    whole_ns: u64,
    is_doubtful: bool,
) -> Finding {
    let severity = match percent(one.stake_ns, whole_ns) {
        CRITICAL_PERCENT.. => Severity::Critical,
        WARNING_PERCENT.. => Severity::Warning,
        _ => Severity::Info,
    };
    let confidence = if is_doubtful {
        Confidence::Low
    } else if subject.workload.threads > 1 {
        Confidence::Medium
    } else {
        Confidence::High
    };
    Finding {
        id: id.into(),
        severity,
        confidence,
        workload: subject.workload.name.clone(),
        summary: one.summary.into(),
        place: one.place,
        cost_ns: one.cost_ns,
        gain: one.gain,
        evidence: one.evidence,
        advice: one.advice.into(),
        verify: one.gate.map(|gate| verify(subject, &gate)),
    }
}

/// A command that shows whether a finding is cured: counts alone, so that it comes out the same each time.
fn verify(subject: &Subject<'_>, gate: &str) -> Text {
    let workload = match subject.report.workloads.len() {
        0 | 1 => String::new(),
        _ => format!("{}:", subject.index.saturating_add(1)),
    };
    format!("ioprof compare before.json after.json --gate '{workload}{gate}'").into()
}

#[cfg(test)]
mod tests;
