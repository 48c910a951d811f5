//! What runs of the same work have in common.

use super::{
    compare::warning,
    line::{WIDTH, lines_of_screen, paragraph},
    style::Style,
    table::Table,
};
use crate::{
    analysis::compare::{Condition, Repeated, Side, Spread},
    output::{
        comparison::span,
        format::{count, time},
        text::shortened,
    },
    text::Text,
};

/// The times that are shown of a workload: its wall time, its parts, and latencies.
const TIMES: usize = 6;
const LATENCIES: usize = 3;

/// The medians, the extremes, and what varies.
pub fn render(repeated: &Repeated, names: &[Text], style: Style) -> String {
    let itself = &repeated.itself;
    let mut text = String::new();
    for condition in &itself.conditions {
        let of_the_copy =
            matches!(condition, Condition::InDoubt { side, .. } if *side == Side::After);
        if !of_the_copy {
            let warning = warning(condition, [names; 2]);
            text.push_str(&format!("{}\n", style.alarm(&warning)));
        }
    }
    let runs = itself.runs.before;
    let heading = match runs {
        1 => "1 run".to_owned(),
        runs => format!("{} runs", count(runs)),
    };
    let is_alone = itself.workloads.len() == 1;
    for ((number, one), times) in (1..).zip(&itself.workloads).zip(&repeated.times) {
        if !is_alone {
            let name = shortened(&format!("{number}: {}", one.name), WIDTH);
            text.push_str(&format!("{}\n", style.heading(&name)));
        }
        let mut table = Table::new(1, &[&heading, "median", "least", "most"]);
        for spread in times.iter().take(TIMES) {
            table.row(cells(spread));
        }
        for latency in one.latencies.iter().take(LATENCIES) {
            let metric = Text::from(latency.metric.as_str()).to_string();
            table.row([
                metric,
                time(latency.ns.before),
                String::new(),
                String::new(),
            ]);
        }
        text.push_str(&table.render(style));
        let findings = one.findings.iter().map(|found| match found.runs.before {
            all if all == runs => found.id.to_string(),
            some => format!("{} (in {some} of {runs})", found.id),
        });
        let findings: Vec<_> = findings.collect();
        if !findings.is_empty() {
            let findings = format!("findings: {}", findings.join(", "));
            text.push_str(&paragraph(&findings));
        }
    }
    let screen = lines_of_screen(itself.workloads.len());
    // The heading of the table, the line about the rest, and that about those that are the same.
    let left = screen
        .saturating_sub(text.lines().count())
        .saturating_sub(3);
    text.push_str(&varying(repeated, left.max(1), style));
    if runs > 1 {
        let same = count(itself.equal.len() as u64);
        text.push_str(&format!("{same} counts are the same in all runs\n"));
    }
    text
}

fn varying(repeated: &Repeated, most: usize, style: Style) -> String {
    let rows = &repeated.itself.varying;
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(1, &["count that varies", "least..most"]);
    for row in rows.iter().take(most) {
        let metric = Text::from(row.metric.as_str()).to_string();
        table.row([metric, span(row.amount.before)]);
    }
    let mut text = table.render(style);
    let more = rows.len().saturating_sub(most);
    if more > 0 {
        text.push_str(&format!("{} more vary\n", count(more as u64)));
    }
    text
}

fn cells(spread: &Spread) -> [String; 4] {
    let [median, min, max] = [spread.median_ns, spread.min_ns, spread.max_ns].map(time);
    [spread.metric.clone(), median, min, max]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::compare::repeated, model::report::Report, output::text::width};

    #[test]
    fn what_varies_is_told_on_a_screen_and_the_rest_counted() {
        let text = include_str!("../../../tests/fixtures/sqlite.json");
        let first: Report = serde_json::from_str(text).expect("the fixture is a report");
        let mut runs = [first.clone(), first.clone(), first];
        for (report, more) in runs.iter_mut().zip(0..) {
            let workload = &mut report.workloads[0];
            workload.span_ns = Some(workload.wall_ns + 10_000_000 * more);
            for call in &mut report.workloads[0].syscalls {
                call.calls += more;
            }
        }
        let repeated = repeated(&runs).expect("they have as many workloads");
        let names = ["1", "2", "3"].map(Text::from);
        let text = render(&repeated, &names, Style::PLAIN);
        assert!(text.lines().count() <= lines_of_screen(1), "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        let lines: Vec<Vec<_>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["3", "runs", "median", "least", "most"], "{text}");
        assert_eq!(
            lines[1],
            ["wall", "1.23", "s", "1.22", "s", "1.24", "s"],
            "{text}"
        );
        assert!(text.contains("count that varies"), "{text}");
        assert!(text.contains(" more vary\n"), "{text}");
        assert!(
            text.ends_with(" counts are the same in all runs\n"),
            "{text}"
        );
    }
}
