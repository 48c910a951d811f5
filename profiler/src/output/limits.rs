//! What a device can do, as other programs read it.

use std::path::Path;

use crate::{
    analysis::calibrations::{Missing, bandwidth, small_operations},
    model::calibration::{Calibration, Operation, Pattern},
};

/// Seastar's io_properties.yaml: iotune measures the same, random operations of the smallest size and the bandwidth of
/// large ones in order (seastar, doc/io-properties-file.md).
///
/// # Errors
///
/// Where one of them was not measured.
pub fn io_properties(usable: &[&Calibration], mount_point: &Path) -> Result<String, Missing> {
    let operations = |operation| small_operations(usable, operation, Pattern::Random);
    // A string of JSON is one of YAML, too.
    let point = serde_json::Value::from(mount_point.to_string_lossy());
    Ok(format!(
        "disks:\n  - mountpoint: {point}\n    read_iops: {:.0}\n    read_bandwidth: {:.0}\n    \
         write_iops: {:.0}\n    write_bandwidth: {:.0}\n",
        operations(Operation::Read)?,
        bandwidth(usable, Operation::Read)?,
        operations(Operation::Write)?,
        bandwidth(usable, Operation::Write)?,
    ))
}

/// A line of the kernel's io.cost.model, for the device of a number (Documentation/admin-guide/cgroup-v2.rst).
///
/// # Errors
///
/// Where one of its figures was not measured.
pub fn io_cost_model(
    usable: &[&Calibration],
    (major, minor): (u32, u32),
) -> Result<String, Missing> {
    let mut line = format!("{major}:{minor} ctrl=user model=linear");
    for (letter, operation) in [('r', Operation::Read), ('w', Operation::Write)] {
        let operations = |pattern| small_operations(usable, operation, pattern);
        line.push_str(&format!(
            " {letter}bps={:.0} {letter}seqiops={:.0} {letter}randiops={:.0}",
            bandwidth(usable, operation)?,
            operations(Pattern::Sequential)?,
            operations(Pattern::Random)?,
        ));
    }
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calibration::Series;

    /// Reads and writes, random and in order, of 4 KiB and 1 MiB.
    fn calibration() -> Calibration {
        let text = include_str!("../../tests/fixtures/calibration.json");
        let mut one: Calibration = serde_json::from_str(text).expect("the fixture is one");
        let series = one.series.remove(0);
        let of = |operation, pattern, size_bytes, rate| {
            let mut series = Series {
                operation,
                pattern,
                size_bytes,
                operations_per_second: Some(rate),
                ..series.clone()
            };
            series.points.truncate(1);
            series.points[0].point.operations_per_second = rate;
            series.points[0].requests = Some(series.points[0].point.operations);
            series
        };
        one.series = vec![
            of(Operation::Read, Pattern::Random, 4096, 9000.4),
            of(Operation::Read, Pattern::Random, 1 << 20, 500.0),
            of(Operation::Read, Pattern::Sequential, 4096, 20_000.0),
            of(Operation::Read, Pattern::Sequential, 1 << 20, 1000.0),
            of(Operation::Write, Pattern::Random, 4096, 3000.0),
            // More bytes than those of 1 MiB.
            of(Operation::Write, Pattern::Sequential, 4096, 100_000.0),
            of(Operation::Write, Pattern::Sequential, 1 << 20, 200.0),
        ];
        one
    }

    #[test]
    fn they_are_what_the_newest_calibrations_have() {
        let one = calibration();
        let yaml = io_properties(&[&one], Path::new("/srv/a b")).expect("all is there");
        let expected = "disks:\n  - mountpoint: \"/srv/a b\"\n    read_iops: 9000\n    \
                        read_bandwidth: 1048576000\n    write_iops: 3000\n    \
                        write_bandwidth: 409600000\n";
        assert_eq!(yaml, expected);
        let line = io_cost_model(&[&one], (8, 16)).expect("all is there");
        let expected = "8:16 ctrl=user model=linear rbps=1048576000 rseqiops=20000 rrandiops=9000 \
                        wbps=409600000 wseqiops=100000 wrandiops=3000\n";
        assert_eq!(line, expected);
        // A newer one counts, for what it has.
        let mut newer = one.clone();
        newer.series.truncate(1);
        newer.series[0].operations_per_second = Some(1.0);
        let line = io_cost_model(&[&newer, &one], (8, 16)).expect("all is there");
        assert!(line.contains("rrandiops=1 wbps=409600000"), "{line}");
        // What was merged is no rate of requests, which io.cost asks for.
        let mut merged = one;
        merged.series[2].points[0].requests = Some(1);
        let missing = io_cost_model(&[&merged], (8, 16)).expect_err("it is not known");
        assert_eq!(
            missing.to_string(),
            "sequential reads of 4 KiB, each by a request of its own,"
        );
    }

    #[test]
    fn what_was_not_measured_is_named() {
        let without = |wanted: (Operation, Pattern, u64)| {
            let mut one = calibration();
            one.series
                .retain(|one| (one.operation, one.pattern, one.size_bytes) != wanted);
            one
        };
        let quick = without((Operation::Read, Pattern::Sequential, 4096));
        assert!(io_properties(&[&quick], Path::new("/")).is_ok());
        let missing = io_cost_model(&[&quick], (8, 0)).expect_err("it is not there");
        assert_eq!(
            missing.to_string(),
            "sequential reads of 4 KiB, each by a request of its own,"
        );
        let missing = io_properties(&[], Path::new("/")).expect_err("nothing is there");
        assert_eq!(missing.to_string(), "random reads of 4 KiB");
    }
}
