//! What a calibration's points say: where depth gains no more, which contradict themselves, what a burst was.

use ioprof_workloads::ceiling::Point;

use crate::model::calibration::{Measured, Refusal, Series};

/// What doubling the depth must gain.
const GAIN: f64 = 1.05;
/// How many times the latency of depth 1 is too much.
const LATENCY: u64 = 5;
/// What the later rate must be of the earlier, or there was a burst.
const SUSTAINED: f64 = 0.85;
/// What others may do beside a point, as a part of its bytes, for its rate to be told as the device's.
const OTHERS: f64 = 0.02;

/// What the kernel counted for the device while a point was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceDid {
    /// Requests.
    pub requests: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Judges a point by what the device did meanwhile; `did` is none where the kernel does not tell.
pub fn judged(point: Point, did: Option<DeviceDid>) -> Measured {
    let refused = did.and_then(|did| refusal(&point, did));
    let others = did.map(|did| did.bytes.saturating_sub(point.bytes));
    Measured {
        others_bytes: others.filter(|_| refused.is_none()),
        requests: did.map(|did| did.requests),
        refused,
        point,
    }
}

fn refusal(point: &Point, did: DeviceDid) -> Option<Refusal> {
    if did.bytes < point.bytes / 2 {
        return Some(Refusal::NotFromTheDevice);
    }
    // Others' requests would come on top of those asked for; larger ones take their place. A few large ones of others make
    // no whole multiple of the bytes.
    let is_as_many = did.requests <= point.operations.saturating_mul(11) / 10;
    let times = did.bytes as f64 / point.bytes as f64;
    let is_larger = times > 1.5 && (times / times.round() - 1.0).abs() < EXACT;
    (is_larger && is_as_many && point.operations >= FEW).then_some(Refusal::OtherSize)
}

/// How far a whole multiple of the bytes may be off: what was in flight at the ends.
const EXACT: f64 = 0.02;
/// Of fewer operations a single request of others could double the bytes.
const FEW: u64 = 64;

/// Whether a series has its ceiling: the last two depths have gained too little. One alone may have met a busy moment of the
/// machine.
pub fn is_complete(points: &[Measured]) -> bool {
    let counting: Vec<_> = counting(points).collect();
    let [earlier @ .., second, last] = &counting[..] else {
        return false;
    };
    best(earlier.iter().copied()).is_some_and(|best| rate(second).max(rate(last)) < best * GAIN)
}

fn is_too_long(first: &Point, point: &Point) -> bool {
    // The median: a machine that is busy for a moment makes the mean of a point what it likes.
    point.latency_p50_ns > first.latency_p50_ns.saturating_mul(LATENCY)
}

/// The point at the knee: the least depth whose rate is within 5 % of the best that does not take too long.
pub fn knee(points: &[Measured]) -> Option<&Measured> {
    let first = &counting(points).next()?.point;
    least_of_the_best(counting(points).filter(|one| !is_too_long(first, &one.point)))
}

/// The point of the ceiling: the least depth whose rate is within 5 % of the best.
pub fn top(points: &[Measured]) -> Option<&Measured> {
    least_of_the_best(counting(points))
}

fn least_of_the_best<'a>(
    mut points: impl Iterator<Item = &'a Measured> + Clone,
) -> Option<&'a Measured> {
    let best = best(points.clone())?;
    points.find(|one| rate(one) * GAIN >= best)
}

/// Sets what a series comes to, by its points and the repeated one.
pub fn conclude(series: &mut Series) {
    let Some(top) = top(&series.points) else {
        return;
    };
    let burst = again(series)
        .filter(|again| top.point.steady && again.point.steady)
        .and_then(|again| match is_sustained(top, again) {
            true => Some(false),
            false => is_alone(again).then_some(true),
        });
    let decided = deciding(series).map(rate);
    series.knee_depth = knee(&series.points).map(|one| one.point.depth);
    series.burst = burst;
    series.operations_per_second = decided;
}

/// The point that the ceiling of a series comes from: that at its top or the repeated one, which had more time.
pub fn deciding(series: &Series) -> Option<&Measured> {
    let top = top(&series.points)?;
    let Some(again) = again(series) else {
        return Some(top);
    };
    let is_later = match (top.point.steady, again.point.steady) {
        (true, true) => is_alone(again),
        (true, false) => false,
        (false, true) => true,
        (false, false) => again.point.spread < top.point.spread,
    };
    Some(if is_later { again } else { top })
}

/// The repeated point, where it counts.
fn again(series: &Series) -> Option<&Measured> {
    series
        .again
        .as_ref()
        .filter(|again| again.refused.is_none())
}

fn is_sustained(top: &Measured, again: &Measured) -> bool {
    rate(again) >= rate(top) * SUSTAINED
}

/// Whether nobody else used the device, as far as is known.
fn is_alone(measured: &Measured) -> bool {
    let others = measured.others_bytes;
    others.is_some_and(|bytes| bytes as f64 <= OTHERS * measured.point.bytes as f64)
}

/// The most operations in a second that were a request each: those that follow each other may be merged into larger ones.
/// None where none were, or that is not known.
pub fn unmerged(series: &Series) -> Option<f64> {
    let points = series.points.iter().chain(&series.again);
    best(points.filter(|one| one.refused.is_none() && one.is_merged() == Some(false)))
}

fn best<'a>(points: impl Iterator<Item = &'a Measured>) -> Option<f64> {
    points.map(rate).max_by(f64::total_cmp)
}

/// The points that count.
pub fn counting(points: &[Measured]) -> impl Iterator<Item = &Measured> + Clone {
    points.iter().filter(|one| one.refused.is_none())
}

const fn rate(measured: &Measured) -> f64 {
    measured.point.operations_per_second
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calibration::{Operation, Pattern};

    fn point(depth: u64, rate: u32) -> Point {
        let each = 1_000_000_000_u64.checked_div(rate.into()).unwrap_or(0);
        let latency = each.saturating_mul(depth);
        Point {
            depth,
            operations_per_second: f64::from(rate),
            latency_mean_ns: latency,
            latency_p50_ns: latency,
            latency_p99_ns: 1,
            latency_max_ns: 1,
            duration_ns: 1,
            steady: true,
            spread: 0.0,
            late_to_early_ratio: 1.0,
            cpu_share: 0.1,
            operations: 1000,
            bytes: 4_096_000,
        }
    }

    fn alone(depth: u64, rate: u32) -> Measured {
        let did = DeviceDid {
            requests: 1000,
            bytes: 4_096_000,
        };
        judged(point(depth, rate), Some(did))
    }

    fn series(rates: &[u32]) -> Vec<Measured> {
        let depths = (0..).map(|power| 1 << power);
        depths
            .zip(rates)
            .map(|(depth, rate)| alone(depth, *rate))
            .collect()
    }

    fn of(points: Vec<Measured>, again: Option<Measured>) -> Series {
        Series {
            operation: Operation::Read,
            pattern: Pattern::Random,
            size_bytes: 4096,
            points,
            knee_depth: None,
            operations_per_second: None,
            again,
            burst: None,
        }
    }

    #[test]
    fn depth_is_doubled_until_two_doublings_gain_nothing() {
        assert!(!is_complete(&series(&[100])));
        assert!(!is_complete(&series(&[100, 200, 400, 410])));
        assert!(is_complete(&series(&[100, 200, 400, 410, 410])));
        // A busy moment of the machine ends nothing.
        assert!(!is_complete(&series(&[100, 200, 150, 800])));
        let all = series(&[100, 200, 400, 410, 410]);
        assert_eq!(knee(&all).expect("there is one").point.depth, 4);
    }

    #[test]
    fn the_knee_has_at_most_five_times_the_latency_of_depth_1_and_the_ceiling_any() {
        let all = series(&[1000, 1100, 1200, 1300, 1310, 1320]);
        assert!(!is_complete(&all[..5]) && is_complete(&all));
        // 4 of 1200 take 3.3 times as long, 8 of 1300 take 6.2 times.
        assert_eq!(knee(&all).expect("there is one").point.depth, 4);
        assert_eq!(top(&all).expect("there is one").point.depth, 8);
    }

    #[test]
    fn what_the_device_did_not_do_does_not_count() {
        let did = |requests, bytes| Some(DeviceDid { requests, bytes });
        let judged = |did| judged(point(1, 100), did);
        assert_eq!(judged(did(0, 0)).refused, Some(Refusal::NotFromTheDevice));
        // 4 KiB were asked for, and 64 KiB moved each time.
        let larger = judged(did(1000, 65_536_000));
        assert_eq!(larger.refused, Some(Refusal::OtherSize));
        assert_eq!(larger.others_bytes, None);
        // As many bytes, of others.
        let others = judged(did(16_000, 65_536_000));
        assert_eq!(others.refused, None);
        assert_eq!(others.others_bytes, Some(61_440_000));
        // Others' few large requests beside them.
        let beside = judged(did(1005, 9_216_000));
        assert_eq!(beside.refused, None);
        assert_eq!(beside.others_bytes, Some(5_120_000));
        assert_eq!(judged(None).others_bytes, None);
        assert_eq!(judged(None).refused, None);
        let mut all = series(&[100, 200]);
        all.push(larger);
        assert_eq!(knee(&all).expect("there is one").point.depth, 2);
    }

    #[test]
    fn of_a_burst_the_sustained_rate_counts() {
        let concluded = |again: Option<Measured>| {
            let mut series = of(series(&[100, 200, 400, 410, 410]), again);
            conclude(&mut series);
            assert_eq!(series.knee_depth, Some(4));
            (series.operations_per_second, series.burst)
        };
        assert_eq!(concluded(None), (Some(400.0), None));
        assert_eq!(concluded(Some(alone(4, 390))), (Some(390.0), Some(false)));
        assert_eq!(concluded(Some(alone(4, 300))), (Some(300.0), Some(true)));
        let did = DeviceDid {
            requests: 2000,
            bytes: 8_192_000,
        };
        let disturbed = judged(point(4, 300), Some(did));
        assert_eq!(concluded(Some(disturbed)), (Some(400.0), None));
        let mut unsteady = alone(4, 300);
        unsteady.point.steady = false;
        assert_eq!(concluded(Some(unsteady)), (Some(400.0), None));
    }

    #[test]
    fn what_was_merged_is_no_rate_of_requests() {
        let merged = |depth, rate| {
            let did = DeviceDid {
                requests: 899,
                bytes: 4_096_000,
            };
            judged(point(depth, rate), Some(did))
        };
        let points = vec![alone(1, 100), alone(2, 150), merged(4, 800)];
        assert_eq!(
            unmerged(&of(points.clone(), Some(merged(4, 900)))),
            Some(150.0)
        );
        assert_eq!(unmerged(&of(points, Some(alone(4, 160)))), Some(160.0));
        assert_eq!(unmerged(&of(vec![merged(1, 100)], None)), None);
        assert_eq!(unmerged(&of(vec![judged(point(1, 100), None)], None)), None);
    }

    #[test]
    fn what_was_not_steady_is_what_it_was_for_longer() {
        let mut points = series(&[100, 200, 400, 410, 410]);
        (points[2].point.steady, points[2].point.spread) = (false, 0.5);
        let mut series = of(points, Some(alone(4, 300)));
        conclude(&mut series);
        assert_eq!(series.operations_per_second, Some(300.0));
        assert_eq!((series.knee_depth, series.burst), (Some(4), None));
        assert_eq!(deciding(&series), series.again.as_ref());
        // Of two that were not, that whose parts differ less.
        let mut decided_by_again = |spread: f64| {
            if let Some(again) = &mut series.again {
                (again.point.steady, again.point.spread) = (false, spread);
            }
            deciding(&series) == series.again.as_ref()
        };
        assert!(decided_by_again(0.4) && !decided_by_again(0.6));
        series.again = None;
        assert_eq!(deciding(&series), Some(&series.points[2]));
    }
}
