//! What is wrong, and what a cure would save.

use super::line::WIDTH;
use crate::{
    model::{
        finding::{Confidence, Evidence, Finding},
        report::Report,
    },
    output::format::{count, filled, time},
};

/// The findings, for each the lines below its number; one line where there are none.
pub fn findings(report: &Report) -> Vec<String> {
    if report.findings.is_empty() {
        return vec!["Findings  none".to_owned()];
    }
    let several = report.workloads.len() > 1;
    (1_usize..)
        .zip(&report.findings)
        .flat_map(|(number, one)| finding(number, one, several))
        .collect()
}

fn finding(number: usize, one: &Finding, several: bool) -> Vec<String> {
    let mut what = vec![one.summary.to_string()];
    if several {
        what.insert(0, format!("{}:", one.workload));
    }
    let place = [&one.place.file, &one.place.device];
    what.extend(
        place
            .into_iter()
            .flatten()
            .map(|place| format!("({place})")),
    );
    let head = format!("{number:<2} {}  ", one.id);
    let cost = format!("{}; a cure saves {}", time(one.cost_ns), gain(one));
    let evidence: Vec<_> = one.evidence.iter().map(figure).collect();
    let mut lines = paragraph(&head, &what.join(" "));
    lines.extend(paragraph("time: ", &cost));
    lines.extend(paragraph("evidence: ", &evidence.join(", ")));
    lines.extend(paragraph("try: ", &one.advice.to_string()));
    if let Some(command) = &one.verify {
        lines.extend(paragraph("verify: ", &command.to_string()));
    }
    lines
}

/// Text behind its heading, in lines of the report's width.
fn paragraph(heading: &str, text: &str) -> Vec<String> {
    const INDENT: &str = "   ";
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
        _ => format!("an unknown time{sure}: {}", one.gain.method),
    }
}

/// The last words of the pointer say which figure it is.
fn figure(one: &Evidence) -> String {
    let pointer = one.pointer.to_string();
    let name = pointer.rsplit('/').next().unwrap_or_default();
    match name.strip_suffix("_ns") {
        Some(name) => format!("{name} {}", time(one.value)),
        None => match name.strip_suffix("_bytes") {
            Some(name) => format!("{name} {}", crate::output::format::bytes(one.value)),
            None => format!("{name} {}", count(one.value)),
        },
    }
}
