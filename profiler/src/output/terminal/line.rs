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

/// A percentile of fewer values is one of the largest of them, and tells nothing that lasts.
const ENOUGH_FOR_P99: u64 = 100;

/// The 99th percentile, of as many values as tell it.
pub fn p99(histogram: &Histogram) -> Option<u64> {
    let all = Some(histogram).filter(|all| all.count >= ENOUGH_FOR_P99);
    all?.quantile(0.99)
}

/// The same in a table; a dash where there are fewer values.
pub fn p99_told(histogram: &Histogram) -> String {
    match histogram.count {
        ENOUGH_FOR_P99.. => quantile(histogram, 0.99),
        _ => "-".into(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::{Bucket, Unit};

    #[test]
    fn a_p99_of_few_values_is_none() {
        for (count, told) in [(0, "-"), (99, "-"), (100, "1.00 us")] {
            let mut histogram = Histogram::empty(Unit::Ns);
            (histogram.count, histogram.sum) = (count, count * 1000);
            (histogram.min, histogram.max) = (1000, 1000);
            let (ge, le) = (1000, 1000);
            histogram.buckets = vec![Bucket { ge, le, count }];
            assert_eq!(p99_told(&histogram), told);
            assert_eq!(p99(&histogram).is_some(), told != "-");
        }
    }
}
