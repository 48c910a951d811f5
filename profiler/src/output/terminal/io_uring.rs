//! io_uring's opcodes.

use super::{
    depth::{note, render as depth},
    line::{errors, p99_told, quantile},
    style::Style,
    table::Table,
};
use crate::{
    model::{
        io_uring::{IoUring, UringOperation},
        sum::sum,
    },
    output::format::{bytes, count},
};

/// How many opcodes have a line of their own.
const OPCODES: usize = 8;

/// The table; nothing where no opcode was used.
pub fn render(uring: &IoUring, style: Style) -> String {
    if uring.operations.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        1,
        &[
            "io_uring", "done", "bytes", "p50", "p99", "inline", "poll", "worker", "async",
        ],
    );
    for one in uring.operations.iter().take(OPCODES) {
        table.row([
            one.name.to_string(),
            count(one.completions),
            one.bytes.map_or_else(String::new, bytes),
            quantile(&one.latency, 0.5),
            p99_told(&one.latency),
            part(one.inline, one.completions),
            part(one.poll_armed, one.completions),
            part(one.worker, one.completions),
            part(one.asynchronous, one.completions),
        ]);
    }
    let all = |value: fn(&UringOperation) -> u64| sum(uring.operations.iter().map(value));
    let open = all(|one| {
        let ended = sum([one.completions, one.unseen_completions, one.silent]);
        one.submissions.saturating_sub(ended)
    });
    let failed = all(|one| sum(one.errors.values().copied()));
    let notes = [
        note(
            uring.operations.len().saturating_sub(OPCODES) as u64,
            "more opcodes",
        ),
        note(failed, "failed"),
        note(all(|one| one.silent), "silent"),
        note(all(|one| one.unseen_completions), "completed unseen"),
        note(open, "not seen to complete"),
        note(uring.extra_completions, "extra completions"),
        note(uring.unmatched_completions, "submitted before attach"),
    ];
    let mut text = table.render(style);
    text.push_str(&depth(&uring.depth, uring.busy_ns, notes));
    text.push_str(&errors(uring.operations.iter().flat_map(|one| {
        let of_opcode = one.errors.iter();
        of_opcode.map(|(error, times)| (&one.name, error, *times))
    })));
    text.push('\n');
    text
}

/// A part as a percentage without a fraction; empty for 0.
fn part(part: u64, whole: u64) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        _ if part == 0 => String::new(),
        Some(0) | None => "<1 %".into(),
        Some(percent) => format!("{percent} %"),
    }
}
