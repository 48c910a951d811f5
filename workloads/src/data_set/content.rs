//! The bytes of data sets: any part of any file follows from the seed, without the parts before it.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Every block of this many bytes has a generator of its own.
const BLOCK: u64 = 4096;

/// What the bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes, which nothing on the way to the device can compress or share.
    Noise,
    /// Lines of 63 lower-case letters and a line end; compresses to about half.
    Text,
}

/// The bytes that a seed stands for.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    seed: u64,
    kind: Kind,
}

impl Content {
    /// The bytes of `seed`.
    pub fn new(seed: u64, kind: Kind) -> Self {
        Self { seed, kind }
    }

    /// Fills `buffer` with what file number `file` holds from `offset` on.
    pub fn fill(&self, file: u64, offset: u64, buffer: &mut [u8]) {
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let skip = (at % BLOCK) as usize;
            let length = rest.len().min(BLOCK as usize - skip);
            let (now, later) = rest.split_at_mut(length);
            if skip == 0 {
                self.block(file, at / BLOCK, now);
            } else {
                let mut whole = [0; BLOCK as usize];
                self.block(file, at / BLOCK, &mut whole[..skip + length]);
                now.copy_from_slice(&whole[skip..skip + length]);
            }
            at += length as u64;
            rest = later;
        }
    }

    /// Where `buffer` first differs from what file number `file` holds from `offset` on.
    pub fn difference(&self, file: u64, offset: u64, buffer: &[u8]) -> Option<u64> {
        let mut expected = [0; BLOCK as usize];
        let mut at = offset;
        for piece in buffer.chunks(BLOCK as usize) {
            let expected = &mut expected[..piece.len()];
            self.fill(file, at, expected);
            if piece != expected {
                let equal = piece
                    .iter()
                    .zip(expected.iter())
                    .take_while(|(have, want)| have == want)
                    .count();
                return Some(at + equal as u64);
            }
            at += piece.len() as u64;
        }
        None
    }

    /// The start of a block.
    fn block(&self, file: u64, block: u64, buffer: &mut [u8]) {
        let mut generator =
            Xoshiro256PlusPlus::seed_from_u64(mix(mix(self.seed ^ mix(file)) ^ block));
        let mut words = buffer.chunks_exact_mut(8);
        let mut index = 0;
        for word in &mut words {
            word.copy_from_slice(&self.word(generator.next_u64(), index).to_le_bytes());
            index += 1;
        }
        let tail = words.into_remainder();
        let last = self.word(generator.next_u64(), index).to_le_bytes();
        tail.copy_from_slice(&last[..tail.len()]);
    }

    /// The word number `index` of a block, from a random one.
    fn word(&self, random: u64, index: u64) -> u64 {
        match self.kind {
            Kind::Noise => random,
            Kind::Text => {
                // Four random bits of each byte choose one of 16 letters from `a` on.
                let letters = (random & 0x0f0f_0f0f_0f0f_0f0f) + 0x6161_6161_6161_6161;
                if index % 8 == 7 {
                    (letters & 0x00ff_ffff_ffff_ffff) | (u64::from(b'\n') << 56)
                } else {
                    letters
                }
            }
        }
    }
}

/// Spreads a number over all 64 bits: the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014).
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_of_a_seed_never_change() {
        // A kept data set of an older version must still verify.
        let mut noise = [0; 8];
        Content::new(1, Kind::Noise).fill(0, 0, &mut noise);
        assert_eq!(noise, FIRST_NOISE);
        let mut text = [0; 64];
        Content::new(1, Kind::Text).fill(0, 0, &mut text);
        assert_eq!(text[63], b'\n');
        assert!(text[..63].iter().all(u8::is_ascii_lowercase));
    }

    const FIRST_NOISE: [u8; 8] = [166, 247, 152, 159, 146, 58, 169, 116];

    proptest! {
        #[test]
        fn every_part_is_the_same_as_in_the_whole(seed: u64, file: u64, start in 0usize..9000, length in 0usize..9000, text: bool) {
            let content = Content::new(seed, if text { Kind::Text } else { Kind::Noise });
            let mut whole = vec![0; 18_000];
            content.fill(file, 0, &mut whole);
            let mut part = vec![0; length];
            content.fill(file, start as u64, &mut part);
            prop_assert_eq!(&part[..], &whole[start..start + length]);
            prop_assert_eq!(content.difference(file, start as u64, &part), None);
            if let Some(byte) = part.last_mut() {
                *byte ^= 1;
                prop_assert_eq!(content.difference(file, start as u64, &part), Some((start + length - 1) as u64));
            }
        }
    }
}
