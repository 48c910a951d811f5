//! What is wrong, and what a cure would save.

use super::{evidence::figure, line::WIDTH};
use crate::{
    model::{
        finding::{Confidence, Finding},
        report::{Report, Workload},
    },
    output::{
        format::{filled, time},
        text::shortened_before,
    },
};

/// What lines behind the first begin with.
const INDENT: &str = "   ";

/// The findings of a workload, with the figures that show them; one line where there are none.
pub fn render(report: &Report, workload: &Workload) -> String {
    let lines = of(report, workload, |number, one| finding(report, number, one));
    if lines.is_empty() {
        return "Findings  none\n\n".to_owned();
    }
    format!("{}\n\n", lines.join("\n"))
}

/// So many of them, and what to do. Empty where there are none.
pub fn brief(report: &Report, workload: &Workload, most: usize) -> String {
    let all = of(report, workload, |number, one| {
        if number <= most {
            headline(number, one, WIDTH.saturating_sub(INDENT.len()))
        } else {
            Vec::new()
        }
    });
    let mut text: String = all.iter().map(|line| format!("{line}\n")).collect();
    let more = found(report, workload).count().saturating_sub(most);
    if more > 0 {
        text.push_str(&format!("{more} more: --section findings\n"));
    }
    text
}

fn of(
    report: &Report,
    workload: &Workload,
    lines: impl Fn(usize, &Finding) -> Vec<String>,
) -> Vec<String> {
    (1..)
        .zip(found(report, workload))
        .flat_map(|(number, one)| lines(number, one))
        .collect()
}

/// Those of a workload, by where its figures stand: another may have the same name.
fn found<'a>(report: &'a Report, workload: &Workload) -> impl Iterator<Item = &'a Finding> {
    let mut workloads = report.workloads.iter();
    let index = workloads.position(|one| std::ptr::eq(one, workload));
    let place = index.map(|index| format!("/workloads/{index}/"));
    report.findings.iter().filter(move |one| {
        let mut pointers = one.evidence.iter().map(|one| one.pointer.to_string());
        place
            .as_ref()
            .is_some_and(|place| pointers.any(|pointer| pointer.starts_with(place)))
    })
}

/// What it is, what it costs and what to try. Of a place that is wider than that, the end is shown.
fn headline(number: usize, one: &Finding, widest: usize) -> Vec<String> {
    let place = [&one.place.file, &one.place.device];
    let place = place.into_iter().flatten().map(|place| {
        let place = shortened_before(&place.to_string(), widest.saturating_sub(2));
        format!("({place})")
    });
    let what: Vec<_> = std::iter::once(one.summary.to_string())
        .chain(place)
        .collect();
    let cost = format!("{}; a cure saves {}", time(one.cost_ns), gain(one));
    let mut lines = paragraph(&format!("{number:<2} {}  ", one.id), &what.join(" "));
    lines.extend(paragraph("time: ", &cost));
    lines.extend(paragraph("try: ", &one.advice.to_string()));
    lines
}

fn finding(report: &Report, number: usize, one: &Finding) -> Vec<String> {
    let mut lines = headline(number, one, usize::MAX);
    let evidence = one.evidence.iter();
    let evidence: Vec<_> = evidence.map(|one| figure(report, one)).collect();
    lines.extend(paragraph("evidence: ", &evidence.join(", ")));
    if let Some(command) = &one.verify {
        lines.extend(paragraph("verify: ", &command.to_string()));
    }
    lines
}

/// Text behind its heading, in lines of the report's width.
fn paragraph(heading: &str, text: &str) -> Vec<String> {
    let first = if heading.starts_with(char::is_numeric) {
        heading.to_owned()
    } else {
        format!("{INDENT}{heading}")
    };
    let words = text.split(' ');
    let text = filled(
        std::iter::once(first.trim_end()).chain(words),
        WIDTH,
        INDENT,
    );
    text.lines().map(str::to_owned).collect()
}

fn gain(one: &Finding) -> String {
    let sure = match one.confidence {
        Confidence::Low => " (the figures are in doubt)",
        Confidence::Medium | Confidence::High => "",
    };
    match (one.gain.low_ns, one.gain.high_ns) {
        (Some(low), Some(high)) if low > 0 => format!("{} to {}{sure}", time(low), time(high)),
        (_, Some(high)) => format!("up to {}{sure}", time(high)),
        (Some(low), None) if low > 0 => format!("{} or more{sure}", time(low)),
        _ => format!("an unknown time{sure}: {}", one.gain.method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::judge, output::text::width};

    #[test]
    fn a_path_breaks_no_line_of_the_screen_and_is_whole_elsewhere() {
        let text = include_str!("../../../tests/fixtures/sqlite.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        judge(&mut report);
        let path = format!("/srv/{}/orders.db", "a".repeat(200));
        report.findings[0].place.file = Some(path.as_str().into());
        let workload = &report.workloads[0];
        let brief = brief(&report, workload, 1);
        let wide = brief.lines().find(|line| width(line) > WIDTH);
        assert_eq!(wide, None, "{brief}");
        assert!(brief.contains("/orders.db)\n"), "{brief}");
        let whole = render(&report, workload);
        assert!(whole.contains(&format!("({path})")), "{whole}");
    }
}
