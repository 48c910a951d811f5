//! What a run of a setting tells.

use serde::Serialize;

use crate::{
    analysis::{
        compare::{CacheState, cache_state, times},
        reliability::doubts,
    },
    model::{
        block::{Block, BlockOperation, Origin},
        file::FileKind,
        histogram::Histogram,
        off_cpu::Cpu,
        report::{Exit, Report, Workload},
        sum::sum,
    },
    text::Text,
    transfer::{Direction, of_call, of_opcode},
};

/// A run of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// Of which round, from 1.
    pub round: u64,
    /// Of all runs that were measured it is which, from 1.
    pub number: u64,
    /// Nanoseconds from its start to its end: `span_ns` of its report.
    pub wall_ns: u64,
    /// Bytes read from files and block devices and written to them, by calls, io_uring and io_submit(2); null where that is
    /// not known.
    pub bytes: Option<u64>,
    /// System calls.
    pub calls: u64,
    /// Those that move bytes, and requests to io_uring and operations of io_submit(2) that do.
    pub operations: u64,
    /// Nanoseconds of CPU time without that of the probes; null where these cannot be told apart.
    pub cpu_ns: Option<u64>,
    /// Bytes that its requests read from devices and wrote to them, writeback, journal and metadata included and swap not;
    /// null where a probe for requests is missing.
    pub device_bytes: Option<u64>,
    /// Whether all was cached that it read, or some was read from devices; null where it read nothing through the page
    /// cache.
    pub cache_state: Option<CacheState>,
    /// Whether the ledger of its report has an alarm.
    pub in_doubt: bool,
    /// What its wall time went into.
    #[serde(skip)]
    pub parts: Option<times::Parts>,
    /// The latencies of its operations, by the way that they move bytes.
    #[serde(skip)]
    pub latencies: Vec<(Direction, Histogram)>,
}

/// Which command it was, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The command line.
    pub command: Vec<Text>,
    /// How it ended; none where it did not.
    pub exit: Option<Exit>,
}

impl Run {
    /// Of a report of one workload; none where it has none.
    pub fn of(report: &Report, (round, number): (u64, u64)) -> Option<(Ended, Self)> {
        let workload = report.workloads.first()?;
        let ended = Ended {
            command: workload.argv.clone(),
            exit: workload.exit,
        };
        let latencies = latencies(workload);
        let run = Self {
            round,
            number,
            wall_ns: workload.span_ns(),
            bytes: bytes(workload),
            calls: sum(workload.syscalls.iter().map(|call| call.calls)),
            operations: sum(latencies.iter().map(|(_, one)| one.count)),
            cpu_ns: workload.time.and_then(|time| time.cpu).map(without_probes),
            device_bytes: workload.block.as_deref().map(device_bytes),
            cache_state: workload.page_cache.as_ref().and_then(cache_state),
            in_doubt: !doubts(report).is_empty(),
            parts: times::of_run(workload),
            latencies,
        };
        Some((ended, run))
    }
}

fn without_probes(cpu: Cpu) -> u64 {
    sum([
        cpu.user_ns,
        cpu.entry_exit_ns,
        cpu.calls_ns,
        cpu.io_uring_ns,
    ])
}

fn bytes(workload: &Workload) -> Option<u64> {
    let rows = &workload.files.as_ref()?.by_kind;
    let is_data = |kind: FileKind| matches!(kind, FileKind::File | FileKind::BlockDevice);
    let rows = rows.iter().filter(|row| is_data(row.kind));
    Some(sum(rows.map(|row| row.bytes())))
}

fn device_bytes(rows: &[Block]) -> u64 {
    let of = [BlockOperation::Read, BlockOperation::Write];
    let rows = of.into_iter().flat_map(|one| Block::once(rows, one));
    let rows = rows.filter(|row| row.origin != Origin::Swap);
    sum(rows.map(|row| row.bytes))
}

/// Those of all calls that move bytes, of requests to io_uring and of operations of io_submit(2) that do.
fn latencies(workload: &Workload) -> Vec<(Direction, Histogram)> {
    let calls = workload.syscalls.iter();
    let calls = calls.map(|call| (of_call(call.name.as_str()), &call.latency));
    let uring = workload.io_uring.iter().flat_map(|one| &one.operations);
    let uring = uring.map(|one| (of_opcode(one.name.as_str()), &one.latency));
    let aio = workload.aio.operations.iter();
    let aio = aio.map(|one| (of_opcode(one.name.as_str()), &one.latency));
    let all = calls.chain(uring).chain(aio);
    all.filter_map(|(direction, latency)| Some((direction?, latency.clone())))
        .collect()
}

/// The operations whose latencies are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// Those that read, and those that copy.
    Reads,
    /// Those that write, and those that copy.
    Writes,
}

impl Operations {
    /// Of those that read and those that write the ones that take more time.
    pub fn of<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Self {
        let time = |of: Self| {
            let latencies = runs.clone().flat_map(move |run| run.latencies_of(of));
            sum(latencies.map(|one| one.sum))
        };
        match time(Self::Writes) > time(Self::Reads) {
            true => Self::Writes,
            false => Self::Reads,
        }
    }

    fn has(self, direction: Direction) -> bool {
        match self {
            Self::Reads => direction != Direction::Written,
            Self::Writes => direction != Direction::Read,
        }
    }
}

impl Run {
    /// The latencies of these operations.
    pub fn latencies_of(&self, of: Operations) -> impl Iterator<Item = &Histogram> {
        let all = self.latencies.iter();
        all.filter(move |(direction, _)| of.has(*direction))
            .map(|(_, latency)| latency)
    }
}
