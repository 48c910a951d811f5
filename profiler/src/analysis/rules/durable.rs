//! SYNC002: writes to files that are open with `O_SYNC` or `O_DSYNC` each wait until the device has them.

use ioprof_workloads::display::{bytes, count};

use super::{
    subject::{
        Candidate, Outcome, Placed, Subject, UNDIVIDED, UNSEEN, each, for_device, only_call,
        own_requests, portion, total, without_cpu_wait,
    },
    sync::{MOST_BYTES, UNKNOWN_SYNCS, only_file, opens_to_write, writing_ns, written},
};
use crate::{
    model::{
        block::BlockOperation,
        file::{FileCounts, FileKind, Files},
        finding::Place,
        sum::sum,
    },
    transfer::Direction,
};

/// Fewer are no habit.
const FEW: u64 = 10;

/// The calls by which data that was written before becomes durable, and the requests to rings and by io_submit.
pub const LATER: [&str; 9] = [
    "fsync",
    "fdatasync",
    "sync_file_range",
    "msync",
    "syncfs",
    "sync",
    "FSYNC",
    "FDSYNC",
    "SYNC_FILE_RANGE",
];

const ADVICE: &str = "leave out O_SYNC, O_DSYNC and RWF_DSYNC, and call fdatasync(2) once for what belongs together; keep it \
                      wherever each write must survive a power failure before the next";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: which bytes were written to them");
    };
    let (Some(block), Some(writeback)) = (&subject.workload.block, &subject.workload.writeback)
    else {
        return Outcome::Undecided("the requests are not known: whether each write made one");
    };
    let writes = writes(files);
    let (moved, mut evidence) = written(subject, files);
    if writes < FEW {
        return Outcome::RuledOut(evidence);
    }
    let calls = subject.writes();
    let times: Option<Vec<_>> = calls.iter().map(|(_, call)| call.breakdown).collect();
    let Some(times) = times else {
        return UNDIVIDED;
    };
    evidence.extend(calls.iter().map(|one| subject.calls_of(*one)));
    let most = portion(writes, 9, 10);
    let by_thread = |operation| {
        own_requests(block, operation)
            .filter(|(_, row)| row.requests > 0)
            .map(|(at, row)| subject.evidence(&format!("block/{at}/requests"), row.requests))
            .collect::<Vec<_>>()
    };
    let flushes = by_thread(&[BlockOperation::Flush]);
    let requests = by_thread(&[BlockOperation::Write]);
    let is_flushed = total(&flushes) >= most;
    // What is written to the page cache reaches a device in the call itself only where the call has to wait for that.
    let is_buffered = writeback.dirtied_bytes >= portion(moved, 9, 10);
    let is_submitted = is_buffered && total(&requests) >= most;
    evidence.extend(flushes);
    evidence.extend(requests);
    let Some(later) = subject.made(&LATER) else {
        return Outcome::Undecided(UNKNOWN_SYNCS);
    };
    let synced = total(&later);
    evidence.extend(later);
    let waited = sum(times.iter().map(for_device));
    let worked = sum(times.iter().map(|time| time.cpu_ns));
    let holds = (is_flushed || is_submitted)
        && synced <= writes / 64
        && waited > worked / 10
        && each(moved, writes) <= MOST_BYTES
        && writes / 2 > opens_to_write(files);
    if !holds {
        return Outcome::RuledOut(evidence);
    }
    if !subject.workload.knows_asynchronous(Direction::Written) {
        return Outcome::Undecided(UNSEEN);
    }
    // What is written together later is in few requests only where it is one piece.
    let gate = match is_flushed {
        true => Some("device.flushes<=-90%".into()),
        false => is_sequential(files).then(|| "device.writes<=-50%".into()),
    };
    let candidate = candidate(subject, &calls, (writes, moved), waited);
    Outcome::Found(vec![Candidate {
        evidence,
        gate,
        ..candidate
    }])
}

fn candidate(
    subject: &Subject<'_>,
    calls: &[Placed<'_>],
    (writes, moved): (u64, u64),
    waited: u64,
) -> Candidate {
    let time = sum(calls.iter().map(|(_, call)| call.time_ns));
    let but_one = |number| portion(number, writes.saturating_sub(1), writes);
    let written = writing_ns(subject);
    let least = written.map_or(0, |written| but_one(waited).saturating_sub(written));
    Candidate {
        summary: format!(
            "{} writes of {} each, each waits until the device has it",
            count(writes),
            bytes(each(moved, writes))
        ),
        place: Place {
            call: only_call(calls),
            file: only_file(subject),
            device: None,
        },
        cost_ns: time,
        gain: subject.bounds(
            least,
            but_one(time),
            "one call makes durable what all of these write; at most their time; at least what they wait for devices, less what \
             the device takes to write the same data"
                .into(),
        ),
        stake_ns: but_one(without_cpu_wait(calls)),
        evidence: Vec::new(),
        advice: ADVICE,
        gate: None,
    }
}

/// What was done to files and block devices.
pub fn on_files(files: &Files) -> impl Iterator<Item = &FileCounts> {
    let rows = files.top.iter();
    let rows = rows.filter(|row| [FileKind::File, FileKind::BlockDevice].contains(&row.kind));
    rows.map(|row| &row.counts).chain([&files.other_counts])
}

/// Calls that wrote there.
fn writes(files: &Files) -> u64 {
    sum(on_files(files).map(|counts| counts.writes))
}

/// Whether nearly each of them went on where the one before had ended.
fn is_sequential(files: &Files) -> bool {
    let only_written = on_files(files).filter(|counts| counts.reads == 0);
    sum(only_written.map(|counts| counts.sequential)) >= portion(writes(files), 9, 10)
}
