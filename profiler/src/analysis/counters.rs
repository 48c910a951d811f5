//! The probes' counters beside the kernel's: why they may differ, and whether they differ for no known reason.

use std::cmp::Ordering;

use crate::model::ledger::{Check, CheckKind};

/// Why the probes count something else than the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// execve(2) reads the heads of programs on behalf of the task (fs/exec.c).
    Execve,
    /// io_uring's workers are threads whose accounts the kernel keeps apart.
    IoUringWorkers,
    /// The kernel counts pages as they become dirty; they are written later, by others.
    LaterWriteback,
    /// The kernel's own access to a page on behalf of the task is a fault without an exception.
    KernelAccess,
}

/// Why a counter differs from the kernel's, where a reason is known.
pub fn cause(check: &Check) -> Option<Cause> {
    match (check.what, check.counted.cmp(&check.kernel)) {
        (CheckKind::BlockWrittenBytes, _) => Some(Cause::LaterWriteback),
        (CheckKind::CallReadBytes, Ordering::Less) => Some(Cause::Execve),
        (CheckKind::BlockReadBytes, Ordering::Greater) => Some(Cause::IoUringWorkers),
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
/// with no known cause. The kernel's own accesses are too few to be one.
pub fn disagrees(check: &Check) -> bool {
    let difference = check.counted.abs_diff(check.kernel);
    let at_the_ends = if check.what.is_count() {
        AT_THE_ENDS_COUNT
    } else {
        AT_THE_ENDS_BYTES
    };
    matches!(cause(check), None | Some(Cause::KernelAccess))
        && difference > at_the_ends
        && difference > check.kernel / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn check(what: CheckKind, counted: u64, kernel: u64) -> Check {
        Check {
            workload: None,
            device: None,
            what,
            counted,
            kernel,
        }
    }

    #[test]
    fn a_difference_that_is_large_and_unexplained_is_a_disagreement() {
        let gib = 1 << 30;
        let mib = 1 << 20;
        for (what, counted, kernel, expected) in [
            (CheckKind::DeviceReadBytes, gib, gib, false),
            (CheckKind::DeviceReadBytes, gib - 20 * mib, gib, true),
            (CheckKind::DeviceReadBytes, gib + 20 * mib, gib, true),
            // Less than a hundredth, and no more than the ends of a run explain.
            (CheckKind::DeviceReadBytes, gib - 10 * mib, gib, false),
            (CheckKind::DeviceReadBytes, 0, mib, false),
            (CheckKind::DeviceReads, 0, 256, false),
            (CheckKind::DeviceReads, 0, 257, true),
            (CheckKind::CallReadBytes, 0, gib, false),
            (CheckKind::CallReadBytes, gib, 0, true),
            (CheckKind::BlockReadBytes, gib, 0, false),
            (CheckKind::BlockReadBytes, 0, gib, true),
            (CheckKind::BlockWrittenBytes, 0, gib, false),
            (CheckKind::MajorFaults, 0, 1000, true),
        ] {
            let found = disagrees(&check(what, counted, kernel));
            assert_eq!(found, expected, "{what:?} {counted} {kernel}");
        }
    }
}
