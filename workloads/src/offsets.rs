//! The order of blocks: each once per pass, sequential or shuffled by the seed, without a table.

use crate::data_set::mix;

/// Rounds of the Feistel network; four make a random permutation hard to tell from a true one (Luby, Rackoff 1988).
const ROUNDS: u64 = 4;

/// A permutation of `0..count` that needs no memory, so that a file of any size can be read once in random order.
#[derive(Clone, Copy, Debug)]
pub struct Shuffle {
    count: u64,
    half_bits: u32,
    seed: u64,
}

impl Shuffle {
    /// The permutation of `0..count` for `seed`.
    pub fn new(count: u64, seed: u64) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        // Two halves of the same width: the domain is below four times the count, so few steps leave it.
        Self {
            count,
            half_bits: bits.div_ceil(2).max(1),
            seed,
        }
    }

    /// Where `index` goes. `index` must be below the count.
    pub fn at(&self, index: u64) -> u64 {
        debug_assert!(index < self.count);
        let mut value = self.permute(index);
        // Cycle walking: the network permutes a larger domain; following it from a member always comes back to one.
        while value >= self.count {
            value = self.permute(value);
        }
        value
    }

    fn permute(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mix(right ^ mix(self.seed ^ round)) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The blocks of a file.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    file_size: u64,
    block_size: u64,
    order: Option<Shuffle>,
}

impl Blocks {
    /// Blocks from start to end; the last may be shorter.
    pub fn sequential(file_size: u64, block_size: u64) -> Self {
        Self {
            file_size,
            block_size: block_size.max(1),
            order: None,
        }
    }

    /// The same blocks in the order of `seed`.
    pub fn shuffled(file_size: u64, block_size: u64, seed: u64) -> Self {
        let blocks = Self::sequential(file_size, block_size);
        Self {
            order: Some(Shuffle::new(blocks.count(), seed)),
            ..blocks
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.file_size.div_ceil(self.block_size)
    }

    /// The offset and length of the block that comes as number `index` of a pass.
    pub fn at(&self, index: u64) -> (u64, u64) {
        let block = self.order.map_or(index, |order| order.at(index));
        let offset = block * self.block_size;
        (offset, self.block_size.min(self.file_size - offset))
    }
}

/// Whether the item number `index` of a pass is to be read (or written), so that `percent` of any hundred in a row are read.
pub fn is_read(index: u64, percent: u8) -> bool {
    // Multiplying by a number coprime to 100 spreads reads and writes over the hundred.
    (index % 100) * 37 % 100 < u64::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_shuffle_meets_every_index_once(count in 1_u64..5000, seed: u64) {
            let shuffle = Shuffle::new(count, seed);
            let mut seen: Vec<u64> = (0..count).map(|index| shuffle.at(index)).collect();
            seen.sort_unstable();
            prop_assert!(seen.iter().copied().eq(0..count));
        }

        #[test]
        fn a_shuffle_of_any_size_stays_inside(count in 1_u64..=u64::MAX / 8, seed: u64, part in 0.0..1.0) {
            let index = ((count as f64 * part) as u64).min(count - 1);
            prop_assert!(Shuffle::new(count, seed).at(index) < count);
        }

        #[test]
        fn blocks_cover_the_file_exactly(size in 0_u64..100_000, block in 1_u64..9000, seed: u64, random: bool) {
            let blocks = if random { Blocks::shuffled(size, block, seed) } else { Blocks::sequential(size, block) };
            let mut pieces: Vec<_> = (0..blocks.count()).map(|index| blocks.at(index)).collect();
            pieces.sort_unstable();
            let mut end = 0;
            for (offset, length) in pieces {
                prop_assert_eq!(offset, end);
                prop_assert!(length > 0 && length <= block);
                end = offset + length;
            }
            prop_assert_eq!(end, size);
        }

        #[test]
        fn a_mix_has_its_percentage(start in 0_u64..1_000_000, percent in 0_u8..=100) {
            let reads = (start..start + 100).filter(|&index| is_read(index, percent)).count();
            prop_assert_eq!(reads, usize::from(percent));
        }
    }

    #[test]
    fn the_order_of_a_seed_never_changes() {
        let order: Vec<u64> = (0..10).map(|index| Shuffle::new(10, 1).at(index)).collect();
        assert_eq!(order, [4, 5, 9, 7, 1, 0, 3, 2, 6, 8]);
        assert_ne!(order, (0..10).collect::<Vec<_>>());
    }
}
