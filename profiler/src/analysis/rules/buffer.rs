//! What SMALL001 and BYTE001 have in common: a file that is read or written from one end to the other, by calls that
//! move little.

use ioprof_workloads::display::{bytes, count};

use super::{
    subject::{
        Candidate, Outcome, Placed, Subject, UNDIVIDED, cpu_and_runnable, each, for_device,
        portion, total as total_of,
    },
    sync::SYNCS,
};
use crate::{
    analysis::compare::total,
    model::{
        file::{File, FileKind},
        finding::{Evidence, Place},
        off_cpu::CallTime,
        sum::sum,
    },
    transfer::{Direction, is_in_proc_io, of_call},
};

/// Fewer calls are not worth a buffer.
const FEW: u64 = 100;
/// A file that is read by fewer calls for each time it is opened is small itself.
const FEW_FOR_EACH_OPEN: u64 = 16;
/// From here on calls cost little beside what they move.
const LARGE: u64 = 4096;
/// The buffer that is advised.
const BUFFER: u64 = 64 << 10;

/// What was done to a file in one direction.
pub struct Moved<'a> {
    at: usize,
    row: &'a File,
    direction: Direction,
    /// Calls.
    pub calls: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The files that were gone through by small calls in one direction: a program may have thousands of them.
struct Small<'a> {
    direction: Direction,
    /// Those with the most calls first.
    rows: Vec<Moved<'a>>,
    calls: u64,
    bytes: u64,
}

/// So many of them are told with their figures.
const TOLD: usize = 3;

/// The files with such calls, of those that are wanted.
pub fn rule(
    subject: &Subject<'_>,
    advice: &'static str,
    is_wanted: impl Fn(&Moved<'_>) -> bool,
) -> Outcome {
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: how each was read and written");
    };
    if subject
        .workload
        .syscalls
        .iter()
        .any(|call| call.breakdown.is_none())
    {
        return UNDIVIDED;
    }
    let (mut found, mut others, mut unknown) = (Vec::new(), Vec::new(), None);
    for direction in [Direction::Read, Direction::Written] {
        let rows = files.top.iter().enumerate();
        let all = rows.map(|(at, row)| Moved::of(at, row, direction));
        let (small, rest): (Vec<_>, Vec<_>) =
            all.partition(|moved| moved.is_by_little() && is_wanted(moved));
        others.extend(rest);
        let small = Small::of(direction, small);
        match small.can_wait(subject) {
            Some(true) if small.calls < FEW => others.extend(small.rows),
            Some(true) if small.failed(subject) > small.calls / 2 => {
                unknown = Some("it is not known on which files calls failed");
            }
            Some(true) => found.push(small.candidate(subject, advice)),
            None if small.calls >= FEW => unknown = Some("it is not known how reads were served"),
            _ => others.extend(small.rows),
        }
    }
    let most = others.iter().max_by_key(|moved| moved.calls);
    let most = most.filter(|moved| moved.calls > 0);
    let against = most.map_or_else(Vec::new, |moved| moved.evidence(subject));
    Outcome::of(found, unknown, against)
}

impl<'a> Moved<'a> {
    const fn of(at: usize, row: &'a File, direction: Direction) -> Self {
        let counts = &row.counts;
        let (calls, bytes) = match direction {
            Direction::Read => (counts.reads, counts.read_bytes),
            _ => (counts.writes, counts.written_bytes),
        };
        Self {
            at,
            row,
            direction,
            calls,
            bytes,
        }
    }

    /// Whether the file was gone through by many calls that ask for little, most of which move something. Which of both
    /// directions had calls that did not go on where the last had ended is not known: so few are neither's.
    fn is_by_little(&self) -> bool {
        let counts = &self.row.counts;
        let all = sum([counts.reads, counts.writes]);
        self.row.kind == FileKind::File
            && self.calls > 0
            && self.calls / FEW_FOR_EACH_OPEN >= counts.opens
            && all.saturating_sub(counts.sequential) <= self.calls / 10
            && self.bytes >= self.calls / 2
            && each(self.bytes, self.calls) < LARGE
            && self.row.typical_size_bytes.is_some_and(|size| size < LARGE)
    }

    fn evidence(&self, subject: &Subject<'_>) -> Vec<Evidence> {
        let counts = &self.row.counts;
        let (calls, moved) = match self.direction {
            Direction::Read => ("reads", "read_bytes"),
            _ => ("writes", "written_bytes"),
        };
        let figures = [
            (calls, Some(self.calls)),
            (moved, Some(self.bytes)),
            ("sequential", Some(counts.sequential)),
            ("typical_size_bytes", self.row.typical_size_bytes),
            ("time_ns", Some(counts.time_ns)),
        ];
        let known = figures
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        known
            .map(|(key, value)| subject.evidence(&format!("files/top/{}/{key}", self.at), value))
            .collect()
    }
}

impl<'a> Small<'a> {
    fn of(direction: Direction, mut rows: Vec<Moved<'a>>) -> Self {
        rows.sort_by_key(|moved| std::cmp::Reverse(moved.calls));
        Self {
            direction,
            calls: sum(rows.iter().map(|moved| moved.calls)),
            bytes: sum(rows.iter().map(|moved| moved.bytes)),
            rows,
        }
    }

    /// Whether the program need not have waited for each call: none waits for a device that would not without it, and few
    /// are made durable; none where that is not known.
    fn can_wait(&self, subject: &Subject<'_>) -> Option<bool> {
        if self.direction == Direction::Read {
            let served = subject.workload.page_cache.as_ref()?;
            return Some(served.direct.latency.count < self.calls / 2);
        }
        let calls = self.calls_of(subject);
        let syncs = total_of(&subject.made(&SYNCS)?);
        let times = || calls.iter().filter_map(|(_, call)| call.breakdown);
        let waited = sum(times().map(|time| for_device(&time)));
        let worked = sum(times().map(|time| time.cpu_ns));
        Some(self.calls / 64 >= syncs && waited <= worked / 10)
    }

    /// The calls that may have done it.
    fn calls_of<'b>(&self, subject: &Subject<'b>) -> Vec<Placed<'b>> {
        let way = self.direction;
        subject.calls(|name| of_call(name) == Some(way) && is_in_proc_io(name, way))
    }

    /// How many of them failed, at most: on which files calls did is not told.
    fn failed(&self, subject: &Subject<'_>) -> u64 {
        let calls = self.calls_of(subject);
        sum(calls.iter().map(|(_, call)| call.failed())).min(self.calls)
    }

    /// That half of the calls went that a buffer of the advised size saves, of those of all files.
    fn gate(&self, subject: &Subject<'_>, gone: u64) -> Option<String> {
        let files = subject.workload.files.as_ref()?;
        let (metric, all) = match self.direction {
            Direction::Read => ("files.reads", total(files, |counts| counts.reads)),
            _ => ("files.writes", total(files, |counts| counts.writes)),
        };
        let percent = portion(50, gone, all);
        (percent > 0).then(|| format!("{metric}<=-{percent}%"))
    }

    fn candidate(&self, subject: &Subject<'_>, advice: &'static str) -> Candidate {
        let calls = self.calls_of(subject);
        let (least, most) = subject.entry_ns();
        let rows = || self.rows.iter().map(|moved| moved.row);
        let opens = sum(rows().map(|row| row.counts.opens.max(1)));
        let left = sum([self.bytes / BUFFER, opens.saturating_mul(2)]);
        let gone = self.calls.saturating_sub(left);
        let certain = gone.saturating_sub(self.failed(subject));
        let inside = |of: fn(&CallTime) -> u64| {
            let times = calls.iter().filter_map(|(_, call)| call.breakdown.as_ref());
            sum(times.map(of))
        };
        let in_calls = sum(calls.iter().map(|(_, call)| call.time_ns));
        let cost = in_calls.min(sum(rows().map(|row| row.counts.time_ns)));
        let at_most = |inside: u64| {
            let all = sum([cost.min(inside), self.calls.saturating_mul(most)]);
            portion(all, gone, self.calls)
        };
        let name = calls
            .iter()
            .find(|(_, call)| call.calls >= portion(self.calls, 9, 10));
        let (does, moved) = match self.direction {
            Direction::Read => ("reads", "read"),
            _ => ("writes", "written"),
        };
        let (of_what, file) = match &self.rows[..] {
            [one] => (String::new(), one.row.path.clone()),
            several => (format!(" of {} files", count(several.len() as u64)), None),
        };
        Candidate {
            summary: format!(
                "{} {does} of {} each{of_what}, where {} of {} would do",
                count(self.calls),
                bytes(each(self.bytes, self.calls)),
                count(left.min(self.calls)),
                bytes(BUFFER),
            ),
            place: Place {
                file,
                call: name.map(|(_, call)| call.name.clone()),
                device: None,
            },
            cost_ns: sum([cost, self.calls.saturating_mul(most)]),
            gain: subject.bounds(
                certain.saturating_mul(least),
                at_most(inside(cpu_and_runnable)),
                format!(
                    "{} calls go where {} are {moved} at a time; at least the kernel's way into each and out of it; at most \
                     that and their time on a CPU or waiting for one",
                    count(gone),
                    bytes(BUFFER)
                ),
            ),
            stake_ns: at_most(inside(|time| time.cpu_ns)),
            evidence: (self.rows.iter().take(TOLD))
                .flat_map(|moved| moved.evidence(subject))
                .collect(),
            advice,
            gate: self.gate(subject, gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{file::FileCounts, report::Report};

    /// A file that is read in order, 64 bytes at a time.
    fn read() -> Report {
        let mut report = super::super::tests::sample();
        let files = report.workloads[0].files.as_mut();
        let rows = &mut files.expect("they are known").top;
        rows.retain(|row| row.kind == FileKind::File);
        rows.truncate(1);
        rows[0].typical_size_bytes = Some(64);
        rows[0].counts = FileCounts {
            opens: 1,
            reads: FEW,
            read_bytes: FEW * 64,
            sequential: FEW,
            ..FileCounts::default()
        };
        report
    }

    #[test]
    fn calls_that_move_nothing_are_not_found() {
        let with = |bytes: u64, failed: u64| {
            let mut report = read();
            let files = report.workloads[0].files.as_mut();
            files.expect("known").top[0].counts.read_bytes = bytes;
            for call in &mut report.workloads[0].syscalls {
                call.errors.clear();
            }
            report.workloads[0].syscalls[0].name = "read".into();
            let errors = [("EAGAIN".into(), failed)];
            report.workloads[0].syscalls[0].errors = errors.into_iter().collect();
            rule(&Subject::of_first(&report), "", |_| true)
        };
        // As at the end of a file.
        assert!(matches!(with(0, 0), Outcome::RuledOut(_)));
        assert!(matches!(with(FEW / 2 - 1, 0), Outcome::RuledOut(_)));
        assert_eq!(with(FEW, 0).found().len(), 1);
        assert_eq!(with(FEW * 64, FEW / 2).found().len(), 1);
        assert!(matches!(with(FEW * 64, FEW), Outcome::Undecided(_)));
    }

    #[test]
    fn many_files_are_one_finding_and_count_together() {
        let mut report = read();
        let files = report.workloads[0].files.as_mut();
        let rows = &mut files.expect("they are known").top;
        let counts = &mut rows[0].counts;
        (counts.reads, counts.read_bytes, counts.sequential) = (20, 20 * 64, 20);
        let found = |report: &Report| rule(&Subject::of_first(report), "", |_| true);
        rows.resize(FEW as usize / 20 - 1, rows[0].clone());
        assert!(matches!(found(&report), Outcome::RuledOut(_)));
        let files = report.workloads[0].files.as_mut();
        let rows = &mut files.expect("they are known").top;
        rows.push(rows[0].clone());
        let [one] = &found(&report).found()[..] else {
            panic!("one finding");
        };
        let begin = "100 reads of 64 B each of 5 files";
        assert!(one.summary.starts_with(begin), "{}", one.summary);
        assert_eq!(one.place.file, None);
    }

    #[test]
    fn reads_of_which_it_is_not_known_how_they_were_served_are_not_found() {
        let mut report = read();
        let of = |report: &Report| rule(&Subject::of_first(report), "", |_| true);
        assert_eq!(of(&report).found().len(), 1);
        report.workloads[0].page_cache = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }
}
