//! The devices, in the columns of iostat -x.

use super::{
    line::{WIDTH, p99, paragraph},
    style::Style,
    table::Table,
};
use crate::{
    model::{
        block::Origin,
        calibration::Operation,
        device::{Device, Share, ShareOfCeiling},
        report::Report,
    },
    output::{
        format::{bytes, count, counted, digits, percent, time},
        text::{shortened, shortened_before},
    },
    text::Text,
};

/// How wide the path of a loop device's file may be.
const FILE: usize = 44;

/// Every device that was used, for all processes, and the owners of its requests.
pub fn render(report: &Report, style: Style) -> String {
    let Some(devices) = &report.devices else {
        return "Devices: unknown, the probes for requests are missing.\n\n".into();
    };
    if devices.is_empty() {
        return "No request reached a device.\n\n".into();
    }
    let mut table = Table::new(
        1,
        &[
            "Device", "r/s", "rkB/s", "r_await", "rareq-sz", "w/s", "wkB/s", "w_await", "aqu-sz",
            "%util",
        ],
    );
    for device in devices {
        table.row(row(device, report.duration_ns));
    }
    let stacks: String = devices.iter().filter_map(stack).collect();
    let flushes: String = devices.iter().filter_map(flushes).collect();
    let ceilings: String = devices
        .iter()
        .map(|one| ceiling(one, usize::MAX, |_| true))
        .collect();
    format!(
        "{}{stacks}{flushes}{ceilings}\n{}\n",
        table.render(style),
        shares(devices).render(style)
    )
}

/// What a device did of what it can do, of some operations, the most bytes first; why that is not known, where it was
/// calibrated.
pub fn ceiling(device: &Device, most: usize, is_wanted: impl Fn(Operation) -> bool) -> String {
    let Some(ceiling) = &device.ceiling else {
        return String::new();
    };
    let mut text = String::new();
    if let Some(reason) = &ceiling.unused {
        let line = format!(
            "{}: its calibration is not used, as {reason}: ioprof calibrate",
            device.name
        );
        text.push_str(&paragraph(&line));
    }
    let loads = ceiling.loads.iter();
    let mut loads: Vec<_> = loads.filter(|load| is_wanted(load.operation)).collect();
    #[expect(clippy::cast_precision_loss, reason = "it is for the order alone")]
    let rate = |load: &ShareOfCeiling| load.requests_per_second * load.size_bytes as f64;
    loads.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    for load in loads.into_iter().take(most) {
        let operation = load.operation.plural();
        let line = format!(
            "{} of what {} can do for {} {operation} at this depth",
            percent(load.share_at_depth),
            device.name,
            bytes(load.size_bytes)
        );
        text.push_str(&format!("{}\n", shortened(&line, WIDTH)));
    }
    text
}

/// The flushes that a device has executed, and for how many; none where there are none.
fn flushes(device: &Device) -> Option<String> {
    let executed = device.executed_flushes.as_ref()?;
    if executed.requests == 0 {
        return None;
    }
    let service = &executed.service;
    let parts = [
        service.mean().map(|mean| format!("mean {}", time(mean))),
        p99(service).map(|p99| format!("p99 {}", time(p99))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    Some(format!(
        "{}: {} executed for {} asked for, {}\n",
        device.name,
        counted(executed.requests, "flush", "flushes"),
        count(device.flushes),
        parts.join(", ")
    ))
}

/// Whether bios are counted, the devices below and above, and a limit of its own; none where there is nothing to say.
fn stack(device: &Device) -> Option<String> {
    let names = |names: &[Text], what: &str| {
        let names: Vec<_> = names.iter().map(Text::to_string).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let file = device.backing_file.as_ref();
    // Others are those of the machine, or near it.
    let limit = device.dirty_limit.filter(|limit| limit.strict);
    let by_bio = device.takes_bios.then(|| "bios, no requests".to_owned());
    let parts: Vec<_> = by_bio
        .into_iter()
        .chain(names(&device.slaves, "made of"))
        .chain(file.map(|file| {
            format!(
                "backed by the file {}",
                shortened_before(&file.to_string(), FILE)
            )
        }))
        .chain(names(&device.holders, "part of"))
        .chain(limit.map(|limit| format!("at most {} of it dirty", bytes(limit.bytes))))
        .collect();
    (!parts.is_empty()).then(|| format!("{}: {}\n", device.name, parts.join("; ")))
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn row(device: &Device, duration_ns: u64) -> [String; 10] {
    let seconds = duration_ns.max(1) as f64 / 1e9;
    let rate = |count: u64| digits(count as f64 / seconds);
    let kib = |bytes: u64| digits(bytes as f64 / 1024.0 / seconds);
    let mean = |sum: u64, count: u64, unit: f64| {
        if count == 0 {
            "-".to_owned()
        } else {
            digits(sum as f64 / count as f64 / unit)
        }
    };
    // iostat's unit of time is the millisecond.
    [
        device.name.to_string(),
        rate(device.reads),
        kib(device.read_bytes),
        mean(device.read_ns, device.reads, 1e6),
        mean(device.read_bytes, device.reads, 1024.0),
        rate(device.writes),
        kib(device.written_bytes),
        mean(device.write_ns, device.writes, 1e6),
        digits(device.queue_depth.mean),
        digits(device.utilization * 100.0),
    ]
}

/// Whose share it is.
pub fn owner(share: &Share) -> String {
    match (&share.workload, share.origin) {
        (Some(workload), _) => workload.to_string(),
        (None, Some(Origin::Journal)) => "(journal)".into(),
        (None, Some(Origin::Metadata)) => "(metadata)".into(),
        (None, Some(Origin::Unknown)) => "(unknown)".into(),
        (None, Some(Origin::Swap)) => "(swap)".into(),
        (None, _) => "other".into(),
    }
}

/// The shares: a line for each owner on each device.
fn shares(devices: &[Device]) -> Table {
    let mut table = Table::new(
        2,
        &[
            "Device",
            "owner",
            "requests",
            "bytes",
            "of bytes",
            "of busy time",
            "depth max",
        ],
    );
    for device in devices {
        for share in &device.shares {
            let part = |part: Option<f64>| part.map_or_else(|| "-".into(), percent);
            table.row([
                device.name.to_string(),
                owner(share),
                count(share.requests),
                bytes(share.bytes),
                part(share.bytes_share),
                part(share.busy_share),
                count(share.queue_depth_max),
            ]);
        }
    }
    table
}
