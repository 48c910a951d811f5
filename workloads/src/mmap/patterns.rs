//! What is done with a window: scanned, read at random, changed at random.

use std::hint::black_box;
use std::time::Instant;

use super::window::{Span, Window};
use crate::counters::{Counters, Operation, nanoseconds};
use crate::data_set::mix;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::summary::Via;

/// Accesses between two looks at the interrupt and the guard. Of each such run one access is timed alone: a clock read
/// takes longer than an access.
pub const RUN: u64 = 8192;

/// Bytes of one random access.
pub const WORD: usize = 8;

/// Reads every byte, in slices of `block` borrowed from the map.
///
/// # Errors
///
/// [`Error::Truncated`].
pub fn scan(
    window: &Window<'_>,
    block: usize,
    interrupt: &Interrupt,
    counters: &mut Counters,
) -> Result<(), Error> {
    for slice in window.bytes().chunks(block) {
        if interrupt.is_set() {
            break;
        }
        let start = Instant::now();
        black_box(sum(slice));
        window.check()?;
        counters.record(
            Operation::Load,
            Via::Memory,
            nanoseconds(start),
            Ok(slice.len() as u64),
        );
    }
    Ok(())
}

/// Adds up a slice as words: the least that needs every byte.
fn sum(slice: &[u8]) -> u64 {
    let (words, rest) = slice.as_chunks::<WORD>();
    let words = words.iter().fold(0_u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(*word))
    });
    rest.iter()
        .fold(words, |sum, &byte| sum.wrapping_add(u64::from(byte)))
}

/// How many of `operations` over a file of `file_size` bytes fall into a span, so that all spans together get them all.
pub fn share(operations: u64, span: Span, file_size: u64) -> u64 {
    let until = |offset: u64| {
        (u128::from(operations) * u128::from(offset) / u128::from(file_size.max(1))) as u64
    };
    until(span.offset + span.length as u64) - until(span.offset)
}

/// The random index number `index` of a seed, below `count`.
fn random_index(seed: u64, index: u64, count: usize) -> usize {
    // The high half of the product maps the number evenly onto the range (Lemire 2019).
    ((u128::from(mix(seed.wrapping_add(index))) * count as u128) >> 64) as usize
}

/// Reads words at random places.
///
/// # Errors
///
/// [`Error::Truncated`].
pub fn random(
    window: &Window<'_>,
    operations: u64,
    seed: u64,
    interrupt: &Interrupt,
    counters: &mut Counters,
) -> Result<(), Error> {
    let (words, _) = window.bytes().as_chunks::<WORD>();
    if words.is_empty() {
        return Ok(());
    }
    let mut sum = 0_u64;
    let mut done = 0;
    while done < operations && !interrupt.is_set() {
        let end = operations.min(done + RUN);
        let start = Instant::now();
        sum = sum.wrapping_add(u64::from_le_bytes(
            words[random_index(seed, done, words.len())],
        ));
        black_box(sum);
        let sampled_ns = nanoseconds(start);
        for index in done + 1..end {
            sum = sum.wrapping_add(u64::from_le_bytes(
                words[random_index(seed, index, words.len())],
            ));
        }
        black_box(sum);
        window.check()?;
        let bytes = (end - done) * WORD as u64;
        counters.record_many(
            Operation::Load,
            end - done,
            bytes,
            nanoseconds(start),
            Some(sampled_ns),
        );
        done = end;
    }
    Ok(())
}

/// Adds one to words at random places. The caller syncs.
///
/// # Errors
///
/// [`Error::Truncated`].
pub fn update(
    window: &mut Window<'_>,
    operations: u64,
    seed: u64,
    interrupt: &Interrupt,
    counters: &mut Counters,
) -> Result<(), Error> {
    let mut done = 0;
    while done < operations && !interrupt.is_set() {
        let (words, _) = window.bytes_mut().as_chunks_mut::<WORD>();
        if words.is_empty() {
            return Ok(());
        }
        let end = operations.min(done + RUN);
        let start = Instant::now();
        increment(&mut words[random_index(seed, done, words.len())]);
        let sampled_ns = nanoseconds(start);
        for index in done + 1..end {
            increment(&mut words[random_index(seed, index, words.len())]);
        }
        window.check()?;
        let (calls, bytes) = (end - done, (end - done) * WORD as u64);
        // Each is a load and a store that cannot be told apart by a clock; the time is the store's.
        counters.record_many(Operation::Load, calls, bytes, 0, None);
        counters.record_many(
            Operation::Store,
            calls,
            bytes,
            nanoseconds(start),
            Some(sampled_ns),
        );
        done = end;
    }
    Ok(())
}

fn increment(word: &mut [u8; WORD]) {
    *word = u64::from_le_bytes(*word).wrapping_add(1).to_le_bytes();
}
