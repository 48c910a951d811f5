//! The values that are tried of a setting.

/// KiB to read ahead: a quarter of what is, four times as much, and sixteen times.
pub fn read_ahead_kb(now: u64) -> Vec<u64> {
    let values = [now / 4, now.saturating_mul(4), now.saturating_mul(16)];
    // More than 16 MiB is nobody's advice; the kernel reads whole pages ahead, of 4 KiB at least.
    let is_tried = |kib: &u64| (16..=16_384).contains(kib) && kib.is_multiple_of(4);
    values.into_iter().filter(is_tried).collect()
}

/// The schedulers that are offered, but the one that is chosen.
pub fn schedulers(offered: &[String], chosen: &str) -> Vec<String> {
    let others = offered.iter().filter(|name| *name != chosen);
    others.cloned().collect()
}

/// The most requests that a scheduler takes (`MAX_SCHED_RQ` of block/blk-mq-sched.h).
const MOST_REQUESTS: u64 = 2048;
/// The fewest that a queue takes (`BLKDEV_MIN_RQ` of include/linux/blkdev.h).
const FEWEST_REQUESTS: u64 = 4;

/// Numbers of requests: a quarter of what is, and four times as many. Without a scheduler no more than the driver takes.
pub fn nr_requests(now: u64, scheduler: &str, tags: Option<u64>) -> Vec<u64> {
    let most = match scheduler {
        "none" => tags.unwrap_or(now),
        _ => MOST_REQUESTS,
    };
    let values = [now / 4, now.saturating_mul(4)].into_iter();
    values
        .filter(|requests| (FEWEST_REQUESTS..=most).contains(requests))
        .collect()
}

/// A value of one of the files of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirtyValue {
    /// Percent of memory.
    Ratio(u64),
    /// Bytes.
    Bytes(u64),
}

/// The limit at which who writes has to write back: half of it, and twice as much. What is below the other limit
/// would change that, too.
pub fn dirty_limits(ratio: u64, background_ratio: u64) -> Vec<DirtyValue> {
    let values = [ratio / 2, ratio.saturating_mul(2)].into_iter();
    values
        .filter(|ratio| *ratio > background_ratio && *ratio <= 90)
        .map(DirtyValue::Ratio)
        .collect()
}

/// The limit at which the kernel begins to write back: half of it, and 64 MiB, which is less than the least percentage of
/// a large memory.
pub fn background_limits(background_ratio: u64) -> Vec<DirtyValue> {
    let half = background_ratio / 2;
    let half = (half > 0).then_some(DirtyValue::Ratio(half));
    half.into_iter()
        .chain([DirtyValue::Bytes(64 << 20)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_ahead_is_tried_below_and_above() {
        for (now, expected) in [
            (128, &[32, 512, 2048][..]),
            (8192, &[2048]),
            (2560, &[640, 10240]),
            (512, &[128, 2048, 8192]),
            (0, &[]),
            (u64::MAX, &[]),
        ] {
            assert_eq!(read_ahead_kb(now), expected, "{now}");
        }
    }

    #[test]
    fn all_other_schedulers_are_tried() {
        let offered = ["none", "mq-deadline", "kyber"].map(String::from);
        assert_eq!(schedulers(&offered, "none"), ["mq-deadline", "kyber"]);
        assert!(schedulers(&offered[..1], "none").is_empty());
    }

    #[test]
    fn so_many_requests_are_tried_as_may_be() {
        assert_eq!(nr_requests(256, "mq-deadline", Some(128)), [64, 1024]);
        assert_eq!(nr_requests(1024, "bfq", Some(128)), [256]);
        assert_eq!(nr_requests(128, "none", Some(128)), [32]);
        assert_eq!(nr_requests(128, "none", None), [32]);
        assert!(nr_requests(4, "none", Some(8)).is_empty());
    }

    #[test]
    fn limits_are_tried_that_do_not_cross() {
        use DirtyValue::{Bytes, Ratio};
        assert_eq!(dirty_limits(20, 10), [Ratio(40)]);
        assert_eq!(dirty_limits(20, 5), [Ratio(10), Ratio(40)]);
        assert!(dirty_limits(60, 40).is_empty());
        assert_eq!(background_limits(10), [Ratio(5), Bytes(64 << 20)]);
        assert_eq!(background_limits(1), [Bytes(64 << 20)]);
    }
}
