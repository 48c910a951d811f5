//! Distributions of the probes, in the form of the report.

use ioprof_ebpf::{abi::Aggregate, histogram::bounds};

use crate::model::histogram::{Bucket, Histogram, Unit};

/// The distribution of an aggregate and its buckets.
pub fn histogram(unit: Unit, totals: &Aggregate, buckets: &[(u32, u32, u64)]) -> Histogram {
    if totals.count == 0 {
        return Histogram::empty(unit);
    }
    Histogram {
        unit,
        count: totals.count,
        sum: totals.sum,
        min: totals.min,
        max: totals.max,
        buckets: buckets
            .iter()
            .map(|(octave, bucket, count)| {
                let (ge, le) = bounds(*octave, *bucket);
                Bucket {
                    ge,
                    le,
                    count: *count,
                }
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::serialization::Deserializer;
    use ioprof_ebpf::histogram::place;
    use proptest::prelude::*;

    use super::*;

    /// What the probes would have counted for these values.
    fn counted(values: &[u64]) -> Histogram {
        let mut totals = Aggregate::default();
        let mut buckets: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for value in values {
            totals.add(*value);
            *buckets.entry(place(*value)).or_default() += 1;
        }
        let buckets: Vec<_> = buckets
            .into_iter()
            .map(|((octave, bucket), count)| (octave, bucket, count))
            .collect();
        histogram(Unit::Ns, &totals, &buckets)
    }

    fn exact(sorted: &[u64], q: f64) -> u64 {
        let rank = (sorted.len() as f64 * q).ceil() as usize;
        sorted[rank.max(1) - 1]
    }

    fn assert_quantiles(mut values: Vec<u64>) {
        let histogram = counted(&values);
        values.sort_unstable();
        let json = serde_json::to_value(&histogram).expect("a histogram is written");
        let hdr = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            json["hdr"].as_str().expect("a payload"),
        )
        .expect("base64");
        let hdr: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut hdr.as_slice())
            .expect("HdrHistogram V2");
        assert_eq!(hdr.len(), values.len() as u64);
        for q in [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = exact(&values, q);
            let near = |value: u64| value.abs_diff(exact) as f64 <= exact as f64 * 0.016;
            let ours = histogram.quantile(q).expect("there are values");
            assert!(near(ours), "q {q}: {ours} for {exact}");
            // HdrHistogram's smallest value is 1.
            let theirs = hdr.value_at_quantile(q);
            assert!(
                near(theirs) || exact == 0,
                "q {q}: {theirs} in hdr for {exact}"
            );
        }
        let back: Histogram = serde_json::from_value(json).expect("it is read back");
        assert_eq!(back, histogram);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn quantiles_of_random_values_are_near_the_exact_ones(
            values in prop::collection::vec(0_u64..10_000_000_000, 1..400)
        ) {
            assert_quantiles(values);
        }

        #[test]
        fn quantiles_of_values_of_all_sizes_are_near_the_exact_ones(
            values in prop::collection::vec((0_u32..40, 0_u64..u64::MAX).prop_map(
                |(shift, value)| value >> (63 - shift)
            ), 1..400)
        ) {
            assert_quantiles(values);
        }
    }

    #[test]
    fn quantiles_at_the_edges_of_buckets_are_near_the_exact_ones() {
        let mut edges = Vec::new();
        for octave in 0..30 {
            for bucket in [0, 1, 31] {
                let (ge, le) = bounds(octave, bucket);
                edges.extend([ge, le]);
            }
        }
        assert_quantiles(edges);
        assert_quantiles(vec![7]);
        assert_quantiles([vec![1; 999], vec![1_000_000_007]].concat());
    }

    #[test]
    fn a_quantile_that_missing_values_may_move_is_not_known() {
        let with = |short: u64, long: u64, count: u64| {
            let totals = Aggregate {
                count,
                sum: 23_400_000 * count,
                min: 2_000,
                max: 99_000_000,
            };
            let bucket = |value, count| {
                let (octave, bucket) = place(value);
                (octave, bucket, count)
            };
            histogram(
                Unit::Ns,
                &totals,
                &[bucket(2_000, short), bucket(3_900_000, long)],
            )
        };
        // Of 120 values 9 are in buckets: any may be anywhere.
        let lossy = with(8, 1, 120);
        for q in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(lossy.quantile(q), None, "{q}");
        }
        let json = serde_json::to_value(&lossy).expect("a histogram is written");
        assert!(json["p50"].is_null() && json["p99"].is_null());
        assert_eq!(json["mean"], 23_400_000);
        // Of 1000 values 1 is missing: the median stays where it is, and the largest may be that one.
        let near = with(800, 199, 1000);
        assert_eq!(near.quantile(0.5), with(800, 200, 1000).quantile(0.5));
        assert!(near.quantile(0.5).is_some() && near.quantile(0.99).is_some());
        assert_eq!(near.quantile(0.8), Some(2_000));
        assert_eq!(near.quantile(0.801), None);
        assert_eq!(near.quantile(1.0), None);
    }

    #[test]
    fn a_sum_that_is_not_known_has_no_mean() {
        let json = serde_json::to_value(counted(&[1 << 63; 3])).expect("a histogram is written");
        assert_eq!(
            (&json["count"], &json["sum"]),
            (&3.into(), &u64::MAX.into())
        );
        assert!(json["mean"].is_null());
        assert_eq!(json["max"], 1_u64 << 63);
    }

    #[test]
    fn an_empty_histogram_has_no_quantiles() {
        let json = serde_json::to_value(counted(&[])).expect("a histogram is written");
        assert!(json["p50"].is_null() && json["mean"].is_null());
        assert_eq!(json["count"], 0);
    }
}
