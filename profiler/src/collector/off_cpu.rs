//! Where the time of threads and calls went.

use ioprof_ebpf::abi::off_cpu::{Times, WAIT_KINDS, WaitKind};

use crate::{
    kernel::{
        bpf::{CallCost, ProbeCost, probes::Feature},
        snapshot::{Call, Snapshot},
    },
    model::{
        histogram::Histogram,
        off_cpu::{CallTime, Cpu, OffCpu, Time},
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
    let times = &totals.times;
    let off_cpu = off_cpu(&times.parts);
    let on_cpu = times.thread_ns.saturating_sub(off_cpu.total());
    let on_cpu = on_cpu.saturating_sub(times.exit_ns);
    let uncharged = times.uncharged_ns.min(on_cpu);
    let cpu = on_cpu - uncharged;
    // At most what was stolen of all CPUs.
    let stolen_ns = uncharged.min(snapshot.stolen_ns);
    let in_calls = times.in_call_ns.saturating_sub(times.in_call_off_ns);
    // Uncharged time is not known by call: it is divided in proportion.
    let calls_ns = u128::from(in_calls.min(on_cpu)) * u128::from(cpu);
    let calls_ns = calls_ns.checked_div(on_cpu.into()).unwrap_or(0) as u64;
    Some(Time {
        thread_ns: times.thread_ns,
        cpu_ns: cpu,
        cpu: snapshot.call_cost.map(|cost| {
            let calls = Calls {
                count: count(snapshot, workload),
                cpu_ns: calls_ns,
                times,
            };
            let statistics = snapshot.cost.map_or(0.0, |cost| cost.measured_share);
            divide(cpu, &calls, &cost, statistics)
        }),
        off_cpu,
        exit_ns: times.exit_ns,
        stolen_ns,
        unexplained_ns: uncharged - stolen_ns,
    })
}

/// The calls of a workload that were seen to begin and to end.
fn count(snapshot: &Snapshot, workload: u32) -> u64 {
    let calls = snapshot.calls.iter();
    calls
        .filter(|call| call.workload == workload)
        .map(|call| call.stats.latency.count)
        .sum()
}

/// The calls of a workload.
struct Calls<'a> {
    count: u64,
    /// Nanoseconds between the probes' two time stamps on a CPU.
    cpu_ns: u64,
    times: &'a Times,
}

/// Divides the time on a CPU by what a call costs that does nothing. The time stamps of the probes have a part of that
/// between them and another outside. For a call that does something the probes take as much more as they have timed
/// themselves to take; `statistics` is the share of the time in which those of BPF programs were on.
fn divide(cpu_ns: u64, calls: &Calls<'_>, cost: &CallCost, statistics: f64) -> Cpu {
    let mean = |of: fn(&ProbeCost) -> f64| {
        let (off, on) = (of(&cost.in_scope), of(&cost.with_statistics));
        off + (on - off) * statistics
    };
    let (seen, empty_timed) = (mean(|cost| cost.seen_ns), mean(|cost| cost.timed_ns));
    let timed = match calls.times.timed_calls {
        0 => empty_timed,
        timed => calls.times.timed_ns as f64 / timed as f64,
    };
    let all = mean(|cost| cost.added_ns) + cost.bare_ns + timed - empty_timed;
    let of_calls = |ns: f64| (ns.max(0.0) * calls.count as f64) as u64;
    let outside = cpu_ns.saturating_sub(calls.cpu_ns);
    let user_ns = outside.saturating_sub(of_calls(all - seen));
    let calls_ns = calls.cpu_ns.saturating_sub(of_calls(seen));
    let rest = cpu_ns.saturating_sub(user_ns + calls_ns);
    let entry_exit_ns = rest.min(of_calls(cost.bare_ns));
    Cpu {
        user_ns,
        entry_exit_ns,
        probes_ns: rest - entry_exit_ns,
        calls_ns,
        error_ns: cpu_ns.min(of_calls(cost.error_ns)),
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
        Some((_, parts)) => parts.map(|sum| {
            let part = u128::from(sum) * u128::from(p99);
            part.checked_div(all_ns).unwrap_or(0) as u64
        }),
        None if is_complete(call) => [0; WAIT_KINDS],
        None => return None,
    };
    Some(call_time(p99, off_cpu(&parts)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: ProbeCost = ProbeCost {
        added_ns: 250.0,
        seen_ns: 150.0,
        timed_ns: 90.0,
    };
    const COST: CallCost = CallCost {
        bare_ns: 120.0,
        stranger_ns: 140.0,
        in_scope: EMPTY,
        with_statistics: ProbeCost {
            added_ns: 390.0,
            seen_ns: 230.0,
            timed_ns: 92.0,
        },
        error_ns: 3.0,
    };

    fn divided(cpu_ns: u64, count: u64, in_calls_ns: u64, timed_ns: u64, statistics: f64) -> Cpu {
        let times = Times {
            timed_calls: count.div_ceil(61),
            timed_ns,
            ..Times::default()
        };
        let calls = Calls {
            count,
            cpu_ns: in_calls_ns,
            times: &times,
        };
        divide(cpu_ns, &calls, &COST, statistics)
    }

    #[test]
    fn the_cost_of_an_empty_call_is_neither_user_time_nor_the_calls() {
        // Ten of user mode, 120 of entry and exit, 250 of probes and 200 of the call.
        let cpu = divided(61 * 580, 61, 61 * 350, 90, 0.0);
        let expected = Cpu {
            user_ns: 610,
            entry_exit_ns: 61 * 120,
            probes_ns: 61 * 250,
            calls_ns: 61 * 200,
            error_ns: 61 * 3,
        };
        assert_eq!(cpu, expected);
        // The same with probes that take 40 more, and statistics.
        let cpu = divided(61 * 760, 61, 61 * 430, 132, 1.0);
        let probes_ns = 61 * 430;
        assert_eq!(
            cpu,
            Cpu {
                probes_ns,
                ..expected
            }
        );
    }

    #[test]
    fn without_calls_all_is_user_time() {
        let cpu = divided(1000, 0, 0, 0, 0.5);
        assert_eq!((cpu.user_ns, cpu.error_ns), (1000, 0));
    }

    proptest! {
        #[test]
        fn the_rows_add_up(
            cpu_ns in 0_u64..1 << 40,
            count in 0_u64..1 << 30,
            in_calls_ns in 0_u64..1 << 40,
            timed_ns in 0_u64..1 << 40,
            statistics in 0.0..1.0,
        ) {
            let cpu = divided(cpu_ns, count, in_calls_ns.min(cpu_ns), timed_ns, statistics);
            let rows = [cpu.user_ns, cpu.entry_exit_ns, cpu.probes_ns, cpu.calls_ns];
            prop_assert_eq!(rows.iter().sum::<u64>(), cpu_ns);
        }
    }
}
