//! How much asynchronous I/O was in flight.

use super::line::WIDTH;
use crate::{
    model::block::QueueDepth,
    output::format::{count, digits, time, wrapped},
};

/// A line with the depth, and notes.
pub fn render<const N: usize>(
    depth: &QueueDepth,
    busy_ns: u64,
    notes: [Option<String>; N],
) -> String {
    let parts: Vec<_> = [
        format!("in flight: mean {}", digits(depth.mean)),
        format!("max {}", count(depth.max)),
        format!("busy {}", time(busy_ns)),
    ]
    .into_iter()
    .chain(notes.into_iter().flatten())
    .collect();
    format!("{}\n", wrapped(&parts, WIDTH, "  "))
}

/// A note of a number; none for 0.
pub fn note(number: u64, what: &str) -> Option<String> {
    (number > 0).then(|| format!("{} {what}", count(number)))
}
