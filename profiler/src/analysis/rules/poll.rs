//! POLL001: a descriptor is asked again and again whether there is something.

use ioprof_workloads::display::count;

use super::{
    durable::on_files,
    subject::{Candidate, NOT_DIVIDED, Outcome, Placed, Subject, cpu_and_runnable, portion},
};
use crate::{
    model::{
        file::FileCounts,
        finding::{Gain, Place},
        off_cpu::CallTime,
        sum::sum,
        syscall::Syscall,
    },
    transfer::of_call,
};

/// Fewer are no loop.
const FEW: u64 = 1000;

const ADVICE: &str = "wait in poll(2), epoll_wait(2) or by a blocking descriptor, and call again when there is something";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let calls = subject.calls(|name| of_call(name).is_some());
    let (polling, mut others): (Vec<_>, Vec<_>) = calls.into_iter().partition(|(_, call)| {
        let again = again(&call.errors);
        again >= FEW && again >= portion(call.calls, 9, 10)
    });
    let (mut found, mut unknown) = (Vec::new(), None);
    for one in polling {
        match &one.1.breakdown {
            _ if may_be_of_files(subject, one.1) => {
                unknown = Some("it is not known which calls with RWF_NOWAIT were on files");
            }
            Some(time) if is_awake(one.1, time) => found.push(candidate(subject, one, time)),
            Some(_) => others.push(one),
            None => unknown = Some(NOT_DIVIDED),
        }
    }
    let tried = others.iter().filter(|(_, call)| again(&call.errors) > 0);
    let against = tried.flat_map(|one| [subject.calls_of(*one), of_errors(subject, *one)]);
    Outcome::of(found, unknown, against.collect())
}

/// Whether too few of these calls are certainly of no file. Those with RWF_NOWAIT find nothing where a file's pages are not in
/// memory, which poll(2) does not wait for; O_NONBLOCK is nothing to a file. Of a file there were no more than all its
/// reads, or writes.
fn may_be_of_files(subject: &Subject<'_>, call: &Syscall) -> bool {
    let of: fn(&FileCounts) -> u64 = match call.name.as_str() {
        "preadv2" => |counts| counts.reads,
        "pwritev2" => |counts| counts.writes,
        _ => return false,
    };
    let files = subject.workload.files.as_ref();
    let of_files = files.map_or(u64::MAX, |files| sum(on_files(files).map(of)));
    let others = again(&call.errors).saturating_sub(of_files);
    others < FEW || others < portion(call.calls, 9, 10)
}

/// Whether what found nothing took no longer than it was on a CPU, or ready for one. A call that waits until a timeout of its own
/// (SO_RCVTIMEO) returns EAGAIN, too: it polls nothing. Which of all calls it was is not told: at best the shortest.
fn is_awake(call: &Syscall, time: &CallTime) -> bool {
    let again = again(&call.errors);
    let least = call.latency.sum_of_smallest(again);
    least / 2 <= portion(cpu_and_runnable(time), again, call.calls)
}

fn candidate(subject: &Subject<'_>, one: Placed<'_>, time: &CallTime) -> Candidate {
    let (at, call) = one;
    let again = again(&call.errors);
    let (least, _) = subject.entry_ns();
    // A call that finds nothing does not wait.
    let cost_of = |inside: u64| {
        let inside = portion(inside, again, call.calls);
        sum([inside, again.saturating_mul(least)])
    };
    Candidate {
        summary: format!(
            "{} of {} {} find nothing (EAGAIN)",
            count(again),
            count(call.calls),
            call.name
        ),
        place: Place {
            call: Some(call.name.clone()),
            ..Place::default()
        },
        cost_ns: cost_of(cpu_and_runnable(time)),
        gain: Gain {
            low_ns: None,
            high_ns: None,
            method: "these calls go, and with them their CPU time; the program waits for what it asks for all the same, longer by \
                     a wake-up: for what that comes to, run it with the cure"
                .into(),
        },
        stake_ns: cost_of(time.cpu_ns),
        gate: Some(format!("{}.errors.EAGAIN<=-90%", call.name)),
        evidence: vec![
            subject.calls_of(one),
            of_errors(subject, one),
            subject.evidence(&format!("syscalls/{at}/time_ns"), call.time_ns),
        ],
        advice: ADVICE,
    }
}

/// How many calls found nothing.
fn again(errors: &std::collections::BTreeMap<crate::text::Text, u64>) -> u64 {
    errors.get("EAGAIN").copied().unwrap_or(0)
}

fn of_errors(subject: &Subject<'_>, (at, call): Placed<'_>) -> crate::model::finding::Evidence {
    subject.evidence(&format!("syscalls/{at}/errors/EAGAIN"), again(&call.errors))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{histogram, sample},
        *,
    };
    use crate::model::{file::FileKind, histogram::Unit, off_cpu::OffCpu, report::Report};

    /// Two calls that find nothing 1,000 times.
    fn polling() -> Report {
        let mut report = sample();
        let calls = &mut report.workloads[0].syscalls;
        calls.truncate(2);
        for (call, name) in calls.iter_mut().zip(["read", "recvfrom"]) {
            call.name = name.into();
            call.calls = FEW;
            call.errors = [("EAGAIN".into(), FEW)].into_iter().collect();
            call.latency = histogram(Unit::Ns, &[(100, FEW)]);
            call.breakdown = Some(CallTime {
                cpu_ns: 100 * FEW,
                off_cpu: OffCpu::default(),
            });
        }
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn a_call_that_is_not_divided_leaves_others_as_they_are() {
        let mut report = polling();
        assert_eq!(of(&report).found().len(), 2);
        report.workloads[0].syscalls[0].breakdown = None;
        assert_eq!(of(&report).found().len(), 1);
        report.workloads[0].syscalls[1].breakdown = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn reads_that_find_no_page_in_memory_are_no_polls() {
        let with = |name: &str, of_file: Option<u64>| {
            let mut report = polling();
            let workload = &mut report.workloads[0];
            workload.syscalls.truncate(1);
            let call = &mut workload.syscalls[0];
            (call.name, call.calls) = (name.into(), FEW * 2);
            call.errors = [("EAGAIN".into(), FEW * 2)].into_iter().collect();
            match (&mut workload.files, of_file) {
                (Some(files), Some(calls)) => {
                    files.top.truncate(1);
                    files.top[0].kind = FileKind::File;
                    files.other_counts = FileCounts::default();
                    (files.top[0].counts.reads, files.top[0].counts.writes) = (calls, calls);
                }
                (files, _) => *files = None,
            }
            of(&report)
        };
        for name in ["preadv2", "pwritev2"] {
            // What the loader reads of a library is not enough for them.
            assert_eq!(with(name, Some(3)).found().len(), 1);
            assert!(matches!(with(name, Some(FEW)), Outcome::Undecided(_)));
            assert!(matches!(with(name, None), Outcome::Undecided(_)));
        }
        // That is what O_NONBLOCK does, which is nothing to a file.
        assert_eq!(with("preadv", Some(FEW)).found().len(), 1);
    }

    #[test]
    fn a_call_that_sleeps_until_its_timeout_polls_nothing() {
        let mut report = polling();
        for (at, call) in report.workloads[0].syscalls.iter_mut().enumerate() {
            let asleep = 1_000_000;
            call.latency = histogram(Unit::Ns, &[(100 + asleep, FEW)]);
            let off_cpu = &mut call.breakdown.as_mut().expect("it is known").off_cpu;
            // Who polls may have to wait for a CPU.
            let part = if at == 0 {
                &mut off_cpu.sleep_ns
            } else {
                &mut off_cpu.runnable_ns
            };
            *part = asleep * FEW;
        }
        let found = of(&report).found();
        let calls: Vec<_> = found.iter().map(|one| one.place.call.clone()).collect();
        assert_eq!(calls, [Some("recvfrom".into())]);
        report.workloads[0].syscalls.truncate(1);
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }

    #[test]
    fn a_call_that_sleeps_and_finds_something_is_no_wait_of_those_that_do_not() {
        let mut report = polling();
        let call = &mut report.workloads[0].syscalls[0];
        call.calls += 1;
        call.latency = histogram(Unit::Ns, &[(100, FEW), (1 << 40, 1)]);
        assert_eq!(of(&report).found().len(), 2);
    }
}
