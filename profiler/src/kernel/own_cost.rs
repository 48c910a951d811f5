//! What the probes themselves cost, by the kernel's own clock.
//!
//! The kernel takes two time stamps for every run of every BPF program while somebody asks for statistics
//! (BPF_ENABLE_STATS), which would be a third of the cost itself. So it is asked for at the beginning, and
//! then for a twentieth of the time; a run shorter than the beginning is measured whole.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use aya::{Ebpf, programs::Program};

/// The beginning that is always measured, and the span measured in each period after it, at its end.
const FIRST: Duration = Duration::from_millis(250);
const SPAN: Duration = Duration::from_millis(10);
const PERIOD: Duration = Duration::from_millis(200);

/// Where every program's statistics are always on.
const ALWAYS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Runs of a program while statistics were on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How many.
    pub count: u64,
    /// Nanoseconds they took.
    pub time_ns: u64,
    /// Runs that the kernel skipped, on or off, because the program was running on that CPU already.
    pub missed: u64,
}

/// What the probes cost over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Their CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Which part of the run was measured, from 0 to 1; the rest is in proportion.
    pub measured_share: f64,
}

/// Switches the kernel's statistics on and off.
#[derive(Debug)]
pub struct OwnCost {
    began: Instant,
    /// Held while on, with the time it was switched on.
    on: Option<(OwnedFd, Instant)>,
    measured: Duration,
    whole: Duration,
    /// The time of all programs at the first tick, and how long had been measured by then.
    beginning: Option<(u64, Duration)>,
    always: bool,
    refused: bool,
}

impl OwnCost {
    /// Begins to measure.
    pub fn start() -> Self {
        let mut cost = Self {
            began: Instant::now(),
            on: None,
            measured: Duration::ZERO,
            whole: Duration::ZERO,
            beginning: None,
            always: std::fs::read_to_string(ALWAYS).is_ok_and(|on| on.trim() == "1"),
            refused: false,
        };
        cost.switch(true);
        cost
    }

    /// Switches on or off, as the time has come, and says when to come again. `sum` is asked for the time
    /// of all programs at the end of the beginning.
    pub fn tick(&mut self, sum: impl FnOnce(&Self) -> u64) -> Duration {
        if self.always || self.refused {
            return PERIOD;
        }
        let was_on = self.on.is_some();
        self.switch(!was_on);
        if self.beginning.is_none() {
            self.beginning = Some((sum(self), self.measured));
        }
        if was_on { PERIOD - SPAN } else { SPAN }
    }

    /// The time until the first [`OwnCost::tick`].
    pub const fn first_tick() -> Duration {
        FIRST
    }

    fn switch(&mut self, on: bool) {
        if let Some((_, since)) = self.on.take() {
            self.measured += since.elapsed();
        }
        if on && !self.always && !self.refused {
            match aya::sys::enable_stats(aya::sys::Stats::RunTime) {
                Ok(descriptor) => self.on = Some((descriptor, Instant::now())),
                // It takes CAP_SYS_ADMIN, more than the probes do.
                Err(_) => self.refused = true,
            }
        }
    }

    /// Ends the measuring.
    pub fn stop(&mut self) {
        self.switch(false);
        self.whole = self.began.elapsed();
    }

    /// The cost over the whole time, where `measured_ns` is what was measured; none where that is not
    /// allowed. The beginning counts as it is, the rest in proportion.
    pub fn over_all(&self, measured_ns: u64) -> Option<Cost> {
        if self.refused {
            return None;
        }
        let (first_ns, first) = self.beginning.unwrap_or((measured_ns, self.measured));
        let rest = self.whole.saturating_sub(first).as_secs_f64();
        let rest_measured = self.measured.saturating_sub(first).as_secs_f64();
        if self.always || self.beginning.is_none() || rest_measured == 0.0 {
            return Some(Cost {
                cpu_ns: measured_ns,
                measured_share: if self.always {
                    1.0
                } else {
                    self.measured.as_secs_f64() / self.whole.as_secs_f64()
                },
            });
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an estimate of less than a few years of nanoseconds, never negative"
        )]
        let rest_ns = (measured_ns.saturating_sub(first_ns) as f64 * rest / rest_measured) as u64;
        Some(Cost {
            cpu_ns: first_ns + rest_ns,
            measured_share: self.measured.as_secs_f64() / self.whole.as_secs_f64(),
        })
    }

    /// The statistics of a program, which the kernel shows in /proc/self/fdinfo.
    pub fn of_program(&self, ebpf: &mut Ebpf, name: &str) -> Option<Runs> {
        let descriptor = match ebpf.program_mut(name)? {
            Program::BtfTracePoint(program) => program.fd(),
            Program::PerfEvent(program) => program.fd(),
            _ => return None,
        };
        let descriptor = descriptor.ok()?.as_fd().as_raw_fd();
        parse(&std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?)
    }
}

fn parse(fdinfo: &str) -> Option<Runs> {
    let value = |key: &str| {
        fdinfo.lines().find_map(|line| {
            line.strip_prefix(key)?
                .strip_prefix(':')?
                .trim()
                .parse()
                .ok()
        })
    };
    Some(Runs {
        count: value("run_cnt")?,
        time_ns: value("run_time_ns")?,
        // Kernels before 5.12 do not count them.
        missed: value("recursion_misses").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_in_the_kernels_text() {
        let text =
            "pos:\t0\nprog_type:\t26\nrun_time_ns:\t4711\nrun_cnt:\t12\nrecursion_misses:\t3\n";
        assert_eq!(
            parse(text),
            Some(Runs {
                count: 12,
                time_ns: 4711,
                missed: 3
            })
        );
        assert_eq!(parse("pos:\t0\n"), None);
    }
}
