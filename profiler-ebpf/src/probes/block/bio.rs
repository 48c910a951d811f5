//! What a bio says of itself: its device, what it does, and the inode that its pages are of.

use core::ffi::c_void;

use ioprof_ebpf::abi::block::{Operation, packed_device};

use super::end::inode_of_btrfs_bio;
use crate::probes::base::memory::{self, constant, field};

/// `REQ_PREFLUSH`, whose place among the flags changes from kernel to kernel; set at load.
#[unsafe(no_mangle)]
static REQ_PREFLUSH: u32 = 0;

/// `REQ_OP_MASK` and the operations of include/linux/blk_types.h, which are the same in all kernels.
const REQ_OP_MASK: u32 = 0xff;
const REQ_OP_WRITE: u32 = 1;
const REQ_OP_FLUSH: u32 = 2;
const REQ_OP_DISCARD: u32 = 3;
const REQ_OP_ZONE_APPEND: u32 = 7;

/// From here on requests are not the file system's (`REQ_OP_DRV_IN`), and the kernel does not account them.
const REQ_OP_DRV_IN: u32 = 34;

/// The disk, the flags and the size of a bio.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn look_at(bio: *const c_void) -> (*const c_void, u32, u32) {
    // SAFETY: by the caller's promise.
    unsafe {
        let device: *const c_void = field(bio, &memory::OFF_BIO_BDEV);
        (
            field(device, &memory::OFF_BDEV_DISK),
            field(bio, &memory::OFF_BIO_FLAGS),
            field(bio, &memory::OFF_BIO_SIZE),
        )
    }
}

/// What the request does; none for what is not the file system's.
#[inline(always)]
pub fn operation(flags: u32, size: u32) -> Option<Operation> {
    match flags & REQ_OP_MASK {
        REQ_OP_FLUSH => Some(Operation::Flush),
        REQ_OP_DISCARD => Some(Operation::Discard),
        REQ_OP_DRV_IN.. => None,
        _ if size == 0 && flags & constant(&REQ_PREFLUSH) != 0 => Some(Operation::Flush),
        op if op & 1 == 1 => Some(Operation::Write),
        _ => Some(Operation::Read),
    }
}

/// Whether a request is the kernel's own, by which a device writes its cache.
#[inline(always)]
pub const fn is_executed_flush(flags: u32) -> bool {
    flags & REQ_OP_MASK == REQ_OP_FLUSH
}

/// The disk of a request, a `struct gendisk`.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct request`.
#[inline(always)]
pub unsafe fn disk_of(request: *const c_void) -> *const c_void {
    // SAFETY: by the caller's promise.
    unsafe {
        let queue: *const c_void = field(request, &memory::OFF_REQUEST_QUEUE);
        field(queue, &memory::OFF_QUEUE_DISK)
    }
}

/// The number of a disk: major << 20 | minor.
///
/// # Safety
///
/// `disk` is a BTF pointer to a `struct gendisk`.
#[inline(always)]
pub unsafe fn device_of(disk: *const c_void) -> u32 {
    // SAFETY: by the caller's promise.
    let (major, minor): (u32, u32) = unsafe {
        (
            field(disk, &memory::OFF_DISK_MAJOR),
            field(disk, &memory::OFF_DISK_MINOR),
        )
    };
    packed_device(major, minor)
}

/// The low bits of a page's mapping, which say that it is no file's (`PAGE_MAPPING_FLAGS` of
/// include/linux/page-flags.h).
const MAPPING_FLAGS: u64 = 3;

/// `BIO_PAGE_PINNED` of include/linux/blk_types.h: its pages are a program's, pinned for direct I/O. Before 6.5 the
/// same bit is `BIO_NO_PAGE_REF`, which is direct I/O, too.
const PINNED: u16 = 1;

/// What no address of a page's description reaches, as arm64 leaves the last GiB to other things and others leave more, and
/// every mask exceeds: it clears the bits by which the descriptions of a page of 16 GiB differ.
const FIRST_MASK: u64 = 0_u64.wrapping_sub(1 << 30);

/// The size of `struct bio_vec` on 64-bit machines.
const VECTOR_BYTES: u64 = 16;

/// Whether a bio with these flags has pages.
#[inline(always)]
pub const fn has_pages(flags: u32) -> bool {
    let operation = flags & REQ_OP_MASK;
    operation <= REQ_OP_WRITE || operation == REQ_OP_ZONE_APPEND
}

/// The flags of a page that is in swap, or on its way there or back (`folio_test_swapcache` of
/// include/linux/page-flags.h); set at load.
#[unsafe(no_mangle)]
static PAGE_IN_SWAP_CACHE: u32 = 0;
#[unsafe(no_mangle)]
static PAGE_SWAP_BACKED: u32 = 0;

/// Stands for the inode of pages that are swapped out or in.
pub const SWAP: u64 = 1;

/// The address of the `struct bio_vec` of the first page of a bio that has pages.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`, and `task` the running task.
#[inline(always)]
pub unsafe fn first_vector(bio: *const c_void, task: *const c_void) -> u64 {
    // SAFETY: by the caller's promise.
    let (vectors, index): (*const c_void, u32) = unsafe {
        (
            field(bio, &memory::OFF_BIO_VECTORS),
            field(bio, &memory::OFF_BIO_INDEX),
        )
    };
    if vectors.is_null() {
        return 0;
    }
    memory::address(vectors, task) + u64::from(index) * VECTOR_BYTES
}

/// The same of a bio by its address; 0 where it has no pages.
#[inline(always)]
pub fn vector_of(bio: u64) -> u64 {
    let vectors: u64 = memory::read(bio, &memory::OFF_BIO_VECTORS);
    let index: u32 = memory::read(bio, &memory::OFF_BIO_INDEX);
    match vectors {
        0 => 0,
        vectors => vectors + u64::from(index) * VECTOR_BYTES,
    }
}

/// The address of the inode that the first page of a bio belongs to, by the addresses of the bio and of its first
/// `struct bio_vec`; 0 where it is no file's: direct I/O, a file system's or a driver's own memory; [`SWAP`] where it is
/// swapped. All pages of a bio are of one inode, as no file system puts two files into one.
#[inline(always)]
pub fn inode_of(bio: u64, vector: u64, is_of_btrfs: bool) -> u64 {
    if vector == 0 {
        return 0;
    }
    let page: u64 = memory::read(vector, &memory::OFF_VECTOR_PAGE);
    if page == 0 {
        return 0;
    }
    let head = head_of(page);
    let mapping: u64 = memory::read(head, &memory::OFF_PAGE_MAPPING);
    if mapping == 0 || mapping & MAPPING_FLAGS != 0 {
        let backed = u64::from(constant(&PAGE_SWAP_BACKED));
        // What is read from a device that answers at once, as zram, goes past the swap cache, into a page that nobody has
        // yet (`do_swap_page` of mm/memory.c).
        let swapped = if mapping == 0 {
            backed
        } else {
            backed | u64::from(constant(&PAGE_IN_SWAP_CACHE))
        };
        if memory::read::<u64>(head, &memory::OFF_FOLIO_FLAGS) & swapped == swapped {
            return SWAP;
        }
        if mapping != 0 || !is_of_btrfs {
            return 0;
        }
        return inode_of_btrfs_bio(bio);
    }
    memory::read(mapping, &memory::OFF_MAPPING_HOST)
}

/// The head of the compound page that a page belongs to, which may be itself. Its tails have the lowest bit set, and
/// the head's address above it, or in later kernels the mask that makes that address of their own
/// (`compound_info_has_mask` of include/linux/page-flags.h).
#[inline(always)]
fn head_of(page: u64) -> u64 {
    let head: u64 = memory::read(page, &memory::OFF_PAGE_HEAD);
    if head & 1 == 0 {
        page
    } else if head >= FIRST_MASK {
        page & head
    } else {
        head - 1
    }
}

/// Whether the pages of a bio are a program's, pinned for direct I/O.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn is_pinned(bio: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { field::<u16>(bio, &memory::OFF_BIO_BI_FLAGS) & PINNED != 0 }
}
