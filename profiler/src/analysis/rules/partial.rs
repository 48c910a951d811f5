//! ALIGN001: writes of parts of pages wait until the rest of each page has been read.

use ioprof_workloads::display::{bytes, count};

use super::subject::{
    Candidate, Outcome, Placed, Subject, UNDIVIDED, for_device, only_call, own_requests, portion,
    without_cpu_wait,
};
use crate::{
    model::{
        block::{Block, BlockOperation},
        file::{File, FileCounts, FileKind},
        finding::{Evidence, Place},
        sum::sum,
    },
    transfer::Direction,
};

/// Fewer writes are no habit.
const FEW: u64 = 100;
/// The least that is read for each: a block of the smallest size.
const BLOCK: u64 = 512;
/// The most.
const PAGE: u64 = 4096;

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
    let ways = [Direction::Read, Direction::Written];
    let knows_asynchronous = ways.map(|way| subject.workload.knows_asynchronous(way)) == [true; 2];
    let (mut found, mut others, mut unknown) = (Vec::new(), Vec::new(), None);
    for one in written {
        match reads_first(one.1, own, knows_asynchronous) {
            Some(true) if waits => found.push(candidate(subject, one, &calls, waited)),
            None if waits => {
                unknown = Some(
                    "it is not known what was read from devices of a file that is written in parts of pages",
                );
            }
            _ => others.push(one),
        }
    }
    let most = others
        .into_iter()
        .max_by_key(|(_, row)| row.counts.unaligned);
    let against = most.map_or_else(Vec::new, |one| evidence(subject, one));
    Outcome::of(found, unknown, against)
}

/// Whether pages of a file were read for writes of parts of them; none where that is not known. Where the thread writes to the
/// device itself, it is that it waits for. Page faults, and requests that ended unseen, may have had any of it read.
fn reads_first(row: &File, own_writes: u64, knows_asynchronous: bool) -> Option<bool> {
    let counts = &row.counts;
    let (least, most) = (in_parts(counts), counts.unaligned.min(counts.writes));
    let are_many = |parts: u64| parts >= FEW && parts >= counts.writes / 2;
    let is_enough = |read: u64, parts: u64| read / BLOCK >= parts / 2;
    match counts.device_read_bytes {
        _ if !are_many(most) || own_writes > counts.writes / 2 => Some(false),
        Some(read) if !is_enough(read, least.max(FEW)) => Some(false),
        Some(read) => {
            let is_certain = counts.major_faults == Some(0)
                && knows_asynchronous
                && are_many(least)
                && is_enough(unasked(counts, read), most);
            is_certain.then_some(true)
        }
        None => None,
    }
}

/// Writes of parts of pages, at least: all reads may have been of parts, too.
const fn in_parts(counts: &FileCounts) -> u64 {
    counts.unaligned.saturating_sub(counts.reads)
}

/// Bytes that were read from devices and are of no page that calls asked for: each has two at most that it needs a part of.
fn unasked(counts: &FileCounts, read: u64) -> u64 {
    let parts = counts.reads.saturating_mul(PAGE).saturating_mul(2);
    read.saturating_sub(sum([counts.read_bytes, parts]))
}

fn evidence(subject: &Subject<'_>, (at, row): (usize, &File)) -> Vec<Evidence> {
    let counts = &row.counts;
    let figures = [
        ("writes", Some(counts.writes)),
        ("unaligned", Some(counts.unaligned)),
        ("reads", Some(counts.reads)),
        ("read_bytes", Some(counts.read_bytes)),
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
    let read = unasked(counts, counts.device_read_bytes.unwrap_or(0));
    Candidate {
        summary: format!(
            "{} writes of parts of pages, for which {} are read first",
            count(in_parts(counts)),
            bytes(read)
        ),
        place: Place {
            file: row.path.clone(),
            call: only_call(calls),
            device: None,
        },
        cost_ns: most,
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
        gate: gate(subject, read),
    }
}

/// That half of the reads from devices went that are known to be of this file, of those of all.
fn gate(subject: &Subject<'_>, read: u64) -> Option<String> {
    let rows = Block::once(subject.workload.block.as_ref()?, BlockOperation::Read);
    let all = sum(rows.map(|row| row.requests));
    // A page or less is read for each.
    let percent = portion(50, (read / PAGE).min(all), all);
    (percent > 0).then(|| format!("device.reads<=-{percent}%"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};
    use crate::model::{off_cpu::OffCpu, report::Report};

    /// Writes of parts of pages, for each of which a page is read.
    fn written() -> Report {
        let mut report = sample();
        let workload = report.workloads.first_mut().expect("there is one");
        workload.block = Some(Vec::new());
        let mut calls = workload.syscalls.iter_mut();
        let call = calls.find(|call| call.name == "pwrite64");
        let time = call.expect("it writes").breakdown.as_mut();
        time.expect("it is known").off_cpu = OffCpu {
            service_ns: 1 << 40,
            ..OffCpu::default()
        };
        let files = workload.files.as_mut().expect("they are known");
        files.top.retain(|row| row.kind == FileKind::File);
        files.top.truncate(1);
        files.top.first_mut().expect("there is one").counts = FileCounts {
            writes: FEW,
            unaligned: FEW,
            device_read_bytes: Some(FEW << 12),
            major_faults: Some(0),
            ..FileCounts::default()
        };
        report
    }

    fn edited(edit: impl Fn(&mut FileCounts)) -> Outcome {
        let mut report = written();
        let files = report.workloads[0].files.as_mut();
        edit(&mut files.expect("they are known").top[0].counts);
        rule(&Subject::of_first(&report))
    }

    #[test]
    fn what_is_not_known_of_a_file_that_is_written_in_parts_is_not_ruled_out() {
        assert_eq!(edited(|_| ()).found().len(), 1);
        let unknown: [fn(&mut FileCounts); 5] = [
            |counts| counts.device_read_bytes = None,
            |counts| counts.major_faults = None,
            // They may have been for that.
            |counts| counts.major_faults = Some(1),
            |counts| {
                (counts.reads, counts.read_bytes, counts.unaligned) = (1, FEW << 12, FEW + 1);
            },
            FileCounts::forget_pages,
        ];
        for forget in unknown {
            assert!(matches!(edited(forget), Outcome::Undecided(_)));
        }
    }

    #[test]
    fn one_figure_against_it_is_enough() {
        let against: [fn(&mut FileCounts); 3] = [
            |counts| (counts.device_read_bytes, counts.major_faults) = (Some(0), None),
            |counts| (counts.device_read_bytes, counts.reads) = (Some(0), 1),
            |counts| (counts.device_read_bytes, counts.unaligned) = (None, 1),
        ];
        for edit in against {
            assert!(matches!(edited(edit), Outcome::RuledOut(_)));
        }
    }

    #[test]
    fn a_read_of_the_head_rules_nothing_out() {
        let head = |counts: &mut FileCounts| {
            (counts.reads, counts.read_bytes, counts.unaligned) = (1, 100, FEW + 1);
        };
        assert_eq!(edited(head).found().len(), 1);
        // Which of them were of parts is not told.
        let reads = edited(|counts| (counts.reads, counts.unaligned) = (FEW, FEW));
        assert!(matches!(reads, Outcome::Undecided(_)));
    }

    #[test]
    fn it_is_verified_by_the_part_of_all_reads_that_are_known_to_be_its_own() {
        let read = sample().workloads[0].block.as_ref().expect("known")[0].clone();
        for (requests, gate) in [
            (FEW / 2, Some("device.reads<=-50%")),
            (FEW, Some("device.reads<=-50%")),
            (FEW * 10, Some("device.reads<=-5%")),
            (FEW * 100, None),
        ] {
            let mut report = written();
            report.workloads[0].block = Some(vec![Block {
                requests,
                ..read.clone()
            }]);
            let found = rule(&Subject::of_first(&report)).found();
            assert_eq!(found[0].gate.as_deref(), gate, "{requests}");
        }
    }
}
