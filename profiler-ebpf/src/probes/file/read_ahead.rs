//! What the calls of a thread have brought into the page cache of the file that it uses, and no call of it has read yet.
//!
//! The kernel reads ahead within the calls of the reader, in ascending order: an interval of the file holds it.

use core::ffi::c_void;

use ioprof_ebpf::abi::{file::OpenFile, syscall::CallKind, task::TaskState};

use super::{folio, identity::Identity, stacked};

/// A folio has been added to the page cache of a file.
///
/// # Safety
///
/// `folio` is a BTF pointer to a `struct folio`, and `state` the record of the running task.
#[inline(always)]
pub unsafe fn bring(state: &mut TaskState, folio: *const c_void, file: &Identity) {
    let reads = CallKind::READS | CallKind::TRANSFERS;
    let kind = CallKind(state.kind);
    let open = &mut state.file;
    if state.entered_ns == 0
        || !kind.has(reads)
        || !stacked::reads_pages_of(open, &file.with(state.workload))
    {
        return;
    }
    // SAFETY: by the caller's promise.
    let (from, size) = unsafe { (folio::begin(folio), folio::size(folio)) };
    if from != open.ahead_to {
        open.ahead_from = from;
    }
    open.ahead_to = from.wrapping_add(size);
}

/// A call has read the file: whether some of it had been brought so, which from now on has been read.
#[inline(always)]
pub fn take(open: &mut OpenFile, bytes: u64) -> bool {
    let end = open.begin.wrapping_add(bytes);
    if open.begin >= open.ahead_to || end <= open.ahead_from {
        return false;
    }
    open.ahead_from = end;
    true
}
