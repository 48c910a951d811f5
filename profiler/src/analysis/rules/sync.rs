//! SYNC001: data is made durable after every few writes.

use ioprof_workloads::display::{bytes, count};

use super::subject::{
    Candidate, Outcome, Placed, Subject, each, only_call, portion, total, without_cpu_wait,
};
use crate::{
    model::{
        block::{Block, BlockOperation, Origin},
        file::{FileKind, Files},
        finding::{Evidence, Place},
        sum::sum,
    },
    text::Text,
};

/// The calls that wait until the data of a file is durable.
pub const SYNCS: [&str; 2] = ["fsync", "fdatasync"];

/// Fewer calls are no habit.
const FEW: u64 = 10;

/// With more bytes for each, the writing itself is what takes the time.
pub const MOST_BYTES: u64 = 64 << 10;

const ADVICE: &str = "group what belongs together and sync once: one transaction around many changes, one call for many \
                      records; keep a call wherever the data must survive a power failure";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let syncs = subject.calls(|name| SYNCS.contains(&name));
    let calls = sum(syncs.iter().map(|(_, call)| call.calls));
    if calls < FEW {
        let made = syncs.iter().map(|one| subject.calls_of(*one));
        return Outcome::RuledOut(made.collect());
    }
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: which bytes were written to them");
    };
    let (written, mut evidence) = written(subject, files);
    let opens = opens_to_write(files);
    for sync in &syncs {
        evidence.push(subject.calls_of(*sync));
        evidence.push(subject.evidence(&format!("syscalls/{}/time_ns", sync.0), sync.1.time_ns));
    }
    // Of many files each has to be made durable by a call of its own.
    if each(written, calls) > MOST_BYTES || calls / 2 <= opens {
        return Outcome::RuledOut(evidence);
    }
    Outcome::Found(vec![candidate(subject, &syncs, (calls, written), evidence)])
}

fn candidate(
    subject: &Subject<'_>,
    syncs: &[Placed<'_>],
    (calls, written): (u64, u64),
    evidence: Vec<Evidence>,
) -> Candidate {
    let time = sum(syncs.iter().map(|(_, call)| call.time_ns));
    let but_one = |number| portion(number, calls.saturating_sub(1), calls);
    // The data still has to be written, as slowly as it was.
    let least = certain(syncs)
        .zip(writing_ns(subject))
        .map_or(0, |(certain, writing)| {
            but_one(certain).saturating_sub(writing)
        });
    let names: Vec<_> = syncs.iter().map(|(_, call)| call.name.as_str()).collect();
    Candidate {
        summary: format!(
            "{} {}, one for every {} written to files",
            count(calls),
            names.join(" and "),
            bytes(each(written, calls))
        ),
        place: Place {
            call: only_call(syncs),
            file: only_file(subject),
            device: None,
        },
        cost_ns: time,
        gain: subject.bounds(
            least,
            but_one(time),
            "all of these calls but one go; at most their time; at least that without waiting for a CPU, and less what the \
             device takes to write the same data"
                .into(),
        ),
        stake_ns: but_one(without_cpu_wait(syncs)),
        evidence,
        advice: ADVICE,
        gate: Some(match syncs {
            [(_, call)] => format!("{}.calls<=-90%", call.name),
            _ => "fsyncs<=-90%".into(),
        }),
    }
}

/// The time of these calls that is not spent waiting for a CPU; none where that is not known.
fn certain(syncs: &[Placed<'_>]) -> Option<u64> {
    let is_known = syncs.iter().all(|(_, call)| call.breakdown.is_some());
    is_known.then(|| without_cpu_wait(syncs))
}

/// How long the workload's data was being written, request after request; none where that is not known.
pub fn writing_ns(subject: &Subject<'_>) -> Option<u64> {
    let rows = Block::once(subject.workload.block.as_ref()?, BlockOperation::Write);
    let data = rows.filter(|row| matches!(row.origin, Origin::Thread | Origin::Writeback));
    Some(sum(data.flat_map(|row| [row.queue.sum, row.service.sum])))
}

/// Bytes written to files and block devices, by calls and otherwise, and through mappings.
pub fn written(subject: &Subject<'_>, files: &Files) -> (u64, Vec<Evidence>) {
    let kinds = files.by_kind.iter().enumerate();
    let kinds = kinds.filter(|(_, one)| {
        [FileKind::File, FileKind::BlockDevice].contains(&one.kind) && one.written_bytes > 0
    });
    let mut evidence: Vec<_> = kinds
        .map(|(at, one)| {
            let place = format!("files/by_kind/{at}/written_bytes");
            subject.evidence(&place, one.written_bytes)
        })
        .collect();
    let mapped = subject.workload.writeback.as_ref();
    if let Some(mapped) = mapped.filter(|writeback| writeback.mapped_bytes > 0) {
        evidence.push(subject.evidence("writeback/mapped_bytes", mapped.mapped_bytes));
    }
    (total(&evidence), evidence)
}

/// How often files were opened that were written to, at most.
pub fn opens_to_write(files: &Files) -> u64 {
    let written = files.top.iter().filter(|row| row.counts.writes > 0);
    let others = Some(files.other_counts).filter(|others| others.writes > 0);
    sum(written
        .map(|row| row.counts.opens)
        .chain(others.map(|others| others.opens)))
}

/// The file that was written to, where it is one.
pub fn only_file(subject: &Subject<'_>) -> Option<Text> {
    let files = subject.workload.files.as_ref()?;
    let mut written = files
        .top
        .iter()
        .filter(|row| row.kind == FileKind::File && row.counts.writes > 0);
    let (only, another) = (written.next()?, written.next());
    let is_alone = another.is_none() && files.other_counts.writes == 0;
    is_alone.then(|| only.path.clone()).flatten()
}
