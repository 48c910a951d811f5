//! ALIGN001: writes of parts of pages wait until the rest of each page has been read.

use ioprof_workloads::display::{bytes, count};

use super::subject::{
    Candidate, Outcome, Placed, Subject, UNDIVIDED, for_device, only_call, own_requests, portion,
    without_cpu_wait,
};
use crate::model::{
    block::BlockOperation,
    file::{File, FileKind},
    finding::{Evidence, Place},
    sum::sum,
};

/// Fewer writes are no habit.
const FEW: u64 = 100;
/// The least that is read for each: a block of the smallest size.
const BLOCK: u64 = 512;

const ADVICE: &str = "write whole pages: multiples of 4096 bytes at multiples of 4096; or have the range read before by larger reads, \
                      or posix_fadvise(2) with POSIX_FADV_WILLNEED";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: how each was written");
    };
    let Some(block) = &subject.workload.block else {
        return Outcome::Undecided("the requests are not known: which of them writes waited for");
    };
    let calls = subject.writes();
    if calls.iter().any(|(_, call)| call.breakdown.is_none()) {
        return UNDIVIDED;
    }
    let written = files.top.iter().enumerate();
    let written = written.filter(|(_, row)| row.kind == FileKind::File && row.counts.writes > 0);
    let own = own_requests(block, &[BlockOperation::Write, BlockOperation::Flush]);
    let own = sum(own.map(|(_, row)| row.requests));
    let times = calls.iter().filter_map(|(_, call)| call.breakdown);
    let waited = sum(times.clone().map(|time| for_device(&time)));
    let waits = waited > sum(times.map(|time| time.cpu_ns)) / 10;
    let (found, others): (Vec<_>, Vec<_>) =
        written.partition(|(_, row)| waits && reads_first(row, own));
    if found.is_empty() {
        let most = others
            .into_iter()
            .max_by_key(|(_, row)| row.counts.unaligned);
        return Outcome::RuledOut(most.map_or_else(Vec::new, |one| evidence(subject, one)));
    }
    let found = found
        .into_iter()
        .map(|one| candidate(subject, one, &calls, waited))
        .collect();
    Outcome::Found(found)
}

/// Whether pages of a file that nobody reads were read for writes of parts of them. Where the thread writes to the device
/// itself, it is that it waits for.
fn reads_first(row: &File, own_writes: u64) -> bool {
    let counts = &row.counts;
    let read = counts.device_read_bytes.unwrap_or(0);
    counts.unaligned >= FEW
        && counts.unaligned >= counts.writes / 2
        && counts.reads == 0
        && counts.major_faults == Some(0)
        && read / BLOCK >= counts.unaligned / 2
        && own_writes <= counts.writes / 2
}

fn evidence(subject: &Subject<'_>, (at, row): (usize, &File)) -> Vec<Evidence> {
    let counts = &row.counts;
    let figures = [
        ("writes", Some(counts.writes)),
        ("unaligned", Some(counts.unaligned)),
        ("reads", Some(counts.reads)),
        ("device_read_bytes", counts.device_read_bytes),
    ];
    let known = figures
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    known
        .map(|(key, value)| subject.evidence(&format!("files/top/{at}/{key}"), value))
        .collect()
}

fn candidate(
    subject: &Subject<'_>,
    one: (usize, &File),
    calls: &[Placed<'_>],
    waited: u64,
) -> Candidate {
    let (_, row) = one;
    let counts = &row.counts;
    let all = sum(calls.iter().map(|(_, call)| call.calls));
    // Whose calls waited is not told where there are others.
    let is_alone = counts.writes >= portion(all, 99, 100);
    // The shortest may have waited, too.
    let most = sum(calls.iter().map(|(_, call)| call.time_ns)).min(counts.time_ns);
    let mut figures = evidence(subject, one);
    for (at, call) in calls {
        figures.push(subject.evidence(&format!("syscalls/{at}/time_ns"), call.time_ns));
    }
    let read = counts.device_read_bytes.unwrap_or(0);
    Candidate {
        summary: format!(
            "{} writes of parts of pages, for which {} are read first",
            count(counts.unaligned),
            bytes(read)
        ),
        place: Place {
            file: row.path.clone(),
            call: only_call(calls),
            device: None,
        },
        cost_ns: waited.min(most),
        gain: subject.bounds(
            if is_alone { waited } else { 0 },
            most,
            "nothing is read first; at least what the writes waited for devices, or nothing where other files were written, too; at \
             most the time of these calls"
                .into(),
        ),
        stake_ns: most.min(without_cpu_wait(calls)),
        evidence: figures,
        advice: ADVICE,
        gate: Some("device.reads<=-50%".into()),
    }
}
