//! The overhead of the probes, by the kernel's own clock.
//!
//! While statistics are enabled (BPF_ENABLE_STATS), the kernel takes two time stamps for every run of every BPF
//! program, which would be a third of the overhead itself. So they are enabled at the beginning, and then for a
//! twentieth of the time; a run shorter than the beginning is measured completely.
//!
//! Others may enable them, too: another ioprof, bpftop(8), an administrator. The kernel's sums grow meanwhile, so only
//! their growth within our own windows counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aya::Ebpf;
use ioprof_ebpf::abi::names;

use super::{
    copies::FirstCopies,
    counters::{Counters, Runs, Skipped},
};
use crate::kernel::helper::{Helper, Statistics};

/// The beginning that is always measured, and the period after it with a span that is measured at its end.
const FIRST: Duration = Duration::from_millis(250);
const PERIOD: Duration = Duration::from_millis(200);

/// Where every program's statistics are always on.
const ALWAYS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The overhead of the probes over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Their CPU time in nanoseconds, as the kernel measures each run.
    pub cpu_ns: u64,
    /// That of the probes of calls.
    pub calls_cpu_ns: u64,
    /// The calls of all processes of the machine.
    pub calls: u64,
    /// Which part of the run was measured, from 0 to 1; the rest is in proportion.
    pub measured_share: f64,
}

/// Switches the kernel's statistics on and off, and reads them.
#[derive(Debug)]
pub struct Overhead {
    began: Instant,
    /// The helper that switches them; none where this process does.
    helper: Option<Arc<Helper>>,
    /// Where the probes of calls are among the programs: at entry, and at exit.
    of_calls: [Option<usize>; 2],
    /// Those of each program; none where there are none.
    counters: Vec<Option<Counters>>,
    window: Option<Window>,
    sums: Sums,
    /// The runs that were skipped before events counted, of each program.
    skipped: Vec<Skipped>,
    whole: Duration,
    always: bool,
    refused: bool,
}

/// A span in which statistics are on for us.
#[derive(Debug)]
struct Window {
    /// What keeps them on; none where they are always on and this process may not enable them.
    on: Option<Statistics>,
    since: Instant,
    before: Vec<Runs>,
}

impl Overhead {
    /// How long it is measured in each period.
    pub const SPAN: Duration = Duration::from_millis(10);

    /// Makes ready to measure these programs.
    pub fn start<'a>(
        (ebpf, copies): (&mut Ebpf, &FirstCopies),
        programs: impl Iterator<Item = Option<&'a str>>,
        helper: Option<Arc<Helper>>,
    ) -> Self {
        let programs: Vec<_> = programs.collect();
        let place = |name| programs.iter().position(|program| *program == Some(name));
        let of_calls = [names::SYSCALL_ENTER, names::SYSCALL_EXIT].map(place);
        let counters: Vec<_> = programs
            .iter()
            .map(|program| Counters::of(ebpf, copies, (*program)?))
            .collect();
        Self {
            began: Instant::now(),
            helper,
            sums: Sums::new(counters.len()),
            skipped: vec![Skipped::default(); counters.len()],
            refused: counters.iter().all(Option::is_none),
            of_calls,
            counters,
            window: None,
            whole: Duration::ZERO,
            always: is_always_on(),
        }
    }

    /// Begins, as events count: runs that were skipped before are none that are missed.
    pub fn begin(&mut self, ebpf: &Ebpf) {
        let counters = self.counters.iter();
        self.skipped = counters
            .map(|counters| counters.as_ref().and_then(|one| one.skipped(ebpf)))
            .map(Option::unwrap_or_default)
            .collect();
        self.began = Instant::now();
        self.open();
    }

    /// Switches the statistics on or off, and returns the time until the next call.
    pub fn tick(&mut self) -> Duration {
        if self.always || self.refused {
            return PERIOD;
        }
        if self.window.is_none() {
            self.open();
            return Self::SPAN;
        }
        self.close();
        self.sums.end_beginning();
        PERIOD - Self::SPAN
    }

    /// The time until the first [`Overhead::tick`].
    pub const fn first_tick() -> Duration {
        FIRST
    }

    fn open(&mut self) {
        if self.refused {
            return;
        }
        let on = Statistics::on(self.helper.as_ref());
        // It requires CAP_SYS_ADMIN, which the probes do not.
        self.refused = on.is_none() && !self.always;
        self.window = Some(Window {
            on,
            since: Instant::now(),
            before: self.read(),
        });
    }

    fn close(&mut self) {
        let Some(window) = self.window.take() else {
            return;
        };
        // The time before the counters, as at the opening: reading them is excluded both times.
        let lasted = window.since.elapsed();
        let after = self.read();
        self.sums.add(&window.before, &after, lasted);
        // Where they were switched off meanwhile, the time of that is unknown.
        self.refused |= window.on.is_some_and(|statistics| !statistics.end());
    }

    fn read(&self) -> Vec<Runs> {
        let counters = self.counters.iter();
        counters
            .map(|one| one.as_ref().and_then(Counters::runs).unwrap_or_default())
            .collect()
    }

    /// Ends the measuring.
    pub fn stop(&mut self) {
        // Statistics that others kept on may have been switched off.
        let is_others = self.window.as_ref().is_some_and(|open| open.on.is_none());
        self.refused |= is_others && !is_always_on();
        self.close();
        self.whole = self.began.elapsed();
    }

    /// The overhead over the whole time; none where measuring is not permitted.
    pub fn over_all(&self) -> Option<Cost> {
        (!self.refused).then(|| self.sums.over(self.whole, self.of_calls))
    }

    /// What was measured of a program, by its place among those that were begun with; none where nothing is
    /// known of it.
    pub fn of_program(&self, ebpf: &Ebpf, index: usize) -> Option<Runs> {
        let skipped = self.counters.get(index)?.as_ref()?.skipped(ebpf)?;
        let missed = skipped.lost_since(*self.skipped.get(index)?);
        let measured = *self.sums.programs.get(index)?;
        Some(Runs { missed, ..measured })
    }
}

/// The sums of the windows, by program.
#[derive(Debug)]
struct Sums {
    programs: Vec<Runs>,
    lasted: Duration,
    /// The programs in the beginning, and how long that was; none before its end.
    beginning: Option<(Vec<Runs>, Duration)>,
}

impl Sums {
    fn new(programs: usize) -> Self {
        Self {
            programs: vec![Runs::default(); programs],
            lasted: Duration::ZERO,
            beginning: None,
        }
    }

    /// Adds a window by the counters at its two ends.
    fn add(&mut self, before: &[Runs], after: &[Runs], lasted: Duration) {
        for (sum, (before, after)) in self.programs.iter_mut().zip(before.iter().zip(after)) {
            sum.count += after.count.saturating_sub(before.count);
            sum.time_ns += after.time_ns.saturating_sub(before.time_ns);
        }
        self.lasted += lasted;
    }

    fn end_beginning(&mut self) {
        if self.beginning.is_none() {
            self.beginning = Some((self.programs.clone(), self.lasted));
        }
    }

    /// The beginning as it is, the rest of the whole time in proportion.
    fn over(&self, whole: Duration, of_calls: [Option<usize>; 2]) -> Cost {
        let measured = &self.programs;
        let (first, lasted) = match &self.beginning {
            Some((first, lasted)) => (first, *lasted),
            None => (measured, self.lasted),
        };
        let rest = whole.saturating_sub(lasted).as_secs_f64();
        let rest_measured = self.lasted.saturating_sub(lasted).as_secs_f64();
        let factor = if rest_measured > 0.0 {
            rest / rest_measured
        } else {
            0.0
        };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an estimate of less than a few years of nanoseconds, never negative"
        )]
        let scaled = |of: &dyn Fn(&[Runs]) -> u64| {
            let first = of(first);
            first + ((of(measured) - first) as f64 * factor) as u64
        };
        let [_, exit] = of_calls;
        let at = |programs: &[Runs], place: Option<usize>| {
            let found = place.and_then(|place| programs.get(place));
            found.copied().unwrap_or_default()
        };
        let share = self.lasted.as_secs_f64() / whole.as_secs_f64();
        Cost {
            cpu_ns: scaled(&|programs| programs.iter().map(|program| program.time_ns).sum()),
            calls_cpu_ns: scaled(&|programs| {
                let times = of_calls.iter().map(|place| at(programs, *place).time_ns);
                times.sum()
            }),
            calls: scaled(&|programs| at(programs, exit).count),
            measured_share: share.min(1.0),
        }
    }
}

fn is_always_on() -> bool {
    std::fs::read_to_string(ALWAYS).is_ok_and(|on| on.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: u64) -> Vec<Runs> {
        let runs = Runs {
            count,
            time_ns: count * 100,
            missed: 0,
        };
        vec![runs; 2]
    }

    #[test]
    fn runs_that_others_had_measured_in_between_are_not_ours() {
        let mut sums = Sums::new(2);
        // 10,000 runs before we began, 40,000 between our two windows.
        sums.add(&counted(10_000), &counted(12_000), FIRST);
        sums.end_beginning();
        sums.add(&counted(52_000), &counted(53_000), Overhead::SPAN);
        sums.end_beginning();
        assert_eq!(sums.programs, counted(3_000));
        let cost = sums.over(FIRST + PERIOD, [None, Some(1)]);
        // Of two programs: 2,000 runs, and 1,000 in a twentieth of the rest.
        assert_eq!(cost.cpu_ns, 2 * 100 * (2_000 + 20 * 1_000));
        assert_eq!(cost.calls_cpu_ns, cost.cpu_ns / 2);
        assert_eq!(cost.calls, 22_000);
        let share = (FIRST + Overhead::SPAN).as_secs_f64() / (FIRST + PERIOD).as_secs_f64();
        assert!((cost.measured_share - share).abs() < 1e-9, "{cost:?}");
    }

    #[test]
    fn what_is_shorter_than_the_beginning_is_measured_whole() {
        let mut sums = Sums::new(2);
        sums.add(&counted(5), &counted(7), FIRST / 2);
        let cost = sums.over(FIRST / 2, [None; 2]);
        assert_eq!((cost.cpu_ns, cost.measured_share), (400, 1.0));
    }
}
