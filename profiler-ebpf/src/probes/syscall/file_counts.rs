//! What was done to a file: first in the record of the thread, or of the CPU, that has used it last; then in its row.

use ioprof_ebpf::abi::file::{FileCalls, FileKey, FileStats, OpenFile, SIZES, size_class};

use crate::probes::{
    base::{atomic, verifier::given},
    file::table,
};

/// What a call or a request did to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Open,
    Other,
}

impl From<u64> for Access {
    /// The one of a number, as an exported function is given it.
    #[inline(always)]
    fn from(number: u64) -> Self {
        const READ: u64 = Access::Read as u64;
        const WRITE: u64 = Access::Write as u64;
        const OPEN: u64 = Access::Open as u64;
        match number {
            READ => Self::Read,
            WRITE => Self::Write,
            OPEN => Self::Open,
            _ => Self::Other,
        }
    }
}

/// Counts one call or request; its size where that is known.
#[inline(always)]
pub fn count_one(calls: &mut FileCalls, did: Access, ns: u64, moved: u64, size: Option<u64>) {
    calls.ns += ns;
    if ns > calls.max_ns {
        calls.max_ns = ns;
    }
    match did {
        Access::Read => {
            calls.reads += 1;
            calls.read_bytes += moved;
        }
        Access::Write => {
            calls.writes += 1;
            calls.written_bytes += moved;
        }
        Access::Open => {
            calls.opens += 1;
            return;
        }
        Access::Other => return,
    }
    if let Some(size) = size {
        count_size(calls, size);
    }
}

/// Counts the size of a read or a write.
#[inline(always)]
pub const fn count_size(calls: &mut FileCalls, size: u64) {
    calls.sizes[size_class(size) & (SIZES - 1)] += 1;
}

/// Counts a read or a write without its time, for a row that CPUs share; false where it is neither.
///
/// # Safety
///
/// `calls` is of a row in the map.
#[inline(always)]
pub unsafe fn add_shared(calls: *mut FileCalls, did: Access, moved: u64) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        match did {
            Access::Read => {
                atomic::add(&raw mut (*calls).reads, 1);
                atomic::add(&raw mut (*calls).read_bytes, moved);
            }
            Access::Write => {
                atomic::add(&raw mut (*calls).writes, 1);
                atomic::add(&raw mut (*calls).written_bytes, moved);
            }
            Access::Open | Access::Other => return false,
        }
        let class = size_class(moved) & (SIZES - 1);
        atomic::add((&raw mut (*calls).sizes).cast::<u64>().add(class), 1);
    }
    true
}

/// Adds what was done to the file that is kept to the file's row.
#[inline(always)]
pub fn settle(open: &mut OpenFile) {
    if open.key.workload == 0 {
        return;
    }
    // On the stack: older kernels look for no key that they know as memory alone.
    let (key, others) = (open.key, FileKey::others(open.key.workload));
    if let Some(row) = table::row(&key).or_else(|| table::row(&others)) {
        // SAFETY: the row is in the map; CPUs share it by atomic operations. Two threads that read one file
        // may overwrite each other's places: then neither reads it in sequence, or what was read ahead.
        unsafe {
            (*row).end = open.end;
            (*row).ahead_from = open.ahead_from;
            (*row).ahead_to = open.ahead_to;
            add_up(row, &open.calls);
        }
    }
    open.calls = FileCalls::EMPTY;
}

/// The same, exported: see `base/verifier.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn settle_file(open: *mut OpenFile) -> u64 {
    // SAFETY: the caller passes a reference.
    if let Some(open) = unsafe { given(open) } {
        settle(open);
    }
    0
}

/// Adds one set of counts to those of a row.
///
/// # Safety
///
/// `row` is in the map.
#[inline(always)]
unsafe fn add_up(row: *mut FileStats, calls: &FileCalls) {
    // SAFETY: by the caller's promise.
    unsafe {
        let sum = &raw mut (*row).calls;
        macro_rules! add {
            ($($name:ident),*) => {
                $(if calls.$name != 0 {
                    atomic::add(&raw mut (*sum).$name, calls.$name);
                })*
            };
        }
        add!(
            opens,
            reads,
            writes,
            read_bytes,
            written_bytes,
            ns,
            sequential,
            unaligned,
            device_read_bytes,
            device_written_bytes,
            asynchronous_direct_bytes,
            dirtied_bytes
        );
        atomic::raise(&raw mut (*sum).max_ns, calls.max_ns);
        for class in 0..SIZES {
            if calls.sizes[class] != 0 {
                let cell = (&raw mut (*sum).sizes).cast::<u64>().add(class);
                atomic::add(cell, calls.sizes[class]);
            }
        }
    }
}
