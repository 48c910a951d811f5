//! The counts of a report, by the names that rows and gates have.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::{
    model::{
        block::{Block, BlockOperation},
        file::{FileCounts, FileKind, Files},
        page_cache::{PageCache, Served},
        report::{Report, Workload},
        sum::sum,
        syscall::Syscall,
    },
    transfer::of_call,
};

/// What a count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number of events or bytes.
    Count(u64),
    /// A ratio, in thousandths.
    Ratio(u64),
    /// The report does not say.
    Unknown,
}

impl Amount {
    /// Nothing, of what is counted.
    pub const NONE: Self = Self::Count(0);

    /// Nothing of the same kind.
    pub const fn none(self) -> Self {
        match self {
            Self::Ratio(_) => Self::Ratio(0),
            _ => Self::NONE,
        }
    }

    /// In thousandths; none where it is not known.
    pub fn thousandths(self) -> Option<u128> {
        match self {
            Self::Count(count) => Some(u128::from(count).saturating_mul(1000)),
            Self::Ratio(thousandths) => Some(thousandths.into()),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0})
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => to.serialize_u64(*count),
            Self::Ratio(thousandths) => to.serialize_f64(decimal(*thousandths)),
            Self::Unknown => to.serialize_none(),
        }
    }
}

/// A ratio as the number it is.
#[expect(clippy::cast_precision_loss, reason = "a ratio to three decimals")]
fn decimal(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}

/// The counts by their names.
pub type Metrics = BTreeMap<String, Amount>;

/// The calls that wait until data is durable.
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];

/// The kinds of files, in the names.
const KINDS: [(FileKind, &str); 7] = [
    (FileKind::File, "file"),
    (FileKind::BlockDevice, "block_device"),
    (FileKind::Directories, "directory"),
    (FileKind::Pipes, "pipe"),
    (FileKind::Sockets, "socket"),
    (FileKind::CharacterDevices, "character_device"),
    (FileKind::Anonymous, "anonymous"),
];

/// All counts of a report. With several workloads, each name begins with the number of its workload, the first being 1.
pub fn of(report: &Report) -> Metrics {
    let mut all = Metrics::new();
    let is_alone = report.workloads.len() == 1;
    for (number, workload) in (1..).zip(&report.workloads) {
        let of_workload = of_workload(workload);
        all.extend(of_workload.into_iter().map(|(metric, amount)| {
            if is_alone {
                (metric, amount)
            } else {
                (format!("{number}:{metric}"), amount)
            }
        }));
    }
    all
}

fn of_workload(workload: &Workload) -> Metrics {
    let mut all = Metrics::new();
    for call in &workload.syscalls {
        calls(&mut all, call);
    }
    let syncs = workload.syscalls.iter();
    let syncs = syncs.filter(|call| SYNCS.contains(&call.name.as_str()));
    all.insert(
        "fsyncs".into(),
        Amount::Count(sum(syncs.map(|call| call.calls))),
    );
    files(&mut all, workload.files.as_ref());
    devices(&mut all, workload.block.as_deref());
    page_cache(&mut all, workload.page_cache.as_ref());
    let faults = workload.faults.as_ref();
    let writeback = workload.writeback.as_ref();
    let amplification = writeback.and_then(|writeback| writeback.write_amplification);
    for (metric, amount) in [
        ("faults.major", known(faults.map(|faults| faults.major))),
        ("faults.minor", known(faults.map(|faults| faults.minor))),
        (
            "dirtied_bytes",
            known(writeback.map(|writeback| writeback.dirtied_bytes)),
        ),
        (
            "write_amplification",
            amplification.map_or(Amount::Unknown, ratio),
        ),
    ] {
        all.insert(metric.into(), amount);
    }
    all
}

fn known(count: Option<u64>) -> Amount {
    count.map_or(Amount::Unknown, Amount::Count)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and a ratio is not below 0"
)]
fn ratio(of: f64) -> Amount {
    Amount::Ratio((of * 1000.0).round() as u64)
}

/// Adds, as a report may have a call twice.
fn add(all: &mut Metrics, metric: String, count: u64) {
    let sum = match all.get(&metric) {
        Some(Amount::Count(before)) => before.saturating_add(count),
        _ => count,
    };
    all.insert(metric, Amount::Count(sum));
}

fn calls(all: &mut Metrics, call: &Syscall) {
    let name = &call.name;
    add(all, format!("{name}.calls"), call.calls);
    add(all, format!("{name}.errors"), call.failed());
    let bytes = format!("{name}.bytes");
    match call.bytes {
        Some(moved) => add(all, bytes, moved),
        // It moves some, and its messages could not be read.
        None if of_call(name.as_str()).is_some() => {
            all.insert(bytes, Amount::Unknown);
        }
        None => {}
    }
    for (error, times) in &call.errors {
        add(all, format!("{name}.errors.{error}"), *times);
    }
}

fn files(all: &mut Metrics, files: Option<&Files>) {
    let total = |of: fn(&FileCounts) -> u64| known(files.map(|files| total(files, of)));
    for (metric, amount) in [
        ("files.opens", total(|counts| counts.opens)),
        ("files.reads", total(|counts| counts.reads)),
        ("files.writes", total(|counts| counts.writes)),
    ] {
        all.insert(metric.into(), amount);
    }
    for (kind, name) in KINDS {
        let rows = files.map(|files| files.by_kind.iter().filter(move |row| row.kind == kind));
        let read = rows.clone().map(|rows| sum(rows.map(|row| row.read_bytes)));
        let written = rows.map(|rows| sum(rows.map(|row| row.written_bytes)));
        all.insert(format!("{name}.read_bytes"), known(read));
        all.insert(format!("{name}.written_bytes"), known(written));
    }
}

/// A count of all files together.
pub fn total(files: &Files, of: impl Fn(&FileCounts) -> u64) -> u64 {
    let rows = files.top.iter().map(|row| &row.counts);
    sum(rows.chain([&files.other_counts]).map(of))
}

fn devices(all: &mut Metrics, rows: Option<&[Block]>) {
    for (operation, requests, bytes) in [
        (BlockOperation::Read, "reads", Some("read_bytes")),
        (BlockOperation::Write, "writes", Some("written_bytes")),
        (BlockOperation::Flush, "flushes", None),
        (BlockOperation::Discard, "discards", Some("discarded_bytes")),
    ] {
        let rows = || rows.map(|rows| Block::once(rows, operation));
        let count = rows().map(|rows| sum(rows.map(|row| row.requests)));
        all.insert(format!("device.{requests}"), known(count));
        if let Some(bytes) = bytes {
            let moved = rows().map(|rows| sum(rows.map(|row| row.bytes)));
            all.insert(format!("device.{bytes}"), known(moved));
        }
    }
}

fn page_cache(all: &mut Metrics, cache: Option<&PageCache>) {
    let ways: [(&str, Option<&Served>); 5] = [
        ("hit", cache.map(|cache| &cache.hits)),
        ("miss", cache.map(|cache| &cache.misses)),
        (
            "read_ahead",
            cache.and_then(|cache| cache.read_ahead.as_ref()),
        ),
        (
            "read_ahead_wait",
            cache.map(|cache| &cache.read_ahead_waits),
        ),
        ("direct", cache.map(|cache| &cache.direct)),
    ];
    for (way, served) in ways {
        let reads = known(served.map(|served| served.latency.count));
        let bytes = known(served.map(|served| served.bytes));
        all.insert(format!("page_cache.{way}_reads"), reads);
        all.insert(format!("page_cache.{way}_bytes"), bytes);
    }
}
