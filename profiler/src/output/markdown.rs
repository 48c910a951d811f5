//! A comparison as Markdown, as for a comment on a change.

use super::{
    comparison::{change, decided, found, interval, mark, relative_ns, span, times_note},
    format::{self, count, time},
    text::visible,
};
use crate::analysis::compare::{
    Both, Certainty, Compared, Comparison, Condition, Row, Timing, Verdict,
};

/// The rows of counts that are shown unless all are wanted.
const MOST: usize = 50;

/// What differs, and the gates.
pub fn comparison(comparison: &Comparison, gates: &[(String, Verdict)], full: bool) -> String {
    let Both { before, after } = comparison.runs;
    let runs = format!("{} before, {} after", count(before), count(after));
    let mut text = format!("### ioprof compare\n\nRuns: {runs}.\n");
    list(
        &mut text,
        gates.iter().map(|(gate, verdict)| decided(gate, verdict)),
    );
    list(&mut text, comparison.conditions.iter().map(condition));
    let is_alone = comparison.workloads.len() == 1;
    for (number, one) in (1..).zip(&comparison.workloads) {
        if !is_alone {
            let name = escaped(&one.name.to_string());
            text.push_str(&format!("\n#### {number}: {name}\n"));
        }
        workload(&mut text, one, comparison.runs, full);
    }
    counts(&mut text, comparison, full);
    text.push_str(&format!("\n{}\n", escaped(&times_note(comparison))));
    text
}

fn list(text: &mut String, items: impl Iterator<Item = String>) {
    for (at, item) in items.enumerate() {
        if at == 0 {
            text.push('\n');
        }
        text.push_str(&format!("- {}\n", escaped(&item)));
    }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Differs {
            what,
            before,
            after,
        } => format!("Other {what}: {before} -> {after}"),
        Condition::Mixed { what, values } => format!("Mixed {what}: {values}"),
        Condition::InDoubt { side, runs, .. } => {
            let runs = format::counted(*runs, "report", "reports");
            format!("Figures in doubt: {runs} {}", side.word())
        }
    }
}

fn workload(text: &mut String, one: &Compared, runs: Both<u64>, full: bool) {
    text.push_str("\n| time | before | after | change | interval |\n|---|---:|---:|---:|---:|\n");
    let others = one.time.iter().chain(&one.latencies);
    let others = others.filter(|one| full || one.verdict == Certainty::Differs);
    for timing in [&one.wall].into_iter().chain(others) {
        row(text, &timed(timing));
    }
    let findings = found(one, runs).told();
    list(
        text,
        findings.map(|(how, ids)| format!("Findings {how}: {}", ids.join(", "))),
    );
}

fn timed(timing: &Timing) -> [String; 5] {
    let Both { before, after } = timing.ns;
    [
        timing.metric.clone(),
        time(before),
        time(after),
        format!("{}{}", relative_ns(timing.ns), mark(timing)),
        timing.change.map(interval).unwrap_or_default(),
    ]
}

fn counts(text: &mut String, comparison: &Comparison, full: bool) {
    let most = if full { usize::MAX } else { MOST };
    let differing: Vec<_> = match full {
        true => comparison.rows().collect(),
        false => comparison.differing.iter().take(most).collect(),
    };
    if differing.is_empty() {
        text.push_str("\nNo count differs.\n");
    } else {
        text.push_str("\n| count | before | after | change |\n|---|---:|---:|---:|\n");
        for one in differing {
            row(text, &counted(one, comparison));
        }
    }
    let more = comparison.differing.len().saturating_sub(most);
    let [more, varying, equal] =
        [more, comparison.varying.len(), comparison.equal.len()].map(|rows| count(rows as u64));
    text.push_str(&format!(
        "\n{more} more differ, {varying} vary from run to run, {equal} are equal.\n"
    ));
}

fn counted(one: &Row, comparison: &Comparison) -> [String; 4] {
    let Both { before, after } = one.amount;
    [
        one.metric.clone(),
        span(before),
        span(after),
        change(one, comparison),
    ]
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| escaped(cell)).collect();
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// Text of which Markdown makes nothing else: all ASCII punctuation may have a backslash before it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in visible(text).chars() {
        if "\\`*_{}[]<>#|~!&@".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        let hostile = "a|b\n<img src=x> [x](y) `*_\u{1b}";
        let text = escaped(hostile);
        assert_eq!(text, r"a\|b\\x0a\<img src=x\> \[x\](y) \`\*\_\\x1b");
    }
}
