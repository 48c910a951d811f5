//! The devices that a workload used, and what they did for it.

use std::collections::BTreeSet;

use super::super::{device::ceiling, style::Style, table::Table};
use crate::{
    model::{
        block::{Block, BlockOperation},
        calibration::Operation,
        device::{Device, Share},
        histogram::Histogram,
        report::{Report, Workload},
        sum::sum,
    },
    output::format::{bytes, count, counted, digits, percent, time},
    text::Text,
};

const UNKNOWN: &str = "device unknown: a probe for requests is missing\n\n";

/// The devices with the most of its requests; nothing where it made none.
pub fn render(workload: &Workload, report: &Report, most: usize, style: Style) -> String {
    let Some(block) = &workload.block else {
        return UNKNOWN.to_owned();
    };
    let mut used: Vec<_> = devices(block);
    let more = used.split_off(used.len().min(most)).len();
    if used.is_empty() {
        return String::new();
    }
    let header = [
        "device", "read", "written", "IOPS", "flushes", "queue", "service", "depth", "share",
    ];
    let mut table = Table::new(1, &header);
    let mut ceilings = String::new();
    for name in used {
        table.row(row(name, workload, block, report));
        let all = report.devices.iter().flatten();
        let device = all.filter(|device| device.name == *name);
        ceilings.extend(device.map(|device| {
            // What others do there is not said of the workload.
            ceiling(device, 1, |operation| did_most(block, device, operation))
        }));
    }
    let more = match more {
        0 => String::new(),
        more => {
            let more = counted(more as u64, "more device", "more devices");
            format!("{more}: --section block\n")
        }
    };
    format!("{}{ceilings}{more}\n", table.render(style))
}

/// Whether most of what a device did of an operation was the workload's.
fn did_most(block: &[Block], device: &Device, operation: Operation) -> bool {
    let own = || of_device(block, &device.name).filter(|row| is_of(row.operation, operation));
    let (requests, bytes) = match operation {
        Operation::Read => (device.reads, device.read_bytes),
        _ => (device.writes, device.written_bytes),
    };
    let is_most = |own: u64, all: u64| own > 0 && own >= all / 2;
    is_most(sum(own().map(|row| row.requests)), requests)
        && is_most(sum(own().map(|row| row.bytes)), bytes)
}

/// Those that the workload's requests went to in the end, by requests.
fn devices(block: &[Block]) -> Vec<&Text> {
    let rows = || {
        block
            .iter()
            .filter(|row| !row.is_counted_elsewhere() && row.requests > 0)
    };
    let names: BTreeSet<_> = rows().map(|row| &row.device).collect();
    let mut names: Vec<_> = names.into_iter().collect();
    let requests = |name: &Text| {
        let own = rows().filter(|row| row.device == *name);
        sum(own.map(|row| row.requests))
    };
    names.sort_by_key(|name| std::cmp::Reverse(requests(name)));
    names
}

/// What the workload has on a device in the end. Of bios that were merged into others' requests that is bytes alone.
fn of_device<'a>(block: &'a [Block], name: &Text) -> impl Iterator<Item = &'a Block> + Clone {
    let all = block.iter();
    all.filter(move |row| row.device == *name && !row.is_counted_elsewhere())
}

/// Whether requests are what a calibration measures.
const fn is_of(requests: BlockOperation, calibrated: Operation) -> bool {
    match calibrated {
        Operation::Read => matches!(requests, BlockOperation::Read),
        Operation::Write => matches!(requests, BlockOperation::Write),
    }
}

fn row(name: &Text, workload: &Workload, block: &[Block], report: &Report) -> [String; 9] {
    let own = || of_device(block, name);
    let of = |operation| own().filter(move |row| row.operation == operation);
    let devices: &[Device] = report.devices.as_deref().unwrap_or_default();
    let mut shares = devices
        .iter()
        .filter(|device| device.name == *name)
        .flat_map(|device| &device.shares);
    let share = shares.find(|share| share.workload.as_ref() == Some(&workload.name));
    // Requests may outlive the threads that they are for.
    let busy_ns = share.map_or(0, |share| share.busy_ns);
    let whole_ns = workload.span_ns().max(busy_ns);
    let unknown = || "-".to_owned();
    [
        name.to_string(),
        bytes(sum(of(BlockOperation::Read).map(|row| row.bytes))),
        bytes(sum(of(BlockOperation::Write).map(|row| row.bytes))),
        rate(sum(own().map(|row| row.requests)), whole_ns),
        count(sum(of(BlockOperation::Flush).map(|row| row.requests))),
        mean(own().map(|row| &row.queue)),
        mean(own().map(|row| &row.service)),
        share.map_or_else(unknown, |share: &Share| count(share.queue_depth_max)),
        share
            .and_then(|share| share.bytes_share)
            .map_or_else(unknown, percent),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn rate(requests: u64, whole_ns: u64) -> String {
    match whole_ns {
        0 => "-".to_owned(),
        ns => digits(requests as f64 / (ns as f64 / 1e9)),
    }
}

/// The mean of all values; a dash where there are none.
fn mean<'a>(histograms: impl Iterator<Item = &'a Histogram> + Clone) -> String {
    let total = sum(histograms.clone().map(|one| one.sum));
    let values = sum(histograms.map(|one| one.count));
    total.checked_div(values).map_or_else(|| "-".into(), time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::{Ceiling, ShareOfCeiling};

    fn report() -> Report {
        let text = include_str!("../../../../tests/fixtures/report.json");
        serde_json::from_str(text).expect("the fixture is a report")
    }

    #[test]
    fn a_device_has_what_it_did_for_the_workload() {
        let report = report();
        let text = render(&report.workloads[0], &report, 3, Style::PLAIN);
        let row: Vec<_> = text.lines().nth(1).expect("a row").split("  ").collect();
        let row: Vec<_> = row.iter().map(|cell| cell.trim()).collect();
        let row: Vec<_> = row.into_iter().filter(|cell| !cell.is_empty()).collect();
        // 57 requests in 25.8 ms.
        assert_eq!(
            row[..5],
            ["vda", "652 KiB", "144 KiB", "2210", "8"],
            "{text}"
        );
        assert_eq!(row[7..], ["3", "0.41 %"], "{text}");
    }

    #[test]
    fn bytes_in_requests_of_others_are_the_workloads() {
        let mut report = report();
        let block = report.workloads[0].block.as_mut().expect("it is known");
        let read = |row: &&Block| row.operation == BlockOperation::Read && row.requests > 0;
        let mut merged = block.iter().find(read).expect("it reads").clone();
        (merged.requests, merged.bytes) = (0, 1 << 40);
        block.push(merged);
        let text = render(&report.workloads[0], &report, 3, Style::PLAIN);
        assert!(text.contains("1.00 TiB"), "{text}");
    }

    #[test]
    fn a_ceiling_is_told_of_what_the_workload_did() {
        let mut report = report();
        let load = |operation, share_at_depth| ShareOfCeiling {
            operation,
            size_bytes: 4096,
            depth: 1.0,
            requests_per_second: 1.0,
            ceiling_at_depth_per_second: 1.0,
            share_at_depth,
            ceiling_per_second: 1.0,
            sequential_ceiling_per_second: None,
            share: share_at_depth,
            steady: true,
        };
        let device = &mut report.devices.as_mut().expect("they are known")[0];
        device.ceiling = Some(Ceiling {
            calibrated_at: "2026-01-01T00:00:00Z".into(),
            unused: None,
            loads: vec![load(Operation::Read, 0.2), load(Operation::Write, 0.9)],
        });
        let name = device.name.clone();
        let block = report.workloads[0].block.as_mut().expect("it is known");
        block.retain(|row| row.device == name);
        for (operation, told) in [
            (BlockOperation::Read, "20.0 % of what"),
            (BlockOperation::Write, "90.0 % of what"),
        ] {
            let mut own = (0, 0);
            for row in report.workloads[0].block.as_mut().expect("it is known") {
                row.operation = operation;
                own = (own.0 + row.requests, own.1 + row.bytes);
            }
            let device = &mut report.devices.as_mut().expect("they are known")[0];
            (device.reads, device.read_bytes) = own;
            (device.writes, device.written_bytes) = own;
            let text = render(&report.workloads[0], &report, 3, Style::PLAIN);
            assert_eq!(text.matches("% of what").count(), 1, "{text}");
            assert!(text.contains(told), "{text}");
            // Others did more.
            let device = &mut report.devices.as_mut().expect("they are known")[0];
            (device.reads, device.writes) = (3 * own.0, 3 * own.0);
            let text = render(&report.workloads[0], &report, 3, Style::PLAIN);
            assert!(!text.contains("% of what"), "{text}");
        }
    }

    #[test]
    fn requests_are_divided_by_the_time_in_which_they_were_counted() {
        let mut report = report();
        let workload = &mut report.workloads[0];
        workload.wall_ns /= 1000;
        let rate = |report: &Report| {
            let text = render(&report.workloads[0], report, 1, Style::PLAIN);
            let row = text.lines().nth(1).expect("a row").to_owned();
            // Bytes have a unit.
            row.split_whitespace().nth(5).map(str::to_owned)
        };
        assert_eq!(rate(&report).as_deref(), Some("2210"));
        // Descendants went on, or requests after all of them.
        report.workloads[0].span_ns = Some(57_000_000_000);
        assert_eq!(rate(&report).as_deref(), Some("1.00"));
        report.workloads[0].span_ns = Some(1);
        let devices = report.devices.iter_mut().flatten();
        for share in devices.flat_map(|device| &mut device.shares) {
            share.busy_ns = 28_500_000_000;
        }
        assert_eq!(rate(&report).as_deref(), Some("2.00"));
    }

    #[test]
    fn devices_of_others_and_what_was_passed_on_are_left_out() {
        let mut report = report();
        let block = report.workloads[0].block.as_mut().expect("it is known");
        let mut above = block[0].clone();
        (above.device, above.passed_on) = ("dm-0".into(), true);
        let mut small = block[0].clone();
        (small.device, small.requests) = ("sdb".into(), 1);
        block.extend([above, small]);
        let text = render(&report.workloads[0], &report, 3, Style::PLAIN);
        let names: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.split(' ').next())
            .collect();
        assert_eq!(names, [Some("vda"), Some("sdb"), Some("")], "{text}");
        let text = render(&report.workloads[0], &report, 1, Style::PLAIN);
        assert!(text.contains("1 more device:"), "{text}");
    }
}
