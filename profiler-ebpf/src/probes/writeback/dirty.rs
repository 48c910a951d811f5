//! Which workloads made pages of which inode dirty, so that what others write of it later is theirs.
//!
//! The kernel holds the lock of the inode's page cache while it reports a page that becomes dirty
//! (`__folio_mark_dirty` in mm/page-writeback.c): two reports of one inode never run at once.

use core::{
    ffi::{c_long, c_void},
    ptr,
};

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    helpers::generated::bpf_for_each_map_elem,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    block::Origin,
    file::{FileKey, FileStats},
    layout::MAX_DIRTY_INODES,
    loss::Loss,
    syscall::CallKind,
    task::TaskState,
    writeback::{DirtyInode, DirtyOwner, MAX_OWNERS, PLACES_TRIED},
};

use super::further;
use crate::probes::{
    base::{
        atomic, loss,
        memory::{self, constant, field},
        window,
    },
    file::{folio, identity::Identity, inode as file_kind, stacked, table},
    task::{
        iterators::TaskIteration,
        loop_device,
        state::{self, Submitter},
    },
};

/// By the address of the inode.
#[btf_map]
pub static DIRTY: HashMap<u64, DirtyInode, { MAX_DIRTY_INODES as usize }> = HashMap::new();

/// The addresses of the inodes in that map, in places that a hand goes round to find one to forget.
#[btf_map]
static CLOCK_SLOTS: Array<u64, { MAX_DIRTY_INODES as usize }> = Array::new();

/// How far the hand has gone.
#[btf_map]
static CLOCK_HAND: Array<u64, 1> = Array::new();

/// From here on the flags of an xarray say that some entry has a mark (`XA_FLAGS_MARK` of
/// include/linux/xarray.h): in a page cache, that pages are dirty or being written. The flags below are of
/// the array itself.
const MARKS: u32 = !0x3f;

/// No file has this number or one below it: they are the root's, or those of inodes that a file system keeps for
/// itself, whose mode may be that of any file that was there before (the tree of btrfs is 1, f2fs has 1 and 2).
const LAST_RESERVED: u64 = 2;

#[btf_tracepoint(function = "writeback_dirty_folio")]
fn dirty_folio(ctx: BtfTracePointContext) {
    let folio: *const c_void = ctx.arg(0);
    let mapping: *const c_void = ctx.arg(1);
    if mapping.is_null() || !window::is_open() {
        return;
    }
    let submitter = state::submitter();
    // SAFETY: `folio` and `mapping` are arguments of the tracepoint, the inode is loaded from one, and what is
    // in the map stays valid for the run of the program.
    unsafe {
        let inode: *const c_void = field(mapping, &memory::OFF_MAPPING_HOST);
        if inode.is_null() {
            return;
        }
        let address = inode as u64;
        let below = if submitter.workload == 0 {
            loop_device::owner(submitter.task)
        } else {
            None
        };
        let owner = match below {
            None => submitter.workload,
            Some(OTHERS_BELOW) => 0,
            Some(owner) => owner,
        };
        let tagged = field::<u32>(mapping, &memory::OFF_MAPPING_MARKS) & MARKS != 0;
        if owner == 0 {
            let is_new = below.is_some() || !state::is_of_kernel(submitter.task);
            dirtied_by_others(folio, inode, is_new, tagged);
            return;
        }
        let file = Identity::of(inode);
        let size = folio::size(folio);
        if !is_data(address, &file) {
            // The kernel has it in its account of what the task has written.
            if let Some(others) = table::row(&FileKey::others(submitter.workload)) {
                atomic::add(&raw mut (*others).metadata_folio_bytes, size);
            }
            if file_kind::is_block_device(file.mode) {
                table::note_held(submitter.workload, address, &file);
            }
            return;
        }
        let record = record(address, &file.with(0), tagged);
        // What a loop device makes dirty is in no row of a file.
        if below.is_none()
            && let Some(stats) = table::of_identity(submitter.workload, address, &file)
        {
            count_for_file(submitter, folio, stats, &file, size);
            if tagged && record.is_some_and(|record| has_others(record, owner)) {
                (&raw mut (*stats).has_others).write_volatile(1);
            }
        }
        let Some(record) = record else {
            loss::count(Loss::DirtyInodesFull);
            return;
        };
        (*record).last = owner;
        add(record, owner, size);
    }
}

/// Calls besides those that write to their first argument, of which the bytes are counted where they, or what they submit, are done.
const WRITE_LATER: u32 =
    CallKind::COPIES | CallKind::SENDS | CallKind::WAITS | CallKind::ASYNCHRONOUS;

/// What a process in no workload has a loop device make dirty.
const OTHERS_BELOW: u32 = DirtyOwner::below((0, Origin::Thread as u32));

/// Whether an inode holds a file's data. What a file system writes to inodes that it keeps for itself, or to that of its
/// device, is metadata that its users share.
#[inline(always)]
fn is_data(inode: u64, file: &Identity) -> bool {
    if file_kind::is_block_device(file.mode) {
        !file_kind::is_held(inode)
    } else {
        file_kind::is_regular(file.mode) && file.number() > LAST_RESERVED
    }
}

/// Whether some of what is dirty in an inode may not be of a workload.
///
/// # Safety
///
/// `record` is in the map, and its inode locked.
#[inline(always)]
unsafe fn has_others(record: *const DirtyInode, workload: u32) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        let owners = &(*record).owners;
        let mut others = owners.iter().map(|owner| (owner.workload, owner.bytes));
        (*record).was_dirty != 0 || others.any(|(owner, bytes)| owner != workload && bytes != 0)
    }
}

/// Counts a folio that the running task makes dirty in the row of its file.
///
/// # Safety
///
/// `folio` is a BTF pointer to a `struct folio`, the row is in the map, and the task is in a workload.
#[inline(always)]
unsafe fn count_for_file(
    submitter: Submitter,
    folio: *const c_void,
    stats: *mut FileStats,
    file: &Identity,
    size: u64,
) {
    // SAFETY: by the caller's promise; what is in a map stays valid for the run of the program.
    unsafe {
        match submitter.state {
            // A thread of a ring makes no calls: it executes what the ring was asked for.
            Some(state) if (*state).flags & TaskState::OF_RING != 0 => {
                atomic::add(&raw mut (*stats).folio_bytes, size);
            }
            Some(state) if is_by_fault(submitter.task, &*state) => {
                atomic::add(&raw mut (*stats).mapped_bytes, size);
                atomic::add(&raw mut (*stats).mapped_folios, 1);
            }
            Some(state) if (*state).entered_ns == 0 => {
                // It may be in a call that was not seen to begin.
                let to = if state::has_rings(submitter.task) {
                    &raw mut (*stats).folio_bytes
                } else {
                    &raw mut (*stats).other_folio_bytes
                };
                atomic::add(to, size);
            }
            Some(state) if !is_by_write(&mut *state, folio, size, file) => {
                atomic::add(&raw mut (*stats).other_folio_bytes, size);
            }
            _ => {
                atomic::add(&raw mut (*stats).folio_bytes, size);
            }
        }
    }
}

/// Whether a task makes a folio dirty as it writes to a mapping: in a page fault, in user mode or in a call that writes to its caller's
/// memory.
///
/// # Safety
///
/// `task` is the running task, `state` its record.
#[inline(always)]
unsafe fn is_by_fault(task: *const c_void, state: &TaskState) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        let is_in_fault = state::faults_here(task, state) && !state::dumps_core(task);
        if state.entered_ns != 0 {
            // What could be written may be made dirty before the fault for the rest of what there is to write.
            return is_in_fault && !CallKind(state.kind).has(CallKind::WRITES | WRITE_LATER);
        }
        // Without the probe for faults, and before the first of a thread.
        is_in_fault || state.fault.number == 0 && !state::is_in_call(task)
    }
}

/// Takes in a folio that a call makes dirty. Whether it is a call that writes, or has a ring write: their bytes are
/// counted where they return.
///
/// # Safety
///
/// `folio` is a BTF pointer to a `struct folio`.
#[inline(always)]
unsafe fn is_by_write(
    state: &mut TaskState,
    folio: *const c_void,
    size: u64,
    file: &Identity,
) -> bool {
    let kind = CallKind(state.kind);
    if !kind.has(CallKind::WRITES) {
        return kind.has(WRITE_LATER);
    }
    let open = &mut state.file;
    if open.is_in_use != 0 && stacked::has_pages_of(open, &file.with(state.workload)) {
        // SAFETY: by the caller's promise.
        let from = unsafe { folio::begin(folio) };
        if open.fresh_bytes == 0 {
            open.fresh_from = from;
        }
        let to = from
            .wrapping_add(size)
            .min(open.begin.saturating_add(state.size));
        open.fresh_bytes += to.saturating_sub(from.max(open.begin));
    }
    true
}

/// Counts a page that somebody in no workload made dirty, where a workload has dirty pages in the inode. A thread of the kernel
/// makes one dirty again that it could not write: `is_new` says that it is not so. `tagged` is that of [`record`].
///
/// # Safety
///
/// `folio` and `inode` are BTF pointers to what they are named after.
#[inline(always)]
unsafe fn dirtied_by_others(
    folio: *const c_void,
    inode: *const c_void,
    is_new: bool,
    tagged: bool,
) {
    let address = inode as u64;
    let Some(record) = DIRTY.get_ptr_mut(&address) else {
        return;
    };
    // SAFETY: by the caller's promise; the record is in the map.
    unsafe {
        if (*record).file != Identity::of(inode).with(0) {
            further::forget(record);
            let _ = DIRTY.remove(&address);
        } else if is_new {
            if !tagged {
                empty(record);
            }
            atomic::add(&raw mut (*record).owners[0].bytes, folio::size(folio));
        }
    }
}

/// The record of an inode, made where there is none yet, and made anew where nothing of it is left to be
/// written. `tagged` says whether pages of it are dirty or being written, the new one apart.
#[inline(always)]
fn record(address: u64, file: &FileKey, tagged: bool) -> Option<*mut DirtyInode> {
    // SAFETY: the record is in the map, and its inode locked.
    unsafe {
        let known = DIRTY.get_ptr_mut(&address);
        if let Some(record) = known {
            // Another inode may have stood at this address before.
            if (*record).file == *file {
                if !tagged {
                    empty(record);
                }
                return known;
            }
            further::forget(record);
        }
        let new = DirtyInode {
            file: *file,
            was_dirty: u32::from(tagged),
            last: 0,
            cached_bytes: 0,
            inode: address,
            blocks: 0,
            padding: 0,
            owners: [DirtyOwner::default(); MAX_OWNERS],
        };
        if known.is_none() {
            make_room(address);
        }
        // Where there is none, the next line says so.
        let _ = DIRTY.insert(&address, &new, 0);
        DIRTY.get_ptr_mut(&address)
    }
}

/// Forgets what was made dirty in an inode of which no page is dirty or being written: what was truncated is not written any
/// more.
///
/// # Safety
///
/// `record` is in the map, and its inode locked.
#[inline(always)]
unsafe fn empty(record: *mut DirtyInode) {
    // SAFETY: by the caller's promise.
    unsafe {
        (*record).was_dirty = 0;
        further::forget(record);
        (*record).blocks = 0;
        for owner in &mut (*record).owners {
            owner.bytes = 0;
        }
    }
}

/// Adds bytes that a workload made dirty.
///
/// # Safety
///
/// `record` is in the map, and its inode locked.
#[inline(always)]
unsafe fn add(record: *mut DirtyInode, workload: u32, size: u64) {
    // SAFETY: by the caller's promise; other CPUs only take bytes away.
    unsafe {
        let mut free = 0;
        for at in 1..MAX_OWNERS {
            let owner = &raw mut (*record).owners[at];
            if (*owner).workload == workload {
                atomic::add(&raw mut (*owner).bytes, size);
                return;
            }
            if free == 0 && (*owner).bytes == 0 {
                free = at;
            }
        }
        let is_full = free == 0;
        if (is_full || (*record).blocks != 0)
            && further::add((*record).inode, workload, size, is_full)
        {
            return;
        }
        let owner = &raw mut (*record).owners[free & (MAX_OWNERS - 1)];
        if is_full {
            loss::count(Loss::DirtyOwnersFull);
        } else {
            (*owner).workload = workload;
        }
        atomic::add(&raw mut (*owner).bytes, size);
    }
}

/// Puts an inode into the next place that is free, or whose inode has no page any more that is dirty or being
/// written: that one is forgotten. A page of it that becomes dirty in this very moment on another CPU is
/// forgotten with it.
#[inline(always)]
fn make_room(address: u64) {
    let Some(hand) = CLOCK_HAND.get_ptr_mut(0) else {
        return;
    };
    for _ in 0..PLACES_TRIED {
        // SAFETY: the counter is in the map.
        let at = unsafe { atomic::add(hand, 1) } as u32 & (MAX_DIRTY_INODES - 1);
        let Some(place) = CLOCK_SLOTS.get_ptr_mut(at) else {
            return;
        };
        // SAFETY: the place is in the map, and so is the record.
        unsafe {
            let old = *place;
            if old != 0
                && old != address
                && let Some(record) = DIRTY.get_ptr_mut(&old)
            {
                if bytes_cached(old, record) > 0 {
                    continue;
                }
                further::forget(record);
                // Another CPU may have forgotten it already.
                let _ = DIRTY.remove(&old);
            }
            *place = address;
        }
        return;
    }
}

/// The bytes that the page cache holds of the inode of a record; 0 where none of its pages is dirty or being
/// written, or where the inode is gone, which it cannot be before it is written or deleted.
///
/// # Safety
///
/// `record` is in the map.
#[inline(always)]
unsafe fn bytes_cached(inode: u64, record: *const DirtyInode) -> u64 {
    let mapping: u64 = memory::read(inode, &memory::OFF_INODE_MAPPING);
    // SAFETY: by the caller's promise.
    let is_same = unsafe { (*record).file == Identity::at(inode).with(0) };
    if !is_same || memory::read::<u32>(mapping, &memory::OFF_MAPPING_MARKS) & MARKS == 0 {
        return 0;
    }
    let pages: u64 = memory::read(mapping, &memory::OFF_MAPPING_PAGES);
    pages.wrapping_mul(constant(&folio::PAGE_BYTES).into())
}

/// Looks at every inode once more, before the map is read. An iterator over tasks that ignores them: it runs
/// when user space wants it.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn examine_dirty(ctx: *mut TaskIteration) -> c_long {
    // SAFETY: the kernel passes the context of a task iterator, and calls the function with the keys and values
    // of the map; it may fail only where the map has no such walk.
    unsafe {
        if (*ctx).task.is_null() {
            let map = ptr::from_ref(&DIRTY).cast_mut().cast();
            let visit: Visit = examine;
            bpf_for_each_map_elem(map, visit as *mut c_void, ptr::null_mut(), 0);
        }
    }
    0
}

/// What is called for each entry of a map.
type Visit =
    unsafe extern "C" fn(*const c_void, *const u64, *mut DirtyInode, *const c_void) -> c_long;

/// Forgets what of an inode is not dirty any more: what was truncated, and of a large folio what was never
/// written to.
unsafe extern "C" fn examine(
    _map: *const c_void,
    address: *const u64,
    record: *mut DirtyInode,
    _context: *const c_void,
) -> c_long {
    // SAFETY: the kernel passes a key and a value of the map.
    unsafe {
        (*record).cached_bytes = bytes_cached(*address, record);
    }
    0
}
