//! The devices, in the terms of iostat -x.

use super::{Style, table::Table};
use crate::{
    model::report::{Device, Report, Share},
    output::format::{bytes, count, digits, percent, printable},
};

/// Every device that was touched, for everybody, and whose the requests were.
pub fn render(report: &Report, style: Style) -> String {
    if report.devices.is_empty() {
        return "No request reached a device.\n\n".into();
    }
    let mut table = Table::new(
        1,
        &[
            "Device", "r/s", "rkB/s", "r_await", "rareq-sz", "w/s", "wkB/s", "w_await", "aqu-sz",
            "max", "%util",
        ],
    );
    for device in &report.devices {
        table.row(row(device, report.duration_ns));
    }
    let shares: String = report.devices.iter().map(shares).collect();
    format!("{}{shares}\n", table.render(style))
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn row(device: &Device, duration_ns: u64) -> [String; 11] {
    let seconds = duration_ns.max(1) as f64 / 1e9;
    let rate = |count: u64| digits(count as f64 / seconds);
    let kib = |bytes: u64| digits(bytes as f64 / 1024.0 / seconds);
    // iostat's unit is the millisecond.
    let mean = |sum: u64, count: u64, unit: f64| {
        if count == 0 {
            "-".to_owned()
        } else {
            digits(sum as f64 / count as f64 / unit)
        }
    };
    [
        printable(&device.name),
        rate(device.reads),
        kib(device.read_bytes),
        mean(device.read_ns, device.reads, 1e6),
        mean(device.read_bytes, device.reads, 1024.0),
        rate(device.writes),
        kib(device.written_bytes),
        mean(device.write_ns, device.writes, 1e6),
        digits(device.queue_depth.mean),
        count(device.queue_depth.max),
        digits(device.utilization * 100.0),
    ]
}

fn shares(device: &Device) -> String {
    let shares: Vec<_> = device.shares.iter().map(share).collect();
    if shares.is_empty() {
        return String::new();
    }
    format!("{}: {}\n", printable(&device.name), shares.join("; "))
}

fn share(share: &Share) -> String {
    let name = share
        .workload
        .as_deref()
        .map_or_else(|| "other".into(), printable);
    let part = |part: Option<f64>| part.map_or_else(|| "-".into(), percent);
    format!(
        "{name} {} ({}) and {} of busy time",
        bytes(share.bytes),
        part(share.bytes_share),
        part(share.busy_share)
    )
}
