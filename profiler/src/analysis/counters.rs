//! The probes' counters beside the kernel's: why they may differ, and whether they differ for no known reason.

use std::cmp::Ordering;

use crate::model::{
    device::Device,
    ledger::{Check, CheckKind},
    report::{Report, Workload},
    sum::sum,
    writeback::Writeback,
};

/// Why the probes count something else than the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// execve(2) reads the heads of programs on behalf of the task (fs/exec.c).
    Execve,
    /// The kernel counts folios as they become dirty, whoever writes what of them, and whenever.
    DirtyFolios,
    /// The kernel's own access to a page on behalf of the task is a fault without an exception.
    KernelAccess,
    /// The kernel writes the memory of a process to a file or a pipe, and counts that as written by it (fs/coredump.c).
    CoreDump,
}

/// What execve(2) reads of a program at most: the head of the file, the headers of its segments, and those of its
/// interpreter (`BINPRM_BUF_SIZE` and `load_elf_phdrs` of fs/binfmt_elf.c), for scripts several times.
const READ_BY_EXECVE: u64 = 4096;

/// What there is in a report that may explain a difference.
struct Context<'a> {
    /// The check's workload.
    workload: Option<&'a Workload>,
    /// The check's device.
    device: Option<&'a Device>,
}

impl<'a> Context<'a> {
    fn of(check: &Check, report: &'a Report) -> Self {
        let mut workloads = report.workloads.iter();
        let mut devices = report.devices.iter().flatten();
        Self {
            workload: check
                .workload
                .as_ref()
                .and_then(|name| workloads.find(|workload| workload.name == *name)),
            device: check
                .device
                .as_ref()
                .and_then(|name| devices.find(|device| device.name == *name)),
        }
    }

    /// Calls that execute a program.
    fn executions(&self) -> u64 {
        let calls = self.workload.iter().flat_map(|workload| &workload.syscalls);
        let executing = calls.filter(|call| ["execve", "execveat"].contains(&call.name.as_str()));
        sum(executing.map(|call| call.calls))
    }

    /// What core dumps have written at most: the largest memory of a process, for each.
    fn dumped(&self) -> u64 {
        let workload = self.workload.iter();
        sum(workload.filter_map(|one| one.core_dumps?.checked_mul(one.max_rss_bytes?)))
    }

    /// Bytes of folios made dirty, of files and of metadata; none where that is not known.
    fn dirtied(&self) -> Option<u64> {
        let writeback = self.workload?.writeback.as_ref()?;
        let of_files = writeback.dirtied_folio_bytes.max(writeback.dirtied_bytes);
        Some(sum([of_files, writeback.metadata_folio_bytes]))
    }

    /// Whether a workload used the device, and what others did there: requests, and bytes.
    fn use_of_device(&self) -> (bool, u64, u64) {
        let shares = || self.device.iter().flat_map(|device| &device.shares);
        let others = || shares().filter(|share| share.workload.is_none() && share.origin.is_none());
        (
            shares().any(|share| share.workload.is_some()),
            sum(others().map(|share| share.requests)),
            sum(others().map(|share| share.bytes)),
        )
    }
}

/// Why a counter differs from the kernel's, where there is a reason that explains as much.
pub fn cause(check: &Check, report: &Report) -> Option<Cause> {
    cause_in(check, &Context::of(check, report))
}

fn cause_in(check: &Check, context: &Context<'_>) -> Option<Cause> {
    let difference = check.counted.abs_diff(check.kernel);
    match (check.what, check.counted.cmp(&check.kernel)) {
        (CheckKind::BlockWrittenBytes, Ordering::Less) => context
            .dirtied()
            .filter(|dirtied| *dirtied > 0 && !is_large(difference.saturating_sub(*dirtied), check))
            .map(|_| Cause::DirtyFolios),
        (CheckKind::CallReadBytes, Ordering::Less) => {
            let read = context.executions().saturating_mul(READ_BY_EXECVE);
            (difference <= read).then_some(Cause::Execve)
        }
        (CheckKind::CallWrittenBytes, Ordering::Less) => {
            (difference <= context.dumped()).then_some(Cause::CoreDump)
        }
        (CheckKind::MajorFaults | CheckKind::MinorFaults, Ordering::Less) => {
            Some(Cause::KernelAccess)
        }
        _ => None,
    }
}

/// A difference of so many bytes or events at the ends of a run means nothing.
const AT_THE_ENDS_BYTES: u64 = 1 << 20;
const AT_THE_ENDS_COUNT: u64 = 256;

/// Whether a counter disagrees with the kernel's: by more than a hundredth, and more than the ends of a run explain,
/// with no known cause. The kernel's own accesses are too few to be one. On a device that no workload used nothing is
/// claimed, and what others did on one may explain as much, or what was queued before the window.
pub fn disagrees(check: &Check, report: &Report) -> bool {
    let context = Context::of(check, report);
    let difference = check.counted.abs_diff(check.kernel);
    let is_claimed = match check.what {
        // Above it are journals, metadata and pages that others made dirty, for which there is no bound.
        CheckKind::BlockWrittenBytes => check.counted < check.kernel && context.dirtied().is_some(),
        _ if check.device.is_some() => {
            let (is_used, requests, bytes) = context.use_of_device();
            let ledger = &report.ledger;
            let (others, earlier) = if check.what.is_count() {
                (requests, ledger.requests_in_flight_at_attach)
            } else {
                (bytes, ledger.bytes_in_flight_at_attach.unwrap_or(0))
            };
            is_used && difference > others.saturating_add(earlier)
        }
        _ => true,
    };
    // What has no known owner is a workload's only as far as that has asked for more than was seen.
    let difference = match check.what {
        CheckKind::DeviceOwnedBytes => difference.min(unseen(report)),
        _ => difference,
    };
    is_claimed
        && matches!(cause_in(check, &context), None | Some(Cause::KernelAccess))
        && is_large(difference, check)
}

/// Bytes that the workloads had devices read and write by the kernel's accounts, and of which no request was seen.
fn unseen(report: &Report) -> u64 {
    let checks = report.ledger.checks.iter();
    sum(checks.map(|check| {
        let missing = check.kernel.saturating_sub(check.counted);
        match check.what {
            CheckKind::BlockReadBytes => missing,
            CheckKind::BlockWrittenBytes => {
                let workload = Context::of(check, report).workload;
                missing.saturating_sub(
                    workload
                        .and_then(|found| found.writeback.as_ref())
                        .map_or(0, not_for_devices),
                )
            }
            _ => 0,
        }
    }))
}

/// What the kernel's account of written bytes has and no device is to be given, or not yet: what stands around the bytes
/// in their folios, metadata, what was dropped, and what is still dirty.
fn not_for_devices(writeback: &Writeback) -> u64 {
    let around = writeback
        .dirtied_folio_bytes
        .saturating_sub(writeback.dirtied_bytes);
    sum([
        around,
        writeback.metadata_folio_bytes,
        writeback.cancelled_bytes,
        writeback.dirty_bytes_at_end,
    ])
}

/// Whether a difference is more than a hundredth, and more than the ends of a run explain.
const fn is_large(difference: u64, check: &Check) -> bool {
    let at_the_ends = if check.what.is_count() {
        AT_THE_ENDS_COUNT
    } else {
        AT_THE_ENDS_BYTES
    };
    difference > at_the_ends && difference > check.kernel / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const MIB: u64 = 1 << 20;

    /// A report of one workload, `copy`, and one device, `sda`.
    fn report() -> Report {
        let text = include_str!("../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        report.workloads.truncate(1);
        let devices = report.devices.as_mut().expect("the fixture has devices");
        devices.truncate(1);
        let workload = &mut report.workloads[0];
        workload.name = "copy".into();
        devices[0].name = "sda".into();
        devices[0].shares.truncate(1);
        devices[0].shares[0].workload = Some("copy".into());
        report
    }

    fn of_workload(what: CheckKind, counted: u64, kernel: u64) -> Check {
        Check {
            workload: Some("copy".into()),
            device: None,
            what,
            counted,
            kernel,
        }
    }

    fn of_device(what: CheckKind, counted: u64, kernel: u64) -> Check {
        Check {
            workload: None,
            device: Some("sda".into()),
            ..of_workload(what, counted, kernel)
        }
    }

    #[test]
    fn a_difference_that_is_large_and_unexplained_is_a_disagreement() {
        let report = report();
        for (what, counted, kernel, expected) in [
            (CheckKind::DeviceReadBytes, GIB, GIB, false),
            (CheckKind::DeviceReadBytes, GIB - 20 * MIB, GIB, true),
            (CheckKind::DeviceReadBytes, GIB + 20 * MIB, GIB, true),
            // Less than a hundredth, and no more than the ends of a run explain.
            (CheckKind::DeviceReadBytes, GIB - 10 * MIB, GIB, false),
            (CheckKind::DeviceReadBytes, 0, MIB, false),
            (CheckKind::DeviceDiscardedBytes, 0, GIB, true),
            (CheckKind::DeviceReads, 0, 256, false),
            (CheckKind::DeviceReads, 0, 257, true),
        ] {
            let found = disagrees(&of_device(what, counted, kernel), &report);
            assert_eq!(found, expected, "{what:?} {counted} {kernel}");
        }
        for (what, counted, kernel, expected) in [
            (CheckKind::CallReadBytes, 0, GIB, true),
            (CheckKind::CallReadBytes, GIB, 0, true),
            (CheckKind::BlockReadBytes, GIB, 0, true),
            (CheckKind::BlockReadBytes, 0, GIB, true),
            (CheckKind::BlockWrittenBytes, GIB, 0, false),
            (CheckKind::MajorFaults, 0, 1000, true),
        ] {
            let found = disagrees(&of_workload(what, counted, kernel), &report);
            assert_eq!(found, expected, "{what:?} {counted} {kernel}");
        }
    }

    #[test]
    fn execve_explains_a_few_kib_of_each_call() {
        let mut report = report();
        let mut call = report.workloads[0].syscalls[0].clone();
        call.name = "execve".into();
        call.calls = 10;
        report.workloads[0].syscalls = vec![call];
        for (missing, expected) in [(15 << 10, Some(Cause::Execve)), (64 << 20, None)] {
            let check = of_workload(CheckKind::CallReadBytes, GIB - missing, GIB);
            assert_eq!(cause(&check, &report), expected, "{missing}");
        }
    }

    #[test]
    fn a_core_dump_explains_the_memory_of_a_process() {
        let mut report = report();
        let check = of_workload(CheckKind::CallWrittenBytes, 0, 64 * MIB);
        for (dumps, explained) in [
            (Some(0), false),
            (Some(1), false),
            (Some(2), true),
            (None, false),
        ] {
            let workload = &mut report.workloads[0];
            (workload.core_dumps, workload.max_rss_bytes) = (dumps, Some(40 * MIB));
            let expected = explained.then_some(Cause::CoreDump);
            assert_eq!(cause(&check, &report), expected, "{dumps:?}");
            assert_eq!(disagrees(&check, &report), !explained, "{dumps:?}");
        }
    }

    #[test]
    fn what_was_never_dirty_is_no_dirty_folio() {
        let mut report = report();
        let check = of_workload(CheckKind::BlockWrittenBytes, 0, GIB);
        for (dirtied, expected, disagreement) in
            [(2 * GIB, Some(Cause::DirtyFolios), false), (0, None, true)]
        {
            let writeback = report.workloads[0].writeback.as_mut().expect("it is known");
            writeback.dirtied_bytes = dirtied;
            assert_eq!(cause(&check, &report), expected);
            assert_eq!(disagrees(&check, &report), disagreement);
        }
        report.workloads[0].writeback = None;
        assert!(!disagrees(&check, &report), "it is not known");
    }

    #[test]
    fn what_has_no_owner_is_none_of_a_workload_that_was_seen_whole() {
        let mut report = report();
        let check = of_device(CheckKind::DeviceOwnedBytes, 0, GIB);
        let writeback = report.workloads[0].writeback.as_mut().expect("it is known");
        (writeback.dirtied_bytes, writeback.dirtied_folio_bytes) = (MIB, 40 * MIB);
        (writeback.cancelled_bytes, writeback.dirty_bytes_at_end) = (20 * MIB, MIB);
        for (read, written, expected) in [
            (0, 0, false),
            (20 * MIB, 0, true),
            // Around it, dropped, and still dirty.
            (0, 60 * MIB, false),
            (0, 80 * MIB, true),
        ] {
            report.ledger.checks = vec![
                of_workload(CheckKind::BlockReadBytes, GIB - read, GIB),
                of_workload(CheckKind::BlockWrittenBytes, GIB - written, GIB),
            ];
            assert_eq!(disagrees(&check, &report), expected, "{read} {written}");
        }
    }

    #[test]
    fn no_alarm_is_raised_for_what_others_did() {
        let mut report = report();
        let check = of_device(CheckKind::DeviceReadBytes, 0, GIB);
        assert!(disagrees(&check, &report));
        let shares = &mut report.devices.as_mut().expect("there are devices")[0].shares;
        let mut others = shares[0].clone();
        (others.workload, others.origin, others.bytes) = (None, None, 2 * GIB);
        shares.push(others);
        assert!(!disagrees(&check, &report), "they did as much there");
        let shares = &mut report.devices.as_mut().expect("there are devices")[0].shares;
        shares.truncate(1);
        for (in_flight, expected) in [(GIB / 2, true), (GIB, false)] {
            report.ledger.bytes_in_flight_at_attach = Some(in_flight);
            assert_eq!(disagrees(&check, &report), expected, "{in_flight}");
        }
        report.ledger.bytes_in_flight_at_attach = Some(0);
        let shares = &mut report.devices.as_mut().expect("there are devices")[0].shares;
        shares.truncate(1);
        shares[0].workload = None;
        shares[0].origin = None;
        shares[0].bytes = 0;
        assert!(!disagrees(&check, &report), "no workload used it");
    }
}
