//! DEPTH001: requests are in flight one at a time, on a device that does more of them at once.

use ioprof_workloads::display::{bytes, count};

use super::{
    durable::LATER,
    on_device::{OnDevice, Waits, waits},
    subject::{Candidate, NOT_DIVIDED, Outcome, Subject, each, total},
};
use crate::model::{calibration::Operation, page_cache::PageCache, sum::sum};

/// A mean of no more in flight is one at a time, with what the file system adds.
const ONE: f64 = 1.5;
/// How many times as much a device is to do at some depth.
pub const HEADROOM: f64 = 1.5;

const ADVICE: &str = "keep several in flight, where it is known before what is needed next: io_uring, libaio with O_DIRECT, or threads; \
                      for files, posix_fadvise(POSIX_FADV_WILLNEED) on the next ones";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let workload = subject.workload;
    let both = [Operation::Read, Operation::Write];
    let (devices, mut unknown) = match OnDevice::all(subject, &both) {
        Ok(known) => known,
        Err(outcome) => return outcome,
    };
    let Some(io_uring) = &workload.io_uring else {
        return Outcome::Undecided("it is not known what rings have in flight");
    };
    let (of_rings, of_aio) = (io_uring.depth.max, workload.aio.depth.max);
    let mut found = Vec::new();
    let mut against = vec![
        subject.evidence("io_uring/depth/max", of_rings),
        subject.evidence("aio/depth/max", of_aio),
    ];
    for one in devices {
        let operation = one.load.operation;
        let Some(waits) = waits(subject, &[operation]) else {
            unknown = Some(NOT_DIVIDED);
            continue;
        };
        // Who has several under way already is not told to.
        let is_alone = one.depth <= ONE && of_rings.max(of_aio) <= 1;
        let may_hold = is_alone && one.headroom() >= HEADROOM;
        let is_its_own = match operation {
            Operation::Read => is_read_ahead(workload.page_cache.as_ref()).map(|is| !is),
            Operation::Write => is_direct(subject, &one),
        };
        match is_its_own {
            Some(true) if may_hold => found.push(candidate(&one, subject, &waits)),
            None if may_hold => unknown = Some("it is not known how the page cache was used"),
            _ => against.extend(one.evidence(subject)),
        }
    }
    Outcome::of(found, unknown, against)
}

fn candidate(one: &OnDevice<'_>, subject: &Subject<'_>, waits: &Waits) -> Candidate {
    let name = one.load.operation.plural();
    let saved = waits.requests_ns.saturating_sub(one.least_ns());
    Candidate {
        summary: format!(
            "{} {name} of {} wait for {} one at a time, which does {:.1} times as many at once",
            count(one.requests),
            bytes(each(one.bytes, one.requests)),
            one.device.name,
            one.headroom()
        ),
        place: one.place(),
        cost_ns: sum([waits.requests_ns, waits.runnable_ns]),
        gain: subject.bounds(
            0,
            sum([saved, waits.runnable_ns]),
            "the device does the most of them that it can; at most what calls wait for it, less what it takes then, and for a \
             CPU; at least nothing, where each depends on the one before"
                .into(),
        ),
        stake_ns: saved,
        evidence: one.evidence(subject),
        advice: ADVICE,
        gate: None,
    }
}

/// Whether most of what was read came by the kernel's read-ahead, which is another rule's; none where that is not known.
pub fn is_read_ahead(page_cache: Option<&PageCache>) -> Option<bool> {
    let cache = page_cache?;
    let otherwise = sum([cache.misses.bytes, cache.direct.bytes]);
    let waits = cache.read_ahead_waits.bytes;
    if waits > otherwise {
        return Some(true);
    }
    let ahead = cache.read_ahead.as_ref()?;
    Some(sum([ahead.bytes, waits]) > otherwise)
}

/// Whether writes were made past the page cache, and none of them to be durable before the next; none where that is not
/// known.
fn is_direct(subject: &Subject<'_>, one: &OnDevice<'_>) -> Option<bool> {
    if total(&subject.made(&LATER)?) > one.requests / 64 {
        return Some(false);
    }
    let writeback = subject.workload.writeback.as_ref()?;
    Some(writeback.dirtied_bytes <= one.bytes / 10)
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{doing, ring},
        *,
    };
    use crate::model::{page_cache::Served, report::Report};

    /// Direct reads one at a time, at a device that does twice as many at once.
    fn alone() -> Report {
        let mut report = doing(&[0.5]);
        let workload = report.workloads.first_mut().expect("there is one");
        workload.io_uring = Some(ring(&[]));
        let cache = workload.page_cache.as_mut().expect("it is known");
        let ways = [&mut cache.misses, &mut cache.read_ahead_waits];
        for served in ways.into_iter().chain(&mut cache.read_ahead) {
            served.bytes = 0;
        }
        cache.direct.bytes = 1;
        let rows = workload.block.as_ref().expect("they are known");
        let in_flight = [&rows[0].queue, &rows[0].service].map(|part| part.sum);
        let device = &mut report.devices.as_mut().expect("they are known")[0];
        device.shares[0].busy_ns = sum(in_flight);
        let ceiling = device.ceiling.as_mut().expect("there is one");
        ceiling.loads[0].ceiling_per_second = 2000.0;
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn reads_of_which_it_is_not_known_how_they_were_served_are_not_found() {
        assert_eq!(of(&alone()).found().len(), 1);
        let mut report = alone();
        let cache = report.workloads[0].page_cache.as_mut();
        cache.expect("it is known").read_ahead = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        report.workloads[0].page_cache = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn writes_of_which_it_is_not_known_whether_they_went_past_the_cache_are_not_ruled_out() {
        let mut report = alone();
        let rows = report.workloads[0].block.as_mut();
        rows.expect("they are known")[0].operation = crate::model::block::BlockOperation::Write;
        let devices = report.devices.as_mut().expect("they are known");
        let ceiling = devices[0].ceiling.as_mut().expect("there is one");
        ceiling.loads[0].operation = Operation::Write;
        report.workloads[0]
            .syscalls
            .retain(|call| call.name != "fsync");
        report.workloads[0].writeback = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn what_came_by_read_ahead_is_known_by_the_waits_for_it_alone() {
        let report = alone();
        let mut cache = report.workloads[0].page_cache.clone().expect("known");
        let served = |bytes| Served {
            bytes,
            ..cache.direct.clone()
        };
        (cache.read_ahead, cache.read_ahead_waits) = (None, served(2));
        assert_eq!(is_read_ahead(Some(&cache)), Some(true));
    }
}
