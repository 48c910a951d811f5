//! LIMIT001: a device does all that it can.

use super::{
    on_device::{FEW, OnDevice, waits},
    subject::{Candidate, Outcome, Subject, UNDIVIDED},
};
use crate::model::{
    calibration::Operation,
    device::{Device, ShareOfCeiling},
    finding::Gain,
};

/// The part of its ceiling that is all it can do, by what calibrations differ among themselves.
const ALL: f64 = 0.9;
/// What no ceiling is exceeded by.
const TOO_MUCH: f64 = 1.1;

const ADVICE: &str = "move fewer bytes: a larger cache, compression, or larger requests where many are small; or spread them over more \
                      devices. More threads and more depth gain nothing";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    const BOTH: [Operation; 2] = [Operation::Read, Operation::Write];
    let (devices, mut unknown) = match OnDevice::all(subject, &BOTH) {
        Ok(known) => known,
        Err(outcome) => return outcome,
    };
    let Some(waits) = waits(subject, &BOTH) else {
        return UNDIVIDED;
    };
    let (mut found, mut against) = (Vec::<Candidate>::new(), Vec::new());
    for one in devices {
        let device = one.device;
        let share = match share_of_all(device) {
            Ok(share) => share,
            Err(reason) => {
                unknown = Some(reason);
                continue;
            }
        };
        let is_told = found
            .iter()
            .any(|told| told.place.device.as_ref() == Some(&device.name));
        let is_found = share >= ALL;
        if !is_found || is_told {
            against.extend(one.evidence(subject));
            continue;
        }
        found.push(Candidate {
            summary: format!(
                "{} does {:.0} % of what it can, while it has anything to do",
                device.name,
                share * 100.0
            ),
            place: one.place(),
            cost_ns: waits.requests_ns,
            gain: Gain {
                low_ns: None,
                high_ns: None,
                method: "what fewer bytes save is known when they are fewer".into(),
            },
            // Of all threads that wait at once.
            stake_ns: waits.requests_ns.min(one.busy_ns),
            evidence: one.evidence(subject),
            advice: ADVICE,
            gate: None,
        });
    }
    Outcome::of(found, unknown, against)
}

/// What a device did of all that it can, in the time in which it had anything to do: what is idle is not at its limit. Why that is
/// not known, where it is not.
fn share_of_all(device: &Device) -> Result<f64, &'static str> {
    let loads = device.ceiling.as_ref().map_or(&[][..], |one| &one.loads);
    let share = loads.iter().map(share).fold(0.0, |all, one| all + one) / device.utilization;
    let is_calibrated = |(operation, requests)| {
        requests < FEW || loads.iter().any(|load| load.operation == operation)
    };
    let done = [
        (Operation::Read, device.reads),
        (Operation::Write, device.writes),
    ];
    let is_in_order_known = loads
        .iter()
        .all(|load| load.sequential_ceiling_per_second.is_some());
    if share < ALL && !done.into_iter().all(is_calibrated) {
        Err(
            "the device did much of a size that was not calibrated: run `ioprof calibrate` without --quick, if it was not",
        )
    } else if share >= ALL && !is_in_order_known {
        Err(
            "it is not known what the device can do of requests in order: run `ioprof calibrate` again",
        )
    } else if share > TOO_MUCH {
        Err(
            "the device did more than its calibration says that it can: run `ioprof calibrate` again",
        )
    } else {
        Ok(share)
    }
}

/// What was done of one operation, as a part of what can be done in the order that serves better.
fn share(load: &ShareOfCeiling) -> f64 {
    load.requests_per_second / load.best_per_second()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::doing, *};
    use crate::model::report::Report;

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn a_device_at_its_limit_is_told_whatever_is_not_known_of_others() {
        for parts in [&[1.0][..], &[1.0, 2.0], &[2.0, 1.0], &[0.5, 2.0, 1.0]] {
            let found = of(&doing(parts)).found();
            assert_eq!(found.len(), 1, "{parts:?}");
        }
        assert!(matches!(of(&doing(&[0.5])), Outcome::RuledOut(_)));
    }

    #[test]
    fn no_more_is_at_stake_than_the_time_in_which_the_device_was_used() {
        let mut report = doing(&[1.0]);
        let workload = &report.workloads[0].name;
        let shares = &mut report.devices.as_mut().expect("they are known")[0].shares;
        let own = shares
            .iter_mut()
            .find(|share| share.workload.as_ref() == Some(workload));
        own.expect("it used it").busy_ns = 5;
        let found = of(&report).found();
        assert!(found[0].stake_ns == 5 && found[0].cost_ns > 5);
    }

    #[test]
    fn what_is_not_known_of_one_device_is_not_ruled_out_by_another() {
        assert!(matches!(of(&doing(&[0.5, 2.0])), Outcome::Undecided(_)));
        let mut report = doing(&[0.5, 0.5]);
        report.devices.as_mut().expect("they are known")[1].ceiling = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        report.devices.as_mut().expect("they are known").truncate(1);
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn what_was_not_calibrated_is_not_taken_for_nothing() {
        let edited = |part: f64, edit: fn(&mut Device)| {
            let mut report = doing(&[part]);
            edit(&mut report.devices.as_mut().expect("they are known")[0]);
            of(&report)
        };
        let writes = edited(0.5, |device| device.writes = FEW);
        assert!(matches!(writes, Outcome::Undecided(_)));
        let few_writes = edited(0.5, |device| device.writes = FEW - 1);
        assert!(matches!(few_writes, Outcome::RuledOut(_)));
        let forget: fn(&mut Device) = |device| {
            let ceiling = device.ceiling.as_mut().expect("there is one");
            ceiling.loads[0].sequential_ceiling_per_second = None;
        };
        assert!(matches!(edited(1.0, forget), Outcome::Undecided(_)));
        assert!(matches!(edited(0.5, forget), Outcome::RuledOut(_)));
    }
}
