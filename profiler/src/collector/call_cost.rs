//! What calls cost by themselves, and what the probes add.

use crate::{
    kernel::{bpf::ProbeCost, snapshot::Snapshot},
    model::{ledger::CallCost, off_cpu::Cpu},
};

/// The calls of a workload, and what one of them costs but for what it does. In nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanCost {
    /// How many were seen to begin and to end.
    calls: u64,
    /// Entry and exit.
    bare_ns: f64,
    /// What the probes add.
    added_ns: f64,
    /// How much of both lies between the probes' time stamps.
    seen_ns: f64,
    /// How much these may be off.
    error_ns: f64,
}

impl MeanCost {
    /// That of a workload; none where it was not measured.
    ///
    /// A call that does something has dearer probes than the empty one that was measured, by what they have timed
    /// themselves to take. It has dearer ones also while the statistics of BPF programs are on.
    pub fn of(snapshot: &Snapshot, workload: u32) -> Option<Self> {
        let cost = snapshot.call_cost?;
        let times = &snapshot.workloads.get(workload as usize - 1)?.times;
        let calls = snapshot.calls.iter();
        let calls = calls.filter(|call| call.workload == workload);
        let statistics = snapshot.cost.map_or(0.0, |cost| cost.measured_share);
        let mean = |of: fn(&ProbeCost) -> f64| {
            let (off, on) = (of(&cost.in_scope), of(&cost.with_statistics));
            off + (on - off) * statistics
        };
        let empty_ns = mean(|cost| cost.timed_ns);
        let timed_ns = match times.timed_calls {
            0 => empty_ns,
            timed => times.timed_ns as f64 / timed as f64,
        };
        Some(Self {
            calls: calls.map(|call| call.stats.latency.count).sum(),
            bare_ns: cost.bare_ns,
            added_ns: mean(|cost| cost.added_ns) + timed_ns - empty_ns,
            seen_ns: mean(|cost| cost.seen_ns),
            error_ns: cost.error_ns,
        })
    }

    /// The same for so many of the calls.
    pub const fn with_calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    fn of_all(&self, ns: f64) -> u64 {
        (ns.max(0.0) * self.calls as f64) as u64
    }

    /// Nanoseconds that the probes took for these calls.
    pub fn probes_ns(&self) -> u64 {
        self.of_all(self.added_ns)
    }

    /// Divides the time on a CPU, of which so much is between the probes' time stamps, and so much that of threads of
    /// io_uring, which make no calls.
    pub fn divide(&self, cpu_ns: u64, in_calls_ns: u64, io_uring_ns: u64) -> Cpu {
        let io_uring_ns = io_uring_ns.min(cpu_ns);
        let cpu_ns = cpu_ns - io_uring_ns;
        let in_calls_ns = in_calls_ns.min(cpu_ns);
        let outside = cpu_ns - in_calls_ns;
        let user_ns =
            outside.saturating_sub(self.of_all(self.bare_ns + self.added_ns - self.seen_ns));
        let calls_ns = in_calls_ns.saturating_sub(self.of_all(self.seen_ns));
        let rest = cpu_ns.saturating_sub(user_ns + calls_ns);
        let entry_exit_ns = rest.min(self.of_all(self.bare_ns));
        Cpu {
            user_ns,
            entry_exit_ns,
            probes_ns: rest - entry_exit_ns,
            calls_ns,
            io_uring_ns,
            error_ns: cpu_ns.min(self.of_all(self.error_ns)),
        }
    }
}

/// The CPU time of all probes; none where the kernel may not be asked for that of other events.
///
/// The kernel's measurement of a run is without what it takes to come to the program. For calls, that is most of it; so
/// theirs are counted by what they cost each.
pub fn all_probes_ns(snapshot: &Snapshot) -> Option<u64> {
    let measured = snapshot.cost?;
    let workloads = 1..=snapshot.workloads.len() as u32;
    let costs: Option<Vec<_>> = workloads
        .map(|workload| MeanCost::of(snapshot, workload))
        .collect();
    let (Some(costs), Some(cost)) = (costs, snapshot.call_cost) else {
        return Some(measured.cpu_ns);
    };
    let in_scope: u64 = costs.iter().map(|cost| cost.calls).sum();
    let by_calls: u64 = costs.iter().map(MeanCost::probes_ns).sum();
    let by_others = measured.calls.saturating_sub(in_scope) as f64 * cost.stranger_ns;
    let by_events = measured.cpu_ns.saturating_sub(measured.calls_cpu_ns);
    Some(by_calls + by_others as u64 + by_events)
}

/// What a call costs that does nothing, for the report.
pub fn call_cost(snapshot: &Snapshot) -> Option<CallCost> {
    let cost = snapshot.call_cost?;
    let whole = |ns: f64| ns.max(0.0).round() as u64;
    Some(CallCost {
        bare_ns: whole(cost.bare_ns),
        in_scope_ns: whole(cost.in_scope.added_ns),
        with_statistics_ns: whole(cost.with_statistics.added_ns),
        inside_ns: Some(whole(cost.in_scope.seen_ns)),
        others_ns: whole(cost.stranger_ns),
        error_ns: whole(cost.error_ns),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{
        bpf::{self, Cost},
        snapshot::Call,
    };

    const EMPTY: ProbeCost = ProbeCost {
        added_ns: 250.0,
        seen_ns: 150.0,
        timed_ns: 90.0,
    };
    const COST: bpf::CallCost = bpf::CallCost {
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

    fn counted(calls: u64, timed_ns: u64, measured_share: f64) -> Snapshot {
        let mut snapshot = Snapshot {
            call_cost: Some(COST),
            cost: Some(Cost {
                cpu_ns: 7_000,
                calls_cpu_ns: 5_000,
                calls: calls + 10,
                measured_share,
            }),
            ..Snapshot::default()
        };
        let mut call = Call {
            workload: 1,
            ..Call::default()
        };
        call.stats.latency.count = calls;
        snapshot.calls.push(call);
        snapshot.workloads.push(Default::default());
        let times = &mut snapshot.workloads[0].times;
        times.timed_calls = calls.div_ceil(61);
        times.timed_ns = timed_ns;
        snapshot
    }

    fn cost(snapshot: &Snapshot) -> MeanCost {
        MeanCost::of(snapshot, 1).expect("it was measured")
    }

    #[test]
    fn the_cost_of_an_empty_call_is_neither_user_time_nor_the_calls() {
        // Ten of user mode, 120 of entry and exit, 250 of probes and 200 of the call.
        let cpu = cost(&counted(61, 90, 0.0)).divide(61 * 580, 61 * 350, 0);
        let expected = Cpu {
            user_ns: 610,
            entry_exit_ns: 61 * 120,
            probes_ns: 61 * 250,
            calls_ns: 61 * 200,
            io_uring_ns: 0,
            error_ns: 61 * 3,
        };
        assert_eq!(cpu, expected);
        // The same with probes that take 40 more, and statistics.
        let cpu = cost(&counted(61, 132, 1.0)).divide(61 * 760, 61 * 430, 0);
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
        let cpu = cost(&counted(0, 0, 0.5)).divide(1000, 0, 0);
        assert_eq!((cpu.user_ns, cpu.error_ns), (1000, 0));
    }

    #[test]
    fn the_probes_cost_what_they_take_of_calls_in_scope_and_out_of_it_and_of_events() {
        let snapshot = counted(61, 130, 0.0);
        let expected = 61 * 290 + 10 * 140 + 2_000;
        assert_eq!(all_probes_ns(&snapshot), Some(expected));
        let unmeasured = Snapshot {
            call_cost: None,
            ..snapshot.clone()
        };
        assert_eq!(all_probes_ns(&unmeasured), Some(7_000));
        let refused = Snapshot {
            cost: None,
            ..snapshot
        };
        assert_eq!(all_probes_ns(&refused), None);
    }

    proptest! {
        #[test]
        fn the_rows_add_up(
            cpu_ns in 0_u64..1 << 40,
            calls in 0_u64..1 << 30,
            in_calls_ns in 0_u64..1 << 40,
            io_uring_ns in 0_u64..1 << 40,
            timed_ns in 0_u64..1 << 40,
            statistics in 0.0..1.0,
        ) {
            let cost = cost(&counted(calls, timed_ns, statistics));
            let cpu = cost.divide(cpu_ns, in_calls_ns, io_uring_ns);
            let rows = [
                cpu.user_ns,
                cpu.entry_exit_ns,
                cpu.probes_ns,
                cpu.calls_ns,
                cpu.io_uring_ns,
            ];
            prop_assert_eq!(rows.iter().sum::<u64>(), cpu_ns);
        }
    }
}
