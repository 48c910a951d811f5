//! The summary as text for people.

use std::fmt::Write;

use crate::display::{bytes, time, visible};
use crate::summary::{Summary, Via};

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
    writeln!(out, "  {}", parameters.join(" "))?;
    let made = if summary.setup.reused {
        "found a kept data set".to_owned()
    } else {
        format!("made {}", bytes(summary.setup.setup_bytes))
    };
    writeln!(
        out,
        "  setup: {made} in {}; cache {}",
        time(summary.setup.setup_ns),
        summary.setup.cache
    )?;

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

    writeln!(
        out,
        "\n  CPU {} user, {} system; peak memory {}; at most {} files open; {} descriptors leaked",
        time(summary.cpu_user_ns),
        time(summary.cpu_system_ns),
        bytes(summary.peak_rss_bytes),
        summary.peak_open_files,
        summary.leaked_descriptors,
    )?;
    if !summary.events.is_empty() {
        let events: Vec<String> = summary
            .events
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        writeln!(out, "  events: {}", events.join(", "))?;
    }
    for note in &summary.notes {
        writeln!(out, "  note: {}", visible(note))?;
    }
    if let Some(signal) = summary.interrupted_by {
        writeln!(out, "  ended early by signal {signal}")?;
    }
    write_failures(out, summary)
}

fn write_operations(out: &mut String, summary: &Summary, seconds: f64) -> std::fmt::Result {
    writeln!(
        out,
        "  {:<16} {:>10} {:>10} {:>12} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "operation", "calls", "bytes", "rate", "mean", "p50", "p99", "max", "errors"
    )?;
    for operation in &summary.operations {
        let name = match operation.via {
            Via::IoUring => format!("{} (uring)", operation.name),
            Via::Syscall | Via::Memory => operation.name.clone(),
        };
        let rate = if operation.bytes > 0 && seconds > 0.0 {
            format!("{}/s", bytes((operation.bytes as f64 / seconds) as u64))
        } else {
            String::new()
        };
        let moved = if operation.bytes > 0 {
            bytes(operation.bytes)
        } else {
            String::new()
        };
        let latency = operation.latency.clone().unwrap_or_default();
        let errors: Vec<String> = operation
            .errors
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        writeln!(
            out,
            "  {name:<16} {:>10} {moved:>10} {rate:>12} {:>9} {:>9} {:>9} {:>9} {:>9}",
            operation.calls,
            time(latency.mean_ns),
            time(latency.p50_ns),
            time(latency.p99_ns),
            time(latency.max_ns),
            if errors.is_empty() {
                "-".to_owned()
            } else {
                errors.join(" ")
            },
        )?;
    }
    Ok(())
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
    use crate::summary::{FileError, OperationSummary};

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
}
