//! PATH001: most names that are looked up are not there.

use ioprof_workloads::display::count;

use super::{
    reopen::OPENS,
    subject::{Candidate, Cost, Outcome, Placed, Subject, only_call},
};
use crate::model::{finding::Place, sum::sum};

/// Fewer are no search.
const FEW: u64 = 1000;

/// The calls that ask for what a name stands for.
const STATS: [&str; 4] = ["newfstatat", "statx", "stat", "lstat"];

const ADVICE: &str = "look where it is first: put that folder first in the search path, name the file by its full path, or remember what \
                      was not there; to wait until it is there, use inotify(7)";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let calls = subject.calls(|name| OPENS.contains(&name) || STATS.contains(&name));
    let all = sum(calls.iter().map(|(_, call)| call.calls));
    let missed: Vec<_> = calls.into_iter().filter(|one| missing(*one) > 0).collect();
    let missing_all = sum(missed.iter().map(|one| missing(*one)));
    let mut evidence = Vec::new();
    for one in &missed {
        evidence.push(subject.calls_of(*one));
        evidence
            .push(subject.evidence(&format!("syscalls/{}/errors/ENOENT", one.0), missing(*one)));
    }
    // A program that asks whether there is a file before it makes it finds nothing once for each that it makes.
    if missing_all < FEW || missing_all / 3 < all.saturating_sub(missing_all) {
        return Outcome::RuledOut(evidence);
    }
    for (at, call) in &missed {
        evidence.push(subject.evidence(&format!("syscalls/{at}/time_ns"), call.time_ns));
    }
    let cost = Cost::of_all(
        missed
            .iter()
            .map(|one| subject.cost_of(*one, missing(*one))),
    );
    let chief = missed.iter().max_by_key(|one| missing(**one));
    Outcome::Found(vec![Candidate {
        summary: format!(
            "{} of {} names that were looked up are not there (ENOENT)",
            count(missing_all),
            count(all)
        ),
        place: Place {
            call: only_call(&missed),
            ..Place::default()
        },
        cost_ns: cost.most,
        gain: subject.bounds(
            cost.least,
            cost.most,
            "these calls go; at least as many of the shortest, and the kernel's way into them and out of them; at most the time of all of \
             the same name, less as many of the shortest as found something"
                .into(),
        ),
        stake_ns: cost.stake,
        evidence,
        advice: ADVICE,
        gate: chief.map(|(_, call)| format!("{}.errors.ENOENT<=-90%", call.name)),
    }])
}

/// How often there was nothing of that name.
fn missing((_, call): Placed<'_>) -> u64 {
    call.errors.get("ENOENT").copied().unwrap_or(0)
}
