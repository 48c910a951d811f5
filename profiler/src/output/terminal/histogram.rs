//! A distribution as bars, in the format of biolatency.

use crate::{model::histogram::Histogram, output::format::count};

/// How long the longest bar is.
const BAR: usize = 40;
/// The width of what stands before it, where no number is longer than its column.
const RANGE: usize = 39;
/// So many empty rows in a line are folded into one.
const GAP: usize = 3;

/// A bar for each power of two; in microseconds, or in nanoseconds where most values are below four of those.
pub fn render(histogram: &Histogram) -> String {
    let typical = histogram.quantile(0.5).or_else(|| histogram.mean());
    let is_fast = typical.is_some_and(|typical| typical < 4000);
    let (unit, divisor) = if is_fast {
        ("nsecs", 1)
    } else {
        ("usecs", 1000)
    };
    let rows = rows(histogram, divisor);
    let Some(first) = rows.iter().position(|count| *count > 0) else {
        return missing(histogram);
    };
    let most = rows.iter().copied().max().unwrap_or(1).max(1);
    let mut text = format!("{:>10}    {unit:<10} : {:<10} distribution\n", "", "count");
    let mut row = first;
    while row < rows.len() {
        let empty = rows[row..].iter().take_while(|count| **count == 0).count();
        if empty >= GAP {
            text.push_str(&format!("{:>14}\n", "..."));
            row = row.saturating_add(empty);
            continue;
        }
        text.push_str(&line(row, rows[row], most));
        row = row.saturating_add(1);
    }
    text + &missing(histogram)
}

/// The values that are in no row; empty for none.
fn missing(histogram: &Histogram) -> String {
    match histogram.missing() {
        0 => String::new(),
        missing => format!(
            "{:>10}    {} of {} values are missing here\n",
            "",
            count(missing),
            count(histogram.count)
        ),
    }
}

/// How many values there are of each power of two; the first row is for zero.
fn rows(histogram: &Histogram, divisor: u64) -> Vec<u64> {
    let mut rows = Vec::<u64>::new();
    for bucket in &histogram.buckets {
        let value = bucket.middle().checked_div(divisor).unwrap_or(0);
        let row = (u64::BITS.saturating_sub(value.leading_zeros())) as usize;
        rows.resize(rows.len().max(row.saturating_add(1)), 0);
        rows[row] = rows[row].saturating_add(bucket.count);
    }
    rows
}

fn line(row: usize, count: u64, most: u64) -> String {
    // The largest value of a row has as many bits.
    let high = u64::MAX.checked_shr(u64::BITS.saturating_sub(row as u32));
    let high = high.unwrap_or(0);
    let low = high.div_ceil(2);
    let length = u128::from(count).saturating_mul(BAR as u128);
    let length = length.checked_div(most.into()).unwrap_or(0);
    // A single event stays visible.
    let length = (length as usize).max(usize::from(count > 0));
    let range = format!("{low:>10} -> {high:<10} : {count:<10} |");
    // Large numbers take it from the bar.
    let room = BAR.saturating_sub(range.len().saturating_sub(RANGE));
    let bar = "*".repeat(length.min(room));
    format!("{range}{bar:<room$}|\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::{Bucket, Unit};

    fn histogram(values: &[(u64, u64)]) -> Histogram {
        let bucket = |(value, count): &(u64, u64)| Bucket {
            ge: *value,
            le: *value,
            count: *count,
        };
        Histogram {
            max: u64::MAX,
            buckets: values.iter().map(bucket).collect(),
            ..Histogram::empty(Unit::Ns)
        }
    }

    #[test]
    fn no_number_makes_a_line_too_long() {
        for count in [1, u64::MAX] {
            let text = render(&histogram(&[(1, 1), (1 << 35, count), (u64::MAX, count)]));
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        }
    }

    #[test]
    fn bars_are_in_proportion_and_ranges_join() {
        let text = render(&histogram(&[(500, 10), (5_000, 40), (20_000, 1)]));
        let lines: Vec<_> = text.lines().collect();
        let stars = |line: &&str| line.matches('*').count();
        assert_eq!(
            lines.iter().map(stars).collect::<Vec<_>>(),
            [0, 10, 0, 0, 40, 0, 1]
        );
        assert!(lines[4].trim_start().starts_with("4 -> 7"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        assert_eq!(render(&Histogram::empty(Unit::Ns)), "");
    }

    #[test]
    fn fast_calls_are_told_in_nanoseconds_and_gaps_are_folded() {
        let text = render(&histogram(&[(700, 10), (1_000_000, 1)]));
        assert!(
            text.contains("nsecs") && text.contains("512 -> 1023"),
            "{text}"
        );
        assert_eq!(text.lines().filter(|line| line.trim() == "...").count(), 1);
        assert_eq!(text.lines().count(), 4);
    }
}
