//! Histograms: a directory of (series, octave), and per-CPU blocks of buckets handed out as octaves are met.
//!
//! Latencies of one operation span a few octaves of the 44, so that handing out blocks keeps the per-CPU
//! memory a tenth of what whole histograms would take.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::btf_map,
};
use ioprof_ebpf::{
    abi::loss::Loss,
    histogram::{Block, OCTAVES, SUB_BUCKETS, place},
};

use super::{atomic, loss};

/// Which block holds the octave of a series: index series * OCTAVES + octave, 0 for none yet.
#[btf_map(name = "DIRECTORY")]
static DIRECTORY: Array<u64, 1> = Array::new();

/// The blocks; number 0 is never used.
#[btf_map(name = "BLOCKS")]
static BLOCKS: PerCpuArray<Block, 1> = PerCpuArray::new();

/// How many blocks were handed out.
#[btf_map(name = "BLOCKS_USED")]
static BLOCKS_USED: Array<u64, 1> = Array::new();

/// Counts a value in its bucket. One program writes a series, and a program does not interrupt itself on a
/// CPU (the kernel skips the inner run and counts it), so the bucket needs no atomic operation.
#[inline(always)]
pub fn record(series: u32, value: u64) {
    record_several(series, value, 1);
}

/// Counts a value that came so many times.
#[inline(always)]
pub fn record_several(series: u32, value: u64, times: u64) {
    let (octave, bucket) = place(value);
    let Some(buckets) = block(series, octave) else {
        return;
    };
    // SAFETY: the pointer comes from the map, and the index is masked to the array.
    unsafe {
        let cell = buckets
            .cast::<u64>()
            .add(bucket as usize & (SUB_BUCKETS - 1));
        *cell += times;
    }
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
    let block = atomic::add(used, 1) + 1;
    match atomic::replace(entry, 0, block) {
        0 => block,
        theirs => theirs,
    }
}
