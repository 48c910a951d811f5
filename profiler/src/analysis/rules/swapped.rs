//! SWAP001: memory that had been swapped out is waited for.

use ioprof_workloads::display::{bytes, count};

use super::subject::{Candidate, Outcome, Subject, faults_without_cpu_wait, requests_of, total};
use crate::model::{
    block::{Block, BlockOperation, Origin},
    finding::{Evidence, Gain, Place},
    sum::sum,
};

const ADVICE: &str = "have it use less memory, or give it more: what is in use is more than fits; where others take it, protect this one's \
                      by memory.low of its control group, or by mlock(2) what must not wait";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(block) = &subject.workload.block else {
        return Outcome::Undecided("the requests are not known: whether anything was swapped in");
    };
    let rows: Vec<_> = requests_of(block, &[BlockOperation::Read], &[Origin::Swap])
        .filter(|(_, row)| row.bytes > 0)
        .collect();
    let waits = Waits::of(subject);
    if rows.is_empty() && waits.as_ref().is_some_and(|waits| waits.faults == 0) {
        return Outcome::RuledOut(Vec::new());
    }
    let Some(waits) = waits else {
        return Outcome::Undecided("it is not known which page faults waited for files");
    };
    if rows.is_empty() {
        return Outcome::Undecided(
            "page faults waited for memory, and no request was seen: zswap, zram before 6.3, or userfaultfd",
        );
    }
    let swapped_in =
        |(at, row): &(usize, &Block)| subject.evidence(&format!("block/{at}/bytes"), row.bytes);
    let mut evidence: Vec<_> = rows.iter().map(swapped_in).collect();
    let read = total(&evidence);
    evidence.extend(waits.evidence);
    if waits.faults == 0 {
        return Outcome::RuledOut(evidence);
    }
    let method = "nothing is swapped in; at least what faults waited for that, less what threads waited for a CPU; how much at most \
                  is not known: finding memory for what is swapped in takes time, too";
    let gain = subject.bounds(waits.certain_ns, waits.time_ns, method.into());
    Outcome::Found(vec![Candidate {
        summary: format!(
            "{} page faults wait for memory that had been swapped out; {} are read from swap",
            count(waits.faults),
            bytes(read)
        ),
        place: Place {
            device: match &rows[..] {
                [(_, only)] => Some(only.device.clone()),
                _ => None,
            },
            ..Place::default()
        },
        cost_ns: waits.time_ns,
        gain: Gain {
            high_ns: None,
            ..gain
        },
        stake_ns: waits.stake_ns,
        evidence,
        advice: ADVICE,
        gate: None,
    }])
}

/// The page faults that waited for a page, and for none of a file.
struct Waits {
    faults: u64,
    time_ns: u64,
    /// That without what may have been a wait for a CPU.
    certain_ns: u64,
    /// That without what must have been one.
    stake_ns: u64,
    evidence: Vec<Evidence>,
}

impl Waits {
    fn of(subject: &Subject<'_>) -> Option<Self> {
        let workload = subject.workload;
        let faults = workload.faults.as_ref()?;
        let of_files = faults.on_files?;
        let files = workload.files.as_ref()?;
        let rows = files.top.iter().map(|row| &row.counts);
        let all: Option<Vec<u64>> = rows
            .chain([&files.other_counts])
            .map(|counts| counts.major_fault_ns)
            .collect();
        let time_ns = faults.major_latency.sum.saturating_sub(sum(all?));
        let off_cpu = &workload.time.as_ref()?.off_cpu;
        let runnable = off_cpu.runnable_ns;
        Some(Self {
            faults: faults.major.saturating_sub(of_files.major),
            time_ns,
            certain_ns: time_ns.saturating_sub(runnable),
            stake_ns: faults_without_cpu_wait(time_ns, off_cpu),
            evidence: vec![
                subject.evidence("faults/major", faults.major),
                subject.evidence("faults/on_files/major", of_files.major),
                subject.evidence("faults/major_latency/sum", faults.major_latency.sum),
                subject.evidence("time/runnable_ns", runnable),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{fault::FileFaults, histogram::Unit, report::Report};

    const MILLISECOND: u64 = 1_000_000;

    /// A thread that waited ten times for its memory and once for a file, and four milliseconds for a CPU.
    fn swapping() -> Report {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        workload.threads = 1;
        workload.span_ns = Some(1000 * MILLISECOND);
        let time = workload.time.as_mut().expect("it is known");
        time.off_cpu.runnable_ns = 4 * MILLISECOND;
        let faults = workload.faults.as_mut().expect("they are known");
        faults.major = 11;
        faults.on_files = Some(FileFaults {
            minor: 0,
            major: 1,
            minor_io: 0,
            minor_io_ns: 0,
        });
        faults.major_latency =
            super::super::tests::histogram(Unit::Ns, &[(MILLISECOND, 10), (5 * MILLISECOND, 1)]);
        let files = workload.files.as_mut().expect("they are known");
        let rows = files.top.iter_mut().map(|row| &mut row.counts);
        for counts in rows.chain([&mut files.other_counts]) {
            counts.major_fault_ns = Some(0);
        }
        files.other_counts.major_fault_ns = Some(5 * MILLISECOND);
        let block = workload.block.as_mut().expect("they are known");
        let row = block.first_mut().expect("there is one");
        (row.operation, row.origin) = (BlockOperation::Read, Origin::Swap);
        (row.bytes, row.passed_on) = (40 << 10, false);
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn what_faults_wait_for_memory_goes_at_least() {
        let one = of(&swapping()).found().pop().expect("there is one");
        assert_eq!(one.cost_ns, 10 * MILLISECOND);
        let bounds = (one.gain.low_ns, one.gain.high_ns);
        assert_eq!(bounds, (Some(6 * MILLISECOND), None));
        assert!(one.summary.starts_with("10 page faults"), "{}", one.summary);
    }

    #[test]
    fn nothing_is_said_where_nothing_is_swapped_in_or_waited_for_or_it_is_not_known() {
        let mut report = swapping();
        report.workloads[0].faults.as_mut().expect("known").major = 1;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        let mut report = swapping();
        let files = report.workloads[0].files.as_mut().expect("known");
        files.other_counts.major_fault_ns = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        let mut report = swapping();
        report.workloads[0].block.as_mut().expect("known")[0].origin = Origin::Thread;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        report.workloads[0].faults.as_mut().expect("known").major = 1;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }
}
