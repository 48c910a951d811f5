//! The most expensive calls, and where their time went.

use super::super::{line::p99_told, style::Style, table::Table};
use crate::{
    model::{
        histogram::Histogram, io_uring::UringOperation, off_cpu::CallTime, report::Workload,
        sum::sum, syscall::Syscall,
    },
    output::format::{bytes, count, time},
    text::Text,
};

const LEGEND: &str =
    "time: %CPU on a CPU, %rdy waiting for a CPU, %dev for a device, %oth all else";

/// A call, or an operation of io_uring.
struct Call<'a> {
    name: String,
    calls: u64,
    bytes: Option<u64>,
    time_ns: u64,
    latency: &'a Histogram,
    split: Option<&'a CallTime>,
}

impl<'a> Call<'a> {
    fn of(call: &'a Syscall) -> Self {
        Self {
            name: call.name.to_string(),
            calls: call.calls,
            bytes: call.bytes,
            time_ns: call.time_ns,
            latency: &call.latency,
            split: call.breakdown.as_ref(),
        }
    }

    fn of_uring(operation: &'a UringOperation) -> Self {
        Self {
            name: format!("io_uring {}", operation.name),
            calls: operation.completions,
            bytes: operation.bytes,
            time_ns: operation.latency.sum,
            latency: &operation.latency,
            split: None,
        }
    }

    fn row(&self) -> Vec<String> {
        let size = self.bytes.and_then(|bytes| bytes.checked_div(self.calls));
        let mut row = vec![
            self.name.clone(),
            count(self.calls),
            size.map_or_else(|| "-".into(), bytes),
            time(self.time_ns),
        ];
        row.extend(shares(self.split));
        row.push(p99_told(self.latency));
        row
    }
}

/// The parts of a call's time in percent: on a CPU, ready to run, waiting for a device, and all else.
#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn shares(split: Option<&CallTime>) -> [String; 4] {
    let unknown = || ["-", "-", "-", "-"].map(str::to_owned);
    let Some(split) = split else {
        return unknown();
    };
    let off = &split.off_cpu;
    let all = split.cpu_ns.saturating_add(off.total());
    if all == 0 {
        return unknown();
    }
    let device = sum([off.queue_ns, off.service_ns, off.device_ns]);
    let rest = off.total().saturating_sub(sum([off.runnable_ns, device]));
    [split.cpu_ns, off.runnable_ns, device, rest]
        .map(|ns| format!("{:.0}", ns as f64 / all as f64 * 100.0))
}

/// So many calls with the most time, and those that the lines above name in any case. `other` is no call: it comes last, where it has as
/// much time as one of them.
pub fn render(workload: &Workload, named: &[&Text], most: usize, style: Style) -> String {
    let is_call = |call: &&Syscall| call.name != "other";
    let uring = workload.io_uring.iter().flat_map(|uring| &uring.operations);
    let mut calls: Vec<_> = workload
        .syscalls
        .iter()
        .filter(is_call)
        .map(Call::of)
        .chain(uring.map(Call::of_uring))
        .collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.time_ns));
    let is_named = |call: &Call<'_>| named.iter().any(|name| name.as_str() == call.name);
    // The order stays as it is.
    calls.sort_by_key(|call| !is_named(call));
    calls.truncate(most);
    calls.sort_by_key(|call| std::cmp::Reverse(call.time_ns));
    let least = calls.last().map_or(0, |call| call.time_ns);
    let others = workload.syscalls.iter().find(|call| !is_call(call));
    let others = others.filter(|others| most > 0 && others.time_ns > least);
    calls.extend(others.map(Call::of));
    if calls.is_empty() {
        return String::new();
    }
    let header = [
        "call",
        "calls",
        "mean size",
        "time",
        "%CPU",
        "%rdy",
        "%dev",
        "%oth",
        "p99",
    ];
    let mut table = Table::new(1, &header);
    for call in calls {
        table.row(call.row());
    }
    let legend = style.faint(LEGEND);
    format!("{}{legend}\n\n", table.render(style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{off_cpu::OffCpu, report::Report};

    fn workload() -> Workload {
        let text = include_str!("../../../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        report.workloads.remove(0)
    }

    /// The first and the last cell of each line.
    fn cells(text: &str) -> Vec<(&str, &str)> {
        let lines = text.lines().skip(1);
        let lines = lines.filter(|line| !line.is_empty() && *line != LEGEND);
        lines
            .map(|line| {
                let first = line.split("  ").next().unwrap_or_default();
                (first, line.split("  ").last().unwrap_or_default().trim())
            })
            .collect()
    }

    #[test]
    fn a_call_that_is_named_above_has_a_row() {
        let workload = workload();
        let name = Text::from("mmap".to_owned());
        let text = render(&workload, &[&name], 1, Style::PLAIN);
        let first = cells(&text).first().map(|(name, _)| (*name).to_owned());
        assert_eq!(first.as_deref(), Some("mmap"), "{text}");
    }

    #[test]
    fn other_is_last_and_few_calls_have_no_p99() {
        let mut workload = workload();
        let text = render(&workload, &[], 3, Style::PLAIN);
        let expected = [
            ("pread64", "-"),
            ("fsync", "-"),
            ("mmap", "11.7 ms"),
            ("other", "11.9 ms"),
        ];
        assert_eq!(cells(&text), expected, "{text}");
        workload.syscalls[0].time_ns = 1;
        let text = render(&workload, &[], 3, Style::PLAIN);
        assert_eq!(cells(&text), expected[..3], "{text}");
        assert_eq!(render(&workload, &[], 0, Style::PLAIN), "");
    }

    #[test]
    fn the_parts_of_a_call_are_of_all_its_time() {
        let split = CallTime {
            cpu_ns: 10,
            off_cpu: OffCpu {
                queue_ns: 20,
                service_ns: 30,
                runnable_ns: 15,
                sleep_ns: 20,
                journal_ns: 5,
                ..OffCpu::default()
            },
        };
        assert_eq!(shares(Some(&split)), ["10", "15", "50", "25"]);
        assert_eq!(shares(Some(&CallTime::default())), ["-"; 4]);
        assert_eq!(shares(None), ["-"; 4]);
    }

    #[test]
    fn operations_of_io_uring_are_calls() {
        let mut workload = workload();
        let operation = UringOperation {
            name: "READ".into(),
            submissions: 100,
            completions: 100,
            silent: 0,
            unseen_completions: 0,
            errors: Default::default(),
            bytes: Some(409_600),
            latency: Histogram {
                sum: 1_000_000_000,
                ..workload.syscalls[0].latency.clone()
            },
            inline: 0,
            poll_armed: 0,
            worker: 0,
            for_worker: Some(0),
            asynchronous: 100,
        };
        let uring = workload.io_uring.as_mut().expect("it is known");
        uring.operations = vec![operation];
        let text = render(&workload, &[], 1, Style::PLAIN);
        let row = text.lines().nth(1).expect("a row");
        assert!(
            row.starts_with("io_uring READ    100   4.00 KiB  1.00 s"),
            "{text}"
        );
    }
}
