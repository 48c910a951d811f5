//! SHARE001: other processes have requests at a device while the workload waits for it.

use ioprof_workloads::display::time;

use super::{
    on_device::FEW,
    subject::{Candidate, Outcome, Subject, own_requests},
};
use crate::{
    model::{
        block::BlockOperation,
        device::{Device, Share},
        finding::{Evidence, Place},
        sum::sum,
    },
    text::Text,
};

const ADVICE: &str = "find out whose they are: iotop(8), /proc/PID/io, or `ioprof attach` to whom you suspect; have them work at another \
                      time or on another device, or limit them by io.max of their control group";

const ALL: [BlockOperation; 4] = [
    BlockOperation::Read,
    BlockOperation::Write,
    BlockOperation::Flush,
    BlockOperation::Discard,
];

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let workload = subject.workload;
    let (Some(block), Some(devices), Some(spent)) =
        (&workload.block, &subject.report.devices, &workload.time)
    else {
        return Outcome::Undecided("the requests are not known, or not what threads waited for");
    };
    let off_cpu = &spent.off_cpu;
    let waits = [
        ("queue_ns", off_cpu.queue_ns),
        ("service_ns", off_cpu.service_ns),
        ("device_ns", off_cpu.device_ns),
    ];
    let waited = sum(waits.map(|(_, ns)| ns));
    let beside_ns = subject
        .report
        .duration_ns
        .saturating_sub(workload.span_ns());
    let of_waits = || {
        let told = waits.iter().filter(|(_, ns)| *ns > 0);
        told.map(|(name, ns)| subject.evidence(&format!("time/{name}"), *ns))
    };
    let (mut found, mut against) = (Vec::new(), Vec::new());
    for (at, device) in devices.iter().enumerate() {
        let own = own_requests(block, &ALL).filter(|(_, row)| row.device == device.name);
        let (requests, in_flight): (Vec<_>, Vec<_>) = own
            .map(|(_, row)| (row.requests, sum([row.queue.sum, row.service.sum])))
            .unzip();
        if sum(requests) < FEW {
            continue;
        }
        let Some(both) = Both::of(at, device, &workload.name) else {
            continue;
        };
        // What they did before the workload began, or after it ended, as its own preparation, was in nobody's way.
        let others_ns = both.others_ns.saturating_sub(beside_ns);
        let evidence = both.evidence.into_iter().chain(of_waits());
        if others_ns < both.own_ns / 2 || waited == 0 {
            against.extend(evidence);
            continue;
        }
        let most = others_ns.min(both.own_ns);
        let most = most.min(waited).min(sum(in_flight));
        found.push(Candidate {
            summary: format!(
                "meanwhile other processes have requests at {} for {}, this workload for {}",
                device.name,
                time(others_ns),
                time(both.own_ns)
            ),
            place: Place {
                device: Some(device.name.clone()),
                ..Place::default()
            },
            cost_ns: most,
            gain: subject.bounds(
                0,
                most,
                "the others go; at most the time in which they have requests, or the workload has, that of its threads' requests, and \
                 what they waited for devices; at least nothing, as it is not known whether the device does several requests at once as fast as one"
                    .into(),
            ),
            stake_ns: most,
            evidence: evidence.collect(),
            advice: ADVICE,
            gate: None,
        });
    }
    Outcome::of(found, None, against)
}

/// How long a workload had requests at a device, and how long processes in no workload had.
struct Both {
    own_ns: u64,
    others_ns: u64,
    evidence: Vec<Evidence>,
}

impl Both {
    fn of(device_at: usize, device: &Device, workload: &Text) -> Option<Self> {
        let busy = |is: &dyn Fn(&Share) -> bool| {
            let at = device.shares.iter().position(is)?;
            let busy_ns = device.shares.get(at)?.busy_ns;
            let evidence = Evidence {
                pointer: format!("/devices/{device_at}/shares/{at}/busy_ns").into(),
                value: busy_ns.into(),
            };
            Some((busy_ns, evidence))
        };
        let (own_ns, own) = busy(&|share| share.workload.as_ref() == Some(workload))?;
        let (others_ns, others) =
            busy(&|share| share.workload.is_none() && share.origin.is_none())?;
        Some(Self {
            own_ns,
            others_ns,
            evidence: vec![own, others],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::histogram;
    use super::*;
    use crate::model::{block::Origin, histogram::Unit, off_cpu::OffCpu, report::Report};

    /// A thread that waits 50 for a device at which it has requests for 80, and others for this long.
    fn beside(others_ns: u64) -> Report {
        let mut report = super::super::tests::sample();
        report.duration_ns = 100;
        let workload = report.workloads.first_mut().expect("there is one");
        (workload.threads, workload.span_ns) = (1, Some(100));
        workload.time.as_mut().expect("it is known").off_cpu = OffCpu {
            service_ns: 50,
            ..OffCpu::default()
        };
        let name = workload.name.clone();
        let rows = workload.block.as_mut().expect("they are known");
        rows.truncate(1);
        let row = rows.first_mut().expect("there is one");
        (row.origin, row.passed_on, row.requests) = (Origin::Thread, false, FEW);
        row.queue = histogram(Unit::Ns, &[(0, FEW)]);
        row.service = histogram(Unit::Ns, &[(1, FEW)]);
        let devices = report.devices.as_mut().expect("they are known");
        devices.truncate(1);
        let device = devices.first_mut().expect("there is one");
        device.name = rows.first().expect("there is one").device.clone();
        let mut own = device.shares.first().expect("there is one").clone();
        (own.workload, own.origin, own.busy_ns) = (Some(name), None, 80);
        let mut others = own.clone();
        (others.workload, others.busy_ns) = (None, others_ns);
        device.shares = vec![own, others];
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn at_most_the_shortest_of_all_times_goes() {
        for (others_ns, each, high) in [(45, 1, 45), (90, 1, 50), (90, 0, 0)] {
            let mut report = beside(others_ns);
            let rows = report.workloads[0].block.as_mut().expect("they are known");
            rows[0].service = histogram(Unit::Ns, &[(each, FEW)]);
            let one = of(&report).found().pop().expect("there is one");
            let bounds = (one.gain.low_ns, one.gain.high_ns);
            assert_eq!(bounds, (Some(0), Some(high)));
        }
    }

    #[test]
    fn nothing_is_said_where_others_are_few_or_nobody_waits() {
        assert!(matches!(of(&beside(39)), Outcome::RuledOut(_)));
        // They may have been there while the workload was not yet.
        let mut report = beside(90);
        report.duration_ns = 151;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        let mut report = beside(90);
        let time = report.workloads[0].time.as_mut().expect("known");
        time.off_cpu.service_ns = 0;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        report.workloads[0].time = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        // Those of a program that starts.
        let mut report = beside(90);
        report.workloads[0].block.as_mut().expect("known")[0].requests = FEW - 1;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        // What a loop device's driver does there is waited for above.
        let mut report = beside(90);
        report.workloads[0].block.as_mut().expect("known")[0].origin = Origin::Below;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
    }
}
