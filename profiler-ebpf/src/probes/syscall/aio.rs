//! Asynchronous operations by io_submit(2): what its control blocks ask for, and what io_getevents(2) gives
//! back.
//!
//! There are no tracepoints for it. Both calls are looked at when they return: the result says how many
//! control blocks were taken, or events given, and the arguments are still in the registers.
//!
//! What is not reaped ends with its context: by io_destroy(2), or with the memory of its process, which goes as
//! that executes another program or ends. The kernel waits for it then, and drops its events.

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    aio::{AioKey, AioRequest, AioStats, AioTotals, FIRST_ERROR_OPERATION},
    file::FileKey,
    layout::{AIO_OPCODES, MAX_AIO_REQUESTS, aio_index},
    loss::Loss,
};

use super::{
    errors::count_error,
    file_counts::{self, Access},
};
use crate::probes::{
    base::{
        atomic, histogram, in_flight, loss,
        memory::{self, constant, read, read_at},
    },
    file::{descriptor, identity::Identity, inode, table},
    task::state,
};

#[btf_map]
pub static AIO_REQUESTS: HashMap<AioKey, AioRequest, { MAX_AIO_REQUESTS as usize }> =
    HashMap::new();

/// By [`aio_index`].
#[btf_map]
static AIO_STATS: PerCpuArray<AioStats, 1> = PerCpuArray::new();

/// By workload.
#[btf_map]
pub static AIO_TOTALS: Array<AioTotals, 1> = Array::new();

/// The first histogram series of asynchronous operations; set at load.
#[unsafe(no_mangle)]
static FIRST_AIO_SERIES: u32 = 0;

/// `struct iocb` of include/uapi/linux/aio_abi.h, up to the descriptor.
#[repr(C)]
#[derive(Clone, Copy)]
struct Iocb {
    data: u64,
    key_and_flags: u64,
    opcode: u16,
    priority: u16,
    descriptor: u32,
}

/// Opcodes that read and write files, of the same.
const PREAD: u32 = 0;
const PWRITE: u32 = 1;
const PREADV: u32 = 7;
const PWRITEV: u32 = 8;

/// `struct io_event` of the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    data: u64,
    iocb: u64,
    result: i64,
    second: i64,
}

/// The key of a control block of the running process.
#[inline(always)]
pub fn key(iocb: u64) -> AioKey {
    AioKey::new(tgid(), iocb)
}

/// The running process.
#[inline(always)]
pub fn tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// Takes one control block in, whose address is at `place`: that address, or 0 where it cannot be read. `owner` has the
/// workload in its lower half, and in the upper one how many bytes the address takes.
///
/// Exported, as the verifier then looks at it by itself, and not once for every pass of the loop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn aio_submitted(
    place: u64,
    owner: u64,
    context: u64,
    entered_ns: u64,
    now: u64,
) -> u64 {
    if !memory::may_read() {
        return 0;
    }
    // SAFETY: the helper checks the user's address.
    let iocb = unsafe {
        if owner >> 32 == 4 {
            bpf_probe_read_user(place as *const u32).map(u64::from)
        } else {
            bpf_probe_read_user(place as *const u64)
        }
    };
    let Ok(iocb) = iocb else {
        return 0;
    };
    // SAFETY: as above.
    let Ok(block) = (unsafe { bpf_probe_read_user(iocb as *const Iocb) }) else {
        return 0;
    };
    let workload = owner as u32;
    let opcode = u32::from(block.opcode) & (AIO_OPCODES - 1);
    if let Some(stats) = AIO_STATS.get_ptr_mut(aio_index(workload, opcode)) {
        // SAFETY: the value is this CPU's own, and no other program writes it.
        unsafe { (*stats).submissions += 1 };
    }
    let key = key(iocb);
    if let Some(old) = AIO_REQUESTS.get_ptr_mut(&key) {
        // SAFETY: the entry stays valid for the run of the program.
        unsafe { completed_unseen(&*old, now) };
    }
    let new = AioRequest {
        submitted_ns: entered_ns,
        context,
        workload,
        opcode,
        file: FileKey::others(workload),
        flags: 0,
        descriptor: block.descriptor,
    };
    if AIO_REQUESTS.insert(&key, &new, 0).is_err() {
        loss::count(Loss::AioFull);
    } else if let Some(totals) = AIO_TOTALS.get_ptr_mut(workload) {
        // SAFETY: the value is in the map.
        unsafe { in_flight::enter(&raw mut (*totals).depth, now) };
    }
    iocb
}

/// Gives the operation of a control block, which [`aio_submitted`] returned, the row and the flags of its file, where the
/// running task still has the descriptor: 1, or 0 where the block could not be read.
///
/// Not called by that, and reads field by field: the kernel limits the stack of calls within calls, and a new row reads a
/// path. It returns the sum's part, so that the loop that calls it has no two ways through it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn aio_takes_file(iocb: u64) -> u64 {
    if iocb == 0 {
        return 0;
    }
    // SAFETY: the entry stays valid for the run of the program, and the descriptor is the running task's.
    unsafe {
        if let Some(request) = AIO_REQUESTS.get_ptr_mut(&key(iocb))
            && let Some(slot) = descriptor::slot(state::current(), (*request).descriptor.into())
            && let file = read_at(slot)
            && file != 0
        {
            let identity = Identity::at(read(file, &memory::OFF_FILE_INODE));
            (*request).flags = read(file, &memory::OFF_FILE_FLAGS);
            (*request).file = identity.row((*request).workload);
            table::of_open(&(*request).file, file, &identity);
        }
    }
    1
}

/// Counts an operation whose event was not seen, but which has ended: its control block is submitted again, or its
/// context has gone. The program has taken the event out of the ring that the kernel shares with it, without a call; or
/// not at all; or it was in one of more events than are looked at.
#[inline(always)]
pub fn completed_unseen(old: &AioRequest, now: u64) {
    if let Some(stats) =
        AIO_STATS.get_ptr_mut(aio_index(old.workload, old.opcode & (AIO_OPCODES - 1)))
    {
        // SAFETY: the value is in the map. The end of a process has a program of its own, which may run on this CPU
        // while this one is preempted.
        unsafe { atomic::add(&raw mut (*stats).unseen, 1) };
    }
    leave(old.workload, now);
}

#[inline(always)]
fn leave(workload: u32, now: u64) {
    if let Some(totals) = AIO_TOTALS.get_ptr_mut(workload) {
        // SAFETY: the value is in the map.
        unsafe { in_flight::leave(&raw mut (*totals).depth, now) };
    }
}

/// Takes the event at `place` in: 1, or 0 where it cannot be read. Exported as `aio_submitted` is.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn aio_reaped(place: u64, workload: u64, now: u64) -> u64 {
    if !memory::may_read() {
        return 0;
    }
    // SAFETY: the helper checks the user's address.
    let Ok(event) = (unsafe { bpf_probe_read_user(place as *const Event) }) else {
        return 0;
    };
    let key = key(event.iocb);
    let Some(entry) = AIO_REQUESTS.get_ptr_mut(&key) else {
        if let Some(totals) = AIO_TOTALS.get_ptr_mut(workload as u32) {
            // SAFETY: the counters are in the map.
            unsafe { atomic::add(&raw mut (*totals).unmatched, 1) };
        }
        return 1;
    };
    // SAFETY: the entry stays valid for the run of the program.
    let done = unsafe { *entry };
    // Of two threads that reap, each has events of its own: no other thread removes this.
    let _ = AIO_REQUESTS.remove(&key);
    leave(done.workload, now);
    let opcode = done.opcode & (AIO_OPCODES - 1);
    let index = aio_index(done.workload, opcode);
    let Some(stats) = AIO_STATS.get_ptr_mut(index) else {
        return 1;
    };
    // SAFETY: the value is this CPU's own, and no other program writes it.
    let stats = unsafe { &mut *stats };
    let latency = now.wrapping_sub(done.submitted_ns);
    stats.latency.add(latency);
    histogram::record(constant(&FIRST_AIO_SERIES) + index, latency);
    count_for_file(&done, latency, event.result);
    if event.result < 0 {
        stats.errors += 1;
        let errno = event.result.unsigned_abs() as u32;
        count_error(done.workload, FIRST_ERROR_OPERATION + opcode, errno);
    } else {
        stats.results += event.result.unsigned_abs();
    }
    1
}

/// Counts an operation for its file.
#[inline(always)]
fn count_for_file(done: &AioRequest, latency: u64, result: i64) {
    let others = FileKey::others(done.workload);
    let Some(row) = table::row(&done.file).or_else(|| table::row(&others)) else {
        return;
    };
    let moved = if result < 0 { 0 } else { result.unsigned_abs() };
    let did = match done.opcode {
        PREAD | PREADV => Access::Read,
        PWRITE | PWRITEV => Access::Write,
        _ => Access::Other,
    };
    // SAFETY: the row is in the map.
    unsafe {
        let calls = &raw mut (*row).calls;
        atomic::add(&raw mut (*calls).ns, latency);
        atomic::raise(&raw mut (*calls).max_ns, latency);
        if !file_counts::add_shared(calls, did, moved) {
            return;
        }
        if inode::is_direct(done.flags) {
            atomic::add(&raw mut (*calls).asynchronous_direct_bytes, moved);
        } else if did == Access::Write {
            atomic::add(&raw mut (*calls).dirtied_bytes, moved);
        }
    }
}
