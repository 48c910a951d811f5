//! The figures that findings rest on, by names that tell them apart.

use super::{block, device, summary};
use crate::{
    model::{
        finding::Evidence,
        report::{Report, Workload},
    },
    output::format::{bytes, count, time},
};

/// What says nothing without the word before it in the pointer.
const PARTS: [&str; 8] = [
    "sum", "p50", "p99", "p999", "max", "count", "bytes", "major",
];
/// The distributions of times.
const TIMES: [&str; 4] = ["latency", "queue", "service", "major_latency"];

/// A figure with its name: the last words of its pointer, and whose it is.
pub fn figure(report: &Report, one: &Evidence) -> String {
    let pointer = one.pointer.to_string();
    let words: Vec<&str> = pointer.split('/').skip(1).collect();
    let (last, before) = match words[..] {
        [.., before, last] => (last, before),
        _ => (pointer.as_str(), ""),
    };
    let (name, value) = valued(one, last, before);
    // A place in a list is no name.
    let of_what =
        PARTS.contains(&last) && !before.starts_with(|first: char| first.is_ascii_digit());
    let of_what = of_what.then_some(before).into_iter();
    let name = Some(name).filter(|name| *name != "bytes" || words.len() < 2);
    let owner = owner(report, &words);
    let all = owner.as_deref().into_iter().chain(of_what).chain(name);
    let all = all.chain([value.as_str()]);
    all.collect::<Vec<_>>().join(" ")
}

/// The name without its unit, and the value with it.
fn valued<'a>(one: &Evidence, last: &'a str, before: &str) -> (&'a str, String) {
    let Some(value) = one.value.as_u64() else {
        let value = one.value.as_f64().unwrap_or_default();
        return match last.strip_suffix("_per_second") {
            Some(name) => (name, format!("{value:.0}/s")),
            None => (last, format!("{value:.1}")),
        };
    };
    let is_of_values = PARTS.contains(&last) && last != "count";
    if let Some(name) = last.strip_suffix("_ns") {
        (name, time(value))
    } else if let Some(name) = last.strip_suffix("_bytes") {
        (name, bytes(value))
    } else if is_of_values && TIMES.contains(&before) {
        (last, time(value))
    } else if last == "bytes" || (is_of_values && before == "size") {
        (last, bytes(value))
    } else {
        (last, count(value))
    }
}

/// Whose figure it is, where a report has several of the same name.
fn owner(report: &Report, words: &[&str]) -> Option<String> {
    match words {
        ["devices", at, "shares", share, ..] => {
            let device = report.devices.as_ref()?.get(place(at)?)?;
            Some(device::owner(device.shares.get(place(share)?)?))
        }
        ["workloads", at, rest @ ..] => of_workload(report.workloads.get(place(at)?)?, rest),
        _ => None,
    }
}

fn of_workload(workload: &Workload, words: &[&str]) -> Option<String> {
    match words {
        ["syscalls", at, ..] => Some(workload.syscalls.get(place(at)?)?.name.to_string()),
        ["block", at, ..] => {
            let row = workload.block.as_ref()?.get(place(at)?)?;
            let request = block::request(row.operation, row.origin);
            Some(format!("{} {request}", row.device))
        }
        ["io_uring", "operations", at, ..] => {
            let ring = workload.io_uring.as_ref()?;
            Some(ring.operations.get(place(at)?)?.name.to_string())
        }
        ["aio", "operations", at, ..] => {
            Some(workload.aio.operations.get(place(at)?)?.name.to_string())
        }
        [by @ ("io_uring" | "aio"), "depth", ..] => Some((*by).to_owned()),
        ["files", "by_kind", at, ..] => {
            let kind = workload.files.as_ref()?.by_kind.get(place(at)?)?.kind;
            Some(summary::named(kind).to_owned())
        }
        _ => None,
    }
}

fn place(word: &str) -> Option<usize> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pointer: &str, value: u64) -> String {
        let text = include_str!("../../../tests/fixtures/sqlite.json");
        let report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let one = Evidence {
            pointer: pointer.into(),
            value: value.into(),
        };
        figure(&report, &one)
    }

    #[test]
    fn a_figure_has_its_unit_and_is_told_from_those_of_others() {
        for (pointer, value, expected) in [
            (
                "/workloads/0/syscalls/0/calls",
                1000,
                "fdatasync calls 1,000",
            ),
            (
                "/workloads/0/syscalls/0/time_ns",
                1000,
                "fdatasync time 1.00 us",
            ),
            (
                "/workloads/0/block/0/service/p50",
                100_351,
                "vda read service p50 100 us",
            ),
            (
                "/workloads/0/block/0/service/count",
                10_000,
                "vda read service count 10,000",
            ),
            (
                "/workloads/0/block/0/size/p50",
                4096,
                "vda read size p50 4.00 KiB",
            ),
            ("/workloads/0/block/0/bytes", 4096, "vda read 4.00 KiB"),
            (
                "/workloads/0/page_cache/misses/bytes",
                4096,
                "misses 4.00 KiB",
            ),
            (
                "/workloads/0/faults/major_latency/sum",
                1000,
                "major_latency sum 1.00 us",
            ),
            (
                "/workloads/0/faults/on_files/major",
                1000,
                "on_files major 1,000",
            ),
            ("/workloads/0/aio/depth/max", 2, "aio depth max 2"),
            (
                "/workloads/0/files/by_kind/0/written_bytes",
                4096,
                "files written 4.00 KiB",
            ),
            (
                "/workloads/0/writeback/mapped_bytes",
                4096,
                "mapped 4.00 KiB",
            ),
            ("/devices/0/shares/0/busy_ns", 1000, "sqlite3 busy 1.00 us"),
            (
                "/devices/0/shares/1/busy_ns",
                1000,
                "(metadata) busy 1.00 us",
            ),
            // A report may be anybody's.
            ("/workloads/9/syscalls/x/calls", 1, "calls 1"),
            ("", 1, " 1"),
        ] {
            assert_eq!(shown(pointer, value), expected, "{pointer}");
        }
    }
}
