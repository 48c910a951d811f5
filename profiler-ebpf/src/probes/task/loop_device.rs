//! Whose request the thread of a loop device serves, which goes through the page cache for it: it makes pages of the image
//! dirty, and reads some of it.
//!
//! The thread takes one request of the device after the other, and nothing tells which. It is one of those in flight: where
//! these all have one owner, that is whose it is.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::Array, helpers::generated::bpf_get_current_task, macros::btf_map};
use ioprof_ebpf::abi::{
    block::{BlockSlot, DepthKey, Owners, packed_device},
    writeback::DirtyOwner,
};

use super::state;
use crate::probes::base::{
    atomic, in_flight,
    memory::{self, constant, is_function, read},
};

/// The owners of the requests in flight, by the number of the depth of all on the device.
#[btf_map]
static LOOP_OWNERS: Array<u64, 1> = Array::new();

/// The lower halves of the addresses of the functions that serve requests, of all in no control group and of those in one:
/// `loop_rootcg_workfn` and `loop_workfn` of drivers/block/loop.c; 0 where they are not known; set at load.
#[unsafe(no_mangle)]
static LOOP_ROOT_WORK: u32 = 0;
#[unsafe(no_mangle)]
static LOOP_WORK: u32 = 0;

/// A request of a loop device is queued. No thread serves it before this program has ended.
#[inline(always)]
pub fn begin(slot: &BlockSlot) {
    if slot.is_of_loop() {
        change(slot, Owners::one(slot));
    }
}

/// A request is no longer in flight.
#[inline(always)]
pub fn end(slot: &BlockSlot) {
    if slot.is_of_loop() {
        change(slot, Owners::one(slot).wrapping_neg());
    }
}

#[inline(always)]
fn change(slot: &BlockSlot, by: u64) {
    if let Some(owners) = LOOP_OWNERS.get_ptr_mut(slot.device_depth) {
        // SAFETY: the number is in the map.
        unsafe { atomic::add(owners, by) };
    }
}

/// Whose request the running task serves, as the thread of a loop device: the number of an owner of dirty pages. None where
/// it is no such thread.
///
/// # Safety
///
/// `task` is the running task, a BTF pointer.
#[inline(always)]
pub unsafe fn owner(task: *const c_void) -> Option<u32> {
    // SAFETY: by the caller's promise.
    if !unsafe { state::is_of_workqueue(task) } {
        return None;
    }
    match served() {
        0 => None,
        owner => Some(owner as u32),
    }
}

/// The same for a thread of any workqueue; 0 where it is none of a loop device. Exported, as the verifier then looks at it by
/// itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn served() -> u64 {
    // SAFETY: the helper takes nothing and cannot fail.
    let task = unsafe { bpf_get_current_task() };
    let thread: u64 = read(task, &memory::OFF_WORKER_THREAD);
    let worker: u64 = read(thread, &memory::OFF_WORKER_DATA);
    let function: u64 = read(worker, &memory::OFF_WORKER_FUNCTION);
    let work: u64 = read(worker, &memory::OFF_WORKER_WORK);
    let device: u64 = if is_function(function, &LOOP_ROOT_WORK) {
        work.wrapping_sub(constant(&memory::OFF_WORKER_ROOT_WORK).into())
    } else if is_function(function, &LOOP_WORK) {
        let around = work.wrapping_sub(constant(&memory::OFF_WORKER_LOOP_WORK).into());
        read(around, &memory::OFF_WORKER_LOOP)
    } else {
        return 0;
    };
    let disk: u64 = read(device, &memory::OFF_WORKER_DISK);
    let major: u32 = read(disk, &memory::OFF_DISK_MAJOR);
    let minor: u32 = read(disk, &memory::OFF_DISK_MINOR);
    let key = DepthKey {
        device: packed_device(major, minor),
        workload: DepthKey::EVERYBODY,
    };
    let owners = in_flight::known(&key).and_then(|depth| LOOP_OWNERS.get_ptr_mut(depth));
    // SAFETY: the number is in the map, and read whole.
    let owners = owners.map_or(0, |owners| unsafe { owners.read_volatile() });
    DirtyOwner::below(Owners::only(owners)).into()
}
