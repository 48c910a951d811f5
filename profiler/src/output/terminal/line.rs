//! What lines of several tables have in common.

use crate::{
    model::histogram::Histogram,
    output::{
        format::{count, filled, time},
        text::shortened,
    },
    text::Text,
};

/// The width of all but paths and command lines.
pub const WIDTH: usize = 80;

/// The lines of a screen that is about so many workloads.
pub const fn lines_of_screen(workloads: usize) -> usize {
    if workloads == 1 { 24 } else { 40 }
}

/// A text in lines of that width, all but the first indented.
pub fn paragraph(text: &str) -> String {
    format!("{}\n", filled(text.split(' '), WIDTH, "  "))
}

/// A quantile of times; a dash where there are no values, and a question mark where too many of them are in no bucket.
pub fn quantile(histogram: &Histogram, q: f64) -> String {
    let none = if histogram.count == 0 { "-" } else { "?" };
    histogram.quantile(q).map_or_else(|| none.into(), time)
}

/// A line of errors: what failed, the error, and how often; empty for none.
pub fn errors<'a>(errors: impl Iterator<Item = (&'a Text, &'a Text, u64)>) -> String {
    let listed: Vec<_> = errors
        .map(|(failed, error, times)| format!("{failed} {error} {}", count(times)))
        .collect();
    if listed.is_empty() {
        return String::new();
    }
    format!(
        "{}\n",
        shortened(&format!("errors: {}", listed.join(", ")), WIDTH)
    )
}
