//! SYNC001: data is made durable after every few writes.

use ioprof_workloads::display::{bytes, count};

use super::subject::{
    Candidate, Outcome, Placed, Subject, UNSEEN, each, only_call, portion, total, without_cpu_wait,
};
use crate::{
    analysis::compare::total as count_of,
    model::{
        block::{Block, BlockOperation, Origin},
        file::{FileKind, Files},
        finding::{Evidence, Place},
        sum::sum,
    },
    text::Text,
    transfer::Direction,
};

/// The calls that wait until the data of a file is durable.
const CALLS: [&str; 2] = ["fsync", "fdatasync"];

/// What makes it so: these calls, and requests of these opcodes to rings and by io_submit.
pub const SYNCS: [&str; 4] = ["fsync", "fdatasync", "FSYNC", "FDSYNC"];

/// Why it is not known how often.
pub const UNKNOWN_SYNCS: &str = "the requests to io_uring are not known: which made data durable";

/// Fewer calls are no habit.
const FEW: u64 = 10;

/// With more bytes for each, the writing itself is what takes the time.
pub const MOST_BYTES: u64 = 64 << 10;

const ADVICE: &str = "group what belongs together and sync once: one transaction around many changes, one call for many \
                      records; keep a call wherever the data must survive a power failure";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(made) = subject.made(&SYNCS) else {
        return Outcome::Undecided(UNKNOWN_SYNCS);
    };
    let all = total(&made);
    if all < FEW {
        return Outcome::RuledOut(made);
    }
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: which bytes were written to them");
    };
    let syncs = subject.calls(|name| CALLS.contains(&name));
    let calls = sum(syncs.iter().map(|(_, call)| call.calls));
    let (written, mut evidence) = written(subject, files);
    evidence.extend(made);
    for (at, call) in &syncs {
        evidence.push(subject.evidence(&format!("syscalls/{at}/time_ns"), call.time_ns));
    }
    // Of many files each has to be made durable by one of its own. Most that have nothing of the workload's to make durable may be
    // for what others wrote, to any file that it opened.
    let is_habit = |syncs| {
        let opens = match written < syncs {
            true => count_of(files, |counts| counts.opens),
            false => opens_to_write(files),
        };
        syncs >= FEW && each(written, syncs) <= MOST_BYTES && syncs / 2 > opens
    };
    if !is_habit(all) {
        return Outcome::RuledOut(evidence);
    }
    if !subject.workload.knows_asynchronous(Direction::Written) {
        return Outcome::Undecided(UNSEEN);
    }
    if !is_habit(calls) {
        return Outcome::Undecided(
            "data is made durable by requests to rings, whose waits are not told apart",
        );
    }
    if subject.workload.writeback.is_none() {
        return Outcome::Undecided("it is not known what was written through mappings");
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
            "{} {}, {}",
            count(calls),
            names.join(" and "),
            match written {
                0 => "with nothing written to files".to_owned(),
                few if few < calls => format!("with {} written to files in all", bytes(few)),
                _ => format!("one for every {} written to files", bytes(each(written, calls))),
            }
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

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{ring, sample},
        *,
    };
    use crate::model::{aio::AioOperation, report::Report};

    /// A program that writes 64 KiB, as often as it opens a file, and makes it durable by so many fdatasync(2).
    fn syncing(calls: u64) -> Report {
        let mut report = sample();
        let workload = report.workloads.first_mut().expect("there is one");
        workload.syscalls.truncate(1);
        let call = workload.syscalls.first_mut().expect("there is one");
        (call.name, call.calls) = ("fdatasync".into(), calls);
        let files = workload.files.as_mut().expect("they are known");
        files.top.retain(|row| row.counts.writes > 0);
        files.top.truncate(1);
        for kind in &mut files.by_kind {
            kind.written_bytes = 64 << 10;
        }
        workload.io_uring = Some(ring(&[]));
        report
    }

    /// So many operations by io_submit.
    fn operation(opcode: &str, submissions: u64) -> AioOperation {
        AioOperation {
            name: opcode.into(),
            submissions,
            completions: submissions,
            unseen_completions: 0,
            errors: Default::default(),
            bytes: None,
            latency: sample().workloads[0].syscalls[0].latency.clone(),
        }
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    fn by_ring(calls: u64, opcode: &str, requests: u64) -> Outcome {
        let mut report = syncing(calls);
        report.workloads[0].io_uring = Some(ring(&[("WRITE", 1000), (opcode, requests)]));
        of(&report)
    }

    #[test]
    fn requests_that_make_data_durable_leave_it_undecided_where_calls_do_not_tell() {
        assert!(matches!(by_ring(0, "FSYNC", 10), Outcome::Undecided(_)));
        assert!(matches!(by_ring(6, "FSYNC", 6), Outcome::Undecided(_)));
        assert!(matches!(by_ring(0, "FSYNC", 9), Outcome::RuledOut(_)));
        assert!(matches!(by_ring(0, "READ", 1000), Outcome::RuledOut(_)));
        assert_eq!(by_ring(10, "FSYNC", 10).found().len(), 1);
        for opcode in ["FSYNC", "FDSYNC"] {
            let mut report = syncing(0);
            report.workloads[0].aio.operations = vec![operation(opcode, 10)];
            assert!(matches!(of(&report), Outcome::Undecided(_)), "{opcode}");
        }
    }

    #[test]
    fn what_was_written_unseen_is_not_taken_for_nothing() {
        let mut report = syncing(10);
        let mut silent = ring(&[("WRITE", 200)]);
        (
            silent.operations[0].silent,
            silent.operations[0].completions,
        ) = (200, 0);
        report.workloads[0].io_uring = Some(silent.clone());
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        // All of them failed, which is seen.
        silent.operations[0].completions = 200;
        report.workloads[0].io_uring = Some(silent);
        assert_eq!(of(&report).found().len(), 1);
        let unseen = AioOperation {
            unseen_completions: 200,
            ..operation("PWRITE", 200)
        };
        report.workloads[0].aio.operations = vec![unseen];
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn large_writes_are_no_habit_whoever_makes_them_durable() {
        let mut report = syncing(0);
        let files = report.workloads[0].files.as_mut().expect("known");
        files.by_kind[0].written_bytes = 1 << 30;
        report.workloads[0].io_uring = Some(ring(&[("FSYNC", 100)]));
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }

    #[test]
    fn what_is_synced_without_writes_is_told_as_that() {
        let mut report = syncing(1000);
        let told = |report: &Report| of(report).found().pop().expect("one").summary;
        assert_eq!(
            told(&report),
            "1,000 fdatasync, one for every 66 B written to files"
        );
        let files = report.workloads[0].files.as_mut().expect("known");
        files.by_kind[0].written_bytes = 8;
        let few = "1,000 fdatasync, with 8 B written to files in all";
        assert_eq!(told(&report), few);
        let files = report.workloads[0].files.as_mut().expect("known");
        files.by_kind.clear();
        let nothing = "1,000 fdatasync, with nothing written to files";
        assert_eq!(told(&report), nothing);
        // Each of another file that somebody else wrote.
        let files = report.workloads[0].files.as_mut().expect("known");
        files.other_counts.opens = 1000;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }

    #[test]
    fn what_was_written_through_mappings_is_not_taken_for_nothing() {
        let mut report = syncing(10);
        report.workloads[0].writeback = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn unknown_requests_to_rings_rule_nothing_out() {
        let mut report = syncing(0);
        report.workloads[0].io_uring = None;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        report.workloads[0].syscalls[0].name = "io_uring_enter".into();
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }
}
