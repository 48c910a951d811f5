//! What lines of several tables have in common.

use crate::{
    model::histogram::Histogram,
    output::format::{count, filled, time},
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
    format!("{}\n", filled(words(text), WIDTH, "  "))
}

const UNITS: [&str; 10] = ["ns", "us", "ms", "s", "B", "KiB", "MiB", "GiB", "TiB", "%"];

/// The words of a text; a figure and its unit are one.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_unit = |rest: &str| {
        let word = rest.split(' ').next().unwrap_or(rest);
        UNITS.contains(&word.trim_end_matches([',', ';', '.', ')']))
    };
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut spaces = text.match_indices(' ').map(|(at, _)| text.split_at(at));
        let end = spaces.find(|(_, behind)| !is_unit(&behind[1..]));
        rest = end.map(|(_, behind)| &behind[1..]);
        Some(end.map_or(text, |(word, _)| word))
    })
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
    paragraph(&format!("errors: {}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::{Bucket, Unit};

    #[test]
    fn a_figure_and_its_unit_are_not_torn_apart() {
        let found: Vec<_> = words("a 7.61 s, b (3 %) us  c").collect();
        assert_eq!(found, ["a", "7.61 s,", "b", "(3 %) us", "", "c"]);
        assert_eq!(words("").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn many_errors_are_told_in_several_lines() {
        let names: Vec<_> = (0..20).map(|at| Text::from(format!("call{at}"))).collect();
        let error = Text::from("EAGAIN".to_owned());
        let told = errors(names.iter().map(|name| (name, &error, 1)));
        assert!(told.contains("call19 EAGAIN 1"), "{told}");
        assert!(told.lines().all(|line| line.len() <= WIDTH), "{told}");
    }

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
