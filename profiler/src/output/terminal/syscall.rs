//! The system calls of a workload.

use super::{
    histogram,
    line::{errors, p99_told, quantile},
    style::Style,
    table::Table,
};
use crate::{
    model::{report::Workload, sum::sum, syscall::Syscall},
    output::format::{bytes, count, time},
};

/// How many calls have a line of their own, and how many a histogram.
const CALLS: usize = 12;
const HISTOGRAMS: usize = 2;
/// With fewer values a distribution says no more than its quantiles.
const FEW: u64 = 16;

/// The table, and the histograms of the calls that took the most time.
pub fn render(workload: &Workload, style: Style) -> String {
    format!("{}{}", table(workload, style), histograms(workload, style))
}

fn table(workload: &Workload, style: Style) -> String {
    if workload.syscalls.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        1,
        &[
            "system call",
            "calls",
            "errors",
            "bytes",
            "time",
            "p50",
            "p99",
            "max",
        ],
    );
    for call in workload.syscalls.iter().take(CALLS) {
        table.row([
            call.name.to_string(),
            count(call.calls),
            count(call.failed()),
            call.bytes.map_or_else(String::new, bytes),
            time(call.time_ns),
            quantile(&call.latency, 0.5),
            p99_told(&call.latency),
            time(call.latency.max),
        ]);
    }
    let rest = workload.syscalls.get(CALLS..).unwrap_or_default();
    if !rest.is_empty() {
        table.row([
            format!("{} more", rest.len()),
            count(sum(rest.iter().map(|call| call.calls))),
            count(sum(rest.iter().map(Syscall::failed))),
            bytes(sum(rest.iter().filter_map(|call| call.bytes))),
            time(sum(rest.iter().map(|call| call.time_ns))),
        ]);
    }
    format!("{}{}\n", table.render(style), errors_of_calls(workload))
}

/// The errors, the most frequent first.
fn errors_of_calls(workload: &Workload) -> String {
    let mut found: Vec<_> = workload
        .syscalls
        .iter()
        .flat_map(|call| {
            let of_call = call.errors.iter();
            of_call.map(|(error, times)| (*times, &call.name, error))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    errors(
        found
            .into_iter()
            .map(|(times, call, error)| (call, error, times)),
    )
}

/// The latencies of the calls that took the most time.
fn histograms(workload: &Workload, style: Style) -> String {
    workload
        .syscalls
        .iter()
        .filter(|call| call.name != "other" && call.calls >= FEW)
        .take(HISTOGRAMS)
        .map(|call| {
            let heading = style.heading(&format!("{} latency", call.name));
            format!("{heading}\n{}\n", histogram::render(&call.latency))
        })
        .collect()
}
