//! What a built-in workload reports of itself, beside what the probes counted.

use ioprof_workloads::{OperationSummary, Summary, Via};

use crate::{
    model::{io_uring::IoUring, self_report::SelfCheck, syscall::Syscall},
    transfer::{Direction, of_call, of_opcode},
};

/// An operation that a workload names.
enum Operation {
    /// All calls and opcodes that move bytes one way.
    Transfer(Direction),
    /// These calls and these opcodes.
    Named(&'static [&'static str], &'static [&'static str]),
}

impl Operation {
    fn has_call(&self, name: &str) -> bool {
        match self {
            Self::Transfer(direction) => of_call(name) == Some(*direction),
            Self::Named(calls, _) => calls.contains(&name),
        }
    }

    fn has_opcode(&self, name: &str) -> bool {
        match self {
            Self::Transfer(direction) => of_opcode(name) == Some(*direction),
            Self::Named(_, opcodes) => opcodes.contains(&name),
        }
    }
}

/// The operations that can be compared, by the names that workloads give them.
const OPERATIONS: [(&str, Operation); 6] = [
    (
        "open",
        Operation::Named(
            &["open", "openat", "openat2", "creat"],
            &["OPENAT", "OPENAT2"],
        ),
    ),
    ("read", Operation::Transfer(Direction::Read)),
    ("write", Operation::Transfer(Direction::Written)),
    (
        "fsync",
        Operation::Named(&["fsync", "fdatasync", "syncfs"], &["FSYNC"]),
    ),
    (
        "copy_file_range",
        Operation::Named(&["copy_file_range"], &[]),
    ),
    ("close", Operation::Named(&["close"], &["CLOSE"])),
];

/// One comparison for each operation that was done by system calls or by io_uring in the measured phase.
/// Requests to io_uring are left out on both sides where its probes are missing.
pub fn self_checks(
    reported: &Summary,
    counted: &[Syscall],
    uring: Option<&IoUring>,
) -> Vec<SelfCheck> {
    let compared = |one: &&OperationSummary| match one.via {
        Via::Syscall => true,
        Via::IoUring => uring.is_some(),
        Via::Memory => false,
    };
    OPERATIONS
        .iter()
        .filter_map(|(name, operation)| {
            let own: Vec<_> = reported
                .operations
                .iter()
                .filter(|one| one.name == *name)
                .filter(compared)
                .collect();
            let calls = counted
                .iter()
                .filter(|call| operation.has_call(call.name.as_str()))
                .map(|call| (call.calls, call.bytes));
            let requests = uring
                .into_iter()
                .flat_map(|uring| &uring.operations)
                .filter(|one| operation.has_opcode(one.name.as_str()))
                .map(|one| (one.completions, one.bytes));
            let (counted_calls, counted_bytes) =
                calls.chain(requests).fold((0, 0), |sum, (count, bytes)| {
                    (sum.0 + count, sum.1 + bytes.unwrap_or(0))
                });
            (!own.is_empty()).then(|| SelfCheck {
                operation: (*name).into(),
                reported_calls: own.iter().map(|one| one.calls).sum(),
                counted_calls,
                reported_bytes: own.iter().map(|one| one.bytes).sum(),
                counted_bytes,
            })
        })
        .collect()
}
