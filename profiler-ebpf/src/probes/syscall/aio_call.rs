//! The calls of asynchronous operations: how many they have submitted, reaped or ended, and each of these.

use ioprof_ebpf::abi::{
    aio::{AioRequest, MAX_LOOKED_AT},
    syscall::CallKind,
    task::TaskState,
};

use super::{
    aio::{AIO_REQUESTS, AIO_TOTALS, Event, aio_reaped, aio_submitted, aio_takes_file, key, tgid},
    aio_end::aio_ended,
    arguments::Arguments,
};
use crate::probes::{
    base::{atomic, map::NO_EXIST},
    task::state,
};

/// Counts what the call of the running task has submitted, reaped or ended. It has not failed. Exported, as the verifier
/// then looks at the loops by themselves, and not once for every way to them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn count_aio_call(now: u64, result: u64) -> u64 {
    let task = state::current();
    let Some(state) = state::of(task) else {
        return 0;
    };
    // SAFETY: the task is in the call, its record stays valid for the run of the program, and the counters are in the map.
    unsafe {
        let kind = CallKind((*state).kind);
        let workload = (*state).workload;
        let arguments = Arguments::new(state::registers(task), kind);
        if kind.has(CallKind::ENDS) {
            end(state, kind, arguments, now);
            return 0;
        }
        let Some(totals) = AIO_TOTALS.get_ptr_mut(workload) else {
            return 0;
        };
        if kind.has(CallKind::REAPS) {
            let events = arguments.get::<3>();
            atomic::add(&raw mut (*totals).reaped, result);
            let unread = result
                - in_parts(result, |before, count| {
                    let place = events.wrapping_add(before * size_of::<Event>() as u64);
                    aio_part_reaped(place, count, workload.into(), now)
                });
            atomic::add(&raw mut (*totals).events_unread, unread);
        } else {
            let (iocbs, word_bytes) = (arguments.get::<2>(), arguments.word_bytes());
            if (*state).submits == 0 {
                enter_process();
            }
            atomic::add(&raw mut (*totals).submitted, result);
            let unread = result
                - in_parts(result, |before, count| {
                    aio_part_submitted(iocbs.wrapping_add(before * word_bytes), count, now)
                });
            atomic::add(&raw mut (*totals).iocbs_unread, unread);
        }
    }
    0
}

/// How many control blocks or events are gone through at once: the verifier goes through each pass of a loop.
const PART: u64 = 32;

/// Goes through as many of so many as are looked at: `look` is given how many are before a part, and how many there are
/// from there on. The sum of what it returns.
#[inline(always)]
fn in_parts(all: u64, look: impl Fn(u64, u64) -> u64) -> u64 {
    let mut sum = 0_u64;
    for part in 0..MAX_LOOKED_AT / PART {
        let before = part * PART;
        if before >= all {
            break;
        }
        sum = sum.wrapping_add(look(before, all - before));
    }
    sum
}

/// Takes in the control blocks that the running task has submitted, no more than [`PART`] of so many whose addresses are
/// from a place on: how many could be read. Exported, too.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn aio_part_submitted(first: u64, count: u64, now: u64) -> u64 {
    let task = state::current();
    let Some(state) = state::of(task) else {
        return 0;
    };
    // SAFETY: the task is in the call, and its record stays valid for the run of the program.
    let (owner, context, word_bytes, entered_ns) = unsafe {
        let arguments = Arguments::new(state::registers(task), CallKind((*state).kind));
        let word_bytes = arguments.word_bytes();
        let owner = u64::from((*state).workload) | word_bytes << 32;
        (
            owner,
            arguments.get::<0>(),
            word_bytes,
            (*state).returned.entered_ns,
        )
    };
    let mut read = 0_u64;
    for at in 0..PART.min(count) {
        let place = first.wrapping_add(at * word_bytes);
        let iocb = aio_submitted(place, owner, context, entered_ns, now);
        read = aio_takes_file(iocb).wrapping_add(read);
    }
    read
}

/// Takes in the events that a call has given, no more than [`PART`] of so many from a place on: how many could be read.
/// Exported, too.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn aio_part_reaped(first: u64, count: u64, workload: u64, now: u64) -> u64 {
    let mut read = 0_u64;
    for at in 0..PART.min(count) {
        let place = first.wrapping_add(at * size_of::<Event>() as u64);
        read = read.wrapping_add(aio_reaped(place, workload, now));
    }
    read
}

/// Gives the process of the running task its entry; each of its threads tries once. Exported, as the verifier would go
/// through the loop behind it once more for every way through it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn enter_process() -> u64 {
    let Some(state) = state::of(state::current()) else {
        return 0;
    };
    // SAFETY: the record stays valid for the run of the program.
    unsafe {
        let process = AioRequest {
            workload: (*state).workload,
            ..AioRequest::default()
        };
        // It may be there, by another thread.
        let _ = AIO_REQUESTS.insert(&key(0), &process, NO_EXIST);
        (*state).submits = u32::from(AIO_REQUESTS.get_ptr(&key(0)).is_some());
    }
    0
}

/// A call has ended the operations of a context, or of all.
///
/// # Safety
///
/// `state` is the record of the running task.
#[inline(always)]
unsafe fn end(state: *mut TaskState, kind: CallKind, arguments: Arguments, now: u64) {
    // SAFETY: by the caller's promise.
    unsafe {
        let context = if kind.has(CallKind::EXECUTES) {
            // What it submits from now on is of another process, as it were.
            (*state).submits = 0;
            0
        } else {
            arguments.get::<0>()
        };
        aio_ended(tgid().into(), context, now);
    }
}
