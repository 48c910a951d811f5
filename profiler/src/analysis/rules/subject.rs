//! The workload that a rule looks at, with what rules have in common.

use crate::{
    model::{
        block::{Block, BlockOperation, Origin},
        finding::{Evidence, Gain, Place},
        io_uring::IoUring,
        ledger::CallCost,
        off_cpu::{CallTime, Cpu, OffCpu, Time},
        report::{Report, Workload},
        sum::sum,
        syscall::Syscall,
    },
    text::Text,
    transfer::{Direction, is_in_proc_io, of_call},
};

/// What a rule says of a workload.
pub enum Outcome {
    /// It holds, unless that is not worth telling.
    Found(Vec<Candidate>),
    /// It does not, by these figures.
    RuledOut(Vec<Evidence>),
    /// The report lacks what it takes, for this reason.
    Undecided(&'static str),
}

/// What is not known where requests to rings, or by io_submit, ended unseen.
pub const UNSEEN: &str =
    "requests to io_uring or by io_submit ended unseen: what they read or wrote is not known";

/// What is not known where calls are not divided.
pub const NOT_DIVIDED: &str = "the time of calls is not divided: what of it was waiting";
pub const UNDIVIDED: Outcome = Outcome::Undecided(NOT_DIVIDED);

impl Outcome {
    /// It holds for these; else it is not known for others, for this reason; else it does not by these figures.
    pub fn of(
        found: Vec<Candidate>,
        unknown: Option<&'static str>,
        against: Vec<Evidence>,
    ) -> Self {
        match unknown {
            _ if !found.is_empty() => Self::Found(found),
            Some(reason) => Self::Undecided(reason),
            None => Self::RuledOut(against),
        }
    }
}

/// What may become a finding.
pub struct Candidate {
    pub summary: String,
    pub place: Place,
    pub cost_ns: u64,
    pub gain: Gain,
    /// The most that may be won of the time of all threads, without what of it was a wait for a CPU: the severity goes by it.
    pub stake_ns: u64,
    pub evidence: Vec<Evidence>,
    pub advice: &'static str,
    /// What holds of a later report where it is cured, as `ioprof compare --gate` takes it, without its workload's
    /// number; none where no count says so.
    pub gate: Option<String>,
}

/// A workload in its report.
pub struct Subject<'a> {
    pub report: &'a Report,
    pub workload: &'a Workload,
    /// Its place in `workloads`.
    pub index: usize,
}

/// What calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub least: u64,
    pub most: u64,
    /// At most, without what was certainly a wait for a CPU.
    pub stake: u64,
}

impl Cost {
    /// That of all together.
    pub fn of_all(costs: impl IntoIterator<Item = Self>) -> Self {
        costs.into_iter().fold(Self::default(), |all, one| Self {
            least: sum([all.least, one.least]),
            most: sum([all.most, one.most]),
            stake: sum([all.stake, one.stake]),
        })
    }
}

/// A call with its place in `syscalls`.
pub type Placed<'a> = (usize, &'a Syscall);

impl<'a> Subject<'a> {
    /// A figure of this workload, below its object.
    pub fn evidence(&self, place: &str, value: u64) -> Evidence {
        Evidence {
            pointer: format!("/workloads/{}/{place}", self.index).into(),
            value: value.into(),
        }
    }

    /// How often a call was made, as evidence.
    pub fn calls_of(&self, (at, call): Placed<'_>) -> Evidence {
        self.evidence(&format!("syscalls/{at}/calls"), call.calls)
    }

    /// The system calls of these names.
    pub fn calls(&self, is: impl Fn(&str) -> bool) -> Vec<Placed<'a>> {
        let calls = self.workload.syscalls.iter().enumerate();
        calls.filter(|(_, call)| is(call.name.as_str())).collect()
    }

    /// How often system calls of these names were made, and requests to rings and by io_submit of these opcodes; none where
    /// there were requests to rings, and it is not known which.
    pub fn made(&self, names: &[&str]) -> Option<Vec<Evidence>> {
        let uses_rings = !self.calls(|name| name == "io_uring_enter").is_empty();
        if uses_rings && self.workload.io_uring.is_none() {
            return None;
        }
        let calls = self.calls(|name| names.contains(&name));
        let calls = calls.into_iter().map(|one| self.calls_of(one));
        let of_rings = self.workload.io_uring.iter();
        let of_rings = of_rings
            .flat_map(|ring| ring.operations.iter().enumerate())
            .map(|(at, one)| ("io_uring", at, &one.name, one.submissions));
        let of_aio = self.workload.aio.operations.iter().enumerate();
        let of_aio = of_aio.map(|(at, one)| ("aio", at, &one.name, one.submissions));
        let requests = of_rings
            .chain(of_aio)
            .filter(|(_, _, name, _)| names.contains(&name.as_str()))
            .map(|(by, at, _, submissions)| {
                self.evidence(&format!("{by}/operations/{at}/submissions"), submissions)
            });
        Some(calls.chain(requests).collect())
    }

    /// The system calls that write to files, as /proc/PID/io counts them.
    pub fn writes(&self) -> Vec<Placed<'a>> {
        let written = Direction::Written;
        self.calls(|name| of_call(name) == Some(written) && is_in_proc_io(name, written))
    }

    /// The division of its time on a CPU.
    pub fn cpu(&self) -> Option<Cpu> {
        self.workload.time.as_ref()?.cpu
    }

    /// What it did by rings, with the call that submits and waits, and the division of that; else what a rule says.
    pub fn ring(&self) -> Result<(&'a IoUring, Placed<'a>, &'a CallTime), Outcome> {
        let [enter] = self.calls(|name| name == "io_uring_enter")[..] else {
            return Err(Outcome::RuledOut(Vec::new()));
        };
        let Some(ring) = &self.workload.io_uring else {
            return Err(Outcome::Undecided("the requests to io_uring are not known"));
        };
        let time = enter.1.breakdown.as_ref().ok_or(UNDIVIDED)?;
        Ok((ring, enter, time))
    }

    /// What the kernel's way into a call and out of it costs at least, and at most, without the probes.
    pub fn entry_ns(&self) -> (u64, u64) {
        match self.report.ledger.call_cost {
            Some(CallCost {
                bare_ns, error_ns, ..
            }) => (
                bare_ns.saturating_sub(error_ns),
                bare_ns.saturating_add(error_ns),
            ),
            None => (0, 0),
        }
    }

    /// What so many calls of a name cost at least, and at most, whichever of all they are: at least what the shortest do, but
    /// for their waits for a CPU, and at most what the longest do. Of their latency, what the probes add is left out: at most
    /// what it is on average, or while the statistics of BPF programs are on, and at least what it is for an empty
    /// call.
    pub fn cost_of(&self, one: Placed<'_>, gone: u64) -> Cost {
        let (_, call) = one;
        let (least, most) = self.entry_ns();
        let others = call.calls.saturating_sub(gone);
        let (inside_least, inside_most) = self.inside_ns();
        let runnable = call
            .breakdown
            .as_ref()
            .map_or(u64::MAX, |time| time.off_cpu.runnable_ns);
        let shortest = call.latency.sum_of_smallest(gone).saturating_sub(runnable);
        let shortest = shortest.max(gone.saturating_mul(call.latency.min));
        let longest = call
            .time_ns
            .saturating_sub(call.latency.sum_of_smallest(others));
        let net = |ns: u64, inside: u64, entry: u64| {
            let of_all = |each: u64| gone.saturating_mul(each);
            ns.saturating_sub(of_all(inside))
                .saturating_add(of_all(entry))
        };
        let at_most = |ns: u64| net(ns, inside_least, most);
        Cost {
            least: net(shortest, inside_most, least),
            most: at_most(longest),
            stake: at_most(longest.min(without_cpu_wait(&[one]))),
        }
    }

    /// How much of a call's latency is the probes' and the kernel's entry and exit, at least and at most.
    fn inside_ns(&self) -> (u64, u64) {
        let Some(cost) = self.report.ledger.call_cost else {
            return (0, u64::MAX);
        };
        let calls = sum(self.workload.syscalls.iter().map(|call| call.calls));
        let mean = self
            .cpu()
            .and_then(|cpu| cpu.probes_ns.checked_div(calls))
            .unwrap_or(0);
        let added = cost.with_statistics_ns.max(mean).max(cost.in_scope_ns);
        match cost.inside_ns {
            Some(inside) => (
                inside.saturating_sub(cost.error_ns),
                sum([
                    inside,
                    cost.error_ns,
                    added.saturating_sub(cost.in_scope_ns),
                ]),
            ),
            None => (0, added),
        }
    }

    /// Bounds of what is saved where so much time of threads goes: it may overlap with that of other threads, and these
    /// with each other.
    pub fn bounds(&self, low_ns: u64, high_ns: u64, method: String) -> Gain {
        let high = high_ns.min(self.workload.span_ns());
        Gain {
            low_ns: Some(low_ns.saturating_sub(self.overlap_ns(high_ns)).min(high)),
            high_ns: Some(high),
            method: method.into(),
        }
    }

    /// The time of threads that may pass at the same time as these nanoseconds of some: all else they did but sleep. It
    /// is all where that is not known.
    fn overlap_ns(&self, of_ns: u64) -> u64 {
        if self.workload.threads <= 1 {
            return 0;
        }
        let Some(Time {
            thread_ns, off_cpu, ..
        }) = self.workload.time
        else {
            return u64::MAX;
        };
        // Several of them at once.
        if of_ns > self.workload.span_ns() {
            return u64::MAX;
        }
        let asleep = sum([off_cpu.idle_ns, off_cpu.sleep_ns]);
        thread_ns.saturating_sub(asleep).saturating_sub(of_ns)
    }
}

#[cfg(test)]
impl<'a> Subject<'a> {
    /// The first workload of a report.
    pub fn of_first(report: &'a Report) -> Self {
        Self {
            report,
            workload: report.workloads.first().expect("there is one"),
            index: 0,
        }
    }
}

#[cfg(test)]
impl Outcome {
    /// What it has found.
    pub fn found(self) -> Vec<Candidate> {
        match self {
            Self::Found(found) => {
                for one in &found {
                    // Nothing saves more than it costs.
                    assert!(one.gain.high_ns <= Some(one.cost_ns), "{}", one.summary);
                }
                found
            }
            Self::RuledOut(_) | Self::Undecided(_) => panic!("the rule does not hold"),
        }
    }
}

/// The sum of figures that are counts.
pub fn total(evidence: &[Evidence]) -> u64 {
    sum(evidence.iter().filter_map(|one| one.value.as_u64()))
}

/// How much that is for each, rounded; nothing where there are none.
pub fn each(whole: u64, count: u64) -> u64 {
    whole
        .saturating_add(count / 2)
        .checked_div(count)
        .unwrap_or(0)
}

/// A part of a number: `part` of `whole`.
pub fn portion(number: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(number).saturating_mul(u128::from(part));
    let portion = product.checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(portion).unwrap_or(u64::MAX)
}

/// Nanoseconds of calls on a CPU and ready for one: what calls that move the same bytes by fewer would not take.
pub fn cpu_and_runnable(call: &CallTime) -> u64 {
    sum([call.cpu_ns, call.off_cpu.runnable_ns])
}

/// Nanoseconds of calls, without what they waited for a CPU; all of them where that is not known.
pub fn without_cpu_wait(calls: &[Placed<'_>]) -> u64 {
    sum(calls.iter().map(|(_, call)| {
        let runnable = call.breakdown.map_or(0, |time| time.off_cpu.runnable_ns);
        call.time_ns.saturating_sub(runnable)
    }))
}

/// Nanoseconds of page faults, without what must have been a wait for a CPU: that has no figure of its own in them. They
/// waited for devices no longer than threads did in all, and for a CPU neither.
pub fn faults_without_cpu_wait(faults_ns: u64, off_cpu: &OffCpu) -> u64 {
    let else_ns = faults_ns.saturating_sub(off_cpu.runnable_ns);
    faults_ns.min(for_devices(off_cpu).max(else_ns))
}

/// Nanoseconds that threads waited for devices, in calls and in page faults.
pub fn for_devices(off_cpu: &OffCpu) -> u64 {
    sum([
        off_cpu.queue_ns,
        off_cpu.service_ns,
        off_cpu.device_ns,
        off_cpu.journal_ns,
        off_cpu.fault_ns,
    ])
}

/// Nanoseconds that a call waits for known requests.
pub fn for_known_requests(time: &CallTime) -> u64 {
    sum([time.off_cpu.queue_ns, time.off_cpu.service_ns])
}

/// Nanoseconds that a call waits for a device, or for those who do.
pub fn for_device(time: &CallTime) -> u64 {
    let off_cpu = &time.off_cpu;
    sum([
        for_known_requests(time),
        off_cpu.device_ns,
        off_cpu.journal_ns,
    ])
}

/// The name of these calls, where they have one.
pub fn only_call(calls: &[Placed<'_>]) -> Option<Text> {
    match calls {
        [(_, call)] => Some(call.name.clone()),
        _ => None,
    }
}

/// The rows of these requests that the workload's threads submitted themselves, each request in one of them alone.
pub fn own_requests<'a>(
    block: &'a [Block],
    operations: &[BlockOperation],
) -> impl Iterator<Item = (usize, &'a Block)> {
    requests_of(block, operations, &[Origin::Thread])
}

/// The rows of requests of these origins, each request in one of them alone.
pub fn requests_of<'a>(
    block: &'a [Block],
    operations: &[BlockOperation],
    origins: &[Origin],
) -> impl Iterator<Item = (usize, &'a Block)> {
    block.iter().enumerate().filter(move |(_, row)| {
        operations.contains(&row.operation)
            && origins.contains(&row.origin)
            && !row.is_counted_elsewhere()
    })
}
