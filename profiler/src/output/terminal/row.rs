//! What each process and each thread did, the most active first.

use super::{style::Style, table::Table};
use crate::{
    model::{
        off_cpu::Time,
        row::{Did, ProcessRow, ProcessRows},
        sum::sum,
    },
    output::{
        format::{bytes, count, time},
        text::shortened,
    },
    text::Text,
};

/// How many processes have a line, names of processes, and threads of each process.
const PROCESSES: usize = 16;
const NAMES: usize = 8;
const THREADS: usize = 8;
/// How wide a name may be.
const NAME: usize = 12;

const LEGEND: &str =
    "active: not idle; of that, %CPU on a CPU, %rdy ready to run, %dev for a device";

/// A line for each process, each thread of those with several, and the folded ones by name; nothing where a single thread did
/// it all.
pub fn render(rows: Option<&ProcessRows>, style: Style) -> String {
    let Some(rows) = rows else {
        return String::new();
    };
    let threads = rows.processes.iter().map(|process| process.threads);
    if rows.by_name.is_empty() && sum(threads) <= 1 {
        return String::new();
    }
    let header = [
        "process, threads",
        "active",
        "%CPU",
        "%rdy",
        "%dev",
        "calls",
        "read",
        "written",
    ];
    let mut table = Table::new(1, &header);
    for process in rows.processes.iter().take(PROCESSES) {
        add_process(&mut table, process);
    }
    for named in rows.by_name.iter().take(NAMES) {
        let name = folded(named.name.as_ref(), named.processes);
        table.row(cells(name, &named.did));
    }
    let more = rows.processes.len().saturating_sub(PROCESSES);
    let more = more.saturating_add(rows.by_name.len().saturating_sub(NAMES));
    let more = match more {
        0 => String::new(),
        more => format!("and {} more\n", count(more as u64)),
    };
    format!("{}{more}{}\n\n", table.render(style), style.faint(LEGEND))
}

fn add_process(table: &mut Table, process: &ProcessRow) {
    let name = numbered(&process.name, process.pid);
    table.row(cells(name, &process.did));
    if process.threads <= 1 {
        return;
    }
    for thread in process.thread_rows.iter().take(THREADS) {
        let name = format!("  {}", numbered(&thread.name, thread.tid));
        table.row(cells(name, &thread.did));
    }
    for named in process.threads_by_name.iter().take(THREADS) {
        let name = format!("  {}", folded(named.name.as_ref(), named.threads));
        table.row(cells(name, &named.did));
    }
    let more = process.thread_rows.len().saturating_sub(THREADS);
    let more = more.saturating_add(process.threads_by_name.len().saturating_sub(THREADS));
    if more > 0 {
        table.row([format!("  and {} more", count(more as u64))]);
    }
}

fn numbered(name: &Text, number: u32) -> String {
    format!("{} {number}", shortened(&name.to_string(), NAME))
}

fn folded(name: Option<&Text>, number: u64) -> String {
    let name = name.map_or_else(|| "others".into(), ToString::to_string);
    format!("{} x{}", shortened(&name, NAME), count(number))
}

fn cells(name: String, did: &Did) -> Vec<String> {
    let mut row = vec![name];
    row.extend(did.time.as_ref().map_or_else(
        || ["-", "-", "-", "-"].map(str::to_owned),
        |split| {
            let active = active_ns(split);
            let off = &split.off_cpu;
            let device = sum([off.queue_ns, off.service_ns, off.device_ns]);
            let [cpu, ready, device] =
                [split.cpu_ns, off.runnable_ns, device].map(|ns| percent(ns, active));
            [time(active), cpu, ready, device]
        },
    ));
    row.push(count(did.calls));
    row.push(bytes(did.read_bytes));
    row.push(bytes(did.written_bytes));
    row
}

const fn active_ns(split: &Time) -> u64 {
    split.thread_ns.saturating_sub(split.off_cpu.idle_ns)
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn percent(ns: u64, of: u64) -> String {
    match of {
        0 => "-".into(),
        of => format!("{:.0}", ns as f64 / of as f64 * 100.0),
    }
}
