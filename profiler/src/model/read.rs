//! Reads a report from untrusted bytes.
//!
//! What is read has the form of a report and does not contradict itself; the renderer need not check again. Numbers
//! may still be anything: see [`super::sum`].

use serde::Deserialize;

use super::{
    aio::Aio,
    block::QueueDepth,
    device::Device,
    io_uring::IoUring,
    report::{Report, SCHEMA, Workload},
};

/// The largest report: 64 workloads with every call, distribution and file take less. It bounds what reading takes.
pub const MOST_BYTES: u64 = 64 << 20;

/// Why bytes are not a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They are no report, for this reason.
    NotAReport(String),
    /// They are one of a later ioprof, with this schema.
    Newer(String),
}

/// The part of a report that tells its version.
#[derive(Deserialize)]
struct Versioned {
    schema: String,
}

/// Reads a report.
///
/// # Errors
///
/// Where the bytes are not a report, or one that contradicts itself.
pub fn read(bytes: &[u8]) -> Result<Report, Refusal> {
    let wrong = |reason: String| Err(Refusal::NotAReport(reason));
    if bytes.len() as u64 > MOST_BYTES {
        return wrong(format!("it is larger than {} MiB", MOST_BYTES >> 20));
    }
    match serde_json::from_slice::<Versioned>(bytes) {
        Ok(Versioned { schema }) if schema == SCHEMA => {}
        Ok(Versioned { schema }) if schema.starts_with("ioprof.report.") => {
            return Err(Refusal::Newer(schema));
        }
        Ok(Versioned { schema }) => return wrong(format!("its schema is \"{schema}\"")),
        Err(error) if error.is_data() => return wrong("it has no \"schema\"".into()),
        Err(error) if error.is_eof() => return wrong(format!("it is truncated ({error})")),
        Err(error) => return wrong(format!("it is not JSON ({error})")),
    }
    let report: Report =
        serde_json::from_slice(bytes).map_err(|error| Refusal::NotAReport(error.to_string()))?;
    match contradiction(&report) {
        Some(reason) => wrong(reason),
        None => Ok(report),
    }
}

/// The first impossible number. Distributions are checked where they are read.
fn contradiction(report: &Report) -> Option<String> {
    let devices = report.devices.iter().flatten();
    let measured = report.ledger.probe_cpu_measured_share;
    let of_workloads = report.workloads.iter().flat_map(of_workload);
    of_workloads
        .chain(devices.flat_map(of_device))
        .chain([("probe_cpu_measured_share", measured, Some(1.0))])
        .find_map(|(name, found, most)| {
            let found = found.filter(|found| !is_possible(*found, most))?;
            Some(match most {
                Some(most) => format!("{name} is {found:?}, and can be from 0 to {most}"),
                None => format!("{name} is {found:?}, and cannot be below 0"),
            })
        })
}

const AMPLIFICATION_BOUNDS: &str = "write_amplification_bounds";

/// A number with a fraction: its name, its value, and its maximum.
type Fraction = (&'static str, Option<f64>, Option<f64>);

fn is_possible(found: f64, most: Option<f64>) -> bool {
    found.is_finite() && found >= 0.0 && most.is_none_or(|most| found <= most)
}

fn of_workload(workload: &Workload) -> Vec<Fraction> {
    let cache = workload.page_cache.as_ref();
    let writeback = workload.writeback.as_ref();
    let uring = workload.io_uring.as_ref();
    let uring = uring.map(|IoUring { depth, .. }| mean(depth));
    let Aio { depth, .. } = &workload.aio;
    let read = cache.and_then(|cache| cache.read_amplification);
    let written = writeback.and_then(|writeback| writeback.write_amplification);
    let bounds = writeback.and_then(|writeback| writeback.write_amplification_bounds);
    uring
        .into_iter()
        .chain([
            mean(depth),
            ("read_amplification", read, None),
            ("write_amplification", written, None),
            (
                AMPLIFICATION_BOUNDS,
                bounds.map(|bounds| bounds.least),
                None,
            ),
            (AMPLIFICATION_BOUNDS, bounds.map(|bounds| bounds.most), None),
        ])
        .collect()
}

fn of_device(device: &Device) -> Vec<Fraction> {
    let shares = device.shares.iter().flat_map(|share| {
        [
            ("bytes_share", share.bytes_share, Some(1.0)),
            ("busy_share", share.busy_share, None),
        ]
    });
    let ceiling = device.ceiling.iter().flat_map(|ceiling| &ceiling.loads);
    let ceiling = ceiling.flat_map(|load| {
        [
            ("depth", Some(load.depth), None),
            ("requests_per_second", Some(load.requests_per_second), None),
            (
                "ceiling_at_depth_per_second",
                Some(load.ceiling_at_depth_per_second),
                None,
            ),
            ("share_at_depth", Some(load.share_at_depth), None),
            ("ceiling_per_second", Some(load.ceiling_per_second), None),
            ("share", Some(load.share), None),
        ]
    });
    [
        ("utilization", Some(device.utilization), Some(1.0)),
        mean(&device.queue_depth),
    ]
    .into_iter()
    .chain(shares)
    .chain(ceiling)
    .collect()
}

const fn mean(depth: &QueueDepth) -> Fraction {
    ("queue depth", Some(depth.mean), None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reason(bytes: &[u8]) -> String {
        match read(bytes) {
            Err(Refusal::NotAReport(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_a_report_is_refused_with_its_reason() {
        assert!(reason(b"hello").contains("not JSON"));
        assert!(reason(b"").contains("truncated"));
        assert!(reason(b"{\"schema\": \"ioprof.rep").contains("truncated"));
        assert!(reason(b"{}").contains("no \"schema\""));
        assert!(reason(b"[1, 2]").contains("no \"schema\""));
        assert!(reason(b"{\"schema\": 1}").contains("no \"schema\""));
        assert!(reason(b"{\"schema\": \"other\"}").contains("its schema is"));
        assert!(reason(b"{\"schema\": \"ioprof.report.v1\"}").contains("missing field"));
        let deep = [&b"{\"a\": "[..], &[b'['; 1 << 20]].concat();
        assert!(reason(&deep).contains("truncated"));
        assert!(reason(&vec![b' '; (MOST_BYTES + 1) as usize]).contains("larger than 64 MiB"));
        let newer = read(b"{\"schema\": \"ioprof.report.v2\"}");
        assert_eq!(newer, Err(Refusal::Newer("ioprof.report.v2".into())));
    }

    /// The sample with one value replaced.
    fn with(pointer: &str, new: Value) -> Result<Report, Refusal> {
        let mut sample: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/report.json"))
                .expect("the sample is JSON");
        *sample.pointer_mut(pointer).expect("the sample has it") = new;
        read(&serde_json::to_vec(&sample).expect("it is written"))
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_the_number_is_named() {
        let buckets = "/workloads/0/syscalls/0/latency/buckets";
        let bucket = |ge: u64, le: u64| json!({"ge": ge, "le": le, "count": 1});
        for (pointer, new, word) in [
            ("/devices/0/utilization", json!(1.5), "utilization is 1.5"),
            ("/devices/0/utilization", json!(-0.5), "utilization"),
            ("/devices/0/queue_depth/mean", json!(-1), "queue depth"),
            ("/devices/0/shares/0/bytes_share", json!(2), "bytes_share"),
            ("/devices/0/shares/0/busy_share", json!(-1), "busy_share"),
            ("/workloads/0/aio/depth/mean", json!(-1), "queue depth"),
            ("/workloads/0/io_uring/depth/mean", json!(-1), "queue depth"),
            (
                "/workloads/0/writeback/write_amplification",
                json!(-1),
                "write_amplification",
            ),
            (
                "/workloads/0/page_cache/read_amplification",
                json!(-1),
                "read_amplification",
            ),
            (
                "/ledger/probe_cpu_measured_share",
                json!(1.01),
                "probe_cpu_measured_share",
            ),
            (buckets, json!([bucket(9, 8)]), "bucket from 9 to 8"),
            (
                buckets,
                json!([bucket(1, 8), bucket(8, 9)]),
                "bucket from 8 to 9",
            ),
        ] {
            match with(pointer, new) {
                Err(Refusal::NotAReport(reason)) => {
                    assert!(reason.contains(word), "{pointer}: {reason}");
                }
                other => panic!("{pointer}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_the_sample_has_is_no_contradiction() {
        with("/devices/0/utilization", json!(1)).expect("all of the time");
        with("/devices/0/shares/0/busy_share", json!(null)).expect("not known");
        let new = json!([{"ge": u64::MAX, "le": u64::MAX, "count": u64::MAX}]);
        with("/workloads/0/syscalls/0/latency/buckets", new).expect("absurd, and possible");
    }
}
