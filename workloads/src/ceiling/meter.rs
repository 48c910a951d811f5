//! Counts the operations of a point, and says when it has been measured.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

use super::{
    Point,
    steady::{Interval, overall, steady},
};

/// The rate is looked at in as many steps as fit into the limit: what is steady from the beginning is measured for about half
/// of it.
const STEPS: u32 = 12;
/// The least length of a step.
const STEP: Duration = Duration::from_millis(25);
/// Three digits of a latency, up to an hour.
const DIGITS: u8 = 3;
const LONGEST_NS: u64 = 3_600_000_000_000;

/// The meter of a point.
pub struct Meter {
    began: Instant,
    limit: Duration,
    step: Duration,
    step_began: Instant,
    in_step: u64,
    steps: Vec<Interval>,
    is_warm: bool,
    /// All that completed.
    pub operations: u64,
    latency: Option<Histogram<u64>>,
    cpu_ns: u64,
}

impl Meter {
    /// Starts now.
    pub fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            limit,
            step: (limit / STEPS).max(STEP),
            step_began: now,
            in_step: 0,
            steps: Vec::new(),
            is_warm: false,
            operations: 0,
            latency: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).ok(),
            cpu_ns: cpu_ns(),
        }
    }

    /// An operation has completed.
    pub fn completed(&mut self, began: Instant, now: Instant) {
        self.operations += 1;
        self.in_step += 1;
        if self.is_warm
            && let Some(latency) = &mut self.latency
        {
            let ns = now.saturating_duration_since(began).as_nanos();
            latency.saturating_record(u64::try_from(ns).unwrap_or(LONGEST_NS));
        }
    }

    /// Whether the point has been measured: its rate is steady, or the time is up and something was done.
    pub fn is_done(&mut self, now: Instant) -> bool {
        let step = now - self.step_began;
        if step < self.step {
            return false;
        }
        let ns = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        let operations = std::mem::take(&mut self.in_step);
        self.step_began = now;
        // The first step fills the queue, and touches memory for the first time.
        if self.is_warm {
            self.steps.push(Interval { operations, ns });
        }
        self.is_warm |= operations > 0;
        let has_any = self.steps.iter().any(|step| step.operations > 0);
        (has_any && now - self.began >= self.limit) || steady(&self.steps).is_some()
    }

    /// What it came to; none where nothing was done.
    pub fn point(self, depth: usize, size: usize) -> Option<Point> {
        let found = steady(&self.steps);
        let all = overall(&self.steps)?;
        let rate = found.unwrap_or(all);
        let elapsed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let latency = self.latency?;
        Some(Point {
            depth: depth as u64,
            operations_per_second: rate.per_second,
            latency_mean_ns: latency.mean().round() as u64,
            latency_p50_ns: latency.value_at_quantile(0.5),
            latency_p99_ns: latency.value_at_quantile(0.99),
            latency_max_ns: latency.max(),
            duration_ns: elapsed,
            steady: found.is_some(),
            spread: rate.spread,
            late_to_early_ratio: all.late_to_early_ratio,
            cpu_share: (cpu_ns().saturating_sub(self.cpu_ns) as f64 / elapsed.max(1) as f64)
                .min(1.0),
            operations: self.operations,
            bytes: self.operations.saturating_mul(size as u64),
        })
    }
}

/// The CPU time of this thread.
fn cpu_ns() -> u64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| {
        let used = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        u64::try_from(used).unwrap_or(0).saturating_mul(1000)
    })
}
