//! What differs between the reports of two sides.

use super::{
    line::{WIDTH, lines_of_screen, paragraph},
    style::Style,
    table::Table,
};
use crate::{
    analysis::compare::{Both, Certainty, Compared, Comparison, Condition, Row, Side, Verdict},
    output::{
        comparison::{change, decided, found, mark, short_span, signed, times_note, timing},
        format::{command_line, count, counted, time, wrapped},
        text::{line, shortened, width},
    },
    text::Text,
};

/// The rows that are shown in any case.
const FEWEST: usize = 3;
/// The latencies that are shown of a workload.
const LATENCIES: usize = 3;
/// How wide what the runs of a side counted may be.
const SPAN: usize = 22;
/// How wide each of two values may be that stand beside each other.
const VALUE: usize = 28;

/// What differs, in at most a screen unless all of it is wanted.
pub fn render(
    comparison: &Comparison,
    gates: &[(String, Verdict)],
    names: [&[Text]; 2],
    full: bool,
    style: Style,
) -> String {
    let mut head = String::new();
    for condition in &comparison.conditions {
        head.push_str(&format!("{}\n", style.alarm(&warning(condition, names))));
    }
    let runs = comparison.runs;
    if runs.before.max(runs.after) > 1 {
        let runs = [runs.before, runs.after].map(count);
        head.push_str(&format!("runs  {} -> {}\n", runs[0], runs[1]));
    }
    let is_alone = comparison.workloads.len() == 1;
    for (number, one) in (1..).zip(&comparison.workloads) {
        if !is_alone {
            let name = shortened(&format!("{number}: {}", one.name), WIDTH);
            head.push_str(&format!("{}\n", style.heading(&name)));
        }
        head.push_str(&workload(one, runs, full));
    }
    let mut tail = rest(comparison, full);
    tail.push_str(&style.faint(&times_note(comparison)));
    tail.push('\n');
    for (gate, verdict) in gates {
        let text = line(&decided(gate, verdict));
        tail.push_str(&match verdict.passes {
            true => text,
            false => format!("{}\n", style.alarm(text.trim_end())),
        });
    }
    let screen = lines_of_screen(comparison.workloads.len());
    let others = [&head, &tail].map(|text| text.lines().count());
    // The heading of the table, and the line about the rest.
    let others = others.into_iter().fold(2, usize::saturating_add);
    let most = screen.saturating_sub(others).max(FEWEST);
    format!("{head}{}{tail}", rows(comparison, full, most, style))
}

/// What is told of the counts that are in no row.
fn rest(comparison: &Comparison, full: bool) -> String {
    let varying = comparison.varying.len();
    let mut text = match varying {
        0 => String::new(),
        _ if full => String::new(),
        _ => format!(
            "{} from run to run, not from side to side: --full\n",
            counted(varying as u64, "count varies", "counts vary")
        ),
    };
    let equal = comparison.equal.len() as u64;
    text.push_str(&counted(equal, "count is equal\n", "counts are equal\n"));
    text
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
        table.row(cells(row, comparison));
    }
    let mut text = table.render(style);
    let more = comparison.differing.len().saturating_sub(most);
    if !full && more > 0 {
        text.push_str(&format!("{} more differ: --full\n", count(more as u64)));
    }
    text
}

fn cells(row: &Row, comparison: &Comparison) -> [String; 4] {
    [
        Text::from(row.metric.as_str()).to_string(),
        short_span(row.amount.before, SPAN),
        short_span(row.amount.after, SPAN),
        change(row, comparison),
    ]
}

fn workload(one: &Compared, runs: Both<u64>, full: bool) -> String {
    let mut text = format!("wall  {}\n", timing(&one.wall));
    let parts = one
        .time
        .iter()
        .filter(|part| part.ns.before != part.ns.after);
    let mut parts: Vec<_> = parts
        .map(|part| {
            let name = part.metric.rsplit('.').next().unwrap_or_default();
            let difference = signed(part.ns);
            format!("{} {difference}{}", name.replace('_', " "), mark(part))
        })
        .collect();
    if let Some(rest) = one.rest_ns {
        let sign = if rest < 0 { '-' } else { '+' };
        parts.push(format!("rest {sign}{}", time(rest.unsigned_abs())));
    }
    if let Some(first) = parts.first_mut() {
        *first = format!("of it: {first}");
        text.push_str(&wrapped(&parts, WIDTH, "  "));
        text.push('\n');
    }
    let latencies = one.latencies.iter();
    let latencies = latencies.filter(|one| full || one.verdict == Certainty::Differs);
    let most = if full { usize::MAX } else { LATENCIES };
    for latency in latencies.take(most) {
        let metric = Text::from(latency.metric.as_str());
        text.push_str(&line(&format!("{metric}  {}", timing(latency))));
    }
    if full {
        for part in &one.time {
            text.push_str(&line(&format!("{}  {}", part.metric, timing(part))));
        }
    }
    let findings: Vec<_> = found(one, runs)
        .told()
        .map(|(how, ids)| format!("{how} {}", ids.join(" ")))
        .collect();
    if !findings.is_empty() {
        let findings = format!("findings: {}", findings.join("; "));
        text.push_str(&paragraph(&findings));
    }
    text
}

/// A line about what makes reports hard to compare.
pub fn warning(condition: &Condition, names: [&[Text]; 2]) -> String {
    match condition {
        Condition::Differs {
            what,
            before,
            after,
        } => {
            let [before, after] = [before, after].map(|one| shortened(&one.to_string(), VALUE));
            format!("OTHER {}: {before} -> {after}", what.to_uppercase())
        }
        Condition::Mixed { what, values } => {
            let values = shortened(&values.to_string(), VALUE.saturating_mul(2));
            format!("MIXED {}: {values}", what.to_uppercase())
        }
        Condition::InDoubt { side, run, .. } => {
            let of_side = match side {
                Side::Before => names[0],
                Side::After => names[1],
            };
            let name = usize::try_from(*run).ok().and_then(|run| of_side.get(run));
            let name = command_line(name.map_or(&[], std::slice::from_ref));
            let command = format!("ioprof report --section ledger {name}");
            let line = format!("FIGURES IN DOUBT: {command}");
            // It is to be copied: whole, and on a line of its own.
            match width(&line) <= WIDTH {
                true => line,
                false => format!("FIGURES IN DOUBT:\n{command}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::{
        analysis::{
            compare::{Outcome, compare},
            judge,
        },
        model::report::Report,
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
        let [before, after] = [before, after].map(slice::from_ref);
        let comparison = compare(before, after).expect("they have as many workloads");
        let names = ["before.json", "after.json"].map(|name| [name.into()]);
        let names = names.each_ref().map(<[_; 1]>::as_slice);
        render(&comparison, &[], names, full, Style::PLAIN)
    }

    #[test]
    fn what_differs_in_all_fits_on_a_screen_and_its_rest_is_told() {
        let other = report(include_str!("../../../tests/fixtures/report.json"));
        let text = shown(&sqlite(), &other, false);
        assert_eq!(text.lines().count(), lines_of_screen(1), "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.contains("OTHER COMMAND LINE: "), "{text}");
        assert!(text.contains("findings: gone SHARE001 SYNC001"), "{text}");
        assert!(text.contains(" more differ: --full\n"), "{text}");
        let full = shown(&sqlite(), &other, true);
        assert!(full.lines().all(|line| width(line) <= WIDTH), "{full}");
        assert!(full.contains("page_cache.read_ahead_reads"), "{full}");
    }

    #[test]
    fn however_much_runs_count_the_lines_hold_the_width() {
        for bytes in [99_999_999, 123_456_789, 98_765_432_109, u64::MAX / 2] {
            let side = |all: u64| {
                [all, all.saturating_sub(all / 100)].map(|bytes| {
                    let mut report = sqlite();
                    let calls = report.workloads[0].syscalls.iter_mut();
                    for call in calls.filter(|call| call.bytes.is_some()) {
                        (call.calls, call.bytes) = (bytes, Some(bytes));
                    }
                    report
                })
            };
            let comparison = compare(&side(bytes), &side(bytes / 2)).expect("they can be");
            let names = [[Text::from("a"), Text::from("b")], ["c".into(), "d".into()]];
            let names = names.each_ref().map(<[_; 2]>::as_slice);
            for full in [false, true] {
                let text = render(&comparison, &[], names, full, Style::PLAIN);
                let wide = text.lines().find(|line| width(line) > WIDTH);
                assert_eq!(wide, None, "{text}");
                let rounded = text.contains("9.778e10..9.877e10");
                assert_eq!(rounded, full && bytes == 98_765_432_109, "{text}");
            }
        }
    }

    #[test]
    fn nothing_is_told_of_what_is_the_same() {
        let text = shown(&sqlite(), &sqlite(), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("wall  1.22 s -> 1.22 s"), "{text}");
        let still = "findings: still there SHARE001 SYNC001";
        assert_eq!(lines[1], still, "{text}");
        assert_eq!(lines[2], "no count differs", "{text}");
        assert!(lines[3].ends_with(" counts are equal"), "{text}");
    }

    #[test]
    fn the_command_that_shows_what_is_in_doubt_can_be_copied() {
        let condition = Condition::InDoubt {
            side: Side::Before,
            run: 0,
            runs: 1,
        };
        let told = |name: &str| {
            let name = Text::from(name);
            warning(&condition, [slice::from_ref(&name); 2])
        };
        assert_eq!(
            told("a b.json"),
            "FIGURES IN DOUBT: ioprof report --section ledger 'a b.json'"
        );
        let path = format!("/srv/{}/before.json", "a".repeat(80));
        assert_eq!(
            told(&path),
            format!("FIGURES IN DOUBT:\nioprof report --section ledger {path}")
        );
    }

    #[test]
    fn nothing_in_a_report_or_gate_reaches_a_terminal_raw() {
        let mut after = sqlite();
        after.host.kernel = "6\u{1b}[2J\n".into();
        after.workloads[0].syscalls[0].name = "a\u{1b}[2J\n".into();
        let comparison = compare(&[sqlite()], &[after]).expect("they have as many workloads");
        let verdict = Verdict {
            passes: false,
            condition: Outcome::Fails,
            count: Some(comparison.differing[0].amount),
            time: None,
        };
        let gates = [("x\u{1b}<=\n1".to_owned(), verdict)];
        let names = ["a\u{1b}\n", "b"].map(|name| [name.into()]);
        let names = names.each_ref().map(<[_; 1]>::as_slice);
        for full in [false, true] {
            let text = render(&comparison, &gates, names, full, Style::PLAIN);
            assert!(!text.contains('\u{1b}'), "{text:?}");
            let first = text.lines().next().expect("there is a warning");
            assert!(first.starts_with("OTHER KERNEL: "), "{text}");
            assert!(text.contains(r"GATE FAILS: x\x1b<=\x0a1 ("), "{text}");
        }
    }
}
