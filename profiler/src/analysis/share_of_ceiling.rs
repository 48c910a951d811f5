//! What a device did, as a part of what it can do by its calibrations.

use std::collections::BTreeMap;

use super::{
    calibrations::{by_size, of_device, usable, why_unused},
    ceiling::{counting, deciding, top, unmerged},
};
use crate::{
    model::{
        calibration::{CalibratedDevice, Calibration, Operation, Pattern, Series},
        device::{Ceiling, Device, ShareOfCeiling},
    },
    text::Text,
};

/// Sets a device beside its calibrations, the newest first; none where there are none. Those of another device, kernel
/// or scheduler are not used: what was changed may have changed what the device can do.
pub fn ceiling(
    device: &Device,
    duration_ns: u64,
    (now, kernel): (&CalibratedDevice, &Text),
    calibrations: &[Calibration],
) -> Option<Ceiling> {
    let newest = of_device(calibrations, now).next()?;
    let usable = usable(calibrations, now, kernel);
    let used = usable.first().copied();
    Some(Ceiling {
        calibrated_at: used.unwrap_or(newest).started_at.clone(),
        unused: used
            .is_none()
            .then(|| why_unused(newest, now, kernel))
            .flatten(),
        loads: loads(device, duration_ns, &usable),
    })
}

/// What a device can do of operations of one kind, in bytes in a second; none where the calibrations that count do not
/// have them.
pub fn of_operations(
    usable: &[&Calibration],
    (operation, pattern, size): (Operation, Pattern, u64),
) -> Option<f64> {
    let sizes = by_size(usable, operation, pattern);
    let most = rate(&sizes, size, |series| series.operations_per_second)? * size as f64;
    (most.is_finite() && most > 0.0).then_some(most)
}

fn loads(device: &Device, duration_ns: u64, usable: &[&Calibration]) -> Vec<ShareOfCeiling> {
    let (reads, writes) = (
        (Operation::Read, device.reads, device.read_bytes),
        (Operation::Write, device.writes, device.written_bytes),
    );
    let load = |(operation, requests, bytes): (Operation, u64, u64)| {
        let size = bytes.checked_div(requests)?;
        // Of the time in which it had any: what is idle has no depth.
        let depth = (device.queue_depth.mean / device.utilization).max(1.0);
        let sizes = by_size(usable, operation, Pattern::Random);
        let at_depth = rate(&sizes, size, |series| at(series, depth))?;
        let in_order = by_size(usable, operation, Pattern::Sequential);
        let sequential = rate(&in_order, size, unmerged).filter(|rate| rate.is_finite());
        let most = rate(&sizes, size, |series| series.operations_per_second)?;
        let done = requests as f64 * 1e9 / duration_ns as f64;
        let share = ShareOfCeiling {
            operation,
            size_bytes: size,
            depth,
            requests_per_second: done,
            ceiling_at_depth_per_second: at_depth,
            share_at_depth: done / at_depth,
            ceiling_per_second: most,
            sequential_ceiling_per_second: sequential,
            share: done / most,
            steady: is_steady(&sizes, size, depth),
        };
        let all = [share.depth, share.share_at_depth, share.share];
        all.iter().all(|number| number.is_finite()).then_some(share)
    };
    [reads, writes].into_iter().filter_map(load).collect()
}

/// The series of the largest size that is no larger, and of the smallest that is no smaller.
fn around<'a>(
    sizes: &'a BTreeMap<u64, &'a Series>,
    size: u64,
) -> [Option<(&'a u64, &'a &'a Series)>; 2] {
    [sizes.range(..=size).next_back(), sizes.range(size..).next()]
}

/// What is done in a second of operations of a size: between two sizes the time of an operation grows with its bytes,
/// and below the smallest it is as many operations. Beyond the largest it is not known: larger operations may do more
/// bytes in a second.
fn rate(
    sizes: &BTreeMap<u64, &Series>,
    size: u64,
    of: impl Fn(&Series) -> Option<f64>,
) -> Option<f64> {
    let [below, above] = around(sizes, size);
    match (below, above) {
        (Some((small, one)), Some((large, other))) if large > small => {
            let (fast, slow) = (1.0 / of(one)?, 1.0 / of(other)?);
            let part = size.saturating_sub(*small) as f64 / large.saturating_sub(*small) as f64;
            Some(1.0 / (fast + (slow - fast) * part))
        }
        (Some((_, one)), Some(_)) | (None, Some((_, one))) => of(one),
        (_, None) => None,
    }
}

/// Whether the rates were steady that [`rate`] and [`at`] take for a size and a depth.
fn is_steady(sizes: &BTreeMap<u64, &Series>, size: u64, depth: f64) -> bool {
    let mut used = around(sizes, size).into_iter().flatten();
    used.all(|(_, series)| {
        let deepest = top(&series.points).map(|top| top.point.depth);
        let near = counting(&series.points).filter(|one| {
            let at = one.point.depth as f64;
            at >= depth / 2.0 && at <= depth * 2.0 && Some(one.point.depth) <= deepest
        });
        near.chain(deciding(series)).all(|one| one.point.steady)
    })
}

/// What a series does at a depth: on the line between the depths that were measured, at most its ceiling.
fn at(series: &Series, depth: f64) -> Option<f64> {
    let ceiling = series.operations_per_second?;
    if depth >= top(&series.points)?.point.depth as f64 {
        return Some(ceiling);
    }
    let points: Vec<_> = counting(&series.points)
        .map(|one| (one.point.depth as f64, one.point.operations_per_second))
        .collect();
    let above = points.iter().find(|(at, _)| *at >= depth)?;
    let below = points.iter().rev().find(|(at, _)| *at <= depth);
    let (from, low) = below.unwrap_or(above);
    let (to, high) = above;
    let part = if to > from {
        (depth - from) / (to - from)
    } else {
        0.0
    };
    Some((low + (high - low) * part).min(ceiling))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::Report;

    /// Of the sample below: 4 KiB do 1000, 2000 and 2500 at depths of 1, 2 and 4, and 64 KiB do half of it.
    fn calibration() -> Calibration {
        let text = include_str!("../../tests/fixtures/calibration.json");
        serde_json::from_str(text).expect("the fixture is a calibration")
    }

    /// 400 reads of 4 KiB in a second, half of which the device was busy with two.
    fn device() -> Device {
        let text = include_str!("../../tests/fixtures/report.json");
        let report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let device = report.devices.expect("they are known").remove(0);
        let mut device = Device {
            reads: 400,
            read_bytes: 400 * 4096,
            writes: 0,
            utilization: 0.5,
            ..device
        };
        device.queue_depth.mean = 1.0;
        device
    }

    fn beside(device: &Device, now: &Calibration, all: &[Calibration]) -> Option<Ceiling> {
        ceiling(device, 1_000_000_000, (&now.device, &now.kernel), all)
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn what_was_done_is_a_part_of_the_ceiling_at_its_size_and_depth() {
        let one = calibration();
        let told = beside(&device(), &one, std::slice::from_ref(&one)).expect("it is there");
        assert_eq!(told.unused, None);
        let [load] = &told.loads[..] else {
            panic!("{told:?}");
        };
        assert!(close(load.depth, 2.0), "{load:?}");
        assert!(close(load.share_at_depth, 0.2), "{load:?}");
        assert!(close(load.share, 0.16), "{load:?}");
    }

    #[test]
    fn between_sizes_and_depths_it_is_on_a_line() {
        let one = calibration();
        let with = |size: u64, depth: f64| {
            let mut device = device();
            device.read_bytes = 400 * size;
            device.queue_depth.mean = depth / 2.0;
            let told = beside(&device, &one, std::slice::from_ref(&one)).expect("it is there");
            let load = told.loads.first()?;
            Some(load.ceiling_at_depth_per_second)
        };
        let is = |told: Option<f64>, rate: f64| told.is_some_and(|told| close(told, rate));
        assert!(is(with(4096, 1.5), 1500.0));
        assert!(is(with(4096, 0.1), 1000.0));
        assert!(is(with(4096, 100.0), 2500.0));
        assert!(is(with(512, 1.0), 1000.0));
        assert!(is(with(65_536, 1.0), 500.0));
        // Half way between 1 ms and 2 ms.
        assert!(is(with(34_816, 1.0), 1e3 / 1.5));
        // Larger than all that were measured.
        assert_eq!(with(131_072, 1.0), None);
    }

    #[test]
    fn a_calibration_of_other_things_is_not_used_and_that_is_said() {
        let one = calibration();
        let mut now = one.clone();
        now.kernel = "7.0".into();
        let told = |now: &Calibration| beside(&device(), now, std::slice::from_ref(&one));
        let unused = |now: &Calibration| {
            let told = told(now).expect("it is said");
            assert!(told.loads.is_empty(), "{told:?}");
            told.unused.expect("it is said why").to_string()
        };
        assert!(unused(&now).contains("Linux"));
        now = one.clone();
        now.device.scheduler = Some("bfq".into());
        assert!(unused(&now).contains("scheduler"));
        now = one.clone();
        now.device.serial = Some("another".into());
        assert!(unused(&now).contains("another device"));
        now.device.name = "sdz".into();
        assert_eq!(told(&now), None);
        // The same device by another name.
        now = one.clone();
        now.device.name = "sdz".into();
        assert_eq!(told(&now).expect("it is there").unused, None);
        // An older one that fits is used.
        let mut newer = one.clone();
        newer.kernel = "7.0".into();
        let told = beside(&device(), &one, &[newer, one.clone()]).expect("it is there");
        assert_eq!((told.unused, told.loads.len()), (None, 1));
    }

    #[test]
    fn what_a_device_can_do_is_told_of_operations_of_one_kind() {
        let one = calibration();
        let can = |operation, size| of_operations(&[&one], (operation, Pattern::Random, size));
        let most = can(Operation::Read, 4096).expect("it is known");
        assert!(close(most, 2500.0 * 4096.0), "{most}");
        assert_eq!(can(Operation::Read, 131_072), None);
        assert_eq!(
            of_operations(&[], (Operation::Read, Pattern::Random, 4096)),
            None
        );
    }

    #[test]
    fn what_was_not_steady_is_told() {
        let one = calibration();
        let steady = |change: &dyn Fn(&mut Series)| {
            let mut one = one.clone();
            one.series.iter_mut().for_each(change);
            let told = beside(&device(), &one, std::slice::from_ref(&one)).expect("it is there");
            told.loads[0].steady
        };
        assert!(steady(&|_| {}));
        // The depth is 2, and that of the ceiling 4.
        assert!(!steady(&|series| series.points[1].point.steady = false));
        assert!(!steady(&|series| series.points[2].point.steady = false));
        assert!(steady(&|series| {
            for point in &mut series.points[3..] {
                point.point.steady = false;
            }
        }));
    }

    #[test]
    fn what_is_absurd_has_no_share() {
        let one = calibration();
        let mut idle = device();
        (idle.utilization, idle.queue_depth.mean) = (0.0, 1.0);
        let told = beside(&idle, &one, std::slice::from_ref(&one)).expect("it is there");
        assert!(told.loads.is_empty(), "{told:?}");
        let mut absurd = one;
        for series in &mut absurd.series {
            series.operations_per_second = Some(-1.0);
        }
        let told = beside(&device(), &absurd, std::slice::from_ref(&absurd));
        assert!(told.expect("it is there").loads.is_empty());
    }
}
