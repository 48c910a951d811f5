//! The block requests of a workload.

use super::{
    line::{p99_told, quantile},
    style::Style,
    table::Table,
};
use crate::{
    model::{
        block::{Block, BlockOperation, Origin},
        device::Device,
        sum::sum,
    },
    output::format::{bytes, count, counted, time},
};

/// The table, in the order of the devices; nothing where there were no requests.
pub fn render(block: Option<&[Block]>, devices: &[Device], style: Style) -> String {
    let Some(block) = block.filter(|block| !block.is_empty()) else {
        return String::new();
    };
    let mut table = Table::new(
        2,
        &[
            "device", "request", "count", "bytes", "q p50", "q p99", "s p50", "s p99", "max",
        ],
    );
    let mut ordered: Vec<_> = block.iter().collect();
    ordered.sort_by_key(|requests| {
        let place = |device: &Device| device.name == requests.device;
        devices.iter().position(place).unwrap_or(devices.len())
    });
    for requests in ordered {
        table.row([
            requests.device.to_string(),
            request(requests.operation, requests.origin).to_owned(),
            count(requests.requests),
            bytes(requests.bytes),
            quantile(&requests.queue, 0.5),
            p99_told(&requests.queue),
            quantile(&requests.service, 0.5),
            p99_told(&requests.service),
            time(requests.service.max),
        ]);
    }
    let legend = style.faint("q: from queued to issued; s: from issued to completed");
    format!(
        "{}{legend}\n{}{}{}\n",
        table.render(style),
        failed(block),
        unseen(block),
        in_flight(block)
    )
}

fn failed(block: &[Block]) -> String {
    match sum(block.iter().map(|block| block.errors)) {
        0 => String::new(),
        failed => format!("{} failed\n", counted(failed, "request", "requests")),
    }
}

/// Requests that are counted, but whose completion the probes did not see.
fn unseen(block: &[Block]) -> String {
    match sum(block.iter().map(|block| block.unseen_completions)) {
        0 => String::new(),
        unseen => format!(
            "{} of them completed unseen: service time unknown\n",
            count(unseen)
        ),
    }
}

/// Requests that are not counted, because they had not completed at the end.
fn in_flight(block: &[Block]) -> String {
    match sum(block.iter().map(|block| block.in_flight_requests)) {
        0 => String::new(),
        requests => format!(
            "in flight at the end, not counted: {} in {}\n",
            bytes(sum(block.iter().map(|block| block.in_flight_bytes))),
            counted(requests, "request", "requests")
        ),
    }
}

/// The operation, and the origin where it is not a thread of the workload.
pub const fn request(operation: BlockOperation, origin: Origin) -> &'static str {
    match (origin, operation) {
        (Origin::Writeback, _) => "writeback",
        (Origin::Journal, BlockOperation::Read) => "jrnl read",
        (Origin::Journal, BlockOperation::Write) => "jrnl write",
        (Origin::Journal, BlockOperation::Flush) => "jrnl flush",
        (Origin::Metadata, BlockOperation::Read) => "meta read",
        (Origin::Metadata, BlockOperation::Write) => "meta write",
        (Origin::Metadata, BlockOperation::Flush) => "meta flush",
        (Origin::Swap, BlockOperation::Read) => "swap in",
        (Origin::Swap, BlockOperation::Write) => "swap out",
        (Origin::Below, BlockOperation::Read) => "below read",
        (Origin::Below, BlockOperation::Write) => "below write",
        (_, BlockOperation::Read) => "read",
        (_, BlockOperation::Write) => "write",
        (_, BlockOperation::Flush) => "flush",
        (_, BlockOperation::Discard) => "discard",
    }
}
