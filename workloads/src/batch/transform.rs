//! The third stage: applies the transforms.

use std::collections::HashMap;
use std::io::Write;

use crossbeam_channel::{Receiver, Sender};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zstd::bulk::Compressor;

use super::message::{Chunk, Downstream, FileResult, Output, Part};
use crate::counters::Counters;
use crate::error::Failure;
use crate::options::Transform;

/// zstd's fastest standard level.
const LEVEL: i32 = 1;

/// One thread of the stage.
pub struct Transformer {
    transforms: Vec<Transform>,
    /// Where buffers go back to; a reader keeps its own.
    pool: Option<Sender<Vec<u8>>>,
    /// A reader's buffer, for its next file: it is still in the CPU's cache.
    pub spare: Option<Vec<u8>>,
    downstream: Downstream,
    /// Files whose last chunk is yet to come. Files of one chunk, the most, never get here.
    unfinished: HashMap<u64, (FileResult, Vec<State>)>,
    compressor: Option<Compressor<'static>>,
}

/// The state of a transform in the middle of a file.
enum State {
    Checksum(Box<Xxh3>),
    Lines(u64),
    Compress(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Transformer {
    /// A worker that applies `transforms` in turn; without a pool it is a reader's own.
    pub fn new(
        transforms: Vec<Transform>,
        pool: Option<Sender<Vec<u8>>>,
        downstream: Downstream,
    ) -> Self {
        // Fails for lack of memory alone; then each file fails with that error.
        let compressor = transforms
            .contains(&Transform::Compress)
            .then(|| Compressor::new(LEVEL).ok())
            .flatten();
        Self {
            transforms,
            pool,
            spare: None,
            downstream,
            unfinished: HashMap::new(),
            compressor,
        }
    }

    /// Transforms until there is nothing more. It makes no system calls, so nothing is counted.
    pub fn run(mut self, chunks: &Receiver<Chunk>) -> Counters {
        for chunk in chunks {
            if !self.transform(chunk) {
                break;
            }
        }
        Counters::new()
    }

    /// Transforms one chunk. Returns false once the next stage has ended.
    pub fn transform(&mut self, chunk: Chunk) -> bool {
        let Chunk {
            job,
            buffer,
            length,
            part,
        } = chunk;
        let bytes = &buffer[..length];
        let (mut result, mut states) = self
            .unfinished
            .remove(&job.number)
            .unwrap_or_else(|| (FileResult::new(&job), Vec::new()));
        result.bytes += length as u64;
        let mut output = Vec::new();
        let is_last = part.is_last();
        let outcome = match part {
            Part::Whole => self.whole(bytes, &mut result, &mut output),
            Part::First => self.start(&mut states).and_then(|()| {
                apply(&mut states, bytes, is_last, &mut result).map(|bytes| output = bytes)
            }),
            Part::Middle | Part::Last => {
                apply(&mut states, bytes, is_last, &mut result).map(|bytes| output = bytes)
            }
            Part::Failed(failure) => Err(failure),
            Part::Skipped => {
                result.skipped = true;
                Ok(())
            }
        };
        if let Err(failure) = outcome {
            result.failure.get_or_insert(failure);
        }
        if self.transforms.contains(&Transform::Compress) {
            result.output_bytes += output.len() as u64;
        } else {
            result.output_bytes = result.bytes;
            if self.downstream.outputs.is_some() {
                output = bytes.to_vec();
            }
        }
        match &self.pool {
            // The pool has room for every buffer there is; it is gone once the readers are.
            Some(pool) => drop(pool.send(buffer)),
            None => self.spare = Some(buffer),
        }
        let finished = if is_last {
            Some(result)
        } else {
            self.unfinished.insert(job.number, (result, states));
            None
        };
        match (&self.downstream.outputs, finished) {
            (Some(writers), result) => {
                let writer = &writers[(job.number % writers.len() as u64) as usize];
                writer
                    .send(Output {
                        job,
                        bytes: output,
                        result,
                    })
                    .is_ok()
            }
            (None, Some(result)) => self.downstream.results.send(result).is_ok(),
            (None, None) => true,
        }
    }

    /// A file in one piece: no state to be kept.
    fn whole(
        &mut self,
        bytes: &[u8],
        result: &mut FileResult,
        output: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        for transform in &self.transforms {
            let current: &[u8] = if output.is_empty() { bytes } else { output };
            match transform {
                Transform::Checksum => result.checksum = Some(xxh3_64(current)),
                Transform::Lines => result.lines = Some(count_lines(current)),
                Transform::Compress => {
                    let compressor = self
                        .compressor
                        .as_mut()
                        .ok_or_else(|| Failure::new("compress", "no memory for zstd"))?;
                    *output = compressor
                        .compress(current)
                        .map_err(Failure::io("compress"))?;
                }
                Transform::None => {}
            }
        }
        Ok(())
    }

    /// The states of a file in several pieces.
    fn start(&self, states: &mut Vec<State>) -> Result<(), Failure> {
        for transform in &self.transforms {
            match transform {
                Transform::Checksum => states.push(State::Checksum(Box::new(Xxh3::new()))),
                Transform::Lines => states.push(State::Lines(0)),
                Transform::Compress => states.push(State::Compress(encoder()?)),
                Transform::None => {}
            }
        }
        Ok(())
    }
}

/// Transforms one of several pieces; returns what came out of compression.
fn apply(
    states: &mut [State],
    bytes: &[u8],
    is_last: bool,
    result: &mut FileResult,
) -> Result<Vec<u8>, Failure> {
    let mut compressed = None;
    for state in states {
        let current = compressed.as_deref().unwrap_or(bytes);
        match state {
            State::Checksum(state) => {
                state.update(current);
                result.checksum = Some(state.digest());
            }
            State::Lines(lines) => {
                *lines += count_lines(current);
                result.lines = Some(*lines);
            }
            State::Compress(encoder) => {
                let packed = compress_part(encoder, current, is_last);
                compressed = Some(packed.map_err(Failure::io("compress"))?);
            }
        }
    }
    Ok(compressed.unwrap_or_default())
}

fn encoder() -> Result<zstd::stream::write::Encoder<'static, Vec<u8>>, Failure> {
    zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(Failure::io("compress"))
}

/// Compresses one more piece; returns what zstd has ready.
fn compress_part(
    encoder: &mut zstd::stream::write::Encoder<'static, Vec<u8>>,
    bytes: &[u8],
    last: bool,
) -> std::io::Result<Vec<u8>> {
    encoder.write_all(bytes)?;
    if last {
        encoder.do_finish()?;
    }
    Ok(std::mem::take(encoder.get_mut()))
}

/// Line ends, counted 255 bytes at a time so that the sums fit a byte and the compiler can use vectors.
fn count_lines(bytes: &[u8]) -> u64 {
    bytes
        .chunks(255)
        .map(|piece| {
            u64::from(
                piece
                    .iter()
                    .fold(0_u8, |sum, &byte| sum + u8::from(byte == b'\n')),
            )
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn lines_are_counted(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..700)) {
            prop_assert_eq!(count_lines(&bytes), bytes.iter().filter(|&&byte| byte == b'\n').count() as u64);
        }

        #[test]
        fn pieces_compress_to_what_the_whole_was(bytes in prop::collection::vec(any::<u8>(), 0..5000), cut in 1_usize..700) {
            let mut encoder = encoder().expect("encoder");
            let mut packed = Vec::new();
            for piece in bytes.chunks(cut) {
                packed.extend(compress_part(&mut encoder, piece, false).expect("piece"));
            }
            packed.extend(compress_part(&mut encoder, &[], true).expect("end"));
            prop_assert_eq!(zstd::stream::decode_all(&packed[..]).expect("decoding"), bytes);
        }
    }
}
