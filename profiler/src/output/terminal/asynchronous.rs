//! What a workload asked for by io_uring and io_submit.

use super::{Style, WIDTH, errors, quantile, table::Table};
use crate::{
    model::{
        asynchronous::{Aio, IoUring, UringOperation},
        report::{QueueDepth, Workload},
        sum::sum,
    },
    output::format::{bytes, count, digits, time, wrapped},
};

/// How many opcodes have a line of their own.
const OPCODES: usize = 8;

/// Tables of both, where the workload used them.
pub fn render(workload: &Workload, style: Style) -> String {
    let uring = workload.io_uring.as_ref();
    let mut text = uring.map_or_else(String::new, |uring| io_uring(uring, style));
    text.push_str(&aio(&workload.aio, style));
    text
}

fn io_uring(uring: &IoUring, style: Style) -> String {
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
            one.name.clone(),
            count(one.completions),
            one.bytes.map_or_else(String::new, bytes),
            quantile(&one.latency, 0.5),
            quantile(&one.latency, 0.99),
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
        some(
            uring.operations.len().saturating_sub(OPCODES) as u64,
            "more opcodes",
        ),
        some(failed, "failed"),
        some(all(|one| one.silent), "silent"),
        some(all(|one| one.unseen_completions), "completed unseen"),
        some(open, "not seen to complete"),
        some(uring.extra_completions, "completions more"),
        some(uring.unmatched_completions, "submitted before"),
    ];
    let mut text = table.render(style);
    text.push_str(&line(&uring.depth, uring.busy_ns, notes));
    text.push_str(&errors(uring.operations.iter().flat_map(|one| {
        let of_opcode = one.errors.iter();
        of_opcode.map(|(error, times)| (one.name.as_str(), error.as_str(), *times))
    })));
    text.push('\n');
    text
}

fn aio(aio: &Aio, style: Style) -> String {
    if aio.submitted == 0 && aio.reaped == 0 {
        return String::new();
    }
    let mut table = Table::new(
        1,
        &[
            "io_submit",
            "submitted",
            "done",
            "bytes",
            "p50",
            "p99",
            "max",
        ],
    );
    for one in &aio.operations {
        table.row([
            one.name.clone(),
            count(one.submissions),
            count(one.completions),
            one.bytes.map_or_else(String::new, bytes),
            quantile(&one.latency, 0.5),
            quantile(&one.latency, 0.99),
            time(one.latency.max),
        ]);
    }
    let unseen = aio.operations.iter().map(|one| one.unseen_completions);
    let open = aio.operations.iter().map(|one| {
        let ended = one.completions.saturating_add(one.unseen_completions);
        one.submissions.saturating_sub(ended)
    });
    let notes = [
        some(sum(unseen), "completed unseen"),
        some(aio.iocbs_unread, "more not looked at"),
        some(aio.events_unread, "events not looked at"),
        some(aio.unmatched_events, "submitted before"),
        some(sum(open), "not seen to complete"),
    ];
    let mut text = table.render(style);
    text.push_str(&line(&aio.depth, aio.busy_ns, notes));
    text.push_str(&errors(aio.operations.iter().flat_map(|one| {
        let of_opcode = one.errors.iter();
        of_opcode.map(|(error, times)| (one.name.as_str(), error.as_str(), *times))
    })));
    text.push('\n');
    text
}

/// A part of all as a percentage without a fraction; nothing for nothing.
fn part(part: u64, whole: u64) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        _ if part == 0 => String::new(),
        Some(0) | None => "<1 %".into(),
        Some(percent) => format!("{percent} %"),
    }
}

/// The depth, and what there is to say beside.
fn line<const N: usize>(depth: &QueueDepth, busy_ns: u64, notes: [Option<String>; N]) -> String {
    let parts: Vec<_> = [
        format!("in flight {} on average", digits(depth.mean)),
        format!("{} at most", count(depth.max)),
        format!("any for {}", time(busy_ns)),
    ]
    .into_iter()
    .chain(notes.into_iter().flatten())
    .collect();
    format!("{}\n", wrapped(&parts, WIDTH, "  "))
}

fn some(number: u64, what: &str) -> Option<String> {
    (number > 0).then(|| format!("{} {what}", count(number)))
}
