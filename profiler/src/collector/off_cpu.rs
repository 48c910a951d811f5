//! Where the time of threads and calls went.

use ioprof_ebpf::abi::off_cpu::{Times, WAIT_KINDS, WaitKind};

use super::call_cost::MeanCost;
use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{Call, Snapshot},
    },
    model::{
        histogram::Histogram,
        off_cpu::{CallTime, OffCpu, Time},
    },
};

fn off_cpu(parts: &[u64; WAIT_KINDS]) -> OffCpu {
    let of = |part: WaitKind| parts[part as usize];
    OffCpu {
        queue_ns: of(WaitKind::Queue),
        service_ns: of(WaitKind::Service),
        device_ns: of(WaitKind::Device),
        throttled_ns: of(WaitKind::Throttle),
        journal_ns: of(WaitKind::Journal),
        fault_ns: of(WaitKind::Fault),
        runnable_ns: of(WaitKind::Runnable),
        sleep_ns: of(WaitKind::Sleep),
        idle_ns: of(WaitKind::Idle),
        unknown_ns: of(WaitKind::Unknown),
    }
}

/// The time of a workload's threads; none where the probes for it are missing.
pub fn time(snapshot: &Snapshot, workload: u32) -> Option<Time> {
    if !snapshot.has(Feature::Time) {
        return None;
    }
    let totals = snapshot.workloads.get(workload as usize - 1)?;
    let cost = MeanCost::of(snapshot, workload);
    Some(divided(&totals.times, snapshot.stolen_ns, cost))
}

/// The time of a part of a workload's threads, which have made so many calls, by the workload's mean cost of a call. Of what
/// was stolen from the workload it has its share; `whole` is the workload's time.
pub fn time_of_part(
    snapshot: &Snapshot,
    workload: u32,
    times: &Times,
    calls: u64,
    whole: &Time,
) -> Time {
    let uncharged = u128::from(whole.stolen_ns) + u128::from(whole.unexplained_ns);
    let stolen = u128::from(times.uncharged_ns) * u128::from(whole.stolen_ns);
    let stolen_ns = stolen.checked_div(uncharged).unwrap_or(0) as u64;
    let cost = MeanCost::of(snapshot, workload);
    divided(times, stolen_ns, cost.map(|cost| cost.with_calls(calls)))
}

/// Divides the time of threads, from which at most so much was stolen.
fn divided(times: &Times, stolen_ns: u64, cost: Option<MeanCost>) -> Time {
    let off_cpu = off_cpu(&times.parts);
    let on_cpu = times.thread_ns.saturating_sub(off_cpu.total());
    let on_cpu = on_cpu.saturating_sub(times.exit_ns);
    let uncharged = times.uncharged_ns.min(on_cpu);
    let cpu = on_cpu - uncharged;
    let stolen_ns = uncharged.min(stolen_ns);
    let in_calls = times.in_call_ns.saturating_sub(times.in_call_off_ns);
    // Uncharged time is not known by call: it is divided in proportion.
    let calls_ns = u128::from(in_calls.min(on_cpu)) * u128::from(cpu);
    let calls_ns = calls_ns.checked_div(on_cpu.into()).unwrap_or(0) as u64;
    Time {
        thread_ns: times.thread_ns,
        cpu_ns: cpu,
        cpu: cost.map(|cost| cost.divide(cpu, calls_ns, times.ring_cpu_ns)),
        off_cpu,
        exit_ns: times.exit_ns,
        stolen_ns,
        unexplained_ns: uncharged - stolen_ns,
    }
}

/// The time of the calls of one name, and of a mean call about as long as the 99th percentile.
pub fn of_calls(
    snapshot: &Snapshot,
    call: &Call,
    latency: &Histogram,
) -> Option<(CallTime, Option<CallTime>)> {
    if !snapshot.has(Feature::Time) {
        return None;
    }
    let time = call_time(latency.sum, off_cpu(&call.stats.off_cpu));
    Some((time, at_p99(call, latency)))
}

fn call_time(all_ns: u64, off_cpu: OffCpu) -> CallTime {
    CallTime {
        cpu_ns: all_ns.saturating_sub(off_cpu.total()),
        off_cpu,
    }
}

/// Whether the octaves hold all time off the CPU.
fn is_complete(call: &Call) -> bool {
    let all = |parts: &[u64; WAIT_KINDS]| parts.iter().sum::<u64>();
    let held: u64 = call.off_cpu.iter().map(|(_, parts)| all(parts)).sum();
    held == all(&call.stats.off_cpu)
}

/// The off-CPU time is kept by octaves of latency: that of the octave which holds the 99th percentile is
/// divided among its calls, and brought to the length of the percentile. `latency` has the buckets of the call. None
/// where the percentile is not known, or where an octave without a block may be the one that holds it.
fn at_p99(call: &Call, latency: &Histogram) -> Option<CallTime> {
    let p99 = latency.quantile(0.99)?;
    let (octave, ..) = *call.latency.get(latency.quantile_bucket(0.99)?)?;
    let all_ns: u128 = call
        .latency
        .iter()
        .zip(&latency.buckets)
        .filter(|((of, ..), _)| *of == octave)
        .map(|(_, bucket)| u128::from(bucket.middle()) * u128::from(bucket.count))
        .sum();
    let parts = match call.off_cpu.iter().find(|(of, _)| *of == octave) {
        Some((_, parts)) => {
            // Of the calls' time only the buckets are known: they may have waited for longer than these say.
            let waited: u128 = parts.iter().copied().map(u128::from).sum();
            let all_ns = all_ns.max(waited);
            parts.map(|sum| {
                let part = u128::from(sum) * u128::from(p99);
                part.checked_div(all_ns).unwrap_or(0) as u64
            })
        }
        None if is_complete(call) => [0; WAIT_KINDS],
        None => return None,
    };
    Some(call_time(p99, off_cpu(&parts)))
}

#[cfg(test)]
mod tests {
    use ioprof_ebpf::{abi::Aggregate, histogram::place};
    use proptest::prelude::*;

    use super::*;
    use crate::{collector::histogram::histogram, model::histogram::Unit};

    /// Calls that took so long, most of it asleep.
    fn calls(latencies: &[u64]) -> (Call, Histogram) {
        let mut call = Call::default();
        let mut totals = Aggregate::default();
        for latency in latencies {
            totals.add(*latency);
            let (octave, bucket) = place(*latency);
            match call
                .latency
                .binary_search_by_key(&(octave, bucket), |(o, b, _)| (*o, *b))
            {
                Ok(at) => call.latency[at].2 += 1,
                Err(at) => call.latency.insert(at, (octave, bucket, 1)),
            }
            let known = call.off_cpu.iter().position(|(of, _)| *of == octave);
            let at = known.unwrap_or_else(|| {
                call.off_cpu.push((octave, [0; WAIT_KINDS]));
                call.off_cpu.len() - 1
            });
            call.off_cpu[at].1[WaitKind::Sleep as usize] += latency - latency / 1000;
            call.off_cpu[at].1[WaitKind::Runnable as usize] += latency / 1000;
        }
        let histogram = histogram(Unit::Ns, &totals, &call.latency);
        (call, histogram)
    }

    #[test]
    fn a_call_that_only_waits_is_no_longer_at_its_percentile() {
        // The largest of its bucket, whose middle is 1.6 % less.
        let longest = 1_048_576 + 32_767;
        let (call, latency) = calls(&[longest]);
        let split = at_p99(&call, &latency).expect("there is a call");
        assert_eq!(latency.quantile(0.99), Some(longest));
        assert!(split.off_cpu.total() <= longest, "{split:#?}");
        assert!(split.off_cpu.total() > longest / 1000 * 999, "{split:#?}");
    }

    proptest! {
        #[test]
        fn the_parts_of_a_percentile_are_the_percentile(
            latencies in prop::collection::vec(1_000_u64..100_000_000, 1..300)
        ) {
            let (call, latency) = calls(&latencies);
            let split = at_p99(&call, &latency).expect("there are calls");
            let parts = split.cpu_ns + split.off_cpu.total();
            prop_assert_eq!(Some(parts), latency.quantile(0.99));
        }
    }
}
