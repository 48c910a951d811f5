//! Which file a bio is for whose pages are not of it: those of direct I/O are a program's, but the `struct kiocb` behind the
//! bio has the open file.

use ioprof_ebpf::abi::{
    block::Operation,
    file::{FileKey, FileStats},
};

use super::{end::End, writers::writer_of};
use crate::probes::{
    base::{
        atomic,
        memory::{self, read},
    },
    file::{identity::Identity, inode, table},
    task::state::Submitter,
};

/// Whether the task is in a call on a file that was open for direct I/O as the call began.
#[inline(always)]
pub fn is_in_call(submitter: Submitter) -> bool {
    // SAFETY: the record stays valid for the run of the program, and is the running task's own.
    submitter.state.is_some_and(|state| unsafe {
        let file = &(*state).file;
        (*state).entered_ns != 0 && file.is_in_use != 0 && inode::is_direct(file.flags)
    })
}

/// Counts a bio of direct I/O for the file that it is for, unless the call that submits it counts what it has submitted so.
#[inline(always)]
pub fn count(submitter: Submitter, bio: u64, operation: Operation, size: u32) {
    if !submitter.keep_direct(operation, size) {
        direct_bio(
            submitter.workload.into(),
            bio,
            operation as u64,
            size.into(),
            1,
        );
    }
}

/// Counts a bio by its address for its file, as its end tells, or where that is not known for the device; the last argument is
/// 1 where it is one of direct I/O. With 0 for the workload it is that of who waits for it, or has submitted what it is made of,
/// as of what a control group has held back or dm-crypt has encrypted, and a thread of the kernel submits: that is returned. Exported, as the verifier then looks at it by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn direct_bio(
    workload: u64,
    bio: u64,
    operation: u64,
    bytes: u64,
    is_direct: u64,
) -> u64 {
    let end = End::at(bio);
    let workload = match workload as u32 {
        0 => match end.workload() {
            0 => writer_of(bio) as u32,
            workload => workload,
        },
        workload => workload,
    };
    // A discard is no file's.
    if workload == 0 || operation > Operation::Write as u64 {
        return workload.into();
    }
    let inode = if end.iocb == 0 {
        end.inode
    } else {
        let file: u64 = read(end.iocb, &memory::OFF_IOCB_FILE);
        read(file, &memory::OFF_FILE_INODE)
    };
    let stats = if inode == 0 {
        let device: u64 = read(bio, &memory::OFF_BIO_BDEV);
        let device = read(device, &memory::OFF_BDEV_DEVICE);
        table::row_or_new(&FileKey::of_device(workload, device), 0, |_| 0)
    } else {
        table::of_identity(workload, inode, &Identity::at(inode))
    };
    if let Some(stats) = stats {
        // SAFETY: the row is in the map.
        unsafe {
            if inode == 0 && is_direct != 0 {
                atomic::add(&raw mut (*stats).unknown_direct_bytes, bytes);
            }
            atomic::add(device_bytes(stats, operation), bytes);
        }
    }
    workload.into()
}

/// The bytes that a row has read from devices, or written to them.
///
/// # Safety
///
/// `stats` is in the map.
#[inline(always)]
pub unsafe fn device_bytes(stats: *mut FileStats, operation: u64) -> *mut u64 {
    // SAFETY: by the caller's promise.
    unsafe {
        if operation == Operation::Read as u64 {
            &raw mut (*stats).device_read_bytes
        } else {
            &raw mut (*stats).device_written_bytes
        }
    }
}
