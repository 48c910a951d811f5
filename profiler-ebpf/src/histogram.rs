//! The log-linear histogram: 32 buckets to each power of two.
//!
//! A bucket is at most 1/32 of its lower bound wide, so its midpoint is within 1.6 % of every value in it;
//! values below 64 have a bucket of their own. Histograms of the same layout merge by addition.

/// Bits of linear resolution within a power of two.
pub const SUB_BITS: u32 = 5;
/// Buckets of one octave.
pub const SUB_BUCKETS: usize = 1 << SUB_BITS;
/// Octaves: values from 2^48 on (78 hours, in nanoseconds) fall into the last bucket.
pub const OCTAVES: u32 = 44;

/// The buckets of one octave of one series, on one CPU.
pub type Block = [u64; SUB_BUCKETS];

/// The place of a value: (octave below [`OCTAVES`], bucket below [`SUB_BUCKETS`]).
///
/// Written with comparisons: the verifier cannot follow the range of what `leading_zeros` compiles to.
#[inline(always)]
pub const fn place(value: u64) -> (u32, u32) {
    let value = if value >> (OCTAVES + SUB_BITS - 1) != 0 {
        (1 << (OCTAVES + SUB_BITS - 1)) - 1
    } else {
        value
    };
    if value < SUB_BUCKETS as u64 {
        return (0, value as u32);
    }
    let mut log2 = 0;
    let mut rest = value;
    if rest >> 32 != 0 {
        rest >>= 32;
        log2 += 32;
    }
    if rest >> 16 != 0 {
        rest >>= 16;
        log2 += 16;
    }
    if rest >> 8 != 0 {
        rest >>= 8;
        log2 += 8;
    }
    if rest >> 4 != 0 {
        rest >>= 4;
        log2 += 4;
    }
    if rest >> 2 != 0 {
        rest >>= 2;
        log2 += 2;
    }
    if rest >> 1 != 0 {
        log2 += 1;
    }
    let shift = log2 - SUB_BITS;
    (
        shift + 1,
        (value >> shift) as u32 & (SUB_BUCKETS as u32 - 1),
    )
}

/// The smallest and the largest value of a bucket.
pub const fn bounds(octave: u32, bucket: u32) -> (u64, u64) {
    if octave == 0 {
        return (bucket as u64, bucket as u64);
    }
    let shift = octave - 1;
    let low = (SUB_BUCKETS as u64 + bucket as u64) << shift;
    (low, low + (1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u64 = 1 << (OCTAVES + SUB_BITS - 1);

    #[test]
    fn every_bucket_holds_its_own_bounds_and_they_join() {
        let mut next = 0;
        for octave in 0..OCTAVES {
            for bucket in 0..SUB_BUCKETS as u32 {
                let (low, high) = bounds(octave, bucket);
                assert_eq!(low, next);
                assert_eq!(place(low), (octave, bucket));
                assert_eq!(place(high), (octave, bucket));
                next = high + 1;
            }
        }
        assert_eq!(next, LIMIT);
    }

    #[test]
    fn what_is_too_large_falls_into_the_last_bucket() {
        let last = (OCTAVES - 1, SUB_BUCKETS as u32 - 1);
        assert_eq!(place(LIMIT), last);
        assert_eq!(place(u64::MAX), last);
    }

    proptest! {
        #[test]
        fn the_midpoint_is_within_the_promised_error(value in 0..LIMIT) {
            let (octave, bucket) = place(value);
            let (low, high) = bounds(octave, bucket);
            prop_assert!(low <= value && value <= high);
            let middle = low + (high - low) / 2;
            prop_assert!(middle.abs_diff(value) as f64 <= value as f64 * 0.016);
        }
    }
}
