//! Asynchronous operations that nobody reaps: they are taken back with their context.

use core::{
    ffi::{c_long, c_void},
    ptr,
};

use aya_ebpf::helpers::generated::bpf_for_each_map_elem;
use ioprof_ebpf::abi::aio::{AioKey, AioRequest};

use super::aio::{AIO_REQUESTS, completed_unseen};
use crate::probes::base::memory::{self, field};

/// A process ends, and with it what it has submitted and not reaped.
///
/// # Safety
///
/// `task` is a BTF pointer to the last of its tasks.
#[inline(always)]
pub unsafe fn end_process(task: *const c_void) {
    // SAFETY: by the caller's promise.
    let tgid: u32 = unsafe { field(task, &memory::OFF_TASK_TGID) };
    aio_ended(tgid.into(), 0, memory::now());
}

/// Which operations have ended.
#[repr(C)]
struct Ended {
    tgid: u64,
    /// 0 for those of all contexts of the process.
    context: u64,
    now: u64,
}

/// Takes back what has ended of a process. Exported, so that it has a stack of its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn aio_ended(tgid: u64, context: u64, now: u64) -> u64 {
    let process = AioKey::new(tgid as u32, 0);
    // Most processes have submitted nothing.
    if AIO_REQUESTS.get_ptr(&process).is_none() {
        return 0;
    }
    let ended = Ended { tgid, context, now };
    let visit: Visit = take_back;
    // SAFETY: the map is one, the function is one of this object, and its context outlives the walk.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const AIO_REQUESTS).cast_mut().cast(),
            visit as *mut c_void,
            (&raw const ended).cast_mut().cast(),
            0,
        );
    }
    0
}

/// What is called for each entry of the map.
type Visit =
    unsafe extern "C" fn(*const c_void, *const AioKey, *const AioRequest, *const Ended) -> c_long;

/// Takes an entry back that has ended.
unsafe extern "C" fn take_back(
    _map: *const c_void,
    key: *const AioKey,
    entry: *const AioRequest,
    ended: *const Ended,
) -> c_long {
    // SAFETY: the kernel passes an entry of the map, and the context that it was given.
    unsafe {
        let (key, old, ended) = (*key, *entry, ptr::read(ended));
        let is_ended = u64::from(key.tgid) == ended.tgid
            && (ended.context == 0 || ended.context == old.context);
        // Another thread may have reaped it just now.
        if is_ended && AIO_REQUESTS.remove(&key).is_ok() && key.iocb != 0 {
            completed_unseen(&old, ended.now);
        }
    }
    0
}
