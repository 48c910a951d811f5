//! The report for a person, in 80 columns.

mod asynchronous;
mod devices;
mod faults;
mod files;
mod histogram;
mod ledger;
mod shown;
mod style;
mod table;
mod time;
mod workload;
mod writeback;

pub use style::Style;

use crate::{
    model::{histogram::Histogram, report::Report},
    output::{
        format::{count, time, wrapped},
        text::shortened,
    },
};

/// The width that everything but paths and command lines keeps to.
const WIDTH: usize = 80;

/// The whole report, in which nothing is a terminal's to act on but line ends and `style`.
pub fn render(report: &Report, style: Style) -> String {
    let report = &shown::shown(report);
    let mut text = String::new();
    let lost = ledger::alarm(&report.ledger);
    // What puts the figures in doubt comes before them.
    if let Some(lost) = &lost {
        text.push_str(&format!("{}\n\n", style.alarm(lost)));
    }
    for part in &report.workloads {
        text.push_str(&workload::render(part, style));
    }
    text.push_str(&devices::render(report, style));
    text.push_str(&ledger::render(report, style));
    let parts = [
        format!("ioprof {}", report.ioprof_version),
        format!("on {}", report.host.name),
        format!("Linux {}", report.host.kernel),
        format!("{} CPUs", report.host.cpus),
        report.started_at.clone(),
        time(report.duration_ns),
    ];
    text.push_str(&style.faint(&wrapped(&parts, WIDTH, "")));
    text.push('\n');
    text
}

/// A quantile of times; a dash where there were none.
fn quantile(histogram: &Histogram, q: f64) -> String {
    histogram.quantile(q).map_or_else(|| "-".into(), time)
}

/// A line of errors: what failed, by which error, and how often. Nothing where nothing failed.
fn errors<'a>(errors: impl Iterator<Item = (&'a str, &'a str, u64)>) -> String {
    let listed: Vec<_> = errors
        .map(|(failed, error, times)| format!("{failed} {error} {}", count(times)))
        .collect();
    if listed.is_empty() {
        return String::new();
    }
    format!(
        "{}\n",
        shortened(&format!("errors: {}", listed.join(", ")), WIDTH)
    )
}
