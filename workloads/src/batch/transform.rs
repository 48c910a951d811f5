//! The third stage: what is done with the bytes.

use std::collections::HashMap;
use std::io::Write;

use crossbeam_channel::{Receiver, Sender};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zstd::bulk::Compressor;

use super::pipeline::{Chunk, FileResult, Next, Output, drain};
use crate::counters::Counters;
use crate::options::Transform;

/// zstd's fastest standard level.
const LEVEL: i32 = 1;

/// One thread of the stage.
pub struct Transformer {
    transforms: Vec<Transform>,
    /// Where buffers go back to; a reader keeps its own.
    pool: Option<Sender<Vec<u8>>>,
    /// A reader's buffer, to be used for its next file while it is in the CPU's cache.
    pub spare: Option<Vec<u8>>,
    next: Next,
    /// Files whose last chunk is yet to come. Files of one chunk, the most, never get here.
    unfinished: HashMap<u64, (FileResult, Vec<Step>)>,
    compressor: Option<Compressor<'static>>,
}

/// A transform in the middle of a file.
enum Step {
    Checksum(Box<Xxh3>),
    Lines(u64),
    Compress(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Transformer {
    /// A worker that applies `transforms` in turn; without a pool it is a reader's own.
    pub fn new(transforms: Vec<Transform>, pool: Option<Sender<Vec<u8>>>, next: Next) -> Self {
        // Fails for lack of memory alone; then each file fails with these words.
        let compressor = transforms
            .contains(&Transform::Compress)
            .then(|| Compressor::new(LEVEL).ok())
            .flatten();
        Self {
            transforms,
            pool,
            spare: None,
            next,
            unfinished: HashMap::new(),
            compressor,
        }
    }

    /// Transforms until there is nothing more. System calls are none of its business, so nothing is counted.
    pub fn run(mut self, chunks: &Receiver<Chunk>) -> Counters {
        for chunk in drain(chunks) {
            if !self.chunk(chunk) {
                break;
            }
        }
        Counters::new()
    }

    /// Transforms one chunk. Returns whether anybody is interested in more.
    pub fn chunk(&mut self, mut chunk: Chunk) -> bool {
        let number = chunk.job.number;
        let (mut result, mut steps) = self.unfinished.remove(&number).unwrap_or_else(|| {
            let path = chunk.job.found.path.clone();
            (
                FileResult {
                    number,
                    path,
                    ..FileResult::default()
                },
                Vec::new(),
            )
        });
        result.bytes += chunk.length as u64;
        result.skipped = chunk.skipped;
        let mut output = Vec::new();
        let outcome = match chunk.failure.take() {
            Some(failure) => Err(failure),
            None if chunk.skipped => Ok(()),
            None if chunk.first && chunk.last => {
                self.whole(&chunk.buffer[..chunk.length], &mut result, &mut output)
            }
            None => self.part(&chunk, &mut steps, &mut result, &mut output),
        };
        if let Err(failure) = outcome {
            result.failure.get_or_insert(failure);
        }
        result.output_bytes += output.len() as u64;
        let wanted = self.next.outputs.is_some();
        if wanted && output.is_empty() && !self.transforms.contains(&Transform::Compress) {
            output = chunk.buffer[..chunk.length].to_vec();
        }
        if !self.transforms.contains(&Transform::Compress) {
            result.output_bytes = result.bytes;
        }
        let last = chunk.last;
        let job = chunk.job;
        match &self.pool {
            // The pool has room for every buffer there is; it is gone once the readers are.
            Some(pool) => drop(pool.send(chunk.buffer)),
            None => self.spare = Some(chunk.buffer),
        }
        let finished = if last {
            Some(result)
        } else {
            self.unfinished.insert(number, (result, steps));
            None
        };
        match (&self.next.outputs, finished) {
            (Some(writers), result) => {
                let writer = &writers[(number % writers.len() as u64) as usize];
                writer
                    .send(Output {
                        job,
                        bytes: output,
                        result,
                    })
                    .is_ok()
            }
            (None, Some(result)) => self.next.results.send(result).is_ok(),
            (None, None) => true,
        }
    }

    /// A file in one piece: no state to be kept.
    fn whole(
        &mut self,
        bytes: &[u8],
        result: &mut FileResult,
        output: &mut Vec<u8>,
    ) -> Result<(), (&'static str, String)> {
        for transform in &self.transforms {
            let current: &[u8] = if output.is_empty() { bytes } else { output };
            match transform {
                Transform::Checksum => result.checksum = Some(xxh3_64(current)),
                Transform::Lines => result.lines = Some(count_lines(current)),
                Transform::Compress => {
                    let compressor = self
                        .compressor
                        .as_mut()
                        .ok_or(("compress", "no memory for zstd".to_owned()))?;
                    *output = compressor
                        .compress(current)
                        .map_err(|error| ("compress", error.to_string()))?;
                }
                Transform::None => {}
            }
        }
        Ok(())
    }

    /// One of several pieces.
    fn part(
        &self,
        chunk: &Chunk,
        steps: &mut Vec<Step>,
        result: &mut FileResult,
        output: &mut Vec<u8>,
    ) -> Result<(), (&'static str, String)> {
        if chunk.first {
            for transform in &self.transforms {
                match transform {
                    Transform::Checksum => steps.push(Step::Checksum(Box::new(Xxh3::new()))),
                    Transform::Lines => steps.push(Step::Lines(0)),
                    Transform::Compress => steps.push(Step::Compress(encoder()?)),
                    Transform::None => {}
                }
            }
        }
        let mut compressed = None;
        for step in steps {
            let current = compressed
                .as_deref()
                .unwrap_or(&chunk.buffer[..chunk.length]);
            match step {
                Step::Checksum(state) => {
                    state.update(current);
                    result.checksum = Some(state.digest());
                }
                Step::Lines(lines) => {
                    *lines += count_lines(current);
                    result.lines = Some(*lines);
                }
                Step::Compress(encoder) => {
                    let packed = compress_part(encoder, current, chunk.last);
                    compressed = Some(packed.map_err(|error| ("compress", error.to_string()))?);
                }
            }
        }
        *output = compressed.unwrap_or_default();
        Ok(())
    }
}

fn encoder() -> Result<zstd::stream::write::Encoder<'static, Vec<u8>>, (&'static str, String)> {
    zstd::stream::write::Encoder::new(Vec::new(), LEVEL)
        .map_err(|error| ("compress", error.to_string()))
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
