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

/// The beginning that is always measured, and the span measured in each period after it.
const FIRST: Duration = Duration::from_millis(250);
const SPAN: Duration = Duration::from_millis(50);
const PERIOD: Duration = Duration::from_secs(1);

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

/// Switches the kernel's statistics on and off.
#[derive(Debug)]
pub struct OwnCost {
    began: Instant,
    /// Held while on, with the time it was switched on.
    on: Option<(OwnedFd, Instant)>,
    measured: Duration,
    whole: Duration,
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
            always: std::fs::read_to_string(ALWAYS).is_ok_and(|on| on.trim() == "1"),
            refused: false,
        };
        cost.switch(true);
        cost
    }

    /// Switches on or off as the time since the last switch wants it, and says when to come again.
    pub fn tick(&mut self) -> Duration {
        let next = match self.on {
            _ if self.always || self.refused => PERIOD,
            Some(_) => PERIOD - SPAN,
            None => SPAN,
        };
        self.switch(self.on.is_none());
        next
    }

    /// The time until the first [`OwnCost::tick`].
    pub const fn first_tick() -> Duration {
        FIRST
    }

    fn switch(&mut self, on: bool) {
        if self.always || self.refused {
            return;
        }
        if let Some((_, since)) = self.on.take() {
            self.measured += since.elapsed();
        }
        if on {
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

    /// Which part of the time was measured, from 0 to 1; none where it is not allowed.
    pub fn share(&self) -> Option<f64> {
        if self.always {
            return Some(1.0);
        }
        (!self.refused).then(|| self.measured.as_secs_f64() / self.whole.as_secs_f64())
    }

    /// The statistics of a program, which the kernel shows in /proc/self/fdinfo.
    pub fn of_program(&self, ebpf: &mut Ebpf, name: &str) -> Option<Runs> {
        let Program::BtfTracePoint(program) = ebpf.program_mut(name)? else {
            return None;
        };
        let descriptor = program.fd().ok()?.as_fd().as_raw_fd();
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
