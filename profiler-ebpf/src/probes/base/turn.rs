//! Programs that the kernel may preempt.
//!
//! From 6.1 on no kernel starts a program on a CPU where it is active already. Where programs at tracepoints can be
//! preempted, events of other tasks on that CPU are skipped so until the preempted one continues. There each is attached
//! twice. Each copy has a recursion counter of its own: the first marks the event that it counts, and the second counts
//! what has no mark.
//!
//! What a program does in its turn is not preempted, so that the copies may share what is a CPU's own. An interrupt may
//! still come: there a copy leaves the event alone, as the kernel has it where there is one copy.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::{Array, HashMap, PerCpuArray},
    helpers::generated::bpf_get_attach_cookie,
    macros::btf_map,
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{
    names::{DISABLE_PREEMPTION, ENABLE_PREEMPTION, MAY_BE_PREEMPTED},
    task::TaskState,
    turn::{MAX_TURNS, SECOND, Turns, Twice},
};

use super::atomic;

/// What the marked events are about, by the address of their arguments: both copies get them at the same place of the
/// running task's stack, and no other event has that place meanwhile. With the number of the program, one more than its
/// [`Twice`].
#[btf_map]
static MARKS: HashMap<u64, [u64; 2], { MAX_TURNS as usize }> = HashMap::new();

/// 1 while a copy is within its turn on the CPU.
#[btf_map]
static IN_TURN: PerCpuArray<u64, { Twice::ALL.len() }> = PerCpuArray::new();

#[btf_map]
static TURNS: Array<Turns, { Twice::ALL.len() }> = Array::new();

/// The turn of a program: it counts the event, and is not preempted until this is dropped.
pub struct Turn(Twice);

impl Drop for Turn {
    #[inline(always)]
    fn drop(&mut self) {
        if may_be_preempted() {
            // Looked up again: there is no room on the stack for the pointer.
            if let Some(in_turn) = IN_TURN.get_ptr_mut(self.0 as u32) {
                // SAFETY: the value is in the map and this CPU's own; the turn has begun.
                unsafe { in_turn.write_volatile(0) };
            }
            call::<ENABLE_PREEMPTION>();
        }
    }
}

/// The turn of a program for an event; none where the other copy has had it.
#[inline(always)]
pub fn of_event(ctx: &BtfTracePointContext, program: Twice) -> Option<Turn> {
    let event = ctx.as_ptr() as u64;
    let subject: u64 = ctx.arg(match program {
        // Theirs is behind the queue or the ring.
        Twice::BioComplete | Twice::UringComplete => 1,
        _ => 0,
    });
    let number = program as u64 + 1;
    let set = || {
        // SAFETY: the entry is read whole.
        let left = unsafe { MARKS.get(&event) }.map_or(0, |[_, left]| *left);
        let is_set = MARKS.insert(&event, &[subject, number], 0).is_ok();
        if is_set {
            passed(left as u32);
        }
        is_set
    };
    let take = || {
        // SAFETY: as above.
        let is_set = unsafe { MARKS.get(&event) }
            .is_some_and(|[about, left]| *left == number && *about == subject);
        // Where there is none, none is left.
        let _ = MARKS.remove(&event);
        is_set
    };
    begin(ctx, program, set, take)
}

/// The same for a call of a task in scope, whose record has the mark. A call's beginning and its end take turns, so that
/// what the second copy has not taken does not stay for the next call.
///
/// # Safety
///
/// `state` is the record of the running task.
#[inline(always)]
pub unsafe fn of_call(
    ctx: &BtfTracePointContext,
    state: *mut TaskState,
    program: Twice,
) -> Option<Turn> {
    let mark = 1 + program as u64;
    // SAFETY: by the caller's promise; no interrupt makes calls.
    let set = || unsafe {
        passed((*state).turn as u32);
        (*state).turn = mark;
        true
    };
    // SAFETY: as above.
    let take = || unsafe {
        let left = (*state).turn;
        (*state).turn = 0;
        if left != mark {
            passed(left as u32);
        }
        left == mark
    };
    begin(ctx, program, set, take)
}

/// A mark was left of a program of this number, if any, one more than its [`Twice`]: its second copy was skipped where the
/// first had counted the event.
#[inline(always)]
fn passed(number: u32) {
    if number != 0
        && let Some(turns) = TURNS.get_ptr_mut(number - 1)
    {
        // SAFETY: the value is in the map.
        unsafe { atomic::add(&raw mut (*turns).second_not_needed, 1) };
    }
}

#[inline(always)]
fn begin(
    ctx: &BtfTracePointContext,
    program: Twice,
    set: impl FnOnce() -> bool,
    take: impl FnOnce() -> bool,
) -> Option<Turn> {
    if !may_be_preempted() {
        return Some(Turn(program));
    }
    call::<DISABLE_PREEMPTION>();
    if !is_its_turn(ctx.as_ptr(), program, set, take) {
        call::<ENABLE_PREEMPTION>();
        return None;
    }
    Some(Turn(program))
}

/// Whether the program counts the event; then its turn has begun.
#[inline(always)]
fn is_its_turn(
    ctx: *mut c_void,
    program: Twice,
    set: impl FnOnce() -> bool,
    take: impl FnOnce() -> bool,
) -> bool {
    let number = program as u32;
    let (Some(in_turn), Some(turns)) = (IN_TURN.get_ptr_mut(number), TURNS.get_ptr_mut(number))
    else {
        return false;
    };
    // SAFETY: the helper takes the context of the program; the values are in their maps.
    unsafe {
        let is_taken = in_turn.read_volatile() != 0;
        if bpf_get_attach_cookie(ctx) == SECOND {
            if take() {
                return false;
            }
            if is_taken {
                atomic::add(&raw mut (*turns).second_refused, 1);
                return false;
            }
            atomic::add(&raw mut (*turns).taken_over, 1);
        } else if is_taken || !set() {
            // Where there is no room for the mark, the second copy has the event.
            atomic::add(&raw mut (*turns).first_refused, 1);
            return false;
        }
        in_turn.write_volatile(1);
    }
    true
}

/// Whether the kernel may preempt programs. The verifier takes out what is for the other kernels.
#[inline(always)]
fn may_be_preempted() -> bool {
    // SAFETY: it changes a register; both ways out of it are told. User space has put in 0 or 1.
    unsafe {
        asm!(
            "r0 = {}",
            "if r0 != 0 goto {}",
            const MAY_BE_PREEMPTED,
            label { return true },
            out("r0") _,
            options(nostack, nomem),
        );
    }
    false
}

/// Calls a function of the kernel that takes nothing and returns nothing.
#[inline(always)]
fn call<const FUNCTION: i32>() {
    // SAFETY: user space has put in the function's number; it changes the registers of a call, and no memory.
    unsafe {
        asm!(
            "call {}",
            const FUNCTION,
            lateout("r0") _,
            lateout("r1") _,
            lateout("r2") _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack),
        );
    }
}
