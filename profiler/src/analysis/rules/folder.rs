//! SYNC003: each change of a folder waits until the journal has it.

use ioprof_workloads::display::{count, time};

use super::{
    durable::LATER,
    reopen::OPENS,
    subject::{
        Candidate, Outcome, Placed, Subject, UNDIVIDED, for_device, only_call, portion,
        requests_of, total, without_cpu_wait,
    },
    sync::UNKNOWN_SYNCS,
};
use crate::model::{
    block::{Block, BlockOperation, Origin},
    device::Device,
    finding::{Evidence, Place},
    off_cpu::CallTime,
    sum::sum,
};

/// Fewer are no habit.
const FEW: u64 = 10;

/// The calls that change a folder whenever they succeed, of those that the report has by name: link, symlink and mknod it has
/// not.
const CHANGES: [&str; 8] = [
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
];

const ADVICE: &str = "mount without dirsync and sync, or take the attribute D off the folder (chattr -D), and call fsync(2) on it once for \
                      what belongs together; keep it wherever each name must survive a power failure before the next";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let (Some(block), Some(devices)) = (&subject.workload.block, &subject.report.devices) else {
        return Outcome::Undecided("the requests are not known: whether each change made some");
    };
    let changes = subject.calls(|name| CHANGES.contains(&name));
    let opens = subject.calls(|name| OPENS.contains(&name));
    let both = changes.iter().chain(&opens);
    if both.clone().any(|(_, call)| call.breakdown.is_none()) {
        return UNDIVIDED;
    }
    // Which opens make a file is not told: they count where they wait as well, and each has made the journal write.
    let are_alike = waited(&opens) > waited(&changes) / 10;
    let with_opens = are_alike.then(|| both.copied().collect());
    let looked_up = looked_up(subject, block);
    let Some(later) = subject.made(&LATER) else {
        return Outcome::Undecided(UNKNOWN_SYNCS);
    };
    let mut against = Vec::new();
    for calls in with_opens.into_iter().chain([changes]) {
        let (done, waited) = (done(&calls), waited(&calls));
        if done < FEW {
            continue;
        }
        let journals = journals(subject, block, devices, done);
        let made = calls.iter().map(|one| subject.calls_of(*one));
        let written = journals.iter().flat_map(|journal| &journal.evidence);
        let evidence: Vec<_> = made
            .chain(later.iter().chain(written).chain(&looked_up).cloned())
            .collect();
        let holds = !journals.is_empty()
            && total(&looked_up) <= done / 10
            && total(&later) <= done / 64
            && waited > sum(times(&calls).map(|time| time.cpu_ns)) / 10;
        if holds {
            let one = candidate(subject, &calls, (done, waited), &journals);
            return Outcome::Found(vec![Candidate { evidence, ..one }]);
        }
        against = evidence;
    }
    Outcome::RuledOut(against)
}

/// How many have succeeded.
fn done(calls: &[Placed<'_>]) -> u64 {
    sum(calls
        .iter()
        .map(|(_, call)| call.calls.saturating_sub(call.failed())))
}

fn times<'a>(calls: &'a [Placed<'_>]) -> impl Iterator<Item = &'a CallTime> {
    calls.iter().filter_map(|(_, call)| call.breakdown.as_ref())
}

/// How long they waited for devices and journals.
fn waited(calls: &[Placed<'_>]) -> u64 {
    sum(times(calls).map(for_device))
}

/// What of file systems the workload has had read: a name that is looked up, or deleted, may wait for that.
fn looked_up(subject: &Subject<'_>, block: &[Block]) -> Vec<Evidence> {
    let rows = requests_of(block, &[BlockOperation::Read], &[Origin::Metadata]);
    let rows = rows.filter(|(_, row)| row.requests > 0);
    rows.map(|(at, row)| subject.evidence(&format!("block/{at}/requests"), row.requests))
        .collect()
}

/// What was written to the journal of a device, by its own thread or those of the workload.
struct Journal<'a> {
    device: &'a Device,
    evidence: Vec<Evidence>,
}

/// Those that were written to at least nine times for ten changes.
fn journals<'a>(
    subject: &Subject<'_>,
    block: &[Block],
    devices: &'a [Device],
    changes: u64,
) -> Vec<Journal<'a>> {
    let of = |(device_at, device): (usize, &'a Device)| {
        let own = requests_of(block, &[BlockOperation::Write], &[Origin::Journal])
            .filter(|(_, row)| row.device == device.name)
            .map(|(at, row)| subject.evidence(&format!("block/{at}/requests"), row.requests));
        let shares = device.shares.iter().enumerate();
        let shared = shares
            .filter(|(_, share)| share.origin == Some(Origin::Journal))
            .map(|(at, share)| Evidence {
                pointer: format!("/devices/{device_at}/shares/{at}/requests").into(),
                value: share.requests.into(),
            });
        Journal {
            device,
            evidence: own.chain(shared).collect(),
        }
    };
    let all = devices.iter().enumerate().map(of);
    all.filter(|one| total(&one.evidence) >= portion(changes, 9, 10).max(1))
        .collect()
}

impl Journal<'_> {
    /// How long the device executed flushes, which go but for one; 0 where it has no cache to be flushed.
    fn flushing_ns(&self) -> u64 {
        let executed = self.device.executed_flushes.as_ref();
        executed.map_or(0, |flushes| {
            let all = flushes.requests;
            portion(flushes.service.sum, all.saturating_sub(1), all)
        })
    }
}

fn candidate(
    subject: &Subject<'_>,
    calls: &[Placed<'_>],
    (done, waited): (u64, u64),
    journals: &[Journal<'_>],
) -> Candidate {
    let spent = sum(calls.iter().map(|(_, call)| call.time_ns));
    let but_one = |number| portion(number, done.saturating_sub(1), done);
    // Which journal it is, several may be.
    let flushing = journals.iter().map(Journal::flushing_ns).min();
    Candidate {
        summary: format!(
            "{} calls to change folders, each waits until the journal has it: {}",
            count(done),
            time(waited)
        ),
        place: Place {
            call: only_call(calls),
            file: None,
            device: match journals {
                [only] => Some(only.device.name.clone()),
                _ => None,
            },
        },
        cost_ns: spent,
        gain: subject.bounds(
            but_one(waited).min(flushing.unwrap_or(0)),
            but_one(spent),
            "one fsync(2) makes durable what all of these change; at most their time; at least what they wait for devices, as far as \
             the device executed flushes meanwhile"
                .into(),
        ),
        stake_ns: but_one(without_cpu_wait(calls)),
        evidence: Vec::new(),
        advice: ADVICE,
        gate: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        device::ExecutedFlushes, histogram::Unit, off_cpu::OffCpu, report::Report, syscall::Syscall,
    };

    /// A hundred calls of a name that wait 900 of 1000 for the device.
    fn waits(call: &Syscall, name: &str) -> Syscall {
        Syscall {
            name: name.into(),
            calls: 100,
            errors: Default::default(),
            time_ns: 1000,
            breakdown: Some(CallTime {
                cpu_ns: 100,
                off_cpu: OffCpu {
                    service_ns: 600,
                    journal_ns: 300,
                    ..OffCpu::default()
                },
            }),
            ..call.clone()
        }
    }

    /// A thread that makes those calls, while the journal is written to so many times, with 100 flushes of 5 each.
    fn changing(names: &[&str], requests: u64) -> Report {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        (workload.threads, workload.span_ns) = (1, Some(10_000));
        let call = workload.syscalls.first().expect("there is one").clone();
        workload.syscalls = names.iter().map(|name| waits(&call, name)).collect();
        workload.block = Some(Vec::new());
        let devices = report.devices.as_mut().expect("they are known");
        devices.truncate(1);
        let device = devices.first_mut().expect("there is one");
        device.executed_flushes = Some(ExecutedFlushes {
            requests: 100,
            unseen_completions: 0,
            errors: 0,
            service: super::super::tests::histogram(Unit::Ns, &[(5, 100)]),
        });
        device.shares.truncate(1);
        let share = device.shares.first_mut().expect("there is one");
        (share.workload, share.origin) = (None, Some(Origin::Journal));
        share.requests = requests;
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn the_flushes_go_at_least_and_the_calls_at_most() {
        for (names, requests, done, high) in [
            (&["unlink"][..], 200, "100 calls", 990),
            (&["unlink", "openat"], 200, "200 calls", 1990),
            // Most of the opens have made no file.
            (&["unlink", "openat"], 179, "100 calls", 990),
            (&["openat"], 200, "100 calls", 990),
        ] {
            let one = of(&changing(names, requests)).found().pop().expect("one");
            let bounds = (one.gain.low_ns, one.gain.high_ns);
            assert_eq!(bounds, (Some(495), Some(high)), "{names:?}");
            assert!(one.summary.starts_with(done), "{}", one.summary);
        }
    }

    #[test]
    fn nothing_is_said_of_changes_that_do_not_wait_for_the_journal() {
        let ruled_out = |edit: fn(&mut Report)| {
            let mut report = changing(&["unlink"], 200);
            edit(&mut report);
            assert!(matches!(of(&report), Outcome::RuledOut(_)));
        };
        // Few of them make it write.
        ruled_out(|report| report.devices.as_mut().expect("known")[0].shares[0].requests = 89);
        ruled_out(|report| {
            let call = &mut report.workloads[0].syscalls[0];
            let errors = [("ENOENT".into(), 91)];
            call.errors = errors.into_iter().collect();
        });
        ruled_out(|report| {
            let time = report.workloads[0].syscalls[0].breakdown.as_mut();
            time.expect("known").off_cpu = OffCpu::default();
        });
        // Others make it durable.
        let mut report = changing(&["unlink"], 200);
        report.workloads[0].io_uring = Some(super::super::tests::ring(&[("FSYNC", 100)]));
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        // They wait for what they read.
        let mut report = changing(&["unlink"], 200);
        let mut row = super::super::tests::sample().workloads[0]
            .block
            .as_ref()
            .expect("known")[0]
            .clone();
        (row.operation, row.origin, row.requests) = (BlockOperation::Read, Origin::Metadata, 11);
        row.passed_on = false;
        report.workloads[0].block = Some(vec![row]);
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }
}
