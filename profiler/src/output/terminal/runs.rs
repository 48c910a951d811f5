//! The runs whose reports were kept.

use super::{style::Style, table::Table};
use crate::{
    model::report::{Report, Workload},
    output::{format::time, text::shortened},
    text::Text,
};

/// How wide the names of the workloads may be, and the room for a path.
const NAMES: usize = 20;
const PATH: usize = 200;

/// A line for each, with its file.
pub fn render(runs: &[(Text, Result<Report, String>)], style: Style) -> String {
    let mut table = Table::new(2, &["started (UTC)", "workload", "took", "file"]).wider(PATH);
    let mut unreadable = String::new();
    for (path, report) in runs {
        match report {
            Ok(report) => table.row(row(path, report)),
            Err(reason) => unreadable.push_str(&format!("{reason}\n")),
        }
    }
    format!("{}{unreadable}", table.render(style))
}

fn row(path: &Text, report: &Report) -> [String; 4] {
    let names = report.workloads.iter().map(|one| one.name.to_string());
    let names: Vec<_> = names.collect();
    let started = report.started_at.to_string().replace('T', " ");
    let longest = report.workloads.iter().map(Workload::span_ns).max();
    [
        started.chars().take("2026-01-01 00:00:00".len()).collect(),
        shortened(&names.join(" "), NAMES),
        longest.map_or_else(String::new, time),
        path.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_line_and_what_cannot_be_read_a_reason() {
        let text = include_str!("../../../tests/fixtures/sqlite.json");
        let report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let runs = [
            (Text::from("/a/1.json"), Ok(report)),
            (
                Text::from("/a/0.json"),
                Err("/a/0.json is no report".into()),
            ),
        ];
        let text = render(&runs, Style::PLAIN);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[1].starts_with("2026-11-27 01:48:12  sqlite3"),
            "{text}"
        );
        assert!(lines[1].ends_with("1.22 s  /a/1.json"), "{text}");
        assert_eq!(lines[2], "/a/0.json is no report");
    }
}
