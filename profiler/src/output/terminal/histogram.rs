//! A distribution as bars, in the shape that biolatency has made known.

use crate::model::histogram::Histogram;

/// How long the longest bar is.
const BAR: usize = 40;

/// A bar for each power of two, in microseconds.
pub fn render(histogram: &Histogram) -> String {
    // Values below a microsecond share the first row.
    let mut rows = Vec::<u64>::new();
    for bucket in &histogram.buckets {
        let microseconds = (bucket.ge + (bucket.le - bucket.ge) / 2) / 1000;
        let row = microseconds
            .checked_ilog2()
            .map_or(0, |log2| log2 as usize + 1);
        rows.resize(rows.len().max(row + 1), 0);
        rows[row] += bucket.count;
    }
    let Some(first) = rows.iter().position(|count| *count > 0) else {
        return String::new();
    };
    let most = rows.iter().copied().max().unwrap_or(1).max(1);
    let mut text = format!(
        "{:>10}    {:<10} : {:<10} distribution\n",
        "", "usecs", "count"
    );
    for (row, count) in rows.iter().enumerate().skip(first) {
        let (low, high) = match row {
            0 => (0, 0),
            row => (1_u64 << (row - 1), (1_u64 << row) - 1),
        };
        let length = u128::from(*count) * BAR as u128 / u128::from(most);
        // What happened once can still be seen.
        let length = (length as usize).max(usize::from(*count > 0));
        text.push_str(&format!(
            "{low:>10} -> {high:<10} : {count:<10} |{:<BAR$}|\n",
            "*".repeat(length)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::{Bucket, Unit};

    #[test]
    fn bars_are_in_proportion_and_ranges_join() {
        let bucket = |value, count| Bucket {
            ge: value,
            le: value,
            count,
        };
        let histogram = Histogram {
            buckets: vec![bucket(500, 10), bucket(1_000, 40), bucket(4_000, 1)],
            ..Histogram::empty(Unit::Ns)
        };
        let lines: Vec<_> = render(&histogram).lines().map(str::to_owned).collect();
        let stars = |line: &str| line.matches('*').count();
        assert_eq!(
            lines.iter().map(|line| stars(line)).collect::<Vec<_>>(),
            [0, 10, 40, 0, 1]
        );
        assert!(lines[3].trim_start().starts_with("2 -> 3"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        assert_eq!(render(&Histogram::empty(Unit::Ns)), "");
    }
}
