//! Task storage, which aya-ebpf has no type for.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, task_struct},
    helpers::generated::bpf_task_storage_get,
};

use crate::probes::base::memory::{self, field};

/// A task storage map, declared as aya-ebpf declares its own: the BTF of this structure is the definition.
#[repr(C)]
pub struct TaskStorage<T> {
    r#type: *const [i32; 29],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the pointers are placeholders that only the loader reads; no program follows them.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }

    /// The task's value, where it has one.
    #[inline(always)]
    pub fn get(&self, task: *const c_void) -> Option<*mut T> {
        self.call(task, ptr::null_mut(), 0)
    }

    /// The same, for tasks of which most have no storage at all, as those that are in no scope: that is seen by a load,
    /// which spares them the call of the helper.
    #[inline(always)]
    pub fn get_if_any(&self, task: *const c_void) -> Option<*mut T> {
        // SAFETY: the verifier refuses a program that passes anything here but a pointer to a task.
        let storage: *const c_void = unsafe { field(task, &memory::OFF_TASK_STORAGE) };
        if storage.is_null() {
            return None;
        }
        self.get(task)
    }

    /// The task's value, made from `initial` where it has none.
    #[inline(always)]
    pub fn get_or_insert(&self, task: *const c_void, initial: &mut T) -> Option<*mut T> {
        self.call(
            task,
            ptr::from_mut(initial),
            BPF_LOCAL_STORAGE_GET_F_CREATE.into(),
        )
    }

    /// The task's value, all zeros where it has none.
    #[inline(always)]
    pub fn get_or_zeroed(&self, task: *const c_void) -> Option<*mut T> {
        self.call(task, ptr::null_mut(), BPF_LOCAL_STORAGE_GET_F_CREATE.into())
    }

    #[inline(always)]
    fn call(&self, task: *const c_void, initial: *mut T, flags: u64) -> Option<*mut T> {
        let map = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the map is one of task storage, and the verifier accepts only pointers to tasks.
        let value: *mut T = unsafe {
            bpf_task_storage_get(
                map,
                task.cast_mut().cast::<task_struct>(),
                initial.cast(),
                flags,
            )
        }
        .cast();
        (!value.is_null()).then_some(value)
    }
}
