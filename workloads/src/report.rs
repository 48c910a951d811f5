//! The summary as text for people.

use std::fmt::Write;

use crate::display::{bytes, time, visible};
use crate::summary::{OperationSummary, Summary, Via};

const WIDTH: usize = 80;
const INDENT: &str = "  ";

/// The whole summary, ending in a line end.
pub fn text(summary: &Summary) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut text, summary);
    text
}

fn write_text(out: &mut String, summary: &Summary) -> std::fmt::Result {
    write!(out, "{}, engine {}", summary.workload, summary.engine)?;
    match &summary.engine_reason {
        Some(reason) => writeln!(out, " ({})", visible(reason))?,
        None => writeln!(out)?,
    }
    let parameters: Vec<String> = summary
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", visible(value)))
        .collect();
    write_filled(out, &parameters.join(" "), "    ")?;
    let made = if summary.setup.reused {
        "found a kept data set".to_owned()
    } else {
        format!("made {}", bytes(summary.setup.setup_bytes))
    };
    let setup = format!(
        "setup: {made} in {}; cache {}",
        time(summary.setup.setup_ns),
        summary.setup.cache
    );
    write_filled(out, &setup, "    ")?;

    let seconds = summary.elapsed_ns as f64 / 1e9;
    let per_second = if seconds > 0.0 {
        summary.files as f64 / seconds
    } else {
        0.0
    };
    writeln!(
        out,
        "\n  {} files in {} ({per_second:.0}/s)\n",
        summary.files,
        time(summary.elapsed_ns)
    )?;
    write_operations(out, summary, seconds)?;

    let resources = format!(
        "CPU {} user, {} system; peak memory {}; at most {} files open; {} descriptors leaked",
        time(summary.cpu_user_ns),
        time(summary.cpu_system_ns),
        bytes(summary.peak_rss_bytes),
        summary.peak_open_files,
        summary.leaked_descriptors,
    );
    writeln!(out)?;
    write_filled(out, &resources, "    ")?;
    if !summary.events.is_empty() {
        let events: Vec<String> = summary
            .events
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        write_filled(out, &format!("events: {}", events.join(", ")), "    ")?;
    }
    for note in &summary.notes {
        write_filled(out, &format!("note: {}", visible(note)), "    ")?;
    }
    if let Some(signal) = summary.interrupted_by {
        writeln!(out, "  ended early by signal {signal}")?;
    }
    write_failures(out, summary)
}

fn write_operations(out: &mut String, summary: &Summary, seconds: f64) -> std::fmt::Result {
    let header = [
        "operation",
        "calls",
        "bytes",
        "rate",
        "mean",
        "p50",
        "p99",
        "max",
    ];
    let rows: Vec<[String; 8]> = std::iter::once(header.map(str::to_owned))
        .chain(summary.operations.iter().map(|one| row(one, seconds)))
        .collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.max().unwrap_or(0)
    });
    let between = 2 * (widths.len() - 1);
    let is_wide = INDENT.len() + widths.iter().sum::<usize>() + between > WIDTH;
    let gap = if is_wide { " " } else { "  " };
    for row in &rows {
        let first = widths[0];
        let mut line = format!("{INDENT}{:<first$}", row[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            write!(line, "{gap}{cell:>width$}")?;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    let errors = summary.operations.iter().flat_map(|operation| {
        let errors = operation.errors.iter();
        errors.map(|(error, count)| format!("{} {error} {count}", operation.name))
    });
    let errors: Vec<String> = errors.collect();
    if !errors.is_empty() {
        write_filled(out, &format!("errors: {}", errors.join(", ")), "    ")?;
    }
    Ok(())
}

fn row(operation: &OperationSummary, seconds: f64) -> [String; 8] {
    let name = match operation.via {
        Via::IoUring => format!("{} (uring)", operation.name),
        Via::Syscall | Via::Memory => operation.name.clone(),
    };
    let (moved, rate) = match operation.bytes {
        0 => (String::new(), String::new()),
        moved if seconds > 0.0 => (
            bytes(moved),
            format!("{}/s", bytes((moved as f64 / seconds) as u64)),
        ),
        moved => (bytes(moved), String::new()),
    };
    let latency = operation.latency.clone().unwrap_or_default();
    [
        name,
        operation.calls.to_string(),
        moved,
        rate,
        time(latency.mean_ns),
        time(latency.p50_ns),
        time(latency.p99_ns),
        time(latency.max_ns),
    ]
}

/// Words in lines of at most [`WIDTH`] columns, all but the first indented further.
fn write_filled(out: &mut String, text: &str, indent: &str) -> std::fmt::Result {
    let mut line = INDENT.to_owned();
    for word in text.split(' ') {
        let is_begun = !line.trim().is_empty();
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = format!("{indent}{word}");
        } else {
            let gap = if is_begun { " " } else { "" };
            write!(line, "{gap}{word}")?;
        }
    }
    writeln!(out, "{line}")
}

fn write_failures(out: &mut String, summary: &Summary) -> std::fmt::Result {
    if summary.failed() == 0 {
        return Ok(());
    }
    writeln!(out, "\n  {} failed:", summary.failed())?;
    for failure in &summary.errors {
        writeln!(
            out,
            "    {}: {}: {}",
            visible(&failure.path),
            failure.operation,
            visible(&failure.error)
        )?;
    }
    if summary.errors_not_listed > 0 {
        writeln!(out, "    and {} more", summary.errors_not_listed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{FileError, LatencySummary};

    #[test]
    fn everything_a_reader_must_know_is_there() {
        let summary = Summary {
            workload: "async".into(),
            engine: "tokio".into(),
            engine_reason: Some("no io_uring here".into()),
            operations: vec![OperationSummary {
                name: "read".into(),
                calls: 3,
                ..OperationSummary::default()
            }],
            errors: vec![FileError {
                path: "/a\u{1b}[2J".into(),
                operation: "read".into(),
                error: "gone".into(),
            }],
            errors_not_listed: 4,
            interrupted_by: Some(2),
            notes: vec!["tmpfs".into()],
            ..Summary::default()
        };
        let text = text(&summary);
        for part in [
            "no io_uring here",
            r"/a\x1b[2J: read: gone",
            "5 failed",
            "and 4 more",
            "signal 2",
            "note: tmpfs",
        ] {
            assert!(text.contains(part), "{part} missing in {text}");
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let operation = |name: &str| OperationSummary {
            name: name.into(),
            via: Via::IoUring,
            calls: 123_456_789,
            bytes: 1234 << 20,
            errors: [("ENXIO".to_owned(), 12), ("EINTR".to_owned(), 3)].into(),
            latency: Some(LatencySummary {
                mean_ns: 123_456_789,
                p50_ns: 123_456_789,
                p99_ns: 123_456_789,
                max_ns: 123_456_789,
                ..LatencySummary::default()
            }),
            ..OperationSummary::default()
        };
        let parameters = (0..20).map(|at| (format!("name{at}"), "a value".to_owned()));
        let summary = Summary {
            workload: "copy".into(),
            parameters: parameters.collect(),
            operations: ["write", "readv", "fsync", "close"].map(operation).into(),
            notes: vec!["of random accesses one is timed ".repeat(9)],
            elapsed_ns: 1_000_000_000,
            ..Summary::default()
        };
        let text = text(&summary);
        let wide = text.lines().find(|line| line.len() > WIDTH);
        assert_eq!(wide, None, "{text}");
        assert!(
            text.contains("errors: write EINTR 3, write ENXIO 12, readv"),
            "{text}"
        );
        assert!(text.contains("1.21 GiB/s"), "{text}");
    }
}
