//! Histograms whose buckets do not hold as many values as they count.

use crate::model::{
    block::{BlockOperation, Origin},
    histogram::Histogram,
    ledger::IncompleteHistogram,
    report::Workload,
};

/// Those of all workloads.
pub fn incomplete(workloads: &[Workload]) -> Vec<IncompleteHistogram> {
    let of = |workload: &Workload| {
        let found = histograms(workload).into_iter();
        let found = found.filter(|(_, histogram)| histogram.count != histogram.held());
        let entry = |(what, histogram): (String, &Histogram)| IncompleteHistogram {
            workload: workload.name.clone(),
            what: what.into(),
            count: histogram.count,
            in_buckets: histogram.held(),
        };
        found.map(entry).collect::<Vec<_>>()
    };
    workloads.iter().flat_map(of).collect()
}

/// All histograms of a workload, with where in the report they are.
fn histograms(workload: &Workload) -> Vec<(String, &Histogram)> {
    let mut all = Vec::new();
    for call in &workload.syscalls {
        all.push((format!("syscalls {} latency", call.name), &call.latency));
        let size = call.size.as_ref();
        all.extend(size.map(|size| (format!("syscalls {} size", call.name), size)));
    }
    for block in workload.block.iter().flatten() {
        let row = format!(
            "block {} {} {}",
            block.device,
            operation(block.operation),
            origin(block.origin)
        );
        all.push((format!("{row} queue"), &block.queue));
        all.push((format!("{row} service"), &block.service));
        all.push((format!("{row} size"), &block.size));
    }
    if let Some(cache) = &workload.page_cache {
        for (way, served) in cache.ways() {
            all.push((format!("page_cache {way} latency"), &served.latency));
        }
    }
    let uring = workload.io_uring.iter().flat_map(|uring| &uring.operations);
    all.extend(uring.map(|one| (format!("io_uring {} latency", one.name), &one.latency)));
    let aio = workload.aio.operations.iter();
    all.extend(aio.map(|one| (format!("aio {} latency", one.name), &one.latency)));
    let faults = workload.faults.iter();
    all.extend(faults.map(|faults| ("faults major_latency".to_owned(), &faults.major_latency)));
    all
}

const fn operation(operation: BlockOperation) -> &'static str {
    match operation {
        BlockOperation::Read => "read",
        BlockOperation::Write => "write",
        BlockOperation::Flush => "flush",
        BlockOperation::Discard => "discard",
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Thread => "thread",
        Origin::Writeback => "writeback",
        Origin::Journal => "journal",
        Origin::Metadata => "metadata",
        Origin::Unknown => "unknown",
        Origin::Swap => "swap",
        Origin::Below => "below",
    }
}
