//! LIMIT001: a device does all that it can.

use super::{
    on_device::{OnDevice, waits},
    subject::{Candidate, Outcome, Subject, UNDIVIDED},
};
use crate::model::{calibration::Operation, device::ShareOfCeiling, finding::Gain};

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
        let loads = device.ceiling.iter().flat_map(|ceiling| &ceiling.loads);
        // Of the time in which it had any: what is idle is not at its limit.
        let share = loads.map(share).fold(0.0, |all, one| all + one) / device.utilization;
        let is_told = found
            .iter()
            .any(|told| told.place.device.as_ref() == Some(&device.name));
        if share > TOO_MUCH {
            unknown = Some(
                "the device did more than its calibration says that it can: run `ioprof calibrate` again",
            );
            continue;
        }
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
            stake_ns: waits.requests_ns,
            evidence: one.evidence(subject),
            advice: ADVICE,
            gate: None,
        });
    }
    Outcome::of(found, unknown, against)
}

/// What was done of one operation, as a part of what can be done in the order that serves better.
fn share(load: &ShareOfCeiling) -> f64 {
    load.requests_per_second / load.best_per_second()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{block::BlockOperation, device::Ceiling, report::Report};

    /// A workload that reads from a device each, which do such parts of what they can.
    fn doing(parts: &[f64]) -> Report {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        let rows = workload.block.as_mut().expect("they are known");
        let devices = report.devices.as_mut().expect("they are known");
        rows.retain(|row| row.operation == BlockOperation::Read);
        rows.truncate(1);
        devices.truncate(1);
        let (row, device) = (rows.remove(0), devices.remove(0));
        for (at, part) in parts.iter().enumerate() {
            let (mut row, mut device) = (row.clone(), device.clone());
            row.device = format!("vd{at}").into();
            row.requests = 1000;
            device.name = row.device.clone();
            device.utilization = 1.0;
            device.ceiling = Some(Ceiling {
                calibrated_at: "2026-01-01T00:00:00Z".into(),
                unused: None,
                loads: vec![ShareOfCeiling {
                    operation: Operation::Read,
                    size_bytes: 4096,
                    depth: 1.0,
                    requests_per_second: 1000.0 * part,
                    ceiling_at_depth_per_second: 1000.0,
                    share_at_depth: *part,
                    ceiling_per_second: 1000.0,
                    sequential_ceiling_per_second: Some(1000.0),
                    share: *part,
                    steady: true,
                }],
            });
            rows.push(row);
            devices.push(device);
        }
        report
    }

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
    fn what_is_not_known_of_one_device_is_not_ruled_out_by_another() {
        assert!(matches!(of(&doing(&[0.5, 2.0])), Outcome::Undecided(_)));
        let mut report = doing(&[0.5, 0.5]);
        report.devices.as_mut().expect("they are known")[1].ceiling = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        report.devices.as_mut().expect("they are known").truncate(1);
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }
}
