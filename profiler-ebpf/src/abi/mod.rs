//! What crosses between the probes and user space: the keys and values of the maps by subject, their names
//! ([`names`]), and how large they are ([`layout`]).

pub mod aio;
pub mod block;
pub mod fault;
pub mod fields;
pub mod file;
pub mod io_uring;
pub mod layout;
pub mod loss;
pub mod merge;
pub mod names;
pub mod off_cpu;
pub mod opcodes;
pub mod page_cache;
pub mod row;
pub mod syscall;
pub mod task;
pub mod turn;
pub mod under_way;
pub mod window;
pub mod writeback;

use zerocopy::{FromBytes, IntoBytes};

use self::merge::Merge;

/// Marks a type as readable from a map, and pins its size, so that a change on one side cannot go unseen. That it has
/// no padding, and that every bit pattern is a value of it, the compiler proves by its derives.
macro_rules! map_value {
    ($type:ty, $size:expr) => {
        const _: () = {
            const fn is_plain<T: zerocopy::FromBytes + zerocopy::IntoBytes>() -> usize {
                size_of::<T>()
            }
            assert!(is_plain::<$type>() == $size);
        };
        // SAFETY: the type is without padding and valid for every bit pattern, as is proven above.
        #[cfg(feature = "user")]
        unsafe impl aya::Pod for $type {}
    };
}
pub(crate) use map_value;

/// Count, sum and extremes of what also goes into a histogram, kept exactly.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Aggregate {
    /// How many values.
    pub count: u64,
    /// Their sum; the largest number where it is more.
    pub sum: u64,
    /// The smallest; meaningless while `count` is 0.
    pub min: u64,
    /// The largest.
    pub max: u64,
}

impl Aggregate {
    /// Takes one value in.
    #[inline(always)]
    pub const fn add(&mut self, value: u64) {
        if self.count == 0 || value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

impl Merge for Aggregate {
    fn merge(&mut self, other: &Self) {
        if other.count != 0 && (self.count == 0 || other.min < self.min) {
            self.min = other.min;
        }
        if other.max > self.max {
            self.max = other.max;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// A value so many times, at most the largest number. By halves: BPF has no multiplication that tells whether it is more, for
/// which the compiler takes 128 bits.
#[inline(always)]
pub const fn product(value: u64, times: u64) -> u64 {
    let (large, small) = if value < times {
        (times, value)
    } else {
        (value, times)
    };
    if small >> 32 != 0 {
        return u64::MAX;
    }
    let high = (large >> 32) * small;
    if high >> 32 != 0 {
        return u64::MAX;
    }
    let low = (large & 0xffff_ffff) * small;
    (high << 32).saturating_add(low)
}

#[cfg(test)]
mod tests {
    use super::{Aggregate, merge::Merge as _, product};

    #[test]
    fn a_product_saturates() {
        let edges = [0, 1, 2, 3, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 1];
        let large = [
            i64::MAX as u64,
            1 << 63,
            u64::MAX / 3,
            u64::MAX / 3 + 1,
            u64::MAX,
        ];
        let all = || edges.into_iter().chain(large);
        for (one, two) in all().flat_map(|one| all().map(move |two| (one, two))) {
            assert_eq!(product(one, two), one.saturating_mul(two), "{one} {two}");
        }
    }

    #[test]
    fn merging_is_the_same_as_adding_everything_to_one() {
        let (mut one, mut left, mut right) = (
            Aggregate::default(),
            Aggregate::default(),
            Aggregate::default(),
        );
        for value in [7, 3, 99, 0, 12] {
            one.add(value);
            if value % 2 == 0 {
                &mut left
            } else {
                &mut right
            }
            .add(value);
        }
        left.merge(&right);
        left.merge(&Aggregate::default());
        assert_eq!(left, one);
        assert_eq!((one.count, one.sum, one.min, one.max), (5, 121, 0, 99));
    }

    #[test]
    fn a_sum_that_is_too_large_stays_the_largest() {
        let (mut one, mut other) = (Aggregate::default(), Aggregate::default());
        one.add(1 << 63);
        other.add(7);
        other.add(1 << 63);
        one.merge(&other);
        assert_eq!((one.count, one.sum), (3, u64::MAX));
        one.add(1 << 63);
        assert_eq!((one.count, one.sum), (4, u64::MAX));
    }

    #[test]
    fn merging_into_nothing_keeps_the_minimum() {
        let (mut empty, mut one) = (Aggregate::default(), Aggregate::default());
        one.add(5);
        empty.merge(&one);
        assert_eq!(empty.min, 5);
    }
}
