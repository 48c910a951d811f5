//! What requests did to their files.

use aya_ebpf::{
    btf_maps::{HashMap, PerCpuArray},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    fields::ABSENT,
    file::{FileKey, OpenFile},
    io_uring::UringRequest,
    layout::MAX_URING_SOURCES,
    loss::Loss,
    opcodes::{Moves, Set},
};

use crate::probes::{
    base::{
        loss,
        memory::{self, constant, read, read_at},
    },
    file::{descriptor, inode, table},
    syscall::{
        file_access,
        file_counts::{self, Access},
    },
    task::state,
};

/// The file of the request that completed last on this CPU, as a thread's record has the one of its last call.
#[btf_map]
static URING_FILE: PerCpuArray<OpenFile, 1> = PerCpuArray::new();

/// The row of the file that a request under way copies from, by the request's address.
#[btf_map]
static URING_SOURCES: HashMap<u64, FileKey, { MAX_URING_SOURCES as usize }> = HashMap::new();

const READS: Set = Set::that(Moves::Read);
const WRITES: Set = Set::that(Moves::Written);
/// Opcodes that copy from one file to another.
pub const COPIES: Set = Set::that(Moves::Copied);

/// `SPLICE_F_FD_IN_FIXED` of include/uapi/linux/io_uring.h: the file to copy from is one of the ring's.
const OF_RING: u32 = 1 << 31;
/// What the pointers to a ring's files have in their lower bits besides.
const POINTER_FLAGS: u64 = 7;

/// The bytes that a completion has moved: one that failed none.
#[inline(always)]
fn moved(result: i32) -> u64 {
    u64::from(result.max(0).unsigned_abs())
}

/// Counts a completion for its file, which the request holds until it is freed, after the last.
#[inline(always)]
pub fn count(request: u64, done: &UringRequest, latency: u64, result: i32) {
    if constant(&memory::OFF_KIOCB_FILE) == ABSENT {
        return;
    }
    let slot = request.wrapping_add(constant(&memory::OFF_KIOCB_FILE).into());
    let Some(opened) = descriptor::in_slot(slot) else {
        return;
    };
    let Some(open) = URING_FILE.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the value is this CPU's own, and no other program writes it.
    let open = unsafe { &mut *open };
    file_access::keep_file(
        open,
        done.workload,
        opened.file,
        &opened.identity,
        file_access::settle_once,
    );
    let did = match done.opcode {
        opcode if READS.has(opcode) => Access::Read,
        opcode if WRITES.has(opcode) || COPIES.has(opcode) => Access::Write,
        _ => Access::Other,
    };
    let moved = moved(result);
    file_counts::count_one(&mut open.calls, did, latency, moved, Some(moved));
    if did == Access::Other {
        return;
    }
    if inode::is_direct(opened.flags) {
        open.calls.asynchronous_direct_bytes += moved;
    } else if did == Access::Write {
        open.calls.dirtied_bytes += moved;
    }
}

/// Remembers the file that a request copies from, as long as its descriptor stands for it. The time is that of the file
/// it copies to.
#[inline(always)]
pub fn begin_copy(request: u64, ring: u64, workload: u32) {
    // What is left of another request that was not seen to end.
    let _ = URING_SOURCES.remove(&request);
    if constant(&memory::OFF_SPLICE_SOURCE) == ABSENT {
        return;
    }
    let number: u32 = read(request, &memory::OFF_SPLICE_SOURCE);
    let flags: u32 = read(request, &memory::OFF_SPLICE_FLAGS);
    let file = if flags & OF_RING != 0 {
        of_ring(ring, number)
    } else {
        // SAFETY: it is the running task.
        unsafe { descriptor::slot(state::current(), number.into()) }.map_or(0, read_at)
    };
    let Some(opened) = descriptor::at_address(file) else {
        return;
    };
    let identity = &opened.identity;
    let key = identity.row(workload);
    let row = table::of_open(&key, file, identity);
    if row.is_some() && URING_SOURCES.insert(&request, &key, 0).is_err() {
        loss::count(Loss::UringFull);
    }
}

/// The address of a file of a ring; 0 where there is none.
#[inline(always)]
fn of_ring(ring: u64, number: u32) -> u64 {
    if constant(&memory::OFF_RING_FILES) == ABSENT
        || constant(&memory::OFF_RING_FILE_COUNT) == ABSENT
        || number >= read(ring, &memory::OFF_RING_FILE_COUNT)
    {
        return 0;
    }
    let files: u64 = read(ring, &memory::OFF_RING_FILES);
    let slot: u64 = read_at(files.wrapping_add(u64::from(number) * 8));
    // Kernels before 6.13 have no node between.
    let file = if constant(&memory::OFF_NODE_FILE) == ABSENT || slot == 0 {
        slot
    } else {
        read(slot, &memory::OFF_NODE_FILE)
    };
    file & !POINTER_FLAGS
}

/// Counts what a request has copied for the file that it came from.
#[inline(always)]
pub fn end_copy(request: u64, workload: u32, result: i32) {
    let Some(key) = URING_SOURCES.get_ptr_mut(&request) else {
        return;
    };
    // SAFETY: the entry stays valid for the run of the program.
    let row = unsafe { table::row(&*key) };
    if let Some(row) = row.or_else(|| table::row(&FileKey::others(workload))) {
        let moved = moved(result);
        // SAFETY: the row is in the map; CPUs share it by atomic operations.
        unsafe {
            file_counts::add_shared(&raw mut (*row).calls, Access::Read, moved);
        }
    }
    // It is there; nobody else removes it.
    let _ = URING_SOURCES.remove(&request);
}
