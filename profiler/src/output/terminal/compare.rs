//! What differs between two reports.

use super::{line::WIDTH, style::Style, table::Table};
use crate::{
    analysis::compare::{Amount, Both, Compared, Comparison, Condition, Part, Row, Side, Verdict},
    output::{
        format::{count, digits, filled, time},
        text::{line, shortened, shortened_before},
    },
    text::Text,
};

/// The lines of a screen, with one workload and with several.
const SCREEN: usize = 24;
const SCREEN_OF_SEVERAL: usize = 40;
/// The rows that are shown in any case.
const FEWEST: usize = 3;
/// How wide each of two values may be that stand beside each other.
const VALUE: usize = 28;

/// What differs, in at most a screen unless all of it is wanted.
pub fn render(
    comparison: &Comparison,
    gates: &[(String, Verdict)],
    names: [&Text; 2],
    full: bool,
    style: Style,
) -> String {
    let mut head = String::new();
    for condition in &comparison.conditions {
        head.push_str(&format!("{}\n", style.alarm(&warning(condition, names))));
    }
    let is_alone = comparison.workloads.len() == 1;
    for (number, one) in (1..).zip(&comparison.workloads) {
        if !is_alone {
            let name = shortened(&format!("{number}: {}", one.name), WIDTH);
            head.push_str(&format!("{}\n", style.heading(&name)));
        }
        head.push_str(&workload(one));
    }
    let mut tail = match comparison.equal.len() {
        1 => "1 count is equal\n".to_owned(),
        equal => format!("{} counts are equal\n", count(equal as u64)),
    };
    tail.push_str(&style.faint("~ one run on each side says nothing about times"));
    tail.push('\n');
    for (gate, verdict) in gates {
        tail.push_str(&decided(gate, verdict, style));
    }
    let screen = if is_alone { SCREEN } else { SCREEN_OF_SEVERAL };
    let others = [&head, &tail].map(|text| text.lines().count());
    // The heading of the table, and the line about the rest.
    let others = others.into_iter().fold(2, usize::saturating_add);
    let most = screen.saturating_sub(others).max(FEWEST);
    format!("{head}{}{tail}", rows(comparison, full, most, style))
}

fn rows(comparison: &Comparison, full: bool, most: usize, style: Style) -> String {
    let shown: Vec<_> = if full {
        comparison.rows().collect()
    } else {
        comparison.differing.iter().take(most).collect()
    };
    if shown.is_empty() {
        return "no count differs\n".to_owned();
    }
    let mut table = Table::new(1, &["count", "before", "after", "change"]);
    for row in shown {
        table.row(cells(row));
    }
    let mut text = table.render(style);
    let more = comparison.differing.len().saturating_sub(most);
    if !full && more > 0 {
        text.push_str(&format!("{} more differ: --full\n", count(more as u64)));
    }
    text
}

fn cells(row: &Row) -> [String; 4] {
    [
        Text::from(row.metric.as_str()).to_string(),
        amount(row.amount.before),
        amount(row.amount.after),
        change(row.amount),
    ]
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

fn change(amount: Both<Amount>) -> String {
    if amount.before == amount.after {
        return String::new();
    }
    match (amount.before.thousandths(), amount.after.thousandths()) {
        (Some(0), Some(_)) => "new".into(),
        (Some(_), Some(0)) => "gone".into(),
        (Some(before), Some(after)) => relative(before, after),
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

fn workload(one: &Compared) -> String {
    let Both { before, after } = one.wall_ns;
    let mut text = format!(
        "wall  {} -> {}  {} ~\n",
        time(before),
        time(after),
        relative(before.into(), after.into())
    );
    let parts: Vec<_> = one.time.iter().filter_map(part).collect();
    if !parts.is_empty() {
        let parts = format!("time of its threads ~: {}", parts.join(", "));
        text.push_str(&filled(parts.split(' '), WIDTH, "  "));
        text.push('\n');
    }
    let findings = [
        ("gone", &one.findings_gone),
        ("new", &one.findings_new),
        ("still there", &one.findings_left),
    ];
    let findings = findings.into_iter().filter(|(_, ids)| !ids.is_empty());
    let findings: Vec<_> = findings
        .map(|(how, ids)| {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("{how} {}", ids.join(" "))
        })
        .collect();
    if !findings.is_empty() {
        text.push_str(&format!("findings: {}\n", findings.join("; ")));
    }
    text
}

fn part(part: &Part) -> Option<String> {
    let Both { before, after } = part.ns;
    let sign = match before.cmp(&after) {
        std::cmp::Ordering::Less => '+',
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => '-',
    };
    let difference = time(before.abs_diff(after));
    Some(format!("{} {sign}{difference}", part.activity))
}

fn warning(condition: &Condition, [first, second]: [&Text; 2]) -> String {
    match condition {
        Condition::Differs {
            what,
            before,
            after,
        } => {
            let [before, after] = [before, after].map(|one| shortened(&one.to_string(), VALUE));
            format!("OTHER {}: {before} -> {after}", what.to_uppercase())
        }
        Condition::InDoubt(side) => {
            let name = match side {
                Side::Before => first,
                Side::After => second,
            };
            let name = shortened_before(&name.to_string(), VALUE);
            format!("FIGURES IN DOUBT: ioprof report --section ledger {name}")
        }
    }
}

fn decided(gate: &str, verdict: &Verdict, style: Style) -> String {
    let figures = verdict.amount;
    let figures = format!("{} -> {}", amount(figures.before), amount(figures.after));
    if verdict.holds {
        line(&format!("gate holds: {gate} ({figures})"))
    } else {
        let text = line(&format!("GATE FAILS: {gate} ({figures})"));
        format!("{}\n", style.alarm(text.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{compare::compare, judge},
        model::report::Report,
        output::text::width,
    };

    fn report(text: &str) -> Report {
        let mut report = serde_json::from_str(text).expect("the fixture is a report");
        judge(&mut report);
        report
    }

    fn sqlite() -> Report {
        report(include_str!("../../../tests/fixtures/sqlite.json"))
    }

    fn shown(before: &Report, after: &Report, full: bool) -> String {
        let comparison = compare(before, after).expect("they have as many workloads");
        let names = [&"before.json".into(), &"after.json".into()];
        render(&comparison, &[], names, full, Style::PLAIN)
    }

    #[test]
    fn what_differs_in_all_fits_on_a_screen_and_its_rest_is_told() {
        let other = report(include_str!("../../../tests/fixtures/report.json"));
        let text = shown(&sqlite(), &other, false);
        assert_eq!(text.lines().count(), SCREEN, "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.contains("OTHER COMMAND LINE: "), "{text}");
        assert!(text.contains("findings: gone SYNC001"), "{text}");
        assert!(text.contains(" more differ: --full\n"), "{text}");
        let full = shown(&sqlite(), &other, true);
        assert!(full.lines().all(|line| width(line) <= WIDTH), "{full}");
        assert!(full.contains("page_cache.read_ahead_reads"), "{full}");
    }

    #[test]
    fn nothing_is_told_of_what_is_the_same() {
        let text = shown(&sqlite(), &sqlite(), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("wall  1.22 s -> 1.22 s"), "{text}");
        assert_eq!(lines[1], "findings: still there SYNC001", "{text}");
        assert_eq!(lines[2], "no count differs", "{text}");
        assert!(lines[3].ends_with(" counts are equal"), "{text}");
    }

    #[test]
    fn a_change_is_told_as_a_part_of_what_was() {
        let change = |before, after| {
            change(Both {
                before: Amount::Count(before),
                after: Amount::Count(after),
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
    fn nothing_in_a_report_or_gate_reaches_a_terminal_raw() {
        let mut after = sqlite();
        after.host.kernel = "6\u{1b}[2J\n".into();
        after.workloads[0].syscalls[0].name = "a\u{1b}[2J\n".into();
        let comparison = compare(&sqlite(), &after).expect("they have as many workloads");
        let verdict = Verdict {
            holds: false,
            amount: comparison.differing[0].amount,
        };
        let gates = [("x\u{1b}<=\n1".to_owned(), verdict)];
        let names = [&"a\u{1b}\n".into(), &"b".into()];
        for full in [false, true] {
            let text = render(&comparison, &gates, names, full, Style::PLAIN);
            assert!(!text.contains('\u{1b}'), "{text:?}");
            let first = text.lines().next().expect("there is a warning");
            assert!(first.starts_with("OTHER KERNEL: "), "{text}");
            assert!(text.contains(r"GATE FAILS: x\x1b<=\x0a1 ("), "{text}");
        }
    }
}
