//! One workload: what it did, its calls, its requests.

use super::{
    Style, WIDTH, asynchronous, errors, faults, files, histogram, quantile, table::Table,
    time as split, writeback,
};
use crate::{
    model::{
        asynchronous::{Direction, Moved},
        report::{Block, BlockOperation, Exit, Kind, Origin, Syscall, Workload},
        sum::sum,
    },
    output::{
        format::{bytes, command_line, count, percent, time, wrapped},
        text::shortened,
    },
};

/// How many calls have a line of their own, and how many a histogram.
const CALLS: usize = 12;
const HISTOGRAMS: usize = 2;
/// Below this a distribution says no more than its quantiles.
const FEW: u64 = 16;

/// Everything about one workload.
pub fn render(workload: &Workload, style: Style) -> String {
    let mut text = summary(workload, style);
    text.push('\n');
    text.push_str(&split::render(workload, style));
    text.push_str(&calls(workload, style));
    text.push_str(&histograms(workload, style));
    text.push_str(&files::render(workload, style));
    text.push_str(&asynchronous::render(workload, style));
    text.push_str(&requests(workload, style));
    text.push_str(&self_reported(workload));
    text
}

fn summary(workload: &Workload, style: Style) -> String {
    let kind = match workload.kind {
        Kind::Builtin => "built-in workload",
        Kind::Command => "command",
        Kind::Attached => "attached",
    };
    let end = match workload.exit {
        Some(Exit::Code(code)) => format!("exit {code}"),
        Some(Exit::Signal(signal)) => format!("ended by signal {signal}"),
        None if workload.root_pid == 0 => "not started".to_owned(),
        None => "still running".to_owned(),
    };
    let heading = style.heading(&shortened(&workload.name, WIDTH));
    let mut text = format!("{heading}  {kind}, pid {}, {end}\n", workload.root_pid);
    if workload.kind == Kind::Builtin {
        text.push_str("  (its measured phase: neither the making of its data nor clearing up)\n");
    } else {
        text.push_str(&format!(
            "  $ {}\n",
            shortened(&command_line(&workload.argv), WIDTH - 4)
        ));
    }
    text.push_str(&format!("  {}\n", time_line(workload)));
    text.push_str(&format!("  {}\n", asked_line(workload)));
    text.push_str(&format!("  {}\n", device_line(workload)));
    if let Some(lines) = faults::lines(workload.faults.as_ref()) {
        text.push_str(&format!("  {lines}\n"));
    }
    text.push_str(&writeback::line(workload));
    text
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn time_line(workload: &Workload) -> String {
    let cpu = workload.cpu_user_ns.saturating_add(workload.cpu_system_ns);
    let mut line = format!(
        "wall {}, CPU {} user + {} system",
        time(workload.wall_ns),
        time(workload.cpu_user_ns),
        time(workload.cpu_system_ns)
    );
    if workload.wall_ns > 0 {
        let share = percent(cpu as f64 / workload.wall_ns as f64);
        line.push_str(&format!(" ({share} of a CPU)"));
    }
    let rss = workload
        .max_rss_bytes
        .map_or_else(String::new, |rss| format!(", max RSS {}", bytes(rss)));
    let running = match workload.threads_running {
        0 => String::new(),
        running if workload.kind == Kind::Attached => format!(", {running} running"),
        running => format!(", {running} still running"),
    };
    format!(
        "{line}\n  processes {}, threads {}{running}{rss}",
        count(workload.processes),
        count(workload.threads)
    )
}

/// Calls that take bytes in; the others that move bytes give them out.
const READING: [&str; 5] = ["read", "pread64", "readv", "preadv", "preadv2"];
const WRITING: [&str; 5] = ["write", "pwrite64", "writev", "pwritev", "pwritev2"];

fn asked_line(workload: &Workload) -> String {
    let called = |names: &[&str]| {
        let calls = workload.syscalls.iter();
        let calls = calls.filter(|call| names.contains(&call.name.as_str()));
        (
            sum(calls.clone().filter_map(|call| call.bytes)),
            sum(calls.map(|call| call.calls)),
        )
    };
    let with = |(bytes, calls): Moved, direction| {
        let uring = workload.io_uring.as_ref();
        let uring = uring.map_or((0, 0), |uring| uring.moved(direction));
        let aio = workload.aio.moved(direction);
        (sum([bytes, uring.0, aio.0]), sum([calls, uring.1, aio.1]))
    };
    let (read, reads) = with(called(&READING), Direction::Read);
    let (written, writes) = with(called(&WRITING), Direction::Written);
    let copying = called(&["copy_file_range", "sendfile", "splice"]);
    let (copied, copies) = with(copying, Direction::Copied);
    let mut line = format!(
        "calls   read {} in {}, written {} in {}",
        bytes(read),
        count(reads),
        bytes(written),
        count(writes)
    );
    if copies > 0 {
        line.push_str(&format!(", copied {} in {}", bytes(copied), count(copies)));
    }
    let is_io_uring = |call: &Syscall| call.name == "io_uring_enter";
    if workload.io_uring.is_none() && workload.syscalls.iter().any(is_io_uring) {
        // Or the difference to the device's line would be taken for amplification.
        line.push_str("\n          (bytes moved by io_uring are unknown, see the ledger)");
    }
    line
}

fn device_line(workload: &Workload) -> String {
    let Some(block) = &workload.block else {
        return "device  unknown: the probes for requests are missing, see the ledger".into();
    };
    let of = |operation| {
        let own = Block::once(block, operation);
        (
            sum(own.clone().map(|block| block.bytes)),
            sum(own.map(|block| block.requests)),
        )
    };
    let (read, reads) = of(BlockOperation::Read);
    let (written, writes) = of(BlockOperation::Write);
    let (_, flushes) = of(BlockOperation::Flush);
    let (discarded, discards) = of(BlockOperation::Discard);
    let mut parts = vec![
        format!("device  read {} in {} requests", bytes(read), count(reads)),
        format!("written {} in {}", bytes(written), count(writes)),
        format!("flushes {}", count(flushes)),
    ];
    if discards > 0 {
        parts.push(format!(
            "discarded {} in {}",
            bytes(discarded),
            count(discards)
        ));
    }
    wrapped(&parts, WIDTH - 2, "          ")
}

fn calls(workload: &Workload, style: Style) -> String {
    if workload.syscalls.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        1,
        &[
            "system call",
            "calls",
            "errors",
            "bytes",
            "time",
            "p50",
            "p99",
            "max",
        ],
    );
    for call in workload.syscalls.iter().take(CALLS) {
        table.row([
            call.name.clone(),
            count(call.calls),
            count(call.failed()),
            call.bytes.map_or_else(String::new, bytes),
            time(call.time_ns),
            quantile(&call.latency, 0.5),
            quantile(&call.latency, 0.99),
            time(call.latency.max),
        ]);
    }
    let rest = workload.syscalls.get(CALLS..).unwrap_or_default();
    if !rest.is_empty() {
        table.row([
            format!("{} more", rest.len()),
            count(sum(rest.iter().map(|call| call.calls))),
            count(sum(rest.iter().map(Syscall::failed))),
            bytes(sum(rest.iter().filter_map(|call| call.bytes))),
            time(sum(rest.iter().map(|call| call.time_ns))),
        ]);
    }
    format!("{}{}\n", table.render(style), errors_of_calls(workload))
}

/// Which errors there were, the most frequent first.
fn errors_of_calls(workload: &Workload) -> String {
    let mut found: Vec<_> = workload
        .syscalls
        .iter()
        .flat_map(|call| {
            let of_call = call.errors.iter();
            of_call.map(|(error, times)| (*times, call.name.as_str(), error.as_str()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    errors(
        found
            .into_iter()
            .map(|(times, call, error)| (call, error, times)),
    )
}

/// The latencies of the calls that took the most time.
fn histograms(workload: &Workload, style: Style) -> String {
    workload
        .syscalls
        .iter()
        .filter(|call| call.name != "other" && call.calls >= FEW)
        .take(HISTOGRAMS)
        .map(|call| {
            let heading = style.heading(&format!("{} latency", call.name));
            format!("{heading}\n{}\n", histogram::render(&call.latency))
        })
        .collect()
}

fn requests(workload: &Workload, style: Style) -> String {
    let Some(block) = workload.block.as_ref().filter(|block| !block.is_empty()) else {
        return String::new();
    };
    let mut table = Table::new(
        2,
        &[
            "device", "request", "count", "bytes", "q p50", "q p99", "s p50", "s p99", "max",
        ],
    );
    for requests in block {
        table.row([
            requests.device.clone(),
            request(requests.operation, requests.origin).to_owned(),
            count(requests.requests),
            bytes(requests.bytes),
            quantile(&requests.queue, 0.5),
            quantile(&requests.queue, 0.99),
            quantile(&requests.service, 0.5),
            quantile(&requests.service, 0.99),
            time(requests.service.max),
        ]);
    }
    let legend = style.faint("q: from made to issued; s: from issued to completed");
    format!(
        "{}{legend}\n{}{}\n",
        table.render(style),
        failed(block),
        unseen(block)
    )
}

fn failed(block: &[Block]) -> String {
    match sum(block.iter().map(|block| block.errors)) {
        0 => String::new(),
        failed => format!("{} requests failed\n", count(failed)),
    }
}

/// Requests that are counted, but whose end was not shown to the probes.
fn unseen(block: &[Block]) -> String {
    match sum(block.iter().map(|block| block.unseen_completions)) {
        0 => String::new(),
        unseen => format!(
            "{} of them completed unseen: their service time is not known\n",
            count(unseen)
        ),
    }
}

/// What requests do, and for what, where they are not just the workload's threads'.
const fn request(operation: BlockOperation, origin: Origin) -> &'static str {
    match (origin, operation) {
        (Origin::Writeback, _) => "writeback",
        (Origin::Journal, BlockOperation::Read) => "jrnl read",
        (Origin::Journal, BlockOperation::Write) => "jrnl write",
        (Origin::Journal, BlockOperation::Flush) => "jrnl flush",
        (Origin::Metadata, BlockOperation::Read) => "meta read",
        (Origin::Metadata, BlockOperation::Write) => "meta write",
        (Origin::Metadata, BlockOperation::Flush) => "meta flush",
        (_, BlockOperation::Read) => "read",
        (_, BlockOperation::Write) => "write",
        (_, BlockOperation::Flush) => "flush",
        (_, BlockOperation::Discard) => "discard",
    }
}

/// Where the probes' count of its calls differs from the workload's own.
fn self_checks(workload: &Workload) -> String {
    let differing: Vec<_> = workload
        .self_checks
        .iter()
        .filter(|check| check.counted_calls != check.reported_calls)
        .map(|check| {
            let more = check.counted_calls >= check.reported_calls;
            format!(
                "{} {} ({}{})",
                check.operation,
                count(check.counted_calls),
                if more { "+" } else { "-" },
                count(check.counted_calls.abs_diff(check.reported_calls))
            )
        })
        .collect();
    let Some((first, rest)) = differing.split_first() else {
        return String::new();
    };
    let parts: Vec<_> = std::iter::once(format!("calls counted: {first}"))
        .chain(rest.iter().cloned())
        .collect();
    format!("{}\n", wrapped(&parts, WIDTH, "  "))
}

/// What a built-in workload says it did, in a line.
fn self_reported(workload: &Workload) -> String {
    let Some(own) = &workload.self_reported else {
        return String::new();
    };
    let done: Vec<_> = own
        .operations
        .iter()
        .filter(|operation| operation.calls > 0)
        .map(|operation| {
            format!(
                "{} {} ({})",
                count(operation.calls),
                operation.name,
                bytes(operation.bytes)
            )
        })
        .collect();
    let parts: Vec<_> = [
        format!("says itself: {} with {}", time(own.elapsed_ns), own.engine),
        format!("{} files", count(own.files)),
    ]
    .into_iter()
    .chain(done)
    .collect();
    format!(
        "{}\n{}\n",
        wrapped(&parts, WIDTH, "  "),
        self_checks(workload)
    )
}
