//! AHEAD001: a file that is read in order waits for a device that does more than read-ahead asks of it.

use ioprof_workloads::display::bytes;

use super::{
    depth::{HEADROOM, is_read_ahead},
    on_device::{OnDevice, Waits, waits},
    subject::{Candidate, Outcome, Subject, UNDIVIDED, each},
};
use crate::model::{calibration::Operation, finding::Evidence, sum::sum};

const ADVICE: &str = "have the kernel read further ahead: posix_fadvise(POSIX_FADV_SEQUENTIAL) doubles it for a file, `blockdev --setra` \
                      sets it for a device; or read the next part by POSIX_FADV_WILLNEED while this one is worked on";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(cache) = &subject.workload.page_cache else {
        return Outcome::Undecided("it is not known how reads were served");
    };
    let (reads, mut unknown) = match OnDevice::all(subject, &[Operation::Read]) {
        Ok(known) => known,
        Err(outcome) => return outcome,
    };
    let Some(waits) = waits(subject, &[Operation::Read]) else {
        return UNDIVIDED;
    };
    let mut served = vec![
        subject.evidence("page_cache/misses/bytes", cache.misses.bytes),
        subject.evidence(
            "page_cache/read_ahead_waits/bytes",
            cache.read_ahead_waits.bytes,
        ),
    ];
    if let Some(ahead) = &cache.read_ahead {
        served.push(subject.evidence("page_cache/read_ahead/bytes", ahead.bytes));
    }
    let is_ahead = is_read_ahead(Some(cache));
    let (mut found, mut against) = (Vec::new(), Vec::new());
    for one in &reads {
        let evidence = [served.clone(), one.evidence(subject)].concat();
        match (is_ahead, does_more(one)) {
            (Some(true), Some(true)) => found.push(candidate(subject, one, &waits, evidence)),
            (Some(false), _) | (_, Some(false)) => against.extend(evidence),
            _ => {
                unknown = Some(
                    "it is not known what was read ahead, or what the device does of reads in order",
                );
            }
        }
    }
    Outcome::of(found, unknown, against)
}

fn candidate(
    subject: &Subject<'_>,
    one: &OnDevice<'_>,
    waits: &Waits,
    evidence: Vec<Evidence>,
) -> Candidate {
    Candidate {
        summary: format!(
            "{} are read in order, by requests of {}; {} does {:.1} times as much at once",
            bytes(one.bytes),
            bytes(each(one.bytes, one.requests)),
            one.device.name,
            more(one)
        ),
        place: one.place(),
        cost_ns: sum([waits.requests_ns, waits.runnable_ns]),
        gain: subject.bounds(
            0,
            sum([waits.requests_ns, waits.runnable_ns]),
            "everything has been read before it is asked for; at most what reads wait for the device and for a CPU; at least nothing, where \
             the program asks for more than the device does"
                .into(),
        ),
        stake_ns: waits.requests_ns,
        evidence,
        advice: ADVICE,
        gate: None,
    }
}

/// How many times as much the device does with more in flight, and as it did: one that reads in order may do all it can.
fn more(one: &OnDevice<'_>) -> f64 {
    one.headroom().min(one.headroom_in_order())
}

/// Whether that is enough; none where it is not known, as more may be done in order than was measured.
fn does_more(one: &OnDevice<'_>) -> Option<bool> {
    let enough = more(one) >= HEADROOM;
    let is_known = one.load.sequential_ceiling_per_second.is_some() || one.headroom() < HEADROOM;
    (enough || is_known).then_some(enough)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::doing, *};
    use crate::model::report::Report;

    /// Reads in order, at a device that does twice as much at once.
    fn in_order() -> Report {
        let mut report = doing(&[0.5]);
        let cache = report.workloads[0].page_cache.as_mut();
        let cache = cache.expect("it is known");
        cache.read_ahead_waits.bytes = 1 << 40;
        let devices = report.devices.as_mut().expect("they are known");
        let ceiling = devices[0].ceiling.as_mut().expect("there is one");
        let load = &mut ceiling.loads[0];
        load.sequential_ceiling_per_second = Some(2000.0);
        (load.ceiling_per_second, load.requests_per_second) = (1600.0, 1200.0);
        report
    }

    fn edited(edit: fn(&mut Report)) -> Outcome {
        let mut report = in_order();
        edit(&mut report);
        rule(&Subject::of_first(&report))
    }

    #[test]
    fn what_is_not_known_of_reads_in_order_is_not_taken_for_nothing() {
        assert_eq!(edited(|_| ()).found().len(), 1);
        let unknown: [fn(&mut Report); 2] = [
            |report| {
                let devices = report.devices.as_mut().expect("they are known");
                let ceiling = devices[0].ceiling.as_mut().expect("there is one");
                ceiling.loads[0].sequential_ceiling_per_second = None;
            },
            |report| {
                let cache = report.workloads[0].page_cache.as_mut();
                let cache = cache.expect("it is known");
                (cache.read_ahead, cache.read_ahead_waits.bytes) = (None, 0);
                cache.misses.bytes = 1;
            },
        ];
        for forget in unknown {
            assert!(matches!(edited(forget), Outcome::Undecided(_)));
        }
    }
}
