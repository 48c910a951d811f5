//! Measures all points of a plan.

use std::{fs::File, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use ioprof_workloads::{
    Interrupt,
    ceiling::{self, Bench, Load, Point},
};

use super::plan::{AGAIN, Clock, Kind, Plan};
use crate::{
    analysis::ceiling::{DeviceDid, conclude, is_complete, judged, knee, top},
    error::Error,
    kernel::system::{device::DeviceStat, disk::Disk},
    model::calibration::{Calibration, Measured, Mix, Operation, Pattern, Series},
    output::{format::bytes, terminal::calibration::name},
};

const MIX_SIZE: u64 = 4 << 10;
const APPEND_SIZE: usize = 4 << 10;
const BUFFERED_SIZE: usize = 128 << 10;

/// Measures in one file.
pub struct Measuring<'a> {
    plan: &'a Plan,
    bench: Bench<'a>,
    disk: &'a Disk,
    interrupt: &'a Interrupt,
    clock: Clock,
    bar: ProgressBar,
}

/// What is not there: a signal came.
pub struct Stopped;

/// What could be measured.
type Done<T> = Result<Result<T, Stopped>, Error>;

/// Goes on with what was measured, unless a signal came.
macro_rules! unless_stopped {
    ($done:expr) => {
        match $done? {
            Ok(done) => done,
            Err(stopped) => return Ok(Err(stopped)),
        }
    };
}

impl<'a> Measuring<'a> {
    /// Takes a file of `bytes` that are written.
    pub fn new(
        plan: &'a Plan,
        clock: Clock,
        (file, bytes): (File, u64),
        disk: &'a Disk,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            plan,
            bench: Bench::new(file, bytes, interrupt),
            disk,
            interrupt,
            bar: bar(clock.points()),
            clock,
        }
    }

    /// Measures all, into a calibration.
    pub fn all(mut self, appends: &File, into: &mut Calibration) -> Done<()> {
        for (at, kind) in (0..).zip(self.plan.kinds()) {
            self.left(at);
            into.series.push(unless_stopped!(self.series(kind)));
        }
        into.mixes = unless_stopped!(self.mixes(&into.series));
        self.bar.set_message("append and fdatasync");
        let limit = self.next(1);
        into.append = ceiling::append(appends, APPEND_SIZE, limit, self.interrupt)?;
        self.bar.set_message("buffered read");
        let limit = self.next(1);
        into.buffered_read = self.bench.buffered_read(BUFFERED_SIZE, limit)?;
        self.bar.set_message("page cache");
        let limit = self.next(1);
        into.page_cache = self.bench.page_cache(limit)?;
        for series in &mut into.series {
            unless_stopped!(self.again(series));
            conclude(series);
        }
        self.bar.finish_and_clear();
        Ok(if self.interrupt.is_set() {
            Err(Stopped)
        } else {
            Ok(())
        })
    }

    fn series(&mut self, (operation, pattern, size): Kind) -> Done<Series> {
        let mut series = Series {
            operation,
            pattern,
            size_bytes: size,
            points: Vec::new(),
            knee_depth: None,
            operations_per_second: None,
            again: None,
            burst: None,
        };
        for depth in self.plan.depths_of(size) {
            let load = load(&series, depth);
            let measured = unless_stopped!(self.point(&load, 1, &name(operation, pattern)));
            series.points.extend(measured);
            if is_complete(&series.points) {
                break;
            }
        }
        Ok(Ok(series))
    }

    fn mixes(&mut self, series: &[Series]) -> Done<Vec<Mix>> {
        let is_base = |one: &&Series| {
            let kind = (one.operation, one.pattern, one.size_bytes);
            kind == (Operation::Read, Pattern::Random, MIX_SIZE)
        };
        let base = series.iter().find(is_base);
        let Some(base) = base.and_then(|base| knee(&base.points)) else {
            return Ok(Ok(Vec::new()));
        };
        let mut mixes = Vec::new();
        for percent in self.plan.mixes {
            let load = Load {
                is_random: true,
                size: MIX_SIZE as usize,
                depth: base.point.depth as usize,
                read_percent: *percent,
            };
            let measured = unless_stopped!(self.point(&load, 1, &format!("{percent} % reads")));
            mixes.extend(measured.map(|measured| Mix {
                read_percent: u64::from(*percent),
                size_bytes: MIX_SIZE,
                measured,
            }));
        }
        Ok(Ok(mixes))
    }

    /// Measures the ceiling of a series again.
    fn again(&mut self, series: &mut Series) -> Done<()> {
        if let Some(top) = top(&series.points) {
            let load = load(series, top.point.depth);
            series.again = unless_stopped!(self.point(&load, AGAIN, "once more"));
        }
        Ok(Ok(()))
    }

    /// A point; none where nothing was done.
    fn point(&mut self, load: &Load, weight: u32, what: &str) -> Done<Option<Measured>> {
        let size = bytes(load.size as u64);
        let message = format!("{what}, {size}, depth {}", load.depth);
        self.bar.set_message(message);
        let limit = self.next(weight);
        let before = self.disk.stat();
        let point: Option<Point> = self.bench.direct(load, limit)?;
        let after = self.disk.stat();
        if self.interrupt.is_set() {
            self.bar.finish_and_clear();
            return Ok(Err(Stopped));
        }
        let did = before
            .zip(after)
            .map(|(before, after)| did(&before, &after));
        Ok(Ok(point.map(|point| judged(point, did))))
    }

    fn next(&mut self, weight: u32) -> Duration {
        self.bar.inc(weight.into());
        self.clock.next(weight)
    }

    /// Corrects how many points are left, before a series: those before may have had fewer depths than expected.
    fn left(&mut self, series: u32) {
        let expected = Clock::start(self.plan).points();
        self.clock
            .at_most(expected.saturating_sub(series * self.plan.depths));
        let left = u64::from(self.clock.points());
        self.bar.set_length(self.bar.position() + left);
    }
}

fn load(series: &Series, depth: u64) -> Load {
    Load {
        is_random: series.pattern == Pattern::Random,
        size: series.size_bytes as usize,
        depth: depth as usize,
        read_percent: match series.operation {
            Operation::Read => 100,
            Operation::Write => 0,
        },
    }
}

/// What a device did between two moments.
fn did(before: &DeviceStat, after: &DeviceStat) -> DeviceDid {
    let requests = |stat: &DeviceStat| stat.reads.saturating_add(stat.writes);
    let bytes = |stat: &DeviceStat| stat.read_bytes.saturating_add(stat.written_bytes);
    DeviceDid {
        requests: requests(after).saturating_sub(requests(before)),
        bytes: bytes(after).saturating_sub(bytes(before)),
    }
}

/// A bar on stderr, if that is a terminal.
fn bar(points: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg:40}");
    let bar = ProgressBar::new(points.into());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
