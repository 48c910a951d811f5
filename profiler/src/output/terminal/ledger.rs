//! The books in a line or two, and loud where they do not balance.

use std::cmp::Ordering;

use super::{Style, WIDTH};
use crate::{
    model::{
        ledger::{Check, CheckKind, Ledger},
        report::Report,
    },
    output::format::{bytes, count, percent, time, wrapped},
    text::Text,
};

/// What puts the figures in doubt; none where nothing does.
pub fn alarm(ledger: &Ledger) -> Option<String> {
    let mut causes = Vec::new();
    if ledger.lost_total() > 0 {
        let kinds = ledger
            .lost
            .iter()
            .map(|(kind, lost)| (kind.to_string().replace('_', " "), *lost))
            .chain([("probe runs skipped".to_owned(), ledger.missed())])
            .filter(|(_, lost)| *lost > 0)
            .map(|(kind, lost)| format!("{} {kind}", count(lost)))
            .collect::<Vec<_>>();
        causes.push(format!("EVENTS WERE LOST: {}", kinds.join(", ")));
    }
    for (probe, reason) in ledger.missing() {
        causes.push(format!("PROBE MISSING: {} ({reason})", probe.tracepoint));
    }
    for check in ledger.checks.iter().filter(|check| check.is_off()) {
        let line = line(check).split_whitespace().collect::<Vec<_>>().join(" ");
        causes.push(format!("BOOKS DO NOT BALANCE: {line}"));
    }
    (!causes.is_empty()).then(|| causes.join("\n"))
}

/// The ledger.
pub fn render(report: &Report, style: Style) -> String {
    let ledger = &report.ledger;
    let attached = ledger.probes.len().saturating_sub(ledger.missing().count());
    let lost = match ledger.lost_total() {
        0 => "nothing lost".to_owned(),
        lost => format!("{} events lost", count(lost)),
    };
    let parts = [
        lost,
        format!("{attached} of {} probes there", ledger.probes.len()),
        cost(report),
    ];
    let mut text = format!(
        "{}  {}\n",
        style.heading("Ledger"),
        wrapped(&parts, WIDTH - 8, "        ")
    );
    if ledger.calls_in_flight_at_attach > 0 || ledger.requests_in_flight_at_attach > 0 {
        text.push_str(&format!(
            "  under way at attach, not counted: {} calls, {} requests\n",
            count(ledger.calls_in_flight_at_attach),
            count(ledger.requests_in_flight_at_attach)
        ));
    }
    if ledger.vectors_unread > 0 {
        text.push_str(&format!(
            "  {} vectored calls of more than 16 segments: their size is what they moved\n",
            count(ledger.vectors_unread)
        ));
    }
    if ledger.compat_calls > 0 {
        text.push_str(&format!(
            "  {} calls by the 32-bit interface, all counted as other\n",
            count(ledger.compat_calls)
        ));
    }
    for check in ledger.checks.iter().filter(|check| is_shown(check)) {
        text.push_str(&line(check));
    }
    for message in &ledger.messages {
        text.push_str(&format!("  probes: {message}\n"));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn cost(report: &Report) -> String {
    let ledger = &report.ledger;
    let Some(cpu) = ledger.probe_cpu_ns else {
        return "their cost unknown (it takes CAP_SYS_ADMIN)".into();
    };
    let capacity = report.duration_ns.max(1) as f64 * report.host.cpus.max(1) as f64;
    let estimated = ledger
        .probe_cpu_measured_share
        .is_some_and(|share| share < 0.99);
    format!(
        "cost {}{} CPU ({} of the machine)",
        if estimated { "about " } else { "" },
        time(cpu),
        percent(cpu as f64 / capacity)
    )
}

/// Requests are told by their bytes already, and faults of the workload by itself.
const fn is_shown(check: &Check) -> bool {
    (check.counted > 0 || check.kernel > 0)
        && (!check.what.is_count() || check.counted != check.kernel)
}

fn line(check: &Check) -> String {
    let whose = check
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
        CheckKind::DeviceReads => ("reads", "/sys/block"),
        CheckKind::DeviceWrites => ("writes", "/sys/block"),
        CheckKind::MajorFaults => ("major faults", "the tasks' own"),
        CheckKind::MinorFaults => ("minor faults", "the tasks' own"),
    };
    let number = if check.what.is_count() { count } else { bytes };
    let difference = check.counted.abs_diff(check.kernel);
    let part = part(difference, check.kernel);
    let differing = number(difference);
    let difference = match check.counted.cmp(&check.kernel) {
        _ if !check.what.must_agree() => "written back later".to_owned(),
        Ordering::Equal => "the same".to_owned(),
        Ordering::Less => format!("-{differing}, {part}"),
        Ordering::Greater => format!("+{differing}, {part}"),
    };
    let why = match check.what {
        // fs/exec.c reads the program's head, and the loader's, on behalf of the task.
        CheckKind::CallReadBytes if check.counted < check.kernel => ", by execve",
        // The kernel's own access to a page on behalf of the task is a fault without an exception.
        CheckKind::MajorFaults | CheckKind::MinorFaults if check.counted < check.kernel => {
            ", by the kernel itself"
        }
        // Its workers are threads whose accounts the kernel keeps apart.
        CheckKind::BlockReadBytes if check.counted > check.kernel => ", by io_uring workers",
        _ => "",
    };
    let text = format!(
        "  {whose}: {what} {}, {source} {} ({difference}{why})",
        number(check.counted),
        number(check.kernel)
    );
    let parts: Vec<_> = text.split(", ").map(str::to_owned).collect();
    format!("{}\n", wrapped(&parts, WIDTH, "    "))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn part(difference: u64, of: u64) -> String {
    percent(difference as f64 / of.max(1) as f64)
}
