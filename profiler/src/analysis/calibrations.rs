//! Which calibrations count for a device as it is now, and what they come to together.

use std::{collections::BTreeMap, fmt};

use super::ceiling::unmerged;
use crate::{
    model::calibration::{CalibratedDevice, Calibration, Operation, Pattern, Series},
    text::Text,
};

/// Those of a device, or of another of its name, in their order.
pub fn of_device<'a>(
    calibrations: &'a [Calibration],
    now: &'a CalibratedDevice,
) -> impl Iterator<Item = &'a Calibration> {
    calibrations
        .iter()
        .filter(|one| one.device.name == now.name || is_same(&one.device, now))
}

/// Those that count for a device as it is set now, on this kernel, in their order.
pub fn usable<'a>(
    calibrations: &'a [Calibration],
    now: &'a CalibratedDevice,
    kernel: &Text,
) -> Vec<&'a Calibration> {
    of_device(calibrations, now)
        .filter(|one| why_unused(one, now, kernel).is_none())
        .collect()
}

/// Why a calibration is not used; none where it is. What was changed may have changed what the device can do.
pub fn why_unused(one: &Calibration, now: &CalibratedDevice, kernel: &Text) -> Option<Text> {
    if !is_same(&one.device, now) {
        return Some("it is of another device of that name".into());
    }
    if one.kernel != *kernel {
        return Some(format!("it is of Linux {}", one.kernel.as_str()).into());
    }
    if one.device.scheduler != now.scheduler {
        let name = one.device.scheduler.as_ref().map_or("none", Text::as_str);
        return Some(format!("it is with the scheduler {name}").into());
    }
    None
}

/// By what a device says of itself; by its name, where that is nothing.
fn is_same(one: &CalibratedDevice, other: &CalibratedDevice) -> bool {
    let same = |one: &Option<Text>, other: &Option<Text>| match (one, other) {
        (Some(one), Some(other)) => Some(one == other),
        _ => None,
    };
    let by_number = same(&one.uuid, &other.uuid).or_else(|| same(&one.serial, &other.serial));
    by_number.unwrap_or_else(|| {
        one.name == other.name
            && one.model == other.model
            && one.size_bytes == other.size_bytes
            && one.backing_file == other.backing_file
    })
}

/// The series of an operation and a pattern by their size, each of the first calibration that has it: a quick one hides
/// nothing of a thorough one.
pub fn by_size<'a>(
    usable: &[&'a Calibration],
    operation: Operation,
    pattern: Pattern,
) -> BTreeMap<u64, &'a Series> {
    let mut sizes = BTreeMap::new();
    let all = usable.iter().flat_map(|one| &one.series);
    for series in all.filter(|one| {
        one.operation == operation
            && one.pattern == pattern
            && one.operations_per_second.is_some_and(|rate| rate > 0.0)
    }) {
        sizes.entry(series.size_bytes).or_insert(series);
    }
    sizes
}

/// The size of the operations that are counted, not measured by their bytes.
pub const SMALL: u64 = 4 << 10;

/// What was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    operation: Operation,
    pattern: Pattern,
    /// Whether it is that of small operations; otherwise any size would do.
    is_small: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, operation) = (self.pattern.word(), self.operation.plural());
        let size = match (self.is_small, self.pattern) {
            (false, _) => "",
            (true, Pattern::Random) => " of 4 KiB",
            (true, Pattern::Sequential) => " of 4 KiB, each by a request of its own,",
        };
        write!(formatter, "{pattern} {operation}{size}")
    }
}

/// How many small operations the device does in a second, each by a request of its own.
///
/// # Errors
///
/// Where that was not measured.
pub fn small_operations(
    usable: &[&Calibration],
    operation: Operation,
    pattern: Pattern,
) -> Result<f64, Missing> {
    let found = by_size(usable, operation, pattern).get(&SMALL).copied();
    let rate = found.and_then(|series| match pattern {
        Pattern::Random => series.operations_per_second,
        Pattern::Sequential => unmerged(series),
    });
    rate.ok_or(Missing {
        operation,
        pattern,
        is_small: true,
    })
}

/// How many bytes the device moves in a second where operations follow each other, of whatever size serves best.
///
/// # Errors
///
/// Where that was not measured.
pub fn bandwidth(usable: &[&Calibration], operation: Operation) -> Result<f64, Missing> {
    let pattern = Pattern::Sequential;
    let sizes = by_size(usable, operation, pattern);
    let rates = sizes
        .iter()
        .filter_map(|(size, series)| Some(series.operations_per_second? * *size as f64));
    rates.max_by(f64::total_cmp).ok_or(Missing {
        operation,
        pattern,
        is_small: false,
    })
}
