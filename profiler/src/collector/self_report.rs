//! What a built-in workload says it did, beside what the probes counted.

use ioprof_workloads::{OperationSummary, Summary, Via};

use crate::model::{
    asynchronous::IoUring,
    report::{SelfCheck, Syscall},
};

/// The calls and io_uring's opcodes behind the operations that a workload names; those of other names have
/// nothing of their own here.
const OPERATIONS: [(&str, &[&str], &[&str]); 6] = [
    (
        "open",
        &["open", "openat", "openat2", "creat"],
        &["OPENAT", "OPENAT2"],
    ),
    (
        "read",
        &["read", "pread64", "readv", "preadv", "preadv2"],
        &["READ", "READV", "READ_FIXED"],
    ),
    (
        "write",
        &["write", "pwrite64", "writev", "pwritev", "pwritev2"],
        &["WRITE", "WRITEV", "WRITE_FIXED"],
    ),
    ("fsync", &["fsync", "fdatasync", "syncfs"], &["FSYNC"]),
    ("copy_file_range", &["copy_file_range"], &[]),
    ("close", &["close"], &["CLOSE"]),
];

/// One comparison for each operation that was done by system calls or by io_uring in the measured phase.
/// What was done by io_uring is left out on both sides where its probes are missing.
pub fn self_checks(said: &Summary, counted: &[Syscall], uring: Option<&IoUring>) -> Vec<SelfCheck> {
    let compared = |one: &&OperationSummary| match one.via {
        Via::Syscall => true,
        Via::IoUring => uring.is_some(),
        Via::Memory => false,
    };
    OPERATIONS
        .iter()
        .filter_map(|(operation, calls, opcodes)| {
            let own: Vec<_> = said
                .operations
                .iter()
                .filter(|one| one.name == *operation)
                .filter(compared)
                .collect();
            let calls = counted
                .iter()
                .filter(|call| calls.contains(&call.name.as_str()))
                .map(|call| (call.calls, call.bytes));
            let requests = uring
                .into_iter()
                .flat_map(|uring| &uring.operations)
                .filter(|one| opcodes.contains(&one.name.as_str()))
                .map(|one| (one.completions, one.bytes));
            let (counted_calls, counted_bytes) =
                calls.chain(requests).fold((0, 0), |sum, (count, bytes)| {
                    (sum.0 + count, sum.1 + bytes.unwrap_or(0))
                });
            (!own.is_empty()).then(|| SelfCheck {
                operation: (*operation).to_owned(),
                reported_calls: own.iter().map(|one| one.calls).sum(),
                counted_calls,
                reported_bytes: own.iter().map(|one| one.bytes).sum(),
                counted_bytes,
            })
        })
        .collect()
}
