//! What a built-in workload says it did, beside what the probes counted.

use ioprof_workloads::{Summary, Via};

use crate::model::report::{SelfCheck, Syscall};

/// The calls behind the operations that a workload names; those of other names have no call of their own
/// here.
const CALLS: [(&str, &[&str]); 6] = [
    ("open", &["open", "openat", "openat2", "creat"]),
    ("read", &["read", "pread64", "readv", "preadv", "preadv2"]),
    (
        "write",
        &["write", "pwrite64", "writev", "pwritev", "pwritev2"],
    ),
    ("fsync", &["fsync", "fdatasync", "syncfs"]),
    ("copy_file_range", &["copy_file_range"]),
    ("close", &["close"]),
];

/// One comparison for each operation that was done by system calls in the measured phase.
pub fn self_checks(said: &Summary, counted: &[Syscall]) -> Vec<SelfCheck> {
    CALLS
        .iter()
        .filter_map(|(operation, names)| {
            let own: Vec<_> = said
                .operations
                .iter()
                .filter(|one| one.name == *operation && one.via == Via::Syscall)
                .collect();
            let calls = counted
                .iter()
                .filter(|call| names.contains(&call.name.as_str()));
            let (counted_calls, counted_bytes) = calls.fold((0, 0), |(calls, bytes), call| {
                (calls + call.calls, bytes + call.bytes.unwrap_or(0))
            });
            (!own.is_empty()).then(|| SelfCheck {
                operation: (*operation).to_owned(),
                said_calls: own.iter().map(|one| one.calls).sum(),
                counted_calls,
                said_bytes: own.iter().map(|one| one.bytes).sum(),
                counted_bytes,
            })
        })
        .collect()
}
