//! TAIL001: a device that is fast takes very long for a few requests.

use ioprof_workloads::display::{count, time};

use super::{
    on_device,
    subject::{Candidate, Outcome, Subject, for_devices, own_requests},
};
use crate::model::{
    block::{Block, BlockOperation},
    calibration::Operation,
    finding::{Evidence, Place},
    histogram::Bucket,
    off_cpu::OffCpu,
    sum::sum,
};

/// Of fewer requests, less than ten lie beyond the 99.9th percentile.
const FEW: u64 = 10_000;
/// An outlier takes so many times as long as half of all requests, and as 99 of 100.
const TIMES_P50: u64 = 10;
const TIMES_P99: u64 = 5;
/// How many times as long as threads wait for a CPU outliers are to take: a virtual device, and a loop device, are served by
/// threads that may wait as long.
const MORE: u64 = 2;

const ADVICE: &str = "look for what else the device does at these times: others' requests (devices[].shares, iostat -x 1), writeback, its own \
                      housekeeping (garbage collection, heat, power saving), its host where it is virtual; have what must not wait \
                      for it on another device, or in a thread of its own";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let (Some(block), Some(spent)) = (&subject.workload.block, &subject.workload.time) else {
        return Outcome::Undecided("the requests are not known, or not what threads waited for");
    };
    let data = [BlockOperation::Read, BlockOperation::Write];
    let rows = own_requests(block, &data).filter(|(_, row)| row.service.count >= FEW);
    let (mut found, mut against, mut unknown) = (Vec::new(), Vec::new(), None);
    for (at, row) in rows {
        let Some(tail) = Tail::of(row) else {
            unknown = Some("the histograms of requests are not complete");
            continue;
        };
        if !tail.is_long() {
            against.extend(tail.evidence(subject, at));
        } else if tail.longer(|bucket| bucket.ge) > MORE.saturating_mul(spent.off_cpu.runnable_ns) {
            found.push(tail.candidate(subject, at, &spent.off_cpu));
        } else {
            unknown = Some(
                "threads waited for a CPU as long as a few requests took longer: what serves a virtual device may have, too",
            );
        }
    }
    Outcome::of(found, unknown, against)
}

/// The requests of a row, with what tells a tail.
struct Tail<'a> {
    row: &'a Block,
    p50: u64,
    p99: u64,
    p999: u64,
    /// What an outlier takes at least.
    least: u64,
}

impl<'a> Tail<'a> {
    /// That of a row; none where its histograms do not tell.
    fn of(row: &'a Block) -> Option<Self> {
        let service = |q| row.service.quantile(q);
        let (p50, p99, p999) = (service(0.5)?, service(0.99)?, service(0.999)?);
        // A request that is larger may take longer by as much.
        let usual = row.size.quantile(0.5)?.max(1);
        let larger = row.size.quantile(0.999)?.div_ceil(usual);
        let of_p50 = p50.saturating_mul(TIMES_P50).saturating_mul(larger);
        Some(Self {
            row,
            p50,
            p99,
            p999,
            least: of_p50.max(p99.saturating_mul(TIMES_P99)),
        })
    }

    /// Whether one in a thousand is an outlier.
    const fn is_long(&self) -> bool {
        self.p999 >= self.least
    }

    fn outliers(&self) -> &'a [Bucket] {
        let buckets = &self.row.service.buckets;
        let first = buckets.partition_point(|bucket| bucket.ge < self.least);
        buckets.get(first..).unwrap_or_default()
    }

    /// What outliers take longer than half of all do, by the value that stands for a bucket.
    fn longer(&self, value: fn(&Bucket) -> u64) -> u64 {
        sum(self.outliers().iter().map(|bucket| {
            let longer = value(bucket).saturating_sub(self.p50);
            longer.saturating_mul(bucket.count)
        }))
    }

    fn candidate(&self, subject: &Subject<'_>, at: usize, off_cpu: &OffCpu) -> Candidate {
        let most = self.longer(|bucket| bucket.le).min(for_devices(off_cpu));
        let least = self.longer(|bucket| bucket.ge);
        let not_waited_for = sum([in_the_background(subject), off_cpu.runnable_ns]);
        let mut evidence = self.evidence(subject, at);
        evidence.push(subject.evidence("time/runnable_ns", off_cpu.runnable_ns));
        Candidate {
            summary: self.told(),
            place: Place {
                device: Some(self.row.device.clone()),
                ..Place::default()
            },
            cost_ns: most,
            gain: subject.bounds(
                least.saturating_sub(not_waited_for),
                most,
                "these requests take as long as half of all do; at most what they take longer, and what threads waited for devices; \
                 at least what they take longer, less what requests took that no read or write waited for, and less what threads \
                 waited for a CPU"
                    .into(),
            ),
            stake_ns: most,
            evidence,
            advice: ADVICE,
            gate: None,
        }
    }

    fn told(&self) -> String {
        let row = self.row;
        let outliers = self.outliers();
        let many = match row.operation {
            BlockOperation::Read => "reads",
            _ => "writes",
        };
        let when = row.slowest_completed_ns.map_or_else(String::new, |when| {
            format!(
                "; the slowest, {}, was done {} after the beginning",
                time(row.service.max),
                time(when)
            )
        });
        format!(
            "{} of {} {many} of {} take {} or more, half of all at most {}{when}",
            count(sum(outliers.iter().map(|bucket| bucket.count))),
            count(row.service.count),
            row.device,
            time(outliers.first().map_or(0, |bucket| bucket.ge)),
            time(self.p50),
        )
    }

    fn evidence(&self, subject: &Subject<'_>, at: usize) -> Vec<Evidence> {
        let row = self.row;
        let figures = [
            ("service/count", Some(row.service.count)),
            ("service/p50", Some(self.p50)),
            ("service/p99", Some(self.p99)),
            ("service/p999", Some(self.p999)),
            ("service/max", Some(row.service.max)),
            ("slowest_completed_ns", row.slowest_completed_ns),
            ("size/p50", row.size.quantile(0.5)),
            ("size/p999", row.size.quantile(0.999)),
        ];
        figures
            .into_iter()
            .filter_map(|(key, value)| Some(subject.evidence(&format!("block/{at}/{key}"), value?)))
            .collect()
    }
}

/// What requests of the workload took that no call waited for which reads or writes.
fn in_the_background(subject: &Subject<'_>) -> u64 {
    let block = subject.workload.block.iter().flatten();
    let once = block.filter(|row| !row.is_counted_elsewhere());
    let took = sum(once.flat_map(|row| [row.queue.sum, row.service.sum]));
    let waits = on_device::waits(subject, &[Operation::Read, Operation::Write]);
    took.saturating_sub(waits.map_or(0, |waits| waits.requests_ns))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{histogram, sample},
        *,
    };
    use crate::model::{
        histogram::{Histogram, Unit},
        report::Report,
    };

    const US: u64 = 1000;
    const MS: u64 = 1000 * US;
    const PAGE: u64 = 4096;

    /// A thread that waits for requests of these service times and sizes.
    fn waiting(service: &[(u64, u64)], size: &[(u64, u64)]) -> Report {
        let mut report = sample();
        let workload = report.workloads.first_mut().expect("there is one");
        workload.threads = 1;
        workload.span_ns = Some(1000 * MS);
        let rows = workload.block.as_mut().expect("it is known");
        rows.truncate(1);
        let row = rows.first_mut().expect("there is one");
        row.queue = Histogram::empty(Unit::Ns);
        row.service = histogram(Unit::Ns, service);
        row.size = histogram(Unit::Bytes, size);
        row.slowest_completed_ns = Some(3 * MS);
        let waited = row.service.sum;
        let time = workload.time.as_mut().expect("it is known");
        (time.off_cpu.service_ns, time.off_cpu.runnable_ns) = (waited, 0);
        for (at, call) in workload.syscalls.iter_mut().enumerate() {
            let time = call.breakdown.as_mut().expect("it is known");
            time.off_cpu = OffCpu::default();
            if at == 0 {
                call.name = "pread64".into();
                time.off_cpu.service_ns = waited;
            }
        }
        report
    }

    fn of(report: &Report) -> Outcome {
        rule(&Subject::of_first(report))
    }

    #[test]
    fn outliers_are_told_with_what_they_take_longer() {
        let report = waiting(&[(100 * US, 20_000), (10 * MS, 25)], &[(PAGE, 20_025)]);
        let found = of(&report).found();
        let [one] = &found[..] else {
            panic!("of one row")
        };
        assert_eq!(
            one.summary,
            "25 of 20,025 reads of vda take 10.0 ms or more, half of all at most 100 us; the slowest, 10.0 ms, was done 3.00 ms after the \
             beginning"
        );
        let longer = 25 * (10 * MS - 100 * US);
        let bounds = (Some(longer), Some(longer));
        assert_eq!((one.gain.low_ns, one.gain.high_ns), bounds);
    }

    #[test]
    fn what_no_call_waits_for_is_not_known_to_be_saved() {
        let mut report = waiting(&[(100 * US, 20_000), (10 * MS, 25)], &[(PAGE, 20_025)]);
        let workload = report.workloads.first_mut().expect("there is one");
        let call = workload.syscalls.first_mut().expect("there is one");
        let time = call.breakdown.as_mut().expect("it is known");
        time.off_cpu.service_ns -= 200 * MS;
        let found = of(&report).found();
        let longer = 25 * (10 * MS - 100 * US);
        let low = found.first().and_then(|one| one.gain.low_ns);
        assert_eq!(low, Some(longer - 200 * MS));
    }

    #[test]
    fn what_looks_like_it_and_is_not_is_ruled_out() {
        let pages = |count| [(PAGE, count)];
        for (service, size) in [
            // Of so few, nothing lies beyond.
            (&[(100 * US, 9_000), (10 * MS, 25)][..], &pages(9_025)[..]),
            // One in a thousand is not slow.
            (&[(100 * US, 20_000), (10 * MS, 15)], &pages(20_015)),
            // The device is not fast: many are slow, and the slowest not much slower.
            (
                &[(100 * US, 20_000), (3 * MS, 600), (10 * MS, 25)],
                &pages(20_625),
            ),
            // They are as much larger.
            (
                &[(100 * US, 20_000), (10 * MS, 25)],
                &[(PAGE, 20_000), (16 * PAGE, 25)],
            ),
        ] {
            let outcome = of(&waiting(service, size));
            assert!(matches!(outcome, Outcome::RuledOut(_)), "{service:?}");
        }
    }

    #[test]
    fn what_a_thread_that_serves_the_device_may_have_waited_for_a_cpu_is_no_tail() {
        let mut report = waiting(&[(100 * US, 20_000), (10 * MS, 25)], &[(PAGE, 20_025)]);
        let longer = 25 * (10 * MS - 100 * US);
        let runnable = |report: &mut Report, ns| {
            let workload = report.workloads.first_mut().expect("there is one");
            let time = workload.time.as_mut().expect("it is known");
            time.off_cpu.runnable_ns = ns;
        };
        runnable(&mut report, longer / 4);
        let found = of(&report).found();
        let low = found.first().and_then(|one| one.gain.low_ns);
        assert_eq!(low, Some(longer - longer / 4));
        runnable(&mut report, longer / 2);
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }

    #[test]
    fn incomplete_histograms_tell_nothing_and_leave_others_as_they_are() {
        let mut report = waiting(&[(100 * US, 20_000), (10 * MS, 25)], &[(PAGE, 20_025)]);
        let workload = report.workloads.first_mut().expect("there is one");
        let rows = workload.block.as_mut().expect("it is known");
        let complete = rows.first().expect("there is one").clone();
        rows.first_mut().expect("there is one").service.count += 100;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
        let rows = report.workloads[0].block.as_mut().expect("known");
        rows.push(complete);
        assert_eq!(of(&report).found().len(), 1);
    }
}
