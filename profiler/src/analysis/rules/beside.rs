//! SEEK001 and STAT001: a call for each read or write that asks the kernel for what the program could do without.

use ioprof_workloads::display::count;

use super::subject::{Candidate, Outcome, Subject, portion};
use crate::{
    analysis::compare::total,
    model::{finding::Place, sum::sum},
    transfer::{Direction, of_call},
};

/// Fewer are no habit.
const FEW: u64 = 1000;
/// What is done so often for each file that is opened belongs to the opening.
const FEW_FOR_EACH_OPEN: u64 = 16;

/// The reads and writes that go on from the file's offset.
const AT_OFFSET: [&str; 4] = ["read", "readv", "write", "writev"];

/// An offset is set before each read or write.
pub fn seek(subject: &Subject<'_>) -> Outcome {
    rule(
        subject,
        "lseek",
        |name| AT_OFFSET.contains(&name),
        "read and write with the offset in the same call: pread(2), pwrite(2), read_at, ReadAt, os.pread; where it only asks \
         for the offset, count what was read",
    )
}

/// A file's size is asked for before each read or write.
pub fn stat(subject: &Subject<'_>) -> Outcome {
    rule(
        subject,
        "fstat",
        |name| of_call(name).is_some(),
        "ask once and keep the answer; read until read(2) returns 0, instead of asking how much there is",
    )
}

/// Whether calls of that name are as many as the reads that matter, or the writes, or both together.
fn rule(
    subject: &Subject<'_>,
    name: &str,
    matters: impl Fn(&str) -> bool,
    advice: &'static str,
) -> Outcome {
    let beside = subject.calls(|other| other == name);
    let calls = sum(beside.iter().map(|(_, call)| call.calls));
    let moving = |way: Option<Direction>| {
        subject.calls(|other| matters(other) && way.is_none_or(|way| of_call(other) == Some(way)))
    };
    let ways = [Some(Direction::Read), Some(Direction::Written), None].map(moving);
    let is_beside_each = ways.iter().find(|calls_of| {
        let moved = sum(calls_of.iter().map(|(_, call)| call.calls));
        calls >= portion(moved, 9, 10) && calls <= portion(moved, 11, 10)
    });
    let all: Vec<_> = beside.iter().map(|one| subject.calls_of(*one)).collect();
    let (true, Some(moving)) = (calls >= FEW, is_beside_each) else {
        return Outcome::RuledOut(all);
    };
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: how often they were opened");
    };
    if calls / FEW_FOR_EACH_OPEN < total(files, |counts| counts.opens) {
        return Outcome::RuledOut(all);
    }
    let moved = sum(moving.iter().map(|(_, call)| call.calls));
    let names: Vec<_> = moving.iter().map(|(_, call)| call.name.as_str()).collect();
    let found = beside.iter().map(|one| {
        let cost = subject.cost_of(*one, one.1.calls);
        let mut evidence = all.clone();
        evidence.push(subject.evidence(&format!("syscalls/{}/time_ns", one.0), one.1.time_ns));
        evidence.extend(moving.iter().map(|one| subject.calls_of(*one)));
        Candidate {
            summary: format!(
                "{} {name}, one for each of {} {}",
                count(one.1.calls),
                count(moved),
                names.join(" and ")
            ),
            place: Place {
                call: Some(one.1.name.clone()),
                ..Place::default()
            },
            cost_ns: cost.most,
            gain: subject.bounds(
                cost.least,
                cost.most,
                format!(
                    "all {name} go; at most their time, and the kernel's way into them and out of them; at least that without \
                     what they waited for a CPU"
                ),
            ),
            stake_ns: cost.stake,
            evidence,
            advice,
            gate: Some(format!("{name}.calls<=-90%")),
        }
    });
    Outcome::Found(found.collect())
}
