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
        let holds = one.depth <= ONE
            && one.headroom() >= HEADROOM
            // Who has several under way already is not told to.
            && of_rings.max(of_aio) <= 1
            && match operation {
                Operation::Read => !is_read_ahead(workload.page_cache.as_ref()),
                Operation::Write => is_direct(subject, &one),
            };
        if holds {
            found.push(candidate(&one, subject, &waits));
        } else {
            against.extend(one.evidence(subject));
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
        cost_ns: waits.requests_ns,
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

/// Whether most of what was read came by the kernel's read-ahead: that is another rule's.
pub fn is_read_ahead(page_cache: Option<&PageCache>) -> bool {
    let Some(cache) = page_cache else {
        return false;
    };
    let ahead = cache.read_ahead.as_ref().map_or(0, |served| served.bytes);
    let ahead = sum([ahead, cache.read_ahead_waits.bytes]);
    ahead > sum([cache.misses.bytes, cache.direct.bytes])
}

/// Whether writes were made past the page cache, and none of them to be durable before the next.
fn is_direct(subject: &Subject<'_>, one: &OnDevice<'_>) -> bool {
    let dirtied = subject.workload.writeback.as_ref();
    let is_past = dirtied.is_some_and(|writeback| writeback.dirtied_bytes <= one.bytes / 10);
    is_past && total(&subject.made(&LATER)) <= one.requests / 64
}
