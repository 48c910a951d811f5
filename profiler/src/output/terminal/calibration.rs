//! What a device can do.

use super::{
    line::{WIDTH, paragraph},
    style::Style,
    table::Table,
};
use crate::{
    analysis::ceiling::deciding,
    model::{
        calibration::{Calibration, Measured, Operation, Pattern, Refusal, Series},
        sum::sum,
    },
    output::{
        format::{bytes, count, digits, filled, time},
        text::shortened,
    },
};

use ioprof_workloads::{ceiling::Point, options::Size};

/// From this part of the time on, the thread that measured may have been the limit.
const BUSY: f64 = 0.9;

/// The name of a series.
pub fn name(operation: Operation, pattern: Pattern) -> String {
    let pattern = match pattern {
        Pattern::Random => "random",
        Pattern::Sequential => "seq.",
    };
    let operation = match operation {
        Operation::Read => "read",
        Operation::Write => "write",
    };
    format!("{pattern} {operation}")
}

/// All of it, in 80 columns.
pub fn render(calibration: &Calibration, style: Style) -> String {
    let mut text = head(calibration);
    text.push_str(&loads(calibration).render(style));
    text.push_str(&others(calibration));
    let notes = notes(calibration);
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        text.push_str(&paragraph(&note));
    }
    text
}

fn head(calibration: &Calibration) -> String {
    let device = &calibration.device;
    let known = [
        device.model.as_ref().map(ToString::to_string),
        device.size_bytes.map(bytes),
        device
            .scheduler
            .as_ref()
            .map(|name| format!("scheduler {name}")),
        device
            .nr_requests
            .map(|number| format!("{number} requests")),
        device
            .write_cache
            .as_ref()
            .map(|kind| format!("cache {kind}")),
        Some(format!("Linux {}", calibration.kernel)),
    ];
    let known: Vec<_> = known.into_iter().flatten().collect();
    let place = match &device.partition {
        Some(partition) => partition,
        None => &device.name,
    };
    let file_system = &calibration.file_system;
    let lines = [
        format!("{}: {}", device.name, known.join(", ")),
        format!(
            "took {}; file of {} on {place}, {} ({})",
            time(calibration.duration_ns),
            bytes(calibration.file_bytes),
            file_system.kind,
            file_system.options
        ),
    ];
    let lines = lines.map(|line| {
        let words = line.split(' ').map(|word| shortened(word, WIDTH / 2));
        format!("{}\n", filled(words, WIDTH, "  "))
    });
    format!("{}\n", lines.concat())
}

fn loads(calibration: &Calibration) -> Table {
    let header = [
        "load", "size", "depth 1", "knee", "depth", "IOPS", "bytes/s", "p99", "spread",
    ];
    let mut table = Table::new(1, &header);
    for series in &calibration.series {
        table.row(row(series));
    }
    for mix in &calibration.mixes {
        let point = &mix.measured.point;
        let mut cells = vec![
            format!("{} % reads", mix.read_percent),
            size(mix.size_bytes),
            String::new(),
            String::new(),
        ];
        cells.extend(at(
            &mix.measured,
            point.operations_per_second,
            mix.size_bytes,
        ));
        table.row(cells);
    }
    table
}

fn row(series: &Series) -> Vec<String> {
    let first = series.points.first().filter(|one| one.refused.is_none());
    let mut cells = vec![
        name(series.operation, series.pattern),
        size(series.size_bytes),
        first.map_or_else(|| "-".into(), |one| time(one.point.latency_mean_ns)),
        series.knee_depth.map_or_else(|| "-".into(), count),
    ];
    match (deciding(series), series.operations_per_second) {
        (Some(measured), Some(rate)) => cells.extend(at(measured, rate, series.size_bytes)),
        _ => cells.extend(["-", "refused", "-", "-", "-"].map(String::from)),
    }
    cells
}

/// The cells of a point: depth, rate, bytes, p99, spread.
fn at(measured: &Measured, per_second: f64, size: u64) -> [String; 5] {
    let point = &measured.point;
    if measured.refused.is_some() {
        return ["-", "refused", "-", "-", "-"].map(String::from);
    }
    let mark = if point.steady { "" } else { "~" };
    [
        count(point.depth),
        format!("{mark}{}", rate(per_second)),
        bytes((per_second * size as f64) as u64),
        time(point.latency_p99_ns),
        format!("{:.0} %", point.spread * 100.0),
    ]
}

/// A size as fio(1) takes it: 4K, 1M.
fn size(bytes: u64) -> String {
    Size(bytes).to_string()
}

fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        digits(per_second)
    } else {
        count(per_second.round() as u64)
    }
}

fn others(calibration: &Calibration) -> String {
    let mut text = String::new();
    let throughput = |point: &Point| {
        let size = point.bytes.checked_div(point.operations).unwrap_or(0);
        bytes((point.operations_per_second * size as f64) as u64)
    };
    if let Some(append) = &calibration.append {
        text.push_str(&format!(
            "append of 4 KiB and fdatasync  {}/s, mean {}, p99 {}\n",
            rate(append.operations_per_second),
            time(append.latency_mean_ns),
            time(append.latency_p99_ns)
        ));
    }
    if let Some(read) = &calibration.buffered_read {
        text.push_str(&format!(
            "buffered sequential read       {}/s in calls of 128 KiB, p99 {}\n",
            throughput(read),
            time(read.latency_p99_ns)
        ));
    }
    if let Some(cost) = &calibration.page_cache {
        text.push_str(&format!(
            "read from the page cache       {} a call, {} ns a byte\n",
            time(cost.call_ns.round() as u64),
            digits(cost.byte_ns)
        ));
    }
    text
}

/// What was read and written by all points.
fn all_bytes(calibration: &Calibration) -> u64 {
    let points = calibration.series.iter().flat_map(|series| &series.points);
    sum(points.map(|one| one.point.bytes))
}

fn notes(calibration: &Calibration) -> Vec<String> {
    let mut notes = Vec::new();
    let series = || calibration.series.iter();
    let told = |wanted: &dyn Fn(&Series) -> bool| {
        let found = series().filter(|one| wanted(one));
        let names = found.map(|one| {
            let name = name(one.operation, one.pattern);
            format!("{name} {}", size(one.size_bytes))
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let mut note = |loads: String, why: &str| {
        if !loads.is_empty() {
            notes.push(format!("{loads}: {why}"));
        }
    };
    let burst = |one: &Series| one.burst == Some(true);
    note(
        told(&burst),
        "the device did more in the beginning than it sustains; IOPS is what it did at the end",
    );
    for (refusal, why) in [
        (
            Refusal::NotFromTheDevice,
            "refused, as the device did less than half of it; a cache or another device did the rest",
        ),
        (
            Refusal::OtherSize,
            "refused, as the device moved twice the bytes asked for, or more; its smallest operation is larger",
        ),
    ] {
        let is = |one: &Series| one.points.iter().any(|one| one.refused == Some(refusal));
        note(told(&is), why);
    }
    let busy = |one: &Series| deciding(one).is_some_and(|one| one.point.cpu_share > BUSY);
    note(
        told(&busy),
        "the thread that measured used a whole CPU, which may be the limit",
    );
    let merged = |one: &Series| deciding(one).is_some_and(|one| one.is_merged() == Some(true));
    note(
        told(&merged),
        "operations were merged into fewer, larger requests",
    );
    if series().any(|one| deciding(one).is_some_and(|one| !one.point.steady)) {
        notes.push("~ did not become steady in the time there was".into());
    }
    match calibration.others_bytes {
        Some(others) if others < all_bytes(calibration) / 100 => {}
        Some(others) => notes.push(format!(
            "others read and wrote {} on {} meanwhile",
            bytes(others),
            calibration.device.name
        )),
        None => notes.push("what others did on the device meanwhile is not known".into()),
    }
    notes
}
