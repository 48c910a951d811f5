//! A distribution: exact count, sum and extremes, and buckets for the quantiles.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::sum::sum;

/// The unit of a histogram's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Bytes.
    Bytes,
}

/// Values from `ge` to `le`, both included. A bucket is at most 1/32 of `ge` wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bucket {
    /// The smallest value that belongs here, in the histogram's unit.
    pub ge: u64,
    /// The largest value that belongs here, in the histogram's unit.
    pub le: u64,
    /// How many values there are.
    pub count: u64,
}

impl Bucket {
    /// What stands for its values.
    pub const fn middle(&self) -> u64 {
        self.ge.midpoint(self.le)
    }
}

/// A distribution of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "Buckets", into = "Written")]
pub struct Histogram {
    /// What the values are.
    pub unit: Unit,
    /// How many.
    pub count: u64,
    /// Their sum; the largest number where it is more.
    pub sum: u64,
    /// The smallest, 0 where there is none.
    pub min: u64,
    /// The largest, 0 where there is none.
    pub max: u64,
    /// Ascending, without empty ones. They may hold fewer values than `count` where some were lost.
    pub buckets: Vec<Bucket>,
}

impl Histogram {
    /// A histogram without values.
    pub const fn empty(unit: Unit) -> Self {
        Self {
            unit,
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
            buckets: Vec::new(),
        }
    }

    /// The values that the buckets hold.
    pub fn held(&self) -> u64 {
        sum(self.buckets.iter().map(|bucket| bucket.count))
    }

    /// The values that are in no bucket.
    pub fn missing(&self) -> u64 {
        self.count.saturating_sub(self.held())
    }

    /// The value below or at which the part `q` of all values lies, within 1.6 %; none where there are no
    /// values, or where those that are in no bucket leave it less certain.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let bucket = self.buckets.get(self.quantile_bucket(q)?)?;
        Some(self.within(bucket.middle()))
    }

    /// The index of the bucket in which that value lies: wherever those that are in no bucket lie.
    pub fn quantile_bucket(&self, q: f64) -> Option<usize> {
        let held = self.held();
        // Those that are missing may all be larger, or all be smaller.
        let missing = self.missing();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a rank beyond 2^53 may be off by one, and is never negative"
        )]
        let rank = {
            let all = held.saturating_add(missing);
            ((all as f64 * q).ceil() as u64).clamp(1, all.max(1))
        };
        let lowest = rank.checked_sub(missing).filter(|rank| *rank > 0)?;
        let bucket = self.bucket_of(rank)?;
        (missing == 0 || self.bucket_of(lowest)? == bucket).then_some(bucket)
    }

    /// The index of the bucket that holds the value of a rank, from 1.
    fn bucket_of(&self, rank: u64) -> Option<usize> {
        let mut seen = 0_u64;
        self.buckets.iter().position(|bucket| {
            seen = seen.saturating_add(bucket.count);
            seen >= rank
        })
    }

    /// A value, or the nearest that is no extreme of all.
    fn within(&self, value: u64) -> u64 {
        value.clamp(self.min, self.max.max(self.min))
    }

    /// What so many of the smallest values come to at least.
    pub fn sum_of_smallest(&self, count: u64) -> u64 {
        let mut left = count;
        // Those that are in no bucket may be the smallest.
        let missing = std::iter::once((self.min, self.missing()));
        let held = self.buckets.iter();
        let held = held.map(|bucket| (bucket.ge.max(self.min), bucket.count));
        sum(missing.chain(held).map(|(least, of_it)| {
            let taken = of_it.min(left);
            left = left.saturating_sub(taken);
            taken.saturating_mul(least)
        }))
    }

    /// The mean; none where there are no values, or their sum is not known.
    pub fn mean(&self) -> Option<u64> {
        let sum = Some(self.sum).filter(|sum| *sum < u64::MAX);
        sum?.checked_div(self.count)
    }

    /// The HdrHistogram of the buckets' midpoints, V2 with DEFLATE, in base64.
    fn hdr(&self) -> String {
        // Four digits, so that the error stays that of the buckets.
        let highest = self.max.max(2);
        let Ok(mut hdr) = hdrhistogram::Histogram::<u64>::new_with_bounds(1, highest, 4) else {
            return String::new();
        };
        for bucket in &self.buckets {
            hdr.saturating_record_n(self.within(bucket.middle()), bucket.count);
        }
        let mut bytes = Vec::new();
        match V2DeflateSerializer::new().serialize(&hdr, &mut bytes) {
            Ok(_) => BASE64.encode(bytes),
            Err(_) => String::new(),
        }
    }
}

/// The part that is read; the rest of what is written follows from it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Buckets {
    unit: Unit,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    buckets: Vec<Bucket>,
}

impl TryFrom<Buckets> for Histogram {
    type Error = String;

    /// Refuses buckets that are not in order, which could mean anything.
    fn try_from(read: Buckets) -> Result<Self, String> {
        let mut free = Some(0);
        for Bucket { ge, le, .. } in &read.buckets {
            if le < ge || free.is_none_or(|free| *ge < free) {
                return Err(format!("a bucket from {ge} to {le} is out of order"));
            }
            free = le.checked_add(1);
        }
        Ok(Self {
            unit: read.unit,
            count: read.count,
            sum: read.sum,
            min: read.min,
            max: read.max,
            buckets: read.buckets,
        })
    }
}

/// The form that is written.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Written {
    /// What `sum`, `min`, `max`, `mean`, the quantiles and the bounds of the buckets are.
    unit: Unit,
    /// How many values. Exact.
    count: u64,
    /// Their sum, in `unit`. Exact, but for the largest number, 2^64 - 1: that or more.
    sum: u64,
    /// The smallest, in `unit`; 0 where there are no values. Exact.
    min: u64,
    /// The largest, in `unit`; 0 where there are no values. Exact.
    max: u64,
    /// `sum` over `count`, rounded down; null where there are no values, or their sum is 2^64 - 1 or more.
    mean: Option<u64>,
    /// The median, within 1.6 %; null where there are no values, or values that are in no
    /// bucket make it less certain.
    p50: Option<u64>,
    /// 90 % of the values are not larger, within 1.6 %; null where there are no values, or values that are in no
    /// bucket make it less certain.
    p90: Option<u64>,
    /// 99 % of the values are not larger, within 1.6 %; null where there are no values, or values that are in no
    /// bucket make it less certain.
    p99: Option<u64>,
    /// 99.9 % of the values are not larger, within 1.6 %; null where there are no values, or values that are in no
    /// bucket make it less certain.
    p999: Option<u64>,
    /// Ascending, without empty ones. Together they hold `count` values, or fewer where `incomplete_histograms` of the
    /// ledger has an entry for it.
    buckets: Vec<Bucket>,
    /// The middles of the buckets as an HdrHistogram V2, compressed with DEFLATE, in base64: for merging reports.
    hdr: String,
}

impl From<Histogram> for Written {
    fn from(histogram: Histogram) -> Self {
        Self {
            unit: histogram.unit,
            count: histogram.count,
            sum: histogram.sum,
            min: histogram.min,
            max: histogram.max,
            mean: histogram.mean(),
            p50: histogram.quantile(0.5),
            p90: histogram.quantile(0.9),
            p99: histogram.quantile(0.99),
            p999: histogram.quantile(0.999),
            hdr: histogram.hdr(),
            buckets: histogram.buckets,
        }
    }
}
