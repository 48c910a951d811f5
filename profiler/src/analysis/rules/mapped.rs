//! MMAP001: pages of a mapped file are waited for one by one.

use ioprof_workloads::display::{bytes, count};

use super::subject::{Candidate, Outcome, Subject, each, faults_without_cpu_wait};
use crate::{
    model::{
        file::{File, FileKind},
        finding::{Evidence, Place},
        sum::sum,
    },
    transfer::Direction,
};

/// Fewer faults are those of a program that starts.
const FEW: u64 = 100;
/// What is read for a fault where nothing is read ahead, or hardly anything.
const LITTLE: u64 = 16 << 10;
/// Less than a page for each is not read from a device, but from another machine or process.
const PAGE: u64 = 4 << 10;

const ADVICE: &str = "have the part that is needed read before: madvise(2) with MADV_POPULATE_READ or MADV_WILLNEED, \
                      readahead(2); leave out MADV_RANDOM where most of the file is used";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: on whose pages the faults were");
    };
    let faults = subject.workload.faults.as_ref();
    let Some(on_files) = faults.and_then(|faults| faults.on_files) else {
        return Outcome::Undecided("page faults are not known, or not whether they were on files");
    };
    let known = files.top.iter().filter_map(|row| row.counts.major_faults);
    // On a file of which that is not known there were no more.
    let left = on_files.major.saturating_sub(sum(known));
    let knows_reads = subject.workload.knows_asynchronous(Direction::Read);
    let (mut found, mut against, mut unknown) = (Vec::new(), Vec::new(), None);
    for (at, row) in files.top.iter().enumerate() {
        let faults = row.counts.major_faults.unwrap_or(left);
        let waits = Waits::of(at, row);
        let holds = match &waits {
            _ if row.kind != FileKind::File || faults < FEW => Some(false),
            Some(one) => one.are_one_by_one(knows_reads),
            None => None,
        };
        match (holds, waits) {
            (Some(true), Some(one)) => found.push(one.candidate(subject)),
            (Some(_), Some(one)) if one.faults > 0 => against.extend(one.evidence(subject)),
            (None, _) => {
                unknown = Some("it is not known what was read from devices for faults on a file");
            }
            _ => {}
        }
    }
    Outcome::of(found, unknown, against)
}

/// The waits for a file's pages.
struct Waits<'a> {
    at: usize,
    row: &'a File,
    faults: u64,
    /// From devices, by calls, too.
    read_bytes: u64,
    time_ns: u64,
}

impl<'a> Waits<'a> {
    fn of(at: usize, row: &'a File) -> Option<Self> {
        Some(Self {
            at,
            row,
            faults: row.counts.major_faults?,
            read_bytes: row.counts.device_read_bytes?,
            time_ns: row.counts.major_fault_ns?,
        })
    }

    /// Whether each read hardly more than its page; none where that is not known. What calls had devices read is not told
    /// apart: all that was read is the most that faults can have, and what calls did not ask for is theirs or was read ahead.
    fn are_one_by_one(&self, knows_reads: bool) -> Option<bool> {
        let calls = &self.row.counts;
        let most = each(self.read_bytes, self.faults);
        let least = each(self.unasked_bytes(), self.faults);
        if most < PAGE / 2 {
            Some(false)
        } else if calls.reads == 0 && knows_reads {
            Some(most <= LITTLE)
        } else {
            (knows_reads && most <= LITTLE && least >= PAGE / 2).then_some(true)
        }
    }

    /// Bytes that calls did not ask for.
    const fn unasked_bytes(&self) -> u64 {
        self.read_bytes.saturating_sub(self.row.counts.read_bytes)
    }

    fn evidence(&self, subject: &Subject<'_>) -> Vec<Evidence> {
        [
            ("major_faults", self.faults),
            ("device_read_bytes", self.read_bytes),
            ("read_bytes", self.row.counts.read_bytes),
            ("major_fault_ns", self.time_ns),
        ]
        .map(|(key, value)| subject.evidence(&format!("files/top/{}/{key}", self.at), value))
        .into()
    }

    /// The faults' time, with the way into them and out of them: that is in the time of user mode, and shorter than they are.
    fn most(subject: &Subject<'_>, faults_ns: u64) -> u64 {
        let outside = subject.cpu().map_or(0, |cpu| cpu.user_ns);
        faults_ns.saturating_add(outside.min(faults_ns))
    }

    fn candidate(&self, subject: &Subject<'_>) -> Candidate {
        let time = subject.workload.time.as_ref();
        let without_cpu_wait = time.map_or(self.time_ns, |time| {
            faults_without_cpu_wait(self.time_ns, &time.off_cpu)
        });
        Candidate {
            summary: format!(
                "{} page faults wait for a device, which reads {} for each",
                count(self.faults),
                bytes(each(self.unasked_bytes(), self.faults))
            ),
            place: Place {
                file: self.row.path.clone(),
                ..Place::default()
            },
            cost_ns: Self::most(subject, self.time_ns),
            gain: subject.bounds(
                0,
                Self::most(subject, self.time_ns),
                "these faults find their pages in memory; at most their time, and that of user mode, which has their entry and exit, as \
                 far as it is no longer; at least nothing, where nobody knows before \
                 which pages are needed"
                    .into(),
            ),
            stake_ns: Self::most(subject, without_cpu_wait),
            evidence: self.evidence(subject),
            advice: ADVICE,
            gate: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{fault::FileFaults, report::Report};

    /// A hundred faults on a file that is only mapped, each of which reads a page.
    fn waiting() -> Report {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        let faults = workload.faults.as_mut().expect("they are known");
        faults.on_files = Some(FileFaults {
            minor: 0,
            major: FEW,
            minor_io: 0,
            minor_io_ns: 0,
        });
        let files = workload.files.as_mut().expect("they are known");
        files.top.truncate(2);
        let counts = &mut files.top.first_mut().expect("there is one").counts;
        (counts.reads, counts.read_bytes) = (0, 0);
        counts.major_faults = Some(FEW);
        counts.device_read_bytes = Some(FEW * PAGE);
        counts.major_fault_ns = Some(1);
        report
    }

    fn edited(edit: fn(&mut Report)) -> Outcome {
        let mut report = waiting();
        edit(&mut report);
        rule(&Subject::of_first(&report))
    }

    fn counts(report: &mut Report, at: usize) -> &mut crate::model::file::FileCounts {
        let files = report.workloads[0].files.as_mut();
        &mut files.expect("they are known").top[at].counts
    }

    #[test]
    fn what_is_not_known_of_a_file_with_as_many_faults_is_not_ruled_out() {
        assert_eq!(edited(|_| ()).found().len(), 1);
        let unknown = edited(|report| counts(report, 0).device_read_bytes = None);
        assert!(matches!(unknown, Outcome::Undecided(_)));
        let unknown = edited(|report| counts(report, 0).forget_pages());
        assert!(matches!(unknown, Outcome::Undecided(_)));
    }

    #[test]
    fn what_calls_read_rules_out_nothing_that_they_cannot_have_read() {
        let head = |report: &mut Report| {
            (counts(report, 0).reads, counts(report, 0).read_bytes) = (1, 100);
        };
        let mut report = waiting();
        head(&mut report);
        assert_eq!(rule(&Subject::of_first(&report)).found().len(), 1);
        // All of it may have been for the calls.
        counts(&mut report, 0).read_bytes = FEW * PAGE;
        let outcome = rule(&Subject::of_first(&report));
        assert!(matches!(outcome, Outcome::Undecided(_)));
        // So may what was read ahead.
        head(&mut report);
        counts(&mut report, 0).device_read_bytes = Some(FEW * LITTLE * 2);
        let outcome = rule(&Subject::of_first(&report));
        assert!(matches!(outcome, Outcome::Undecided(_)));
        // No device has read anything, whoever asked.
        counts(&mut report, 0).device_read_bytes = Some(0);
        let outcome = rule(&Subject::of_first(&report));
        assert!(matches!(outcome, Outcome::RuledOut(_)));
    }

    #[test]
    fn what_was_read_unseen_may_have_been_read_for_that() {
        let mut report = waiting();
        let mut silent = super::super::tests::ring(&[("READ", 1)]);
        (
            silent.operations[0].silent,
            silent.operations[0].completions,
        ) = (1, 0);
        report.workloads[0].io_uring = Some(silent);
        let outcome = rule(&Subject::of_first(&report));
        assert!(matches!(outcome, Outcome::Undecided(_)));
    }

    #[test]
    fn a_file_that_cannot_have_had_as_many_faults_is_ruled_out() {
        // They are all on the other.
        let others = edited(|report| {
            counts(report, 0).device_read_bytes = Some(FEW * LITTLE * 2);
            counts(report, 1).forget_pages();
        });
        assert!(matches!(others, Outcome::RuledOut(_)));
        let few = edited(|report| {
            counts(report, 0).forget_pages();
            let faults = report.workloads[0].faults.as_mut();
            let on_files = faults.expect("they are known").on_files.as_mut();
            on_files.expect("they are known").major = FEW - 1;
        });
        assert!(matches!(few, Outcome::RuledOut(_)));
    }
}
