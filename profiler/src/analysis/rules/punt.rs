//! PUNT001: requests to a ring are executed by workers, as they would have made their submission wait.

use ioprof_workloads::display::count;

use super::{
    subject::{Candidate, Outcome, Subject, for_device},
    sync::only_file,
};
use crate::{
    model::{finding::Place, io_uring::UringOperation, sum::sum},
    transfer::of_opcode,
};

/// Fewer are no habit.
const FEW: u64 = 1000;

const ADVICE: &str = "use O_DIRECT on blocks that are allocated and were written before, or a file system that takes buffered writes \
                      without waiting (xfs, btrfs); or call pwrite(2), in threads where there is other work. Writes of one file are \
                      executed one after the other by a worker, too";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let (ring, enter, time) = match subject.ring() {
        Ok(known) => known,
        Err(otherwise) => return otherwise,
    };
    let mut evidence = vec![
        subject.calls_of(enter),
        subject.evidence(&format!("syscalls/{}/time_ns", enter.0), enter.1.time_ns),
    ];
    let (mut punted, mut all) = (0_u64, 0_u64);
    for (at, one) in ring
        .operations
        .iter()
        .enumerate()
        .filter(|(_, one)| one.worker > 0)
    {
        let Some(for_worker) = one.for_worker else {
            return Outcome::Undecided(
                "it is not known which requests were for a worker from the beginning",
            );
        };
        for (key, value) in [
            ("completions", one.completions),
            ("worker", one.worker),
            ("for_worker", for_worker),
        ] {
            let place = format!("io_uring/operations/{at}/{key}");
            evidence.push(subject.evidence(&place, value));
        }
        if is_punted(one, for_worker) {
            punted = sum([punted, one.worker.saturating_sub(for_worker)]);
            all = sum([all, one.completions]);
        }
    }
    // Else most of what the call waits for is something else.
    let is_most = punted > sum(ring.operations.iter().map(|one| one.completions)) / 2;
    if punted < FEW || !is_most {
        return Outcome::RuledOut(evidence);
    }
    // What is waited for devices, or held back, is so wherever it is executed.
    let elsewhere = sum([for_device(time), time.off_cpu.throttled_ns]);
    let most = enter.1.time_ns.saturating_sub(elsewhere);
    Outcome::Found(vec![Candidate {
        summary: format!(
            "{} of {} requests to io_uring are executed by workers, as they cannot be without waiting",
            count(punted),
            count(all)
        ),
        place: Place {
            call: Some(enter.1.name.clone()),
            file: only_file(subject),
            device: None,
        },
        cost_ns: most,
        gain: subject.bounds(
            0,
            most,
            "nothing is handed to a worker, and what is waited for devices stays; at most all other time of io_uring_enter; at \
             least nothing, as what workers do has to be done all the same"
                .into(),
        ),
        stake_ns: most.saturating_sub(time.off_cpu.runnable_ns),
        evidence,
        advice: ADVICE,
        gate: None,
    }])
}

/// Whether most requests of an opcode that moves data are executed by workers, without being for them from the beginning. To
/// open a file whose name nobody has looked up yet is work that waits by its nature.
fn is_punted(one: &UringOperation, for_worker: u64) -> bool {
    of_opcode(one.name.as_str()).is_some()
        && one.worker.saturating_sub(for_worker) > one.completions / 2
}

#[cfg(test)]
mod tests {
    use super::{super::tests::ring, *};
    use crate::model::{off_cpu::OffCpu, report::Report};

    const ENTER_NS: u64 = 5_000_000;
    const SERVICE_NS: u64 = 2_000_000;

    /// So many writes executed by workers, some of them for that from the beginning.
    fn executed(worker: u64, for_worker: Option<u64>) -> Report {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        let call = workload.syscalls.first_mut().expect("there is one");
        call.name = "io_uring_enter".into();
        call.time_ns = ENTER_NS;
        let time = call.breakdown.as_mut().expect("it is known");
        time.off_cpu = OffCpu {
            service_ns: SERVICE_NS,
            ..OffCpu::default()
        };
        let mut ring = ring(&[("WRITE", 10_000)]);
        let writes = ring.operations.first_mut().expect("there is one");
        (writes.worker, writes.for_worker) = (worker, for_worker);
        workload.io_uring = Some(ring);
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn what_is_waited_for_devices_stays() {
        let report = executed(9_000, Some(1_000));
        let found = of(&report).found();
        let one = found.first().expect("there is one");
        let bounds = (Some(0), Some(ENTER_NS - SERVICE_NS));
        assert_eq!((one.gain.low_ns, one.gain.high_ns), bounds);
        assert!(one.summary.starts_with("8,000 of 10,000 requests"));
    }

    #[test]
    fn what_opens_files_or_is_not_most_of_all_is_no_fault() {
        let edited = |edit: fn(&mut Vec<UringOperation>)| {
            let mut report = executed(10_000, Some(0));
            let workload = report.workloads.first_mut().expect("there is one");
            let ring = workload.io_uring.as_mut().expect("it is known");
            let mut opens = ring.operations.first().expect("there is one").clone();
            opens.name = "OPENAT".into();
            ring.operations.push(opens);
            edit(&mut ring.operations);
            of(&report)
        };
        let half_of_all = edited(|_| ());
        assert!(matches!(half_of_all, Outcome::RuledOut(_)));
        let opens_alone = edited(|all| drop(all.remove(0)));
        assert!(matches!(opens_alone, Outcome::RuledOut(_)));
    }

    #[test]
    fn requests_that_are_for_a_worker_are_no_fault() {
        for (worker, for_worker) in [(10_000, 10_000), (10_000, 5_000), (0, 0)] {
            let outcome = of(&executed(worker, Some(for_worker)));
            assert!(matches!(outcome, Outcome::RuledOut(_)), "{worker}");
        }
        let unknown = of(&executed(10_000, None));
        assert!(matches!(unknown, Outcome::Undecided(_)));
    }
}
