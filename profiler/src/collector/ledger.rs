//! The ledger: what was lost or missing, and the sums beside the kernel's.

use ioprof_ebpf::abi::loss::Loss;

use super::{call_cost, context::Context, incomplete::incomplete};
use crate::{
    kernel::{
        bpf::{self, AttachedProbe},
        snapshot::Snapshot,
        system::device::{self as system, DeviceStat},
    },
    model::{
        block::{Block, BlockOperation, Origin},
        device::Device,
        ledger::{Check, CheckKind, Ledger, Probe, Verdict},
        report::Workload,
    },
    transfer::{Direction, is_in_proc_io},
};

/// The kinds of loss in the ledger, by their names there. The others are reported as requests in flight at attach, and
/// as a message.
pub fn loss_kinds() -> impl Iterator<Item = (Loss, &'static str)> {
    let kinds = Loss::ALL.iter().copied();
    kinds.filter(|(loss, _)| {
        !matches!(
            loss,
            Loss::RequestUnmatched | Loss::UnmatchedBytes | Loss::FilesFull
        )
    })
}

/// The ledger of a run whose workloads and devices are done.
pub fn ledger(
    snapshot: &Snapshot,
    context: &Context<'_>,
    workloads: &[Workload],
    devices: &[Device],
) -> Ledger {
    let lost = |wanted: Loss| {
        snapshot
            .losses
            .iter()
            .find(|(loss, _)| *loss == wanted)
            .map_or(0, |(_, count)| *count)
    };
    let total = |value: fn(&ioprof_ebpf::abi::task::WorkloadTotals) -> u64| -> u64 {
        snapshot.workloads.iter().map(value).sum()
    };
    Ledger {
        lost: loss_kinds()
            .map(|(loss, name)| (name.into(), lost(loss)))
            .collect(),
        requests_in_flight_at_attach: lost(Loss::RequestUnmatched),
        bytes_in_flight_at_attach: Some(lost(Loss::UnmatchedBytes)),
        calls_in_flight_at_attach: total(|totals| totals.calls_in_flight_at_attach),
        compat_calls: total(|totals| totals.compat_calls),
        vectors_unread: total(|totals| totals.vectors_unread),
        probes: snapshot.probes.iter().map(probe).collect(),
        probe_cpu_ns: call_cost::all_probes_ns(snapshot),
        probe_cpu_measured_share: snapshot.cost.map(|cost| cost.measured_share),
        call_cost: call_cost::call_cost(snapshot),
        checks: workload_checks(snapshot, workloads)
            .chain(device_checks(context, devices))
            .collect(),
        incomplete_histograms: incomplete(workloads),
        messages: snapshot
            .messages
            .iter()
            .map(|text| text.as_str().into())
            .collect(),
    }
}

fn probe(attached: &AttachedProbe) -> Probe {
    let runs = attached.runs;
    Probe {
        name: attached.probe.program.into(),
        tracepoint: attached.probe.tracepoint.into(),
        verdict: match attached.verdict.clone() {
            bpf::Verdict::Attached => Verdict::Attached,
            bpf::Verdict::NotNeeded { reason } => Verdict::NotNeeded {
                reason: reason.into(),
            },
            bpf::Verdict::Absent { reason } => Verdict::Absent {
                reason: reason.into(),
            },
            bpf::Verdict::Refused { reason } => Verdict::Refused {
                reason: reason.into(),
            },
        },
        missed: runs.map(|runs| runs.missed),
        measured_runs: runs.map(|runs| runs.count),
        measured_ns: runs.map(|runs| runs.time_ns),
    }
}

fn workload_checks<'a>(
    snapshot: &'a Snapshot,
    workloads: &'a [Workload],
) -> impl Iterator<Item = Check> + 'a {
    workloads
        .iter()
        .zip(&snapshot.workloads)
        .flat_map(|(workload, totals)| {
            let accounts = totals.accounts;
            let called = |way: Direction| -> u64 {
                workload
                    .syscalls
                    .iter()
                    .filter(|call| is_in_proc_io(call.name.as_str(), way))
                    .filter_map(|call| call.bytes)
                    .sum()
            };
            let requested = |operation| -> Option<u64> {
                let block = workload.block.as_ref()?;
                // The kernel counts them as they are submitted.
                let bytes = |block: &Block| block.bytes + block.in_flight_bytes;
                Some(Block::once(block, operation).map(bytes).sum())
            };
            let check = |what, counted: Option<u64>, kernel| {
                counted.map(|counted| Check {
                    workload: Some(workload.name.clone()),
                    device: None,
                    what,
                    counted,
                    kernel,
                })
            };
            [
                check(
                    CheckKind::CallReadBytes,
                    Some(called(Direction::Read)),
                    accounts.rchar,
                ),
                check(
                    CheckKind::CallWrittenBytes,
                    Some(called(Direction::Written)),
                    accounts.wchar,
                ),
                check(
                    CheckKind::BlockReadBytes,
                    requested(BlockOperation::Read),
                    accounts.read_bytes,
                ),
                check(
                    CheckKind::BlockWrittenBytes,
                    requested(BlockOperation::Write)
                        .map(|bytes| bytes.saturating_sub(swapped_out(workload))),
                    accounts.write_bytes,
                ),
                check(
                    CheckKind::MajorFaults,
                    workload.faults.as_ref().map(|faults| faults.major),
                    accounts.major_faults,
                ),
                check(
                    CheckKind::MinorFaults,
                    workload
                        .faults
                        .as_ref()
                        .and_then(|faults| Some(faults.minor_time?.faults)),
                    accounts.minor_faults,
                ),
            ]
        })
        .flatten()
}

/// Bytes that a workload has swapped out, which are in no account of the kernel's.
fn swapped_out(workload: &Workload) -> u64 {
    let rows = workload.block.as_deref().unwrap_or_default();
    Block::once(rows, BlockOperation::Write)
        .filter(|row| row.origin == Origin::Swap)
        .map(|row| row.bytes)
        .sum()
}

/// Bytes without a known owner.
fn unowned(device: &Device) -> u64 {
    let shares = device.shares.iter();
    shares
        .filter(|share| share.origin == Some(Origin::Unknown))
        .map(|share| share.bytes)
        .sum()
}

/// Whether the kernel counts as much of a device that takes bios: its driver may count reads and writes, or nothing, and
/// seldom writes of zeroes, discards and flushes.
const fn is_counted_of_bios(what: CheckKind, device: &system::Device) -> bool {
    matches!(what, CheckKind::DeviceReads | CheckKind::DeviceReadBytes) && device.again.reads > 0
}

fn device_checks<'a>(
    context: &'a Context<'_>,
    devices: &'a [Device],
) -> impl Iterator<Item = Check> + 'a {
    devices
        .iter()
        .filter_map(|device| {
            let number = (device.major, device.minor);
            // A device that was added or removed during the run cannot be compared.
            let before = context.before.find(number)?;
            let after = context.after.find(number)?;
            let check = |what, counted: u64, value: fn(&DeviceStat) -> u64| {
                let grown =
                    |from: &DeviceStat, to: &DeviceStat| value(to).saturating_sub(value(from));
                let least = grown(&before.again, &after.stat);
                let most = grown(&before.stat, &after.again).max(least);
                Check {
                    workload: None,
                    device: Some(device.name.clone()),
                    what,
                    counted,
                    // What it was as the window began and ended is known no better than by the readings around these.
                    kernel: counted.clamp(least, most),
                }
            };
            let executed = device.executed_flushes.as_ref();
            let checks = [
                check(
                    CheckKind::DeviceFlushes,
                    executed.map_or(0, |executed| executed.requests),
                    |stat| stat.flushes,
                ),
                check(CheckKind::DeviceReadBytes, device.read_bytes, |stat| {
                    stat.read_bytes
                }),
                check(
                    CheckKind::DeviceWrittenBytes,
                    device.written_bytes,
                    |stat| stat.written_bytes,
                ),
                check(
                    CheckKind::DeviceDiscardedBytes,
                    device.discarded_bytes,
                    |stat| stat.discarded_bytes,
                ),
                check(
                    CheckKind::DeviceOwnedBytes,
                    (device.read_bytes + device.written_bytes).saturating_sub(unowned(device)),
                    |stat| stat.read_bytes + stat.written_bytes,
                ),
                check(CheckKind::DeviceReads, device.reads, |stat| stat.reads),
                check(
                    CheckKind::DeviceWrites,
                    device.writes + device.flushes,
                    |stat| stat.writes,
                ),
            ];
            let counts =
                |check: &Check| !device.takes_bios || is_counted_of_bios(check.what, after);
            Some(checks.into_iter().filter(counts).collect::<Vec<_>>())
        })
        .flatten()
}
