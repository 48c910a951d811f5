//! The slot of each (workload, device, operation, origin): where its numbers are kept.

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::btf_map,
};
use ioprof_ebpf::abi::{
    block::{BlockKey, BlockSlot, BlockStats, DepthKey, LOOP_MAJOR, Operation, device_number},
    loss::Loss,
};

use crate::probes::base::{
    in_flight, loss,
    map::{self, NO_EXIST},
};

#[btf_map]
static SLOTS: HashMap<BlockKey, BlockSlot, 1> = HashMap::new();

/// How many slots were handed out.
#[btf_map]
static SLOTS_USED: Array<u64, 1> = Array::new();

/// By slot.
#[btf_map]
pub static BLOCK_STATS: PerCpuArray<BlockStats, 1> = PerCpuArray::new();

/// The slot of a (workload, device, operation, origin); where there is none left, that is counted.
#[inline(always)]
pub fn slot_of(key: &BlockKey) -> Option<BlockSlot> {
    let slot = slot(key);
    if slot.is_none() {
        loss::count(Loss::SlotsFull);
    }
    slot
}

/// The slot of a key, made where there is none yet.
#[inline(always)]
fn slot(key: &BlockKey) -> Option<BlockSlot> {
    if let Some(slot) = SLOTS.get_ptr_mut(key) {
        // SAFETY: the entry stays valid for the run of the program, and is never changed.
        return Some(unsafe { *slot });
    }
    make_slot(
        u64::from(key.workload) | u64::from(key.device) << 32,
        u64::from(key.operation) | u64::from(key.origin) << 32,
    );
    // SAFETY: as above; it may be another CPU's, which was first.
    SLOTS.get_ptr_mut(key).map(|slot| unsafe { *slot })
}

/// Makes the slot of a key, of which each number has two, the second in the upper half. Exported, as the verifier then
/// looks at it by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn make_slot(whose: u64, what: u64) -> u64 {
    let key = BlockKey {
        workload: whose as u32,
        device: (whose >> 32) as u32,
        operation: what as u32,
        origin: (what >> 32) as u32,
    };
    if let Some(new) = new_slot(&key) {
        // Another CPU may be first.
        let _ = SLOTS.insert(&key, &new, NO_EXIST);
    }
    0
}

/// A slot for a key, with its numbers; none where there are none left.
#[inline(always)]
fn new_slot(key: &BlockKey) -> Option<BlockSlot> {
    let is_executed_flush = key.operation == Operation::ExecutedFlush as u32;
    let (own_depth, device_depth) = if is_executed_flush {
        (0, 0)
    } else {
        let own_depth = in_flight::number(&DepthKey {
            device: key.device,
            workload: DepthKey::owner(key.workload, key.origin),
        })?;
        let device_depth = in_flight::number(&DepthKey {
            device: key.device,
            workload: DepthKey::EVERYBODY,
        })?;
        (own_depth, device_depth)
    };
    let of_loop = match device_number(key.device) {
        (LOOP_MAJOR, _) if !is_executed_flush => BlockSlot::OF_LOOP,
        _ => 0,
    };
    Some(BlockSlot {
        stats: map::next(&SLOTS_USED)? as u32,
        own_depth,
        device_depth,
        workload: key.workload as u16,
        operation: key.operation as u8,
        origin: key.origin as u8 | of_loop,
    })
}
