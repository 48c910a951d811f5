//! What a built-in workload reports of itself.

use super::line::WIDTH;
use crate::{
    model::report::Workload,
    output::{
        format::{bytes, count, time, wrapped},
        text::visible,
    },
};

/// Where the probes' count of its calls differs from the workload's own.
fn self_checks(workload: &Workload) -> String {
    let differing: Vec<_> = workload
        .self_checks
        .iter()
        .filter(|check| check.counted_calls != check.reported_calls)
        .map(|check| {
            let more = check.counted_calls >= check.reported_calls;
            format!(
                "{} {} ({}{})",
                check.operation,
                count(check.counted_calls),
                if more { "+" } else { "-" },
                count(check.counted_calls.abs_diff(check.reported_calls))
            )
        })
        .collect();
    let Some((first, rest)) = differing.split_first() else {
        return String::new();
    };
    let parts: Vec<_> = std::iter::once(format!("calls counted: {first}"))
        .chain(rest.iter().cloned())
        .collect();
    format!("{}\n", wrapped(&parts, WIDTH, "  "))
}

/// What it did by its own count, in a line, and where the probes' count differs.
pub fn render(workload: &Workload) -> String {
    let Some(own) = &workload.self_reported else {
        return String::new();
    };
    let done: Vec<_> = own
        .operations
        .iter()
        .filter(|operation| operation.calls > 0)
        .map(|operation| {
            format!(
                "{} {} ({})",
                count(operation.calls),
                visible(&operation.name),
                bytes(operation.bytes)
            )
        })
        .collect();
    let parts: Vec<_> = [
        format!(
            "self-reported: {} with {}",
            time(own.elapsed_ns),
            visible(&own.engine)
        ),
        format!("{} files", count(own.files)),
    ]
    .into_iter()
    .chain(done)
    .collect();
    format!(
        "{}\n{}\n",
        wrapped(&parts, WIDTH, "  "),
        self_checks(workload)
    )
}
