//! How the page cache served a workload.

use super::{
    line::{p99_told, quantile},
    style::Style,
    table::Table,
};
use crate::{
    model::{page_cache::PageCache, report::Workload},
    output::format::{bytes, count, digits, time},
};

/// The table; nothing where no file was read, or nothing is known of it.
pub fn render(workload: &Workload, style: Style) -> String {
    let cache = workload.page_cache.as_ref();
    cache.map_or_else(String::new, |cache| served(workload, cache, style))
}

fn served(workload: &Workload, cache: &PageCache, style: Style) -> String {
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
    let mut is_used = false;
    for (key, served) in cache.ways().filter(|(_, way)| way.latency.count > 0) {
        is_used = true;
        let latency = &served.latency;
        table.row([
            name(key).to_owned(),
            count(latency.count),
            bytes(served.bytes),
            time(latency.sum),
            quantile(latency, 0.5),
            p99_told(latency),
            time(latency.max),
        ]);
    }
    let amplification = amplification(workload, cache);
    match (is_used, amplification.is_empty()) {
        (false, true) => String::new(),
        (false, false) => format!("{amplification}\n"),
        (true, _) => format!("{}{amplification}\n", table.render(style)),
    }
}

/// What a way is called here.
fn name(key: &str) -> &str {
    match key {
        "hits" => "cache hit",
        "misses" => "cache miss",
        "read_ahead" => "read ahead",
        "read_ahead_waits" => "read-ahead wait",
        other => other,
    }
}

/// Bytes read from devices over bytes requested.
fn amplification(workload: &Workload, cache: &PageCache) -> String {
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

/// A note where bytes that page faults read are among it: no call requested them.
fn faulted(workload: &Workload) -> &'static str {
    match &workload.faults {
        Some(faults) if faults.major > 0 => ", by page faults too",
        _ => "",
    }
}
