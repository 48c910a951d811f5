//! Which file asynchronous direct I/O is for: the pages of its bios are a program's, but the `struct kiocb` behind a bio
//! has the open file.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::Operation,
    file::{FileKey, FileStats},
};

use super::bio::inode_of_btrfs_bio;
use crate::probes::{
    base::{
        atomic,
        memory::{self, constant, field, read},
    },
    file::{identity::Identity, table},
    task::state::Submitter,
};

/// The lower halves of the addresses of the functions that end bios of direct I/O: the upper one is that of all the
/// kernel's functions. 0 where there is no such function, or the kernel's types do not tell what it ends; set at load.
/// `iomap_dio_bio_end_io` of fs/iomap/direct-io.c.
#[unsafe(no_mangle)]
static IOMAP_END: u32 = 0;
/// `dio_bio_end_aio` and `dio_bio_end_io` of fs/direct-io.c.
#[unsafe(no_mangle)]
static DIO_AIO_END: u32 = 0;
#[unsafe(no_mangle)]
static DIO_END: u32 = 0;
/// `blkdev_bio_end_io` and `blkdev_bio_end_io_async` of block/fops.c.
#[unsafe(no_mangle)]
static BLKDEV_END: u32 = 0;
#[unsafe(no_mangle)]
static BLKDEV_ASYNC_END: u32 = 0;

/// Counts a bio whose pages are no file's for the file that it is for, unless the call that submits it counts all that it has submitted.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn count(submitter: Submitter, bio: *const c_void, operation: Operation, size: u32) {
    if submitter.is_in_call_on_file() {
        return;
    }
    // SAFETY: by the caller's promise.
    unsafe {
        direct_bio(
            submitter.workload.into(),
            iocb_of(bio),
            inode_of_btrfs_bio(bio),
            operation as u64,
            size.into(),
        );
    }
}

/// The address of the `struct kiocb` that a bio was made for; 0 where that is not known.
///
/// # Safety
///
/// As for [`count`].
#[inline(always)]
unsafe fn iocb_of(bio: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    let (end, private): (u64, u64) = unsafe {
        (
            field(bio, &memory::OFF_BIO_END),
            field(bio, &memory::OFF_BIO_PRIVATE),
        )
    };
    let end = end as u32;
    let (around, offset) = if end == 0 {
        return 0;
    } else if end == constant(&IOMAP_END) {
        (private, &memory::OFF_IOMAP_DIO_IOCB)
    } else if end == constant(&BLKDEV_ASYNC_END) {
        let embedded = constant(&memory::OFF_BLKDEV_DIO_BIO);
        (
            (bio as u64).wrapping_sub(embedded.into()),
            &memory::OFF_BLKDEV_DIO_IOCB,
        )
    } else if end == constant(&BLKDEV_END) {
        (private, &memory::OFF_BLKDEV_DIO_IOCB)
    } else if end == constant(&DIO_AIO_END) || end == constant(&DIO_END) {
        (private, &memory::OFF_DIO_IOCB)
    } else {
        return 0;
    };
    read(around, offset)
}

/// Counts bytes of direct I/O for the file of a `struct kiocb`, or where there is none for that of an inode, by their
/// addresses. Exported, as the verifier then looks at it by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn direct_bio(workload: u64, iocb: u64, inode: u64, operation: u64, bytes: u64) -> u64 {
    let workload = workload as u32;
    let inode = if iocb == 0 {
        inode
    } else {
        let file: u64 = read(iocb, &memory::OFF_IOCB_FILE);
        read(file, &memory::OFF_FILE_INODE)
    };
    let stats = if inode == 0 {
        table::row(&FileKey::others(workload))
    } else {
        table::of_identity(workload, inode, &Identity::at(inode))
    };
    let Some(stats) = stats else {
        return 0;
    };
    // SAFETY: the row is in the map.
    unsafe {
        if inode == 0 {
            atomic::add(&raw mut (*stats).unknown_direct_bytes, bytes);
        }
        atomic::add(device_bytes(stats, operation), bytes);
    }
    bytes
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
