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
    let devices = match OnDevice::all(subject) {
        Ok(devices) => devices,
        Err(outcome) => return outcome,
    };
    let Some(waits) = waits(subject, &[Operation::Read, Operation::Write]) else {
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
            return Outcome::Undecided(
                "the device did more than its calibration says that it can: run `ioprof calibrate` again",
            );
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
    Outcome::of(found, against)
}

/// What was done of one operation, as a part of what can be done in the order that serves better.
fn share(load: &ShareOfCeiling) -> f64 {
    load.requests_per_second / load.best_per_second()
}
