//! Where the time went, a row for each kind that is not 0.

use super::{
    line::{WIDTH, p99},
    style::Style,
    table::Table,
};
use crate::{
    model::{
        off_cpu::{CallTime, Cpu, OffCpu, Time},
        report::Workload,
    },
    output::format::{percent, time, wrapped},
};

/// Smaller parts of a call's time are left out.
const SMALLEST_PART: f64 = 0.01;
/// How many calls have a line.
const CALLS: usize = 4;

/// The split of the threads' time, and that of the slowest calls; nothing where it is not known.
pub fn render(workload: &Workload, style: Style) -> String {
    let Some(split) = &workload.time else {
        return String::new();
    };
    if split.thread_ns == 0 {
        return String::new();
    }
    let mut table = Table::new(1, &["time of all threads", "time", "of all"]);
    for (name, ns) in rows(split).into_iter().filter(|(_, ns)| *ns != 0) {
        table.row([name.to_owned(), time(ns), share(ns, split.thread_ns)]);
    }
    table.row(["total".into(), time(split.thread_ns), String::new()]);
    let error = split.cpu.map_or_else(String::new, error);
    format!("{}{error}{}\n", table.render(style), slowest(workload))
}

/// How exactly the rows of CPU time are told apart.
fn error(cpu: Cpu) -> String {
    match cpu.error_ns {
        0 => String::new(),
        ns => format!(
            "CPU is divided by the measured cost of a call: each within {}\n",
            time(ns)
        ),
    }
}

fn rows(split: &Time) -> Vec<(&'static str, u64)> {
    let mut rows = split.cpu.map_or_else(
        || vec![("CPU", split.cpu_ns)],
        |cpu| {
            vec![
                ("CPU: user mode, page faults", cpu.user_ns),
                ("CPU: entry to calls, exit", cpu.entry_exit_ns),
                ("CPU: probes of calls", cpu.probes_ns),
                ("CPU: in calls", cpu.calls_ns),
                ("CPU: threads of io_uring", cpu.io_uring_ns),
            ]
        },
    );
    let waits = named(&split.off_cpu).into_iter();
    rows.extend(waits.map(|(_, name, ns)| (name, ns)));
    rows.push(("exit (files and memory given back)", split.exit_ns));
    rows.push(("stolen (hypervisor, interrupts)", split.stolen_ns));
    rows.push(("unexplained", split.unexplained_ns));
    rows
}

/// The kinds of time off the CPU: a short and a long name, and the time.
fn named(off: &OffCpu) -> [(&'static str, &'static str, u64); 10] {
    [
        ("queue", "device: request in the queue", off.queue_ns),
        ("service", "device: request in service", off.service_ns),
        ("device", "device: request not known", off.device_ns),
        (
            "throttled",
            "throttled: too many dirty pages",
            off.throttled_ns,
        ),
        (
            "journal",
            "journal, writeback (kernel threads)",
            off.journal_ns,
        ),
        ("fault", "page faults", off.fault_ns),
        ("runnable", "runnable, waiting for a CPU", off.runnable_ns),
        ("sleep", "asleep in I/O calls (locks, pipes)", off.sleep_ns),
        ("idle", "idle outside of I/O calls", off.idle_ns),
        ("unknown", "asleep for an unknown reason", off.unknown_ns),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn share(ns: u64, all: u64) -> String {
    percent(ns as f64 / all as f64)
}

/// What the slowest calls waited for.
fn slowest(workload: &Workload) -> String {
    let mut text = String::new();
    let slow = workload.syscalls.iter().filter_map(|call| {
        let split = call
            .p99_breakdown
            .as_ref()
            .filter(|_| call.name != "other")?;
        let waits = split.off_cpu.total() > split.cpu_ns / 10;
        Some((call, p99(&call.latency)?, split)).filter(|_| waits)
    });
    for (call, tail, split) in slow.take(CALLS) {
        let mut parts = parts(split);
        if let Some(first) = parts.first_mut() {
            *first = format!("{} p99 {}: {first}", call.name, time(tail));
        }
        text.push_str(&format!("{}\n", wrapped(&parts, WIDTH, "  ")));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "shares are compared")]
fn parts(split: &CallTime) -> Vec<String> {
    let all = split.cpu_ns.saturating_add(split.off_cpu.total()).max(1);
    let mut parts: Vec<_> = named(&split.off_cpu)
        .into_iter()
        .map(|(word, _, ns)| (word, ns))
        .chain([("CPU", split.cpu_ns)])
        .filter(|(_, ns)| *ns as f64 / all as f64 >= SMALLEST_PART)
        .collect();
    parts.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    let told = parts.into_iter();
    told.map(|(word, ns)| format!("{word} {}", time(ns)))
        .collect()
}
