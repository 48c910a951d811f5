//! The ledger in a line or two, and what puts the figures in doubt before all else.

use std::cmp::Ordering;

use super::{line::WIDTH, style::Style};
use crate::{
    analysis::{Cause, Doubt, cause, doubts},
    model::{
        ledger::{Check, CheckKind, Ledger},
        report::Report,
    },
    output::format::{bytes, count, counted, percent, time, wrapped},
    text::Text,
};

/// So many histograms are named that have not all values.
const INCOMPLETE: usize = 3;

/// What puts the figures in doubt; none where nothing does.
pub fn alarm(report: &Report) -> Option<String> {
    let lines: Vec<_> = doubts(report)
        .iter()
        .map(|one| doubt(one, report))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn doubt(doubt: &Doubt<'_>, report: &Report) -> String {
    match doubt {
        Doubt::EventsLost(kinds, missed) => {
            let mut kinds: Vec<_> = kinds
                .iter()
                .map(|(kind, lost)| {
                    format!("{} {}", count(*lost), kind.to_string().replace('_', " "))
                })
                .collect();
            if *missed > 0 {
                kinds.push(format!("{} probe runs skipped", count(*missed)));
            }
            format!("EVENTS WERE LOST: {}", kinds.join(", "))
        }
        Doubt::ProbeMissing(probe, reason) => {
            format!("PROBE MISSING: {} ({reason})", probe.tracepoint)
        }
        Doubt::CountersDisagree(check) => {
            let line = line(check, report);
            let words: Vec<_> = line.split_whitespace().collect();
            format!("COUNTERS DISAGREE: {}", words.join(" "))
        }
    }
}

/// What was lost, and what is missing.
fn state(report: &Report) -> Vec<String> {
    let ledger = &report.ledger;
    let lost = match ledger.lost_total() {
        0 => "nothing lost".to_owned(),
        lost => format!("{} lost", counted(lost, "event", "events")),
    };
    let missing = match ledger.missing().count() {
        0 => "no probe missing".to_owned(),
        missing => format!("{missing} of {} probes missing", ledger.probes.len()),
    };
    vec![lost, missing]
}

/// The ledger without its checks: a line, or two where histograms have not all values.
pub fn line_of(report: &Report, style: Style) -> String {
    let mut parts = state(report);
    parts.push(overhead(report, ""));
    let incomplete = report.ledger.incomplete_histograms.len();
    if incomplete > 0 {
        let incomplete = counted(incomplete as u64, "histogram", "histograms");
        parts.push(format!("{incomplete} without all values"));
    }
    format!(
        "{}  {}\n",
        style.heading("Ledger"),
        wrapped(&parts, WIDTH - 8, "        ")
    )
}

/// The ledger.
pub fn render(report: &Report, style: Style) -> String {
    let ledger = &report.ledger;
    let others = ledger.call_cost.map(|cost| {
        let added = time(cost.others_ns);
        format!("a call of any other process takes {added} longer")
    });
    let parts: Vec<_> = state(report)
        .into_iter()
        .chain([overhead(report, " of the machine")])
        .chain(others)
        .collect();
    let mut text = format!(
        "{}  {}\n",
        style.heading("Ledger"),
        wrapped(&parts, WIDTH - 8, "        ")
    );
    if ledger.calls_in_flight_at_attach > 0 || ledger.requests_in_flight_at_attach > 0 {
        text.push_str(&format!(
            "  in progress at attach, not counted: {}, {}\n",
            counted(ledger.calls_in_flight_at_attach, "call", "calls"),
            counted(ledger.requests_in_flight_at_attach, "request", "requests")
        ));
    }
    if ledger.vectors_unread > 0 {
        text.push_str(&format!(
            "  {} vectored calls of more than 16 segments: size taken from the result\n",
            count(ledger.vectors_unread)
        ));
    }
    if ledger.compat_calls > 0 {
        text.push_str(&format!(
            "  {} calls by the 32-bit interface, under the names of the 64-bit ones\n",
            count(ledger.compat_calls)
        ));
    }
    text.push_str(&incomplete(ledger));
    for check in ledger.checks.iter().filter(|check| is_shown(check)) {
        text.push_str(&line(check, report));
    }
    for message in &ledger.messages {
        text.push_str(&format!("  probes: {message}\n"));
    }
    text
}

/// Which histograms have values that are in no bucket; empty for none.
fn incomplete(ledger: &Ledger) -> String {
    let found = &ledger.incomplete_histograms;
    if found.is_empty() {
        return String::new();
    }
    let shown = found.iter().take(INCOMPLETE).map(|one| {
        let (held, all) = (count(one.in_buckets), count(one.count));
        format!("{} {} {held} of {all}", one.workload, one.what)
    });
    let more = found.len().saturating_sub(INCOMPLETE);
    let more = (more > 0).then(|| format!("{more} more"));
    let mut parts: Vec<_> = shown.chain(more).collect();
    if let Some(first) = parts.first_mut() {
        *first = format!("histograms without all values: {first}");
    }
    format!("  {}\n", wrapped(&parts, WIDTH - 2, "    "))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn overhead(report: &Report, of: &str) -> String {
    let ledger = &report.ledger;
    let Some(cpu) = ledger.probe_cpu_ns else {
        return "overhead unknown (requires CAP_SYS_ADMIN)".into();
    };
    let capacity = report.duration_ns.max(1) as f64 * report.host.cpus.max(1) as f64;
    let estimated = ledger
        .probe_cpu_measured_share
        .is_some_and(|share| share < 0.99);
    format!(
        "overhead {}{} CPU ({}{of})",
        if estimated { "about " } else { "" },
        time(cpu),
        percent(cpu as f64 / capacity)
    )
}

/// Counts are shown only where they differ: bytes and the workload's faults are shown elsewhere.
const fn is_shown(check: &Check) -> bool {
    (check.counted > 0 || check.kernel > 0)
        && (!check.what.is_count() || check.counted != check.kernel)
}

fn line(check: &Check, report: &Report) -> String {
    let owner = check
        .workload
        .as_ref()
        .or(check.device.as_ref())
        .map_or_else(String::new, Text::to_string);
    let (what, source) = match check.what {
        CheckKind::CallReadBytes => ("read by calls", "/proc/PID/io"),
        CheckKind::CallWrittenBytes => ("written by calls", "/proc/PID/io"),
        CheckKind::BlockReadBytes => ("read from devices", "/proc/PID/io"),
        CheckKind::BlockWrittenBytes => ("written to devices", "made dirty"),
        CheckKind::DeviceReadBytes => ("read", "/sys/block"),
        CheckKind::DeviceWrittenBytes => ("written", "/sys/block"),
        CheckKind::DeviceOwnedBytes => ("with an owner", "/sys/block"),
        CheckKind::DeviceDiscardedBytes => ("discarded", "/sys/block"),
        CheckKind::DeviceReads => ("reads", "/sys/block"),
        CheckKind::DeviceWrites => ("writes", "/sys/block"),
        CheckKind::DeviceFlushes => ("flushes executed", "/sys/block"),
        CheckKind::MajorFaults => ("major faults", "kernel"),
        CheckKind::MinorFaults => ("minor faults", "kernel"),
    };
    let number = if check.what.is_count() { count } else { bytes };
    let difference = check.counted.abs_diff(check.kernel);
    // More than all of it is no part.
    let part = if difference <= check.kernel {
        format!(", {}", part(difference, check.kernel))
    } else {
        String::new()
    };
    let differing = number(difference);
    let cause = cause(check, report);
    let difference = match check.counted.cmp(&check.kernel) {
        _ if cause == Some(Cause::DirtyFolios) => dirty_folios(check, report),
        Ordering::Equal => "equal".to_owned(),
        Ordering::Less => format!("-{differing}{part}"),
        Ordering::Greater => format!("+{differing}{part}"),
    };
    let why = match cause {
        Some(Cause::Execve) => ", by execve",
        Some(Cause::CoreDump) => ", by a core dump",
        Some(Cause::KernelAccess) => ", by the kernel itself",
        Some(Cause::DirtyFolios) | None => "",
    };
    let text = format!(
        "  {owner}: {what} {}, {source} {} ({difference}{why})",
        number(check.counted),
        number(check.kernel)
    );
    let parts: Vec<_> = text.split(", ").map(str::to_owned).collect();
    format!("{}\n", wrapped(&parts, WIDTH, "    "))
}

/// What is known of the folios that a workload made dirty.
fn dirty_folios(check: &Check, report: &Report) -> String {
    let mut workloads = report.workloads.iter();
    let workload = workloads.find(|workload| check.workload.as_ref() == Some(&workload.name));
    let Some(writeback) = workload.and_then(|workload| workload.writeback.as_ref()) else {
        return "whole folios".to_owned();
    };
    format!(
        "whole folios, {} of metadata, {} written by others, at most {} dirty at end",
        bytes(writeback.metadata_folio_bytes),
        bytes(writeback.written_bytes),
        bytes(writeback.dirty_bytes_at_end)
    )
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn part(difference: u64, of: u64) -> String {
    percent(difference as f64 / of.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_more_than_all_has_no_percentage() {
        let text = include_str!("../../../tests/fixtures/report.json");
        let report: Report = serde_json::from_str(text).expect("the fixture is a report");
        for (counted, kernel, expected) in [
            (90, 100, "(-10 B, 10.0 %)"),
            (200, 100, "(+100 B, 100 %)"),
            (4879, 100, "(+4.67 KiB)"),
            (10, 0, "(+10 B)"),
        ] {
            let check = Check {
                workload: None,
                device: Some("sda".into()),
                what: CheckKind::DeviceReadBytes,
                counted,
                kernel,
            };
            let said = line(&check, &report);
            assert!(said.contains(expected), "{said}");
        }
    }
}
