//! What the entry and the exit of a call take on this machine, and what the probes add to them.
//!
//! The kernel accounts neither apart. So ioprof makes calls that do nothing, for some milliseconds at both ends of a
//! run, without the probes and with them; the latter also in scope, as a workload that is in no report.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use aya::Ebpf;
use ioprof_ebpf::abi::task::TaskState;
use nix::{
    time::{ClockId, clock_gettime},
    unistd::{getpid, gettid},
};

use super::scope;
use crate::kernel::{
    helper::{Helper, Statistics},
    system::process::pidfd_open,
};

/// Calls in a row. Of so many rows the median counts, so that an interrupt does not; a slow machine makes fewer.
const CALLS: u32 = 500;
const ROWS: usize = 31;
const AT_MOST: Duration = Duration::from_millis(50);
/// How often calls without the probes are measured at the end, as long as those with them were faster.
const TIMES: u32 = 16;

/// What a call takes that does nothing, in nanoseconds of CPU time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallCost {
    /// Its entry and exit, without probes.
    pub bare_ns: f64,
    /// What the probes add to it in a process of no workload.
    pub stranger_ns: f64,
    /// What they do to it in scope.
    pub in_scope: ProbeCost,
    /// The same while the statistics of BPF programs are on.
    pub with_statistics: ProbeCost,
    /// How far these were apart, at both ends of the run and in between.
    pub error_ns: f64,
}

/// What the probes do to a call that does nothing, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeCost {
    /// What they add to it.
    pub added_ns: f64,
    /// What they take it to last: what lies between their two time stamps.
    pub seen_ns: f64,
    /// What they count as their own time for it.
    pub timed_ns: f64,
}

/// Measures it.
#[derive(Debug)]
pub struct Calibration {
    /// The workload whose calls nobody reads.
    workload: u32,
    bare: Row,
    stranger: Option<Row>,
    in_scope: Option<Row>,
    with_statistics: Option<Row>,
    /// How far the second measuring was from the first.
    drift_ns: f64,
}

/// The median row, by call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Row {
    cpu_ns: f64,
    /// Half of what lies between the quartiles of that.
    spread_ns: f64,
    /// What the probes have seen; 0 out of scope.
    seen_ns: f64,
    /// What they count as their own time.
    timed_ns: f64,
}

impl Calibration {
    /// Begins, while no probe is attached.
    pub fn start(workload: u32) -> Self {
        Self {
            workload,
            bare: rows(|| 0),
            stranger: None,
            in_scope: None,
            with_statistics: None,
            drift_ns: 0.0,
        }
    }

    /// Goes on, once the probes count.
    pub fn begun(&mut self, ebpf: &Ebpf, helper: Option<&Arc<Helper>>) {
        self.stranger = Some(rows(|| 0));
        self.in_scope = in_scope(ebpf, self.workload);
        self.with_statistics = Statistics::on(helper).and_then(|statistics| {
            let row = in_scope(ebpf, self.workload);
            row.filter(|_| statistics.end())
        });
    }

    /// The same once more, at the end of the run: what has disturbed the first time, or this one, does not count.
    pub fn ending(&mut self, ebpf: &Ebpf) {
        let again = in_scope(ebpf, self.workload);
        if let Some((first, again)) = self.in_scope.as_mut().zip(again) {
            self.drift_ns += first.improve(again);
        }
    }

    /// Ends, once the probes are detached. None where this thread is not the first of its process, which alone
    /// can be brought into scope by every kernel, or where others have disturbed all times so much that a call is
    /// faster with the probes.
    pub fn end(mut self) -> Option<CallCost> {
        let in_scope = self.in_scope?;
        self.drift_ns += self.bare.improve_below(in_scope, || rows(|| 0));
        let bare = self.bare;
        let added_ns = |row: Row| row.cpu_ns - bare.cpu_ns;
        let cost = |row: Row| ProbeCost {
            added_ns: added_ns(row),
            seen_ns: row.seen_ns,
            timed_ns: row.timed_ns,
        };
        Some(CallCost {
            bare_ns: bare.cpu_ns,
            stranger_ns: added_ns(self.stranger?).max(0.0),
            in_scope: cost(in_scope),
            with_statistics: cost(self.with_statistics.unwrap_or(in_scope)),
            error_ns: self.drift_ns + bare.spread_ns + in_scope.spread_ns,
        })
        .filter(|cost| cost.in_scope.added_ns > 0.0)
    }
}

impl Row {
    /// Keeps the faster of both, and returns how far they are apart.
    fn improve(&mut self, again: Self) -> f64 {
        let apart = (self.cpu_ns - again.cpu_ns).abs();
        if again.cpu_ns < self.cpu_ns {
            *self = again;
        }
        apart
    }

    /// Measures again, until this takes less than the other, which does more; how far the times that counted are apart.
    fn improve_below(&mut self, other: Self, mut measure: impl FnMut() -> Self) -> f64 {
        let first = self.cpu_ns;
        let mut apart = self.improve(measure());
        for _ in 1..TIMES {
            if self.cpu_ns < other.cpu_ns {
                break;
            }
            self.improve(measure());
            apart = apart.max(first - self.cpu_ns);
        }
        apart
    }
}

/// Calls in scope.
fn in_scope(ebpf: &Ebpf, workload: u32) -> Option<Row> {
    if getpid() != gettid() {
        return None;
    }
    let process = pidfd_open(getpid().as_raw()).ok()?;
    let state = TaskState {
        workload,
        flags: TaskState::MAY_BE_IN_CALL,
        ..TaskState::default()
    };
    scope::put(ebpf, &process, &state).ok()?;
    let row = seen_rows(ebpf, &process);
    scope::take_out(ebpf, &process).ok()?;
    row
}

fn seen_rows(ebpf: &Ebpf, process: &OwnedFd) -> Option<Row> {
    let times = || scope::record(ebpf, process).map(|state| state.clock.times);
    let before = times().ok()?;
    let row = rows(|| times().map_or(0, |times| times.in_call_ns));
    let after = times().ok()?;
    let calls = after.timed_calls.wrapping_sub(before.timed_calls);
    let ns = after.timed_ns.wrapping_sub(before.timed_ns);
    (calls > 0).then(|| Row {
        timed_ns: ns as f64 / calls as f64,
        ..row
    })
}

/// Makes rows of calls. `seen` gives the nanoseconds that the probes have seen so far.
fn rows(seen: impl Fn() -> u64) -> Row {
    let began = Instant::now();
    let mut rows = Vec::with_capacity(ROWS);
    while rows.len() < ROWS && (rows.is_empty() || began.elapsed() < AT_MOST) {
        let (seen_before, before) = (seen(), cpu_ns());
        let mut calls = 0;
        // Not a range: without optimisation its own calls would take a tenth of the time.
        while calls < CALLS {
            // SAFETY: the call takes nothing and cannot fail.
            unsafe { libc::getppid() };
            calls += 1;
        }
        let cpu_ns = cpu_ns().saturating_sub(before);
        rows.push((cpu_ns, seen().saturating_sub(seen_before)));
    }
    rows.sort_unstable();
    let at = |quarter: usize| rows.get((rows.len() - 1) * quarter / 4).copied();
    let quartile = |quarter| at(quarter).unwrap_or_default();
    let of_call = |ns: u64| ns as f64 / f64::from(CALLS);
    Row {
        cpu_ns: of_call(quartile(2).0),
        spread_ns: of_call(quartile(3).0 - quartile(1).0) / 2.0,
        seen_ns: of_call(quartile(2).1),
        timed_ns: 0.0,
    }
}

/// The CPU time of this thread.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cpu_ns: f64) -> Row {
        Row {
            cpu_ns,
            ..Row::default()
        }
    }

    /// What is left of `first` beside one of 200 ns, how far apart it was, and how often it was measured.
    fn improved(first: f64, again: &[f64]) -> (f64, f64, usize) {
        let (mut bare, mut times) = (row(first), 0);
        let apart = bare.improve_below(row(200.0), || {
            times += 1;
            row(again[times.min(again.len()) - 1])
        });
        (bare.cpu_ns, apart, times)
    }

    #[test]
    fn a_time_that_others_have_disturbed_is_measured_again() {
        assert_eq!(improved(110.0, &[120.0]), (110.0, 10.0, 1));
        assert_eq!(improved(250.0, &[120.0]), (120.0, 130.0, 1));
        assert_eq!(improved(250.0, &[240.0, 270.0, 130.0]), (130.0, 120.0, 3));
        // Not for ever.
        let given_up = improved(250.0, &[240.0]);
        assert_eq!(given_up, (240.0, 10.0, TIMES as usize));
    }
}
