//! Histograms: a directory of (series, octave), and per-CPU blocks of buckets handed out as octaves are met.
//!
//! Latencies of one operation span a few octaves of the 44, so that handing out blocks keeps the per-CPU
//! memory a tenth of what whole histograms would take.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::btf_map,
};
use ioprof_ebpf::{
    abi::{Aggregate, loss::Loss, product},
    histogram::{Block, OCTAVES, SUB_BUCKETS, place},
};

use super::{atomic, loss, memory};

/// Which block holds the octave of a series: index series * OCTAVES + octave, 0 for none yet.
#[btf_map]
static DIRECTORY: Array<u64, 1> = Array::new();

/// The blocks; number 0 is never used.
#[btf_map]
static BLOCKS: PerCpuArray<Block, 1> = PerCpuArray::new();

/// How many blocks were handed out.
#[btf_map]
static BLOCKS_USED: Array<u64, 1> = Array::new();

/// Counts a value in its bucket, in a series that a single program writes. A program does not interrupt itself on
/// a CPU (the kernel skips the second run and counts it), and is not preempted in its turn ([`super::turn`]), so the bucket
/// needs no atomic operation.
#[inline(always)]
pub fn record(series: u32, value: u64) {
    if let Some(cell) = cell(series, value) {
        // SAFETY: the bucket is this CPU's own, and no other program writes it.
        unsafe { *cell += 1 };
    }
}

/// Counts a value that came so many times, in a series that several programs write.
#[inline(always)]
pub fn record_shared(series: u32, value: u64, times: u64) {
    if let Some(cell) = cell(series, value) {
        // SAFETY: the bucket is in the map.
        unsafe { atomic::add(cell, times) };
    }
}

/// Makes a value of such a series another one. Exported: see `verifier.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn move_shared(series: u64, from: u64, to: u64) -> u64 {
    record_shared(series as u32, from, 1_u64.wrapping_neg());
    record_shared(series as u32, to, 1);
    0
}

/// Takes in a value that came so many times, where several programs do so.
///
/// # Safety
///
/// `sum` is in a map.
#[inline(always)]
pub unsafe fn add_shared(sum: *mut Aggregate, value: u64, times: u64) {
    // SAFETY: by the caller's promise; each number is read whole, and written by atomic operations.
    unsafe {
        for _ in 0..8 {
            let (count, min) = (
                (&raw const (*sum).count).read_volatile(),
                (&raw const (*sum).min).read_volatile(),
            );
            let is_smaller = count == 0 || value < min;
            if !is_smaller || atomic::replace(&raw mut (*sum).min, min, value) == min {
                break;
            }
        }
        atomic::raise(&raw mut (*sum).max, value);
        add_saturating(&raw mut (*sum).sum, value, times);
        atomic::add(&raw mut (*sum).count, times);
    }
}

/// Adds a value so many times to a sum, which stays the largest number once it would be more.
///
/// # Safety
///
/// `sum` is in a map.
#[inline(always)]
unsafe fn add_saturating(sum: *mut u64, value: u64, times: u64) {
    let all = product(value, times);
    // SAFETY: by the caller's promise. Who adds after this one, and before the sum is raised, either does not reach beyond the
    // largest number, or raises it likewise.
    unsafe {
        if atomic::add(sum, all) > u64::MAX - all {
            atomic::raise(sum, u64::MAX);
        }
    }
}

/// The bucket of a value in a series.
#[inline(always)]
fn cell(series: u32, value: u64) -> Option<*mut u64> {
    let (octave, bucket) = place(value);
    let buckets = block(series, octave)?.cast::<u64>();
    // SAFETY: the pointer comes from the map, and the index is masked to the array.
    Some(unsafe {
        buckets.add(memory::masked::<{ SUB_BUCKETS as u32 - 1 }>(bucket.into()) as usize)
    })
}

/// The cells of the octave that a value falls into, for a series that keeps sums and not buckets there.
#[inline(always)]
pub fn octave(series: u32, value: u64) -> Option<*mut Block> {
    block(series, place(value).0)
}

/// The block of an octave, handed out where it has none yet.
#[inline(always)]
fn block(series: u32, octave: u32) -> Option<*mut Block> {
    let entry = DIRECTORY.get_ptr_mut(series * OCTAVES + octave)?;
    // SAFETY: the pointer comes from the map; the word is read whole.
    let mut block = unsafe { entry.read_volatile() };
    if block == 0 {
        block = hand_out(entry);
    }
    if block == 0 {
        return None;
    }
    let cells = BLOCKS.get_ptr_mut(block as u32);
    if cells.is_none() {
        loss::count(Loss::HistogramFull);
    }
    cells
}

/// Gives an octave its block: the number after the last. Two CPUs that meet here take two and use one.
#[inline(always)]
fn hand_out(entry: *mut u64) -> u64 {
    let Some(used) = BLOCKS_USED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: both are in their maps.
    unsafe {
        let block = atomic::add(used, 1) + 1;
        match atomic::replace(entry, 0, block) {
            0 => block,
            theirs => theirs,
        }
    }
}
