//! AHEAD001: a file that is read in order waits for a device that does more than read-ahead asks of it.

use ioprof_workloads::display::bytes;

use super::{
    depth::{HEADROOM, is_read_ahead},
    on_device::{OnDevice, waits},
    subject::{Candidate, Outcome, Subject, UNDIVIDED, each},
};
use crate::model::{calibration::Operation, sum::sum};

const ADVICE: &str = "have the kernel read further ahead: posix_fadvise(POSIX_FADV_SEQUENTIAL) doubles it for a file, `blockdev --setra` \
                      sets it for a device; or read the next part by POSIX_FADV_WILLNEED while this one is worked on";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(cache) = &subject.workload.page_cache else {
        return Outcome::Undecided("it is not known how reads were served");
    };
    let (reads, unknown) = match OnDevice::all(subject, &[Operation::Read]) {
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
    let (slow, others): (Vec<_>, Vec<_>) = reads
        .into_iter()
        .partition(|one| more(one) >= HEADROOM && is_read_ahead(Some(cache)));
    let evidence = |one: &OnDevice<'_>| [served.clone(), one.evidence(subject)].concat();
    let found = slow.iter().map(|one| Candidate {
        summary: format!(
            "{} are read in order, by requests of {}; {} does {:.1} times as much at once",
            bytes(one.bytes),
            bytes(each(one.bytes, one.requests)),
            one.device.name,
            more(one)
        ),
        place: one.place(),
        cost_ns: waits.requests_ns,
        gain: subject.bounds(
            0,
            sum([waits.requests_ns, waits.runnable_ns]),
            "everything has been read before it is asked for; at most what reads wait for the device and for a CPU; at least nothing, where \
             the program asks for more than the device does"
                .into(),
        ),
        stake_ns: waits.requests_ns,
        evidence: evidence(one),
        advice: ADVICE,
        gate: None,
    });
    let against = others.iter().flat_map(&evidence);
    Outcome::of(found.collect(), unknown, against.collect())
}

/// How many times as much the device does with more in flight, and as it did: one that reads in order may do all it can.
fn more(one: &OnDevice<'_>) -> f64 {
    one.headroom().min(one.headroom_in_order())
}
