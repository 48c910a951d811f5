//! The figures of a comparison in words, the same in all its forms.

use super::{
    format::{count, digits, signed_percent, time},
    text::width,
};
use crate::analysis::compare::{
    Amount, Both, Certainty, Compared, Comparison, Interval, Outcome, Row, Span, Timing, Verdict,
};

/// What the runs of a side counted.
pub fn span(of: Option<Span>) -> String {
    match of {
        None => "?".into(),
        Some(one) if one.varies() => format!("{}..{}", amount(one.min), amount(one.max)),
        Some(one) => amount(one.min),
    }
}

/// The same in at most so many columns, where all digits of runs that differ would take more: what they have in common is in
/// the first ones.
pub fn short_span(of: Option<Span>, most: usize) -> String {
    let text = span(of);
    match of {
        Some(one) if one.varies() && width(&text) > most => {
            format!("{}..{}", rounded(one.min), rounded(one.max))
        }
        _ => text,
    }
}

/// Four digits, and the power of ten.
#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn rounded(of: Amount) -> String {
    match of {
        Amount::Count(number) => format!("{:.3e}", number as f64),
        Amount::Ratio(thousandths) => format!("{:.3e}", thousandths as f64 / 1000.0),
        Amount::Unknown => amount(of),
    }
}

fn amount(of: Amount) -> String {
    match of {
        Amount::Count(number) => count(number),
        Amount::Ratio(thousandths) => {
            format!("{}.{:03}", count(thousandths / 1000), thousandths % 1000)
        }
        Amount::Unknown => "?".into(),
    }
}

/// By how much a count differs; where runs of a side differ, by how much at least. `~` where the sides are not apart, and
/// where that may be chance.
pub fn change(row: &Row, comparison: &Comparison) -> String {
    match comparison.varying.contains(row) {
        true => "~".into(),
        false => difference(row.amount),
    }
}

fn difference(amount: Both<Option<Span>>) -> String {
    let Some((before, after)) = amount.before.zip(amount.after) else {
        return match amount.before == amount.after {
            true => String::new(),
            false => "?".into(),
        };
    };
    if before == after {
        return if before.varies() { "~" } else { "" }.into();
    }
    // The nearest of both, and how the change compares with what these make.
    let (before_amount, after_amount, least) =
        match (before.is_below(after), after.is_below(before)) {
            (true, _) => (before.max, after.min, ">="),
            (_, true) => (before.min, after.max, "<="),
            _ => return "~".into(),
        };
    let mark = if before.varies() || after.varies() {
        least
    } else {
        ""
    };
    match (before_amount.thousandths(), after_amount.thousandths()) {
        (Some(0), Some(_)) => "new".into(),
        (Some(_), Some(0)) => "gone".into(),
        (Some(before), Some(after)) => format!("{mark}{}", relative(before, after)),
        _ => "?".into(),
    }
}

/// A difference as a part of what was there; many times that as a factor.
#[expect(clippy::cast_precision_loss, reason = "it is rounded to be shown")]
fn relative(before: u128, after: u128) -> String {
    let part = before.abs_diff(after) as f64 / (before as f64).max(1.0);
    let sign = if after < before { '-' } else { '+' };
    match part * 100.0 {
        percent if percent >= 1000.0 => format!("x{}", digits(part + 1.0)),
        percent if percent > 0.0 && percent < 0.01 => format!("{sign}<0.01 %"),
        // Not all of it, where that is what is left when it is rounded.
        percent if after < before && percent > 99.9 => {
            format!("-{:.2} %", (percent * 100.0).floor().min(9999.0) / 100.0)
        }
        percent => format!("{sign}{} %", digits(percent)),
    }
}

/// By how much a time differs; empty where it was 0.
pub fn relative_ns(ns: Both<u64>) -> String {
    match ns.before {
        0 => String::new(),
        before => relative(before.into(), ns.after.into()),
    }
}

/// A time of both sides, and what chance leaves of its change.
pub fn timing(of: &Timing) -> String {
    let Both { before, after } = of.ns;
    let change = match relative_ns(of.ns) {
        none if none.is_empty() => none,
        change => format!("  {change}"),
    };
    let interval = of
        .change
        .map_or_else(String::new, |change| format!(" ({})", interval(change)));
    let mark = mark(of);
    format!(
        "{} -> {}{change}{interval}{mark}",
        time(before),
        time(after)
    )
}

/// The mark of a difference that may be chance.
pub const fn mark(of: &Timing) -> &'static str {
    match of.verdict {
        Certainty::Differs => "",
        Certainty::NotSignificant | Certainty::TooFewRuns | Certainty::NotInEveryRun => " ~",
    }
}

/// The bounds of a change, as percentages.
pub fn interval(of: Interval) -> String {
    format!("{} to {}", signed_percent(of.low), signed_percent(of.high))
}

/// The bounds of a difference of times.
fn interval_ns(of: Interval) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, and the size of a number is not below 0"
    )]
    let bound = |ns: f64| {
        let sign = if ns < 0.0 { '-' } else { '+' };
        format!("{sign}{}", time(ns.abs().round() as u64))
    };
    format!("{} to {}", bound(of.low), bound(of.high))
}

/// A difference of times with its sign.
pub fn signed(ns: Both<u64>) -> String {
    let sign = if ns.after < ns.before { '-' } else { '+' };
    format!("{sign}{}", time(ns.before.abs_diff(ns.after)))
}

/// The findings by what became of them.
#[derive(Default)]
pub struct Found {
    /// In no run any more.
    pub gone: Vec<String>,
    /// In no run before.
    pub new: Vec<String>,
    /// On both sides.
    pub left: Vec<String>,
}

impl Found {
    /// What became of them, with these, where there are any.
    pub fn told(self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        let all = [
            ("gone", self.gone),
            ("new", self.new),
            ("still there", self.left),
        ];
        all.into_iter().filter(|(_, ids)| !ids.is_empty())
    }
}

/// What became of the findings of a workload; where not all runs have one, in how many.
pub fn found(one: &Compared, runs: Both<u64>) -> Found {
    let mut found = Found::default();
    for finding in &one.findings {
        let Both { before, after } = finding.runs;
        let is_in_all = |had: u64, all: u64| had == 0 || had == all;
        let in_all = is_in_all(before, runs.before) && is_in_all(after, runs.after);
        let text = match in_all {
            true => finding.id.to_string(),
            false => format!(
                "{} (in {before} of {} -> {after} of {})",
                finding.id, runs.before, runs.after
            ),
        };
        let list = match (before, after) {
            (_, 0) => &mut found.gone,
            (0, _) => &mut found.new,
            _ => &mut found.left,
        };
        list.push(text);
    }
    found
}

/// What `~` means here, and what would tell more.
pub fn times_note(comparison: &Comparison) -> String {
    let walls = || comparison.workloads.iter().map(|one| &one.wall);
    let needed = walls().filter_map(|wall| wall.runs_needed).max();
    let is_too_few = walls().any(|wall| wall.verdict == Certainty::TooFewRuns);
    let Both { before, after } = comparison.runs;
    let needed = match needed {
        Some(needed) => format!("; {} on each side may", count(needed)),
        None => String::new(),
    };
    if is_too_few {
        let few = match (before, after) {
            (1, 1) => "one run on each side says",
            _ => "so few runs say",
        };
        return format!("~ {few} nothing about times{needed}");
    }
    let needed = needed.replace(" may", " may tell wall");
    format!("~ may be chance, as 1 in 20 comparisons of equals shows{needed}")
}

/// How a gate came out, in a line.
pub fn decided(gate: &str, verdict: &Verdict) -> String {
    let how = match (verdict.condition, verdict.passes) {
        (Outcome::Holds, _) => "gate holds",
        (Outcome::Fails, _) => "GATE FAILS",
        (Outcome::Undecided, true) => "gate undecided",
        (Outcome::Undecided, false) => "GATE FAILS, undecided",
    };
    let figures = figures(verdict);
    format!("{how}: {gate} ({figures})")
}

/// What a gate is decided by.
pub fn figures(verdict: &Verdict) -> String {
    if let Some(count) = verdict.count {
        return format!("{} -> {}", span(count.before), span(count.after));
    }
    let Some(time) = &verdict.time else {
        return "too few of them in the reports".into();
    };
    let known = match (time.change, time.difference_ns) {
        (Some(change), _) => interval(change),
        // It was 0 before in some runs.
        (None, Some(difference)) => interval_ns(difference),
        (None, None) if time.verdict == Certainty::NotInEveryRun => "not in every run".into(),
        (None, None) => "too few runs".into(),
    };
    match time.runs_needed {
        Some(runs) if verdict.condition == Outcome::Undecided => {
            format!("{known}; {} runs on each side may tell", count(runs))
        }
        _ => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_as_a_part_of_what_was() {
        let change = |before, after| {
            let same = |count| Some(Span::same(Amount::Count(count)));
            difference(Both {
                before: same(before),
                after: same(after),
            })
        };
        assert_eq!(change(0, 5), "new");
        assert_eq!(change(5, 0), "gone");
        assert_eq!(change(5, 5), "");
        assert_eq!(change(244, 24), "-90.2 %");
        assert_eq!(change(2, 3), "+50.0 %");
        assert_eq!(change(20_951, 4), "-99.98 %");
        assert_eq!(change(1 << 60, 1), "-99.99 %");
        assert_eq!(change(1, 100), "x100");
        assert_eq!(change(1_000_000, 1_000_001), "+<0.01 %");
    }

    #[test]
    fn of_counts_that_vary_the_least_change_is_told_and_none_where_they_overlap() {
        let difference = |before: [u64; 2], after: [u64; 2]| {
            let span = |[min, max]: [u64; 2]| {
                let [min, max] = [min, max].map(Amount::Count);
                Some(Span { min, max })
            };
            difference(Both {
                before: span(before),
                after: span(after),
            })
        };
        assert_eq!(difference([10, 12], [18, 20]), ">=+50.0 %");
        assert_eq!(difference([20, 24], [8, 10]), "<=-50.0 %");
        assert_eq!(difference([10, 12], [12, 20]), "~");
        assert_eq!(difference([10, 12], [11, 11]), "~");
        assert_eq!(difference([10, 12], [10, 12]), "~");
        assert_eq!(difference([0, 0], [3, 5]), "new");
        assert_eq!(difference([3, 5], [0, 0]), "gone");
    }

    #[test]
    fn a_gate_on_a_time_says_what_is_known_of_it() {
        let interval = Interval {
            low: -1e6,
            high: 2.5e9,
        };
        let said = |difference_ns, verdict| {
            let time = Timing {
                metric: "time.device".into(),
                ns: Both {
                    before: 0,
                    after: 0,
                },
                difference_ns,
                change: None,
                verdict,
                runs_needed: None,
                draws: None,
            };
            figures(&Verdict {
                passes: true,
                condition: Outcome::Undecided,
                count: None,
                time: Some(time),
            })
        };
        let was_0 = said(Some(interval), Certainty::NotSignificant);
        assert_eq!(was_0, "-1.00 ms to +2.50 s");
        assert_eq!(said(None, Certainty::TooFewRuns), "too few runs");
        assert_eq!(said(None, Certainty::NotInEveryRun), "not in every run");
    }
}
