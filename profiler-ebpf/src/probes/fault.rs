//! Page faults of the tasks in scope.
//!
//! The beginning is a tracepoint at the exception. The end of a major fault is the kernel's own counting
//! of it, which is a perf event: switched on for major faults alone, it costs nothing where there is none.
//! Minor faults have the same end, but that costs all processes, so it is there only on demand; their
//! number is the kernel's own account of the task (`min_flt`).

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::PerCpuArray,
    macros::{btf_map, btf_tracepoint, perf_event},
    programs::{BtfTracePointContext, PerfEventContext},
};
use ioprof_ebpf::abi::{
    fault::{FaultState, FaultStats},
    layout::fault_series,
    syscall::CallKind,
    task::TaskState,
    turn::Twice,
};

use crate::probes::{
    base::{
        atomic, histogram,
        memory::{self, constant, field, now},
        turn, window,
    },
    file::{inode as file_kind, table},
    task::{returned, state},
};

/// Index workload - 1.
#[btf_map]
static FAULTS: PerCpuArray<FaultStats, 1> = PerCpuArray::new();

/// The first histogram series after those of requests; set at load.
#[unsafe(no_mangle)]
static FIRST_FAULT_SERIES: u32 = 0;

/// The record of a task whose faults count.
#[inline(always)]
fn counted(task: *const c_void) -> Option<*mut TaskState> {
    let state = state::of(task)?;
    // SAFETY: the record stays valid for the run of the program.
    let flags = unsafe { (*state).flags };
    (flags & (TaskState::WAITING | TaskState::EXITED) == 0 && window::is_open()).then_some(state)
}

#[inline(always)]
fn stats(workload: u32) -> Option<*mut FaultStats> {
    FAULTS.get_ptr_mut(workload.wrapping_sub(1))
}

#[btf_tracepoint(function = "page_fault_user")]
fn fault_user(_ctx: BtfTracePointContext) {
    if let Some((task, state)) = begin() {
        // SAFETY: `task` is the running task, whose record stays valid for the run of the program.
        unsafe { returned::end(task, &mut *state) };
    }
}

/// A fault in the kernel: of a call that copies to or from the caller's memory. One on an address of the
/// kernel, whose highest bit is set, is no access to anybody's memory.
#[btf_tracepoint(function = "page_fault_kernel")]
fn fault_kernel(ctx: BtfTracePointContext) {
    let address: u64 = ctx.arg(0);
    if address >> 63 == 0 {
        begin();
    }
}

/// The running task takes a fault.
#[inline(always)]
fn begin() -> Option<(*const c_void, *mut TaskState)> {
    let task = state::current();
    let state = counted(task)?;
    // SAFETY: `task` is the running task, whose record stays valid for the run of the program.
    unsafe {
        let fault = &raw mut (*state).fault;
        (*fault).number = state::faults_so_far(task) + 1;
        (*fault).call_ns = (*state).entered_ns;
        (*fault).sought_number = 0;
        (*fault).began_ns = now();
        // What held it back, or did not, was before.
        (*state).clock.throttled = 0;
    }
    Some((task, state))
}

/// The task is in a fault on a page of the file that `mapping` is of, and the page is sought where the program is that of
/// `mm_filemap_fault`. Called once or more for a fault, and also for faults that the kernel takes without an exception.
///
/// # Safety
///
/// `mapping` is a BTF pointer to a `struct address_space`.
#[inline(always)]
unsafe fn on_file(ctx: &BtfTracePointContext, mapping: *const c_void, program: Twice) {
    let task = state::current();
    let Some(state) = counted(task) else {
        return;
    };
    let Some(_turn) = turn::of_event(ctx, program) else {
        return;
    };
    // SAFETY: by the caller's promise; `task` is the running task, whose record stays valid.
    unsafe {
        let number = state::faults_so_far(task) + 1;
        let (workload, fault) = ((*state).workload, &raw mut (*state).fault);
        if (*fault).file_number != number {
            let inode = field(mapping, &memory::OFF_MAPPING_HOST);
            count_on_file(workload, fault, number, inode);
        }
        if (*fault).sought_number == number && (*fault).retried_number != number {
            (*fault).retried_number = number;
            (*fault).retried_ns = now().wrapping_sub((*fault).began_ns);
            count_io(workload, 1, (*fault).retried_ns);
        }
        if matches!(program, Twice::FaultFile) && (*fault).number == number {
            (*fault).sought_number = number;
        }
    }
}

/// Counts a fault that waited for a page or had one read, before it was begun again (`out_retry` of
/// `filemap_fault` in mm/filemap.c). Where the page was already being read, by read-ahead, kernels that take
/// the fault under the lock of its mapping alone call it minor.
#[inline(always)]
fn count_io(workload: u32, faults: u64, time_ns: u64) {
    if let Some(stats) = stats(workload) {
        // SAFETY: the counters are in the map; more than one program writes them.
        unsafe {
            atomic::add(&raw mut (*stats).minor_io, faults);
            atomic::add(&raw mut (*stats).minor_io_ns, time_ns);
        }
    }
}

/// Counts a fault on a file, as a minor one until it turns out to be none.
///
/// # Safety
///
/// `fault` is part of a record.
#[inline(always)]
unsafe fn count_on_file(workload: u32, fault: *mut FaultState, number: u64, inode: u64) {
    // SAFETY: by the caller's promise, and the rows are in their maps.
    unsafe {
        (*fault).file_number = number;
        (*fault).inode = inode;
        if let Some(stats) = stats(workload) {
            // More than one program writes this one.
            atomic::add(&raw mut (*stats).on_files, 1);
        }
        if let Some(file) = table::of_inode(workload, inode) {
            atomic::add(&raw mut (*file).minor_faults, 1);
        }
    }
}

#[btf_tracepoint(function = "mm_filemap_fault")]
fn fault_file(ctx: BtfTracePointContext) {
    // SAFETY: the argument of the tracepoint.
    unsafe { on_file(&ctx, ctx.arg(0), Twice::FaultFile) };
}

/// Pages around the one that was missed are mapped, if they are in memory; where that one is among them,
/// the fault is over.
#[btf_tracepoint(function = "mm_filemap_map_pages")]
fn fault_around(ctx: BtfTracePointContext) {
    // SAFETY: the argument of the tracepoint.
    unsafe { on_file(&ctx, ctx.arg(0), Twice::FaultAround) };
}

/// A page becomes dirty; inside a fault that is because of a write to a shared mapping.
#[btf_tracepoint(function = "writeback_dirty_folio")]
fn fault_dirties(ctx: BtfTracePointContext) {
    let mapping: *const c_void = ctx.arg(1);
    let task = state::current();
    let Some(state) = counted(task) else {
        return;
    };
    // The kernel's page of a device may have none, and the verifier asks for the check.
    if mapping.is_null() {
        return;
    }
    // SAFETY: `mapping` is the argument of the tracepoint, `task` the running task, whose record stays
    // valid for the run of the program.
    unsafe {
        let fault = &raw mut (*state).fault;
        let number = state::faults_so_far(task) + 1;
        // A write may find its caller's memory missing, make dirty what it could write, and have a fault for the rest: by itself, or for
        // whom it submits or waits for.
        let writes = CallKind::WRITES
            | CallKind::COPIES
            | CallKind::SENDS
            | CallKind::WAITS
            | CallKind::ASYNCHRONOUS;
        let is_by_call = (*state).entered_ns != 0 && CallKind((*state).kind).has(writes)
            || (*state).flags & TaskState::OF_RING != 0;
        if is_by_call || state::dumps_core(task) {
            return;
        }
        // A fault that has failed leaves its number to the next one: what a call does after it is not in it.
        let is_in_fault = (*fault).number == number && (*fault).call_ns == (*state).entered_ns;
        if !is_in_fault || (*fault).dirtying_number == number {
            return;
        }
        let inode: *const c_void = field(mapping, &memory::OFF_MAPPING_HOST);
        let mode: u16 = field(inode, &memory::OFF_INODE_MODE);
        let inode = inode as u64;
        // A page of the file system's own, or of a file whose page is reclaimed to make room.
        let is_another = (*fault).file_number == number && (*fault).inode != inode;
        if !file_kind::is_regular(mode.into()) || is_another {
            return;
        }
        (*fault).dirtying_number = number;
        let workload = (*state).workload;
        if (*fault).file_number != number {
            // The page was mapped already, and could only be read.
            count_on_file(workload, fault, number, inode);
        }
        if let Some(stats) = stats(workload) {
            (*stats).dirtying += 1;
        }
        if let Some(file) = table::of_inode(workload, inode) {
            atomic::add(&raw mut (*file).dirtying_faults, 1);
        }
    }
}

/// A fault that has ended.
struct Ended {
    /// The record of its task.
    state: *mut TaskState,
    number: u64,
    /// Whether its beginning was seen.
    seen: bool,
    /// 0 where it was not. No `Option`: where there is none the compiler leaves a slot of the stack unwritten that it
    /// writes otherwise, and reads both, over which the verifier of Linux 6.12 stumbles ("BUG backtracking").
    duration: u64,
}

#[inline(always)]
fn ended() -> Option<Ended> {
    let task = state::current();
    let state = counted(task)?;
    // SAFETY: `task` is the running task, whose record stays valid for the run of the program.
    unsafe {
        // It is among those that are counted by now.
        let number = state::faults_so_far(task);
        let seen = (*state).fault.number == number;
        let since_began = now().wrapping_sub((*state).fault.began_ns);
        Some(Ended {
            state,
            number,
            seen,
            duration: if seen { since_began } else { 0 },
        })
    }
}

#[perf_event]
fn fault_major(_ctx: PerfEventContext) -> u32 {
    let Some(Ended {
        state,
        number,
        seen,
        duration,
    }) = ended()
    else {
        return 0;
    };
    // SAFETY: the record stays valid for the run of the program; the statistics are this CPU's own, and no
    // other program writes these.
    unsafe {
        let workload = (*state).workload;
        let Some(stats) = stats(workload) else {
            return 0;
        };
        if (*state).fault.retried_number == number {
            let since = (*state).fault.retried_ns;
            count_io(workload, 1_u64.wrapping_neg(), since.wrapping_neg());
        }
        let on_file = (*state).fault.file_number == number;
        if on_file {
            (*stats).major_on_files += 1;
            if let Some(file) = table::of_inode(workload, (*state).fault.inode) {
                atomic::add(&raw mut (*file).minor_faults, 1_u64.wrapping_neg());
                atomic::add(&raw mut (*file).major_faults, 1);
                atomic::add(&raw mut (*file).major_fault_ns, duration);
            }
        }
        if !seen {
            (*stats).major_untimed += 1;
            return 0;
        }
        (*stats).major.add(duration);
        if (*state).fault.call_ns != 0 {
            (*stats).major_in_calls += 1;
            (*stats).major_in_calls_ns += duration;
        }
        let series = fault_series(constant(&FIRST_FAULT_SERIES), workload);
        histogram::record(series, duration);
    }
    0
}

#[perf_event]
fn fault_minor(_ctx: PerfEventContext) -> u32 {
    let Some(Ended {
        state, duration, ..
    }) = ended()
    else {
        return 0;
    };
    // SAFETY: as for major faults.
    unsafe {
        let Some(stats) = stats((*state).workload) else {
            return 0;
        };
        (*stats).minor += 1;
        (*stats).minor_ns += duration;
        if (*state).fault.call_ns != 0 {
            (*stats).minor_in_calls += 1;
            (*stats).minor_in_calls_ns += duration;
        }
    }
    0
}
