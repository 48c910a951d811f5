//! ALIGN001: writes of parts of pages wait until the rest of each page has been read.

use ioprof_workloads::display::{bytes, count};

use super::subject::{
    Candidate, Outcome, Placed, Subject, UNDIVIDED, for_device, only_call, own_requests, portion,
    without_cpu_wait,
};
use crate::model::{
    block::{Block, BlockOperation},
    file::{File, FileKind},
    finding::{Evidence, Place},
    sum::sum,
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
    let (mut found, mut others, mut unknown) = (Vec::new(), Vec::new(), None);
    for one in written {
        match reads_first(one.1, own) {
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

/// Whether pages of a file that nobody reads were read for writes of parts of them; none where that is not known. Where the
/// thread writes to the device itself, it is that it waits for.
fn reads_first(row: &File, own_writes: u64) -> Option<bool> {
    let counts = &row.counts;
    let is_written_in_parts = counts.unaligned >= FEW
        && counts.unaligned >= counts.writes / 2
        && counts.reads == 0
        && own_writes <= counts.writes / 2;
    let is_mapped = counts.major_faults.map(|faults| faults > 0);
    let is_read = counts
        .device_read_bytes
        .map(|read| read / BLOCK >= counts.unaligned / 2);
    match (is_mapped, is_read) {
        _ if !is_written_in_parts => Some(false),
        (Some(true), _) | (_, Some(false)) => Some(false),
        (Some(false), Some(true)) => Some(true),
        _ => None,
    }
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
    use crate::model::{file::FileCounts, off_cpu::OffCpu, report::Report};

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

    fn edited(edit: fn(&mut FileCounts)) -> Outcome {
        let mut report = written();
        let files = report.workloads[0].files.as_mut();
        edit(&mut files.expect("they are known").top[0].counts);
        rule(&Subject::of_first(&report))
    }

    #[test]
    fn what_is_not_known_of_a_file_that_is_written_in_parts_is_not_ruled_out() {
        assert_eq!(edited(|_| ()).found().len(), 1);
        let unknown: [fn(&mut FileCounts); 3] = [
            |counts| counts.device_read_bytes = None,
            |counts| counts.major_faults = None,
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
            |counts| (counts.device_read_bytes, counts.major_faults) = (None, Some(1)),
            |counts| (counts.device_read_bytes, counts.reads) = (None, 1),
        ];
        for edit in against {
            assert!(matches!(edited(edit), Outcome::RuledOut(_)));
        }
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
