//! THROTTLE001: who writes is held back, because too many pages are dirty.

use ioprof_workloads::display::{bytes, time};

use super::{
    subject::{Candidate, Outcome, Subject, only_call, portion, requests_of, total},
    sync::only_file,
};
use crate::model::{
    block::{BlockOperation, Origin},
    device::Device,
    finding::{Evidence, Place},
    sum::sum,
};

const ADVICE: &str = "write at a time what fits below the limit, by sync_file_range(2) after each part, or past the page cache by large \
                      direct writes; or raise the limit: vm.dirty_bytes and vm.dirty_background_bytes, or that of the device \
                      (/sys/block/DEVICE/bdi)";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(spent) = &subject.workload.time else {
        return Outcome::Undecided("it is not known what threads waited for");
    };
    let held_back = spent.off_cpu.throttled_ns;
    let mut evidence = vec![subject.evidence("time/throttled_ns", held_back)];
    if held_back == 0 {
        return Outcome::RuledOut(evidence);
    }
    let (Some(writeback), Some(written)) = (&subject.workload.writeback, Written::all(subject))
    else {
        return Outcome::Undecided(
            "the requests are not known: how long it took to write what was dirty",
        );
    };
    let calls: Vec<_> = subject
        .calls(|_| true)
        .into_iter()
        .filter(|(_, call)| {
            let time = call.breakdown.as_ref();
            time.is_some_and(|time| time.off_cpu.throttled_ns > 0)
        })
        .collect();
    let left = writeback.dirty_bytes_at_end;
    evidence.extend(written.iter().flat_map(|one| one.evidence.clone()));
    evidence.push(subject.evidence("writeback/dirty_bytes_at_end", left));
    let limit = Limit::of(subject, &written);
    let summary = format!(
        "threads are held back for {}, as too many pages are dirty{}",
        time(held_back),
        limit.told
    );
    evidence.extend(limit.evidence);
    Outcome::Found(vec![Candidate {
        summary,
        place: Place {
            call: only_call(&calls),
            file: only_file(subject),
            device: match &written[..] {
                [only] => Some(only.device.name.clone()),
                _ => None,
            },
        },
        cost_ns: held_back,
        gain: subject.bounds(
            held_back.saturating_sub(writing_ns(&written, left)),
            held_back,
            "nothing is held back; at most that time; at least that, less the time in which devices had requests of the workload, \
             and would have had for what was still dirty in the end, as if all of it were waited for"
                .into(),
        ),
        stake_ns: held_back,
        evidence,
        advice: ADVICE,
        gate: None,
    }])
}

/// What was written to a device of the files that the workload changed.
struct Written<'a> {
    device_at: usize,
    device: &'a Device,
    bytes: u64,
    /// Nanoseconds in which the device had requests of the workload.
    busy_ns: u64,
    evidence: Vec<Evidence>,
}

impl<'a> Written<'a> {
    /// That of each device that was written to; none where the requests are not known.
    fn all(subject: &Subject<'a>) -> Option<Vec<Self>> {
        let block = subject.workload.block.as_ref()?;
        let origins = [Origin::Thread, Origin::Writeback];
        let rows: Vec<_> = requests_of(block, &[BlockOperation::Write], &origins)
            .filter(|(_, row)| row.bytes > 0)
            .collect();
        let name = Some(&subject.workload.name);
        let devices = subject.report.devices.as_ref()?.iter().enumerate();
        let written = devices.filter_map(|(device_at, device)| {
            let here = rows.iter().filter(|(_, row)| row.device == device.name);
            let of_rows =
                here.map(|(at, row)| subject.evidence(&format!("block/{at}/bytes"), row.bytes));
            let mut evidence: Vec<_> = of_rows.collect();
            let bytes = total(&evidence);
            let mut shares = device.shares.iter().enumerate();
            let (at, share) = shares.find(|(_, share)| share.workload.as_ref() == name)?;
            evidence.push(Evidence {
                pointer: format!("/devices/{device_at}/shares/{at}/busy_ns").into(),
                value: share.busy_ns.into(),
            });
            Some(Self {
                device_at,
                device,
                bytes,
                busy_ns: share.busy_ns,
                evidence,
            })
        });
        Some(written.filter(|one| one.bytes > 0).collect())
    }
}

/// How long the devices take for all of that, and for what was left.
fn writing_ns(written: &[Written<'_>], left: u64) -> u64 {
    let busy = sum(written.iter().map(|one| one.busy_ns));
    match sum(written.iter().map(|one| one.bytes)) {
        0 => u64::MAX,
        bytes => busy.saturating_add(portion(busy, left, bytes)),
    }
}

/// How much may be dirty.
struct Limit {
    told: String,
    evidence: Vec<Evidence>,
}

impl Limit {
    /// That of the only device that was written to, where it has one of its own, or of the machine, where none has; nothing
    /// where that is not known, as of what a device is a part of.
    fn of(subject: &Subject<'_>, written: &[Written<'_>]) -> Self {
        let strict = |one: &Written<'_>| {
            let limit = one.device.dirty_limit?;
            one.device.holders.is_empty().then_some(limit.strict)
        };
        let whose: Option<Vec<bool>> = written.iter().map(strict).collect();
        let (pointer, of, most) = match (written, whose.as_deref()) {
            ([one], Some([true])) => (
                format!("/devices/{}/dirty_limit/bytes", one.device_at),
                one.device.name.to_string(),
                one.device.dirty_limit.map(|limit| limit.bytes),
            ),
            ([_, ..], Some(all)) if !all.contains(&true) => (
                "/host/dirty_limits/bytes".into(),
                "the machine".into(),
                subject.report.host.dirty_limits.map(|limits| limits.bytes),
            ),
            _ => Default::default(),
        };
        Self {
            told: most.map_or_else(String::new, |most| {
                format!(": at most {} of {of}", bytes(most))
            }),
            evidence: most
                .into_iter()
                .map(|most| Evidence {
                    pointer: pointer.clone().into(),
                    value: most.into(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        device::DirtyLimit,
        report::{DirtyLimits, Report},
    };

    const HELD_BACK: u64 = 20_000_000;
    const BUSY: u64 = 3_000_000;

    /// A thread that is held back while half of what it wrote reaches the only device.
    fn held_back() -> Report {
        let mut report = super::super::tests::sample();
        report.host.dirty_limits = Some(DirtyLimits {
            background_bytes: 1 << 20,
            bytes: 1 << 21,
        });
        let workload = report.workloads.first_mut().expect("there is one");
        workload.threads = 1;
        let time = workload.time.as_mut().expect("it is known");
        time.off_cpu.throttled_ns = HELD_BACK;
        let block = workload.block.as_ref().expect("it is known");
        let mut rows = block.iter();
        let row = rows.find(|row| row.operation == BlockOperation::Write);
        let writeback = workload.writeback.as_mut().expect("it is known");
        writeback.dirty_bytes_at_end = row.expect("it wrote").bytes;
        let devices = report.devices.as_mut().expect("they are known");
        let device = devices.first_mut().expect("there is one");
        device.dirty_limit = Some(DirtyLimit {
            bytes: 1 << 12,
            strict: false,
        });
        device.shares.first_mut().expect("its own").busy_ns = BUSY;
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    fn found(report: &Report) -> Candidate {
        of(report).found().pop().expect("there is one")
    }

    #[test]
    fn at_least_the_writing_stays() {
        let mut report = held_back();
        let gain = found(&report).gain;
        // As long again for the other half.
        let bounds = (Some(HELD_BACK - 2 * BUSY), Some(HELD_BACK));
        assert_eq!((gain.low_ns, gain.high_ns), bounds);
        // How long it takes is not known where none of it was written.
        let workload = report.workloads.first_mut().expect("there is one");
        workload.block = Some(Vec::new());
        assert_eq!(found(&report).gain.low_ns, Some(0));
        assert_eq!(found(&report).place.device, None);
    }

    #[test]
    fn the_limit_is_told_where_it_is_known_whose_it_is() {
        let told = |edit: fn(&mut Device)| {
            let mut report = held_back();
            edit(
                report
                    .devices
                    .as_mut()
                    .expect("known")
                    .first_mut()
                    .expect("one"),
            );
            found(&report).summary
        };
        let of_machine = told(|_| ());
        assert!(of_machine.ends_with(": at most 2.00 MiB of the machine"));
        let strict = told(|device| {
            device.dirty_limit.as_mut().expect("it has one").strict = true;
        });
        assert!(strict.ends_with(": at most 4.00 KiB of vda"), "{strict}");
        let unknown: [fn(&mut Device); 2] = [
            |device| device.dirty_limit = None,
            |device| device.holders.push("dm-0".into()),
        ];
        for edit in unknown {
            let told = told(edit);
            assert!(told.ends_with("as too many pages are dirty"), "{told}");
        }
    }

    #[test]
    fn nothing_is_said_where_nobody_is_held_back_or_it_is_not_known() {
        let mut report = held_back();
        let workload = report.workloads.first_mut().expect("there is one");
        let time = workload.time.as_mut().expect("it is known");
        time.off_cpu.throttled_ns = 0;
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        report.workloads.first_mut().expect("there is one").time = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }
}
