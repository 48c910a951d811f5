//! The opcodes of io_submit(2).

use super::{
    depth::{note, render as depth},
    line::{errors, p99_told, quantile},
    style::Style,
    table::Table,
};
use crate::{
    model::{aio::Aio, sum::sum},
    output::format::{bytes, count, time},
};

/// The table; nothing where no operation was submitted or reaped.
pub fn render(aio: &Aio, style: Style) -> String {
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
            one.name.to_string(),
            count(one.submissions),
            count(one.completions),
            one.bytes.map_or_else(String::new, bytes),
            quantile(&one.latency, 0.5),
            p99_told(&one.latency),
            time(one.latency.max),
        ]);
    }
    let unseen = aio.operations.iter().map(|one| one.unseen_completions);
    let open = aio.operations.iter().map(|one| {
        let ended = one.completions.saturating_add(one.unseen_completions);
        one.submissions.saturating_sub(ended)
    });
    let notes = [
        note(sum(unseen), "completed unseen"),
        note(aio.iocbs_unread, "control blocks not read"),
        note(aio.events_unread, "events not read"),
        note(aio.unmatched_events, "submitted before attach"),
        note(sum(open), "not seen to complete"),
    ];
    let mut text = table.render(style);
    text.push_str(&depth(&aio.depth, aio.busy_ns, notes));
    text.push_str(&errors(aio.operations.iter().flat_map(|one| {
        let of_opcode = one.errors.iter();
        of_opcode.map(|(error, times)| (&one.name, error, *times))
    })));
    text.push('\n');
    text
}
