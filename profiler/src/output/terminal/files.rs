//! How the page cache served a workload, and its files.

use super::{Style, quantile, table::Table};
use crate::{
    model::{
        file::{Cache, File, FileCounts, FileKind, Files},
        report::Workload,
    },
    output::{
        format::{bytes, count, digits, time},
        text::shortened_before,
    },
};

/// How many files have a line, and how wide their names may be.
const FILES: usize = 10;
const NAME: usize = 30;

/// For want of the table of files.
const UNKNOWN: &str = "\nfiles and page cache unknown: this kernel lets no probe read its memory\n";

/// Both tables; nothing where no file was read or written.
pub fn render(workload: &Workload, style: Style) -> String {
    let cache = workload.cache.as_ref();
    let cache = cache.map_or_else(String::new, |cache| served(workload, cache, style));
    let files = workload.files.as_ref();
    let files = files.map_or_else(|| UNKNOWN.to_owned(), |found| self::files(found, style));
    format!("{cache}{files}")
}

fn served(workload: &Workload, cache: &Cache, style: Style) -> String {
    let kinds = [
        ("cache hit", &cache.hits),
        ("cache miss", &cache.misses),
        ("read-ahead wait", &cache.read_ahead_waits),
        ("direct", &cache.direct),
    ];
    let header = [
        "reads of files",
        "calls",
        "bytes",
        "time",
        "p50",
        "p99",
        "max",
    ];
    let mut table = Table::new(1, &header);
    for (name, served) in kinds {
        let latency = &served.latency;
        if latency.count > 0 {
            table.row([
                name.to_owned(),
                count(latency.count),
                bytes(served.bytes),
                time(latency.sum),
                quantile(latency, 0.5),
                quantile(latency, 0.99),
                time(latency.max),
            ]);
        }
    }
    let amplification = amplification(workload, cache);
    let is_used = kinds.iter().any(|(_, served)| served.latency.count > 0);
    match (is_used, amplification.is_empty()) {
        (false, true) => String::new(),
        (false, false) => format!("{amplification}\n"),
        (true, _) => format!("{}{amplification}\n", table.render(style)),
    }
}

/// Bytes read from devices over bytes asked for.
fn amplification(workload: &Workload, cache: &Cache) -> String {
    match cache.read_amplification {
        Some(ratio) if ratio > 0.0 => {
            format!(
                "read amplification {}{}\n",
                digits(ratio),
                faulted(workload)
            )
        }
        _ => String::new(),
    }
}

/// What page faults read is among it, and was asked for by no call.
fn faulted(workload: &Workload) -> &'static str {
    match &workload.faults {
        Some(faults) if faults.major > 0 => ", by page faults too",
        _ => "",
    }
}

fn files(files: &Files, style: Style) -> String {
    if files.top.is_empty() {
        return String::new();
    }
    let header = ["file", "read", "written", "time", "dev. r", "dev. w"];
    let mut table = Table::new(1, &header);
    for file in files.top.iter().take(FILES) {
        table.row(row(name(file), &file.counts));
    }
    let mut rest = files.other_counts;
    for file in files.top.iter().skip(FILES) {
        rest.add(&file.counts);
    }
    let more = files.top.len().saturating_sub(FILES) as u64;
    let others = files.others.saturating_add(more);
    if !rest.is_nothing() {
        table.row(row(format!("{} other files", count(others)), &rest));
    }
    format!("{}\n", table.render(style))
}

fn known(count: Option<u64>) -> String {
    count.map_or_else(|| "-".into(), bytes)
}

fn row(name: String, counts: &FileCounts) -> [String; 6] {
    [
        name,
        bytes(counts.read_bytes),
        bytes(counts.written_bytes),
        time(counts.time_ns),
        known(counts.device_read_bytes),
        known(counts.device_written_bytes),
    ]
}

/// The end of a path says more than its beginning.
fn name(file: &File) -> String {
    let text = match (file.kind, &file.path) {
        (FileKind::Directories, _) => "(directories)".into(),
        (FileKind::Pipes, _) => "(pipes)".into(),
        (FileKind::Sockets, _) => "(sockets)".into(),
        (FileKind::CharacterDevices, _) => "(terminals, character devices)".into(),
        (FileKind::Anonymous, _) => "(other descriptors)".into(),
        (_, None) => "(name not seen)".into(),
        (_, Some(path)) => path.clone(),
    };
    let mark = if file.path.is_some() && !file.path_is_current {
        "*"
    } else {
        ""
    };
    let name = shortened_before(&text, NAME.saturating_sub(mark.len()));
    format!("{name}{mark}")
}
