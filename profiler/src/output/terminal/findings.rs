//! What is wrong, and what a cure would save.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    evidence::figure,
    line::{WIDTH, words},
};
use crate::{
    model::{
        finding::{Confidence, Finding},
        report::{Report, Workload},
        sum::sum,
    },
    output::{
        format::{count, counted, filled, time},
        text::shortened_before,
    },
};

/// What lines behind the first begin with.
const INDENT: &str = "   ";

/// The findings of a workload, with the figures that show them, and what was looked for besides.
pub fn render(report: &Report, workload: &Workload) -> String {
    let mut lines = of(report, workload, |number, one| finding(report, number, one));
    if lines.is_empty() {
        lines.push("Findings  none".to_owned());
    }
    let others = Others::of(report, workload);
    if !others.ruled_out.is_empty() {
        lines.extend(paragraph("not the problem: ", &listed(&others.ruled_out)));
    }
    for (reason, ids) in &others.undecided {
        let undecided = format!("{}: {reason}", listed(ids));
        lines.extend(paragraph("undecided: ", &undecided));
    }
    format!("{}\n\n", lines.join("\n"))
}

fn listed(ids: &BTreeSet<&str>) -> String {
    let ids: Vec<_> = ids.iter().copied().collect();
    ids.join(", ")
}

/// The rules that found nothing in a workload, by their names.
struct Others<'a> {
    ruled_out: BTreeSet<&'a str>,
    /// By the reason.
    undecided: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Others<'a> {
    fn of(report: &'a Report, workload: &Workload) -> Self {
        let ruled_out = report.ruled_out.iter();
        let ruled_out = ruled_out.filter(|one| one.workload == workload.name);
        let mut undecided = BTreeMap::<_, BTreeSet<_>>::new();
        for one in &report.undecided {
            if one.workload == workload.name {
                let ids = undecided.entry(one.reason.as_str()).or_default();
                ids.insert(one.id.as_str());
            }
        }
        Self {
            ruled_out: ruled_out.map(|one| one.id.as_str()).collect(),
            undecided,
        }
    }

    /// In a line, where there is no finding; empty where no rule was asked, as in a report of an earlier version.
    fn line(&self) -> String {
        let undecided = sum(self.undecided.values().map(|ids| ids.len() as u64));
        let ruled_out = match self.ruled_out.len() {
            0 => return String::new(),
            ruled_out => counted(ruled_out as u64, "rule", "rules"),
        };
        let undecided = match undecided {
            0 => String::new(),
            undecided => format!("; {} undecided: --section findings", count(undecided)),
        };
        format!("no finding: {ruled_out} looked and found nothing{undecided}\n")
    }
}

/// So many of them, and what to do; a line where there are none.
pub fn brief(report: &Report, workload: &Workload, most: usize) -> String {
    if found(report, workload).next().is_none() {
        // Where nothing was profiled, there was nothing to look at.
        if workload.processes == 0 {
            return String::new();
        }
        return Others::of(report, workload).line();
    }
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
    let cost = format!("up to {}; a cure saves {}", time(one.cost_ns), gain(one));
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
    let text = filled(
        std::iter::once(first.trim_end()).chain(words(text)),
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
    use crate::{analysis::judge, model::finding::Undecided, output::text::width};

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

    #[test]
    fn what_was_looked_for_is_told() {
        let text = include_str!("../../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        judge(&mut report);
        report.findings.clear();
        report.undecided.push(Undecided {
            id: "LIMIT001".into(),
            workload: report.workloads[0].name.clone(),
            reason: "nobody knows".into(),
        });
        let workload = &report.workloads[0];
        let line = brief(&report, workload, 1);
        assert!(line.starts_with("no finding: "), "{line}");
        assert!(line.lines().count() == 1 && width(line.trim_end()) <= WIDTH);
        let whole = render(&report, workload);
        assert!(whole.starts_with("Findings  none\n   not the problem: "));
        assert!(
            whole.contains("\n   undecided: LIMIT001: nobody knows\n"),
            "{whole}"
        );
        report.workloads[0].processes = 0;
        assert_eq!(brief(&report, &report.workloads[0], 1), "");
        report.workloads[0].processes = 1;
        // Nobody asked in an earlier version.
        (report.ruled_out, report.undecided) = (Vec::new(), Vec::new());
        assert_eq!(brief(&report, &report.workloads[0], 1), "");
    }
}
