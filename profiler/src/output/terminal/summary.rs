//! The first lines of a workload: what it is, and the sums of what it did.

use super::{fault, line::WIDTH, style::Style, writeback};
use crate::{
    model::{
        block::{Block, BlockOperation, Origin},
        file::{FileKind, Files},
        report::{Exit, Kind, Workload},
        sum::sum,
        syscall::Syscall,
        transferred::Transferred,
    },
    output::{
        format::{bytes, command_line, count, counted, percent, time, wrapped},
        text::shortened,
    },
    transfer::{Direction, of_call},
};

/// The summary.
pub fn render(workload: &Workload, style: Style) -> String {
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
    let heading = style.heading(&shortened(&workload.name.to_string(), WIDTH));
    let mut text = format!("{heading}  {kind}, pid {}, {end}\n", workload.root_pid);
    if workload.kind == Kind::Builtin {
        text.push_str("  (measured phase only: setup and cleanup are excluded)\n");
    } else {
        text.push_str(&format!(
            "  $ {}\n",
            shortened(&command_line(&workload.argv), WIDTH - 4)
        ));
    }
    text.push_str(&format!("  {}\n", time_line(workload)));
    text.push_str(&format!("  {}\n", calls_line(workload)));
    text.push_str(&format!("  {}\n", device_line(workload)));
    if let Some(lines) = fault::lines(workload.faults.as_ref()) {
        text.push_str(&format!("  {lines}\n"));
    }
    text.push_str(&writeback::line(workload));
    text
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn time_line(workload: &Workload) -> String {
    let cpu = workload.cpu_user_ns.saturating_add(workload.cpu_system_ns);
    let mut line = format!(
        "wall {}{}, CPU {} user + {} system",
        time(workload.wall_ns),
        span(workload),
        time(workload.cpu_user_ns),
        time(workload.cpu_system_ns)
    );
    // Of a command it is told by wait4(2), without the descendants that outlive it.
    let of_ns = match workload.kind {
        Kind::Command => workload.wall_ns,
        Kind::Builtin | Kind::Attached => workload.span_ns(),
    };
    if of_ns > 0 {
        let share = percent(cpu as f64 / of_ns as f64);
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
        "{line}\n  processes {}, threads {}{running}{rss}{}",
        count(workload.processes),
        count(workload.threads),
        descendants(workload)
    )
}

/// How long it was counted, where that is a hundredth longer than it took, or more: descendants went on.
pub fn span(workload: &Workload) -> String {
    let (wall_ns, span_ns) = (workload.wall_ns, workload.span_ns());
    match span_ns.saturating_sub(wall_ns) {
        longer if longer > wall_ns / 100 => format!(", counted for {}", time(span_ns)),
        _ => String::new(),
    }
}

/// The processes that were below it before, where there were any.
fn descendants(workload: &Workload) -> String {
    let Some(below) = workload
        .descendants_at_attach
        .filter(|below| below.existing > 0)
    else {
        return String::new();
    };
    let scope = match below.in_scope {
        0 => "not in scope (--tree takes them)",
        _ => "in scope",
    };
    format!(
        "\n  existed below it at attach: {}, {scope}",
        count(below.existing)
    )
}

/// What the workload moved by system calls, io_uring and io_submit.
pub fn moved(workload: &Workload, direction: Direction) -> Transferred {
    let calls = workload.syscalls.iter();
    let calls = calls.filter(|call| of_call(call.name.as_str()) == Some(direction));
    let by_calls = Transferred {
        bytes: sum(calls.clone().filter_map(|call| call.bytes)),
        operations: sum(calls.map(|call| call.calls)),
    };
    let uring = workload.io_uring.as_ref();
    let uring = uring.map_or_else(Transferred::default, |uring| uring.transferred(direction));
    by_calls.and(uring).and(workload.aio.transferred(direction))
}

/// The bytes that it moved, and that these are not all where the end of requests was not seen.
pub fn moved_bytes(workload: &Workload, direction: Direction) -> String {
    let known = bytes(moved(workload, direction).bytes);
    match workload.knows_asynchronous(direction) {
        true => known,
        false => format!("{known} or more"),
    }
}

fn calls_line(workload: &Workload) -> String {
    let summary = |direction| {
        let calls = count(moved(workload, direction).operations);
        format!("{} in {calls}", moved_bytes(workload, direction))
    };
    let mut parts = vec![
        format!("calls   read {}", summary(Direction::Read)),
        format!("written {}", summary(Direction::Written)),
    ];
    if moved(workload, Direction::Copied).operations > 0 {
        parts.push(format!("copied {}", summary(Direction::Copied)));
    }
    let mut line = wrapped(&parts, WIDTH - 2, "          ");
    let is_io_uring = |call: &Syscall| call.name == "io_uring_enter";
    if workload.io_uring.is_none() && workload.syscalls.iter().any(is_io_uring) {
        // Otherwise the difference to the device's line looks like amplification.
        line.push_str("\n          (bytes moved by io_uring are unknown, see the ledger)");
    }
    if let Some(kinds) = workload.files.as_ref().and_then(kinds) {
        line.push_str(&format!("\n          {kinds}"));
    }
    line
}

/// Those of a kind.
pub const fn named(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "files",
        FileKind::BlockDevice => "block devices",
        FileKind::Directories => "directories",
        FileKind::Pipes => "pipes",
        FileKind::Sockets => "sockets",
        FileKind::CharacterDevices => "terminals and character devices",
        FileKind::Anonymous => "other descriptors",
    }
}

/// What the bytes were read from and written to, where that is not files alone.
fn kinds(files: &Files) -> Option<String> {
    let kinds = &files.by_kind;
    kinds.iter().find(|one| one.kind != FileKind::File)?;
    let parts: Vec<_> = kinds
        .iter()
        .map(|one| format!("{} {}", named(one.kind), bytes(one.bytes())))
        .collect();
    Some(wrapped(&parts, WIDTH - 10, "          "))
}

fn device_line(workload: &Workload) -> String {
    let Some(block) = &workload.block else {
        return "device  unknown: the probes for requests are missing, see the ledger".into();
    };
    let of = |operation, is_swap: bool| {
        let own = Block::once(block, operation);
        let own = own.filter(move |row| (row.origin == Origin::Swap) == is_swap);
        (
            sum(own.clone().map(|block| block.bytes)),
            sum(own.map(|block| block.requests)),
        )
    };
    let (read, reads) = of(BlockOperation::Read, false);
    let (written, writes) = of(BlockOperation::Write, false);
    let (_, flushes) = of(BlockOperation::Flush, false);
    let (discarded, discards) = of(BlockOperation::Discard, false);
    let mut parts = vec![
        format!(
            "device  read {} in {}",
            bytes(read),
            counted(reads, "request", "requests")
        ),
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
    let (swapped_in, swapped_out) = (
        of(BlockOperation::Read, true).0,
        of(BlockOperation::Write, true).0,
    );
    if swapped_in > 0 || swapped_out > 0 {
        parts.push(format!(
            "swapped in {} and out {}",
            bytes(swapped_in),
            bytes(swapped_out)
        ));
    }
    wrapped(&parts, WIDTH - 2, "          ")
}
