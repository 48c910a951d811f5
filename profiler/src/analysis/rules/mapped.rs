//! MMAP001: pages of a mapped file are waited for one by one.

use ioprof_workloads::display::{bytes, count};

use super::subject::{Candidate, Outcome, Subject, each, faults_without_cpu_wait};
use crate::model::{
    file::{File, FileKind},
    finding::{Evidence, Place},
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
    if faults.is_none_or(|faults| faults.on_files.is_none()) {
        return Outcome::Undecided("page faults are not known, or not whether they were on files");
    }
    let mut found = Vec::new();
    let mut against = Vec::new();
    for (at, row) in files.top.iter().enumerate() {
        let Some(one) = Waits::of(at, row).filter(|one| one.faults > 0) else {
            continue;
        };
        if one.is_one_by_one() {
            found.push(one.candidate(subject));
        } else {
            against.extend(one.evidence(subject));
        }
    }
    Outcome::of(found, None, against)
}

/// The waits for a file's pages.
struct Waits<'a> {
    at: usize,
    row: &'a File,
    faults: u64,
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

    /// Whether each read hardly more than its page. What calls read is not told apart, so that there are to be none.
    fn is_one_by_one(&self) -> bool {
        self.row.kind == FileKind::File
            && self.row.counts.reads == 0
            && self.faults >= FEW
            && (PAGE / 2..=LITTLE).contains(&each(self.read_bytes, self.faults))
    }

    fn evidence(&self, subject: &Subject<'_>) -> Vec<Evidence> {
        [
            ("major_faults", self.faults),
            ("device_read_bytes", self.read_bytes),
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
                bytes(each(self.read_bytes, self.faults))
            ),
            place: Place {
                file: self.row.path.clone(),
                ..Place::default()
            },
            cost_ns: self.time_ns,
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
