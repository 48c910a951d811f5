//! Page faults, in two or three lines of a workload's summary.

use super::line::{WIDTH, p99};
use crate::{
    model::fault::Faults,
    output::format::{count, time, wrapped},
};

/// The lines, without the last line end; none where there is nothing to report.
pub fn lines(faults: Option<&Faults>) -> Option<String> {
    let Some(faults) = faults else {
        return Some(
            "faults  unknown: the probes for page faults are missing, see the ledger".into(),
        );
    };
    let dirtying = faults.dirtying.unwrap_or(0);
    let io = faults.on_files.map_or(0, |found| found.minor_io);
    if faults.major == 0 && dirtying == 0 && io == 0 && faults.minor_time.is_none() {
        return None;
    }
    let line = |parts: &[String]| wrapped(parts, WIDTH - 2, "          ");
    Some(format!(
        "{}\n  {}",
        line(&major(faults)),
        line(&minor(faults))
    ))
}

fn major(faults: &Faults) -> Vec<String> {
    let latency = &faults.major_latency;
    let mut parts = vec![format!("faults  {} major", count(faults.major))];
    if let Some(median) = latency.quantile(0.5) {
        parts[0].push_str(&format!(" in {}", time(latency.sum)));
        parts.push(format!("p50 {}", time(median)));
        parts.extend(p99(latency).map(|tail| format!("p99 {}", time(tail))));
        parts.push(format!("max {}", time(latency.max)));
    }
    if let Some(on_files) = faults.on_files.filter(|found| found.major != faults.major) {
        parts.push(format!("{} on files", count(on_files.major)));
    }
    if faults.major_in_calls > 0 {
        parts.push(format!("{} inside calls", count(faults.major_in_calls)));
    }
    parts
}

fn minor(faults: &Faults) -> Vec<String> {
    let mut parts = vec![format!("        {} minor", count(faults.minor))];
    if let Some(timed) = faults.minor_time {
        parts[0].push_str(&format!(" in {}", time(timed.time_ns)));
        if timed.in_calls > 0 {
            parts.push(format!("{} inside calls", count(timed.in_calls)));
        }
    }
    if let Some(on_files) = faults.on_files {
        parts.push(format!("{} on files", count(on_files.minor)));
        if on_files.minor_io > 0 {
            let (faults, took) = (count(on_files.minor_io), time(on_files.minor_io_ns));
            parts.push(format!("{faults} with I/O in {took}"));
        }
    }
    if let Some(dirtying) = faults.dirtying {
        parts.push(format!("{} made a page dirty", count(dirtying)));
    }
    parts
}
