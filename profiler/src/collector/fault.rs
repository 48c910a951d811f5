//! Page faults.

use super::histogram::histogram;
use crate::{
    kernel::{bpf::probes::Feature, snapshot::Snapshot},
    model::{
        fault::{FaultTime, Faults, FileFaults},
        histogram::Unit,
    },
};

/// The page faults of a workload; none where the probes for them are missing.
pub fn faults(snapshot: &Snapshot, workload: u32) -> Option<Faults> {
    let index = (workload as usize).checked_sub(1)?;
    let counted = snapshot.faults.get(index)?;
    let accounts = snapshot.workloads.get(index)?.accounts;
    if !snapshot.has(Feature::Faults) {
        return None;
    }
    let stats = &counted.stats;
    Some(Faults {
        minor: accounts.minor_faults,
        // Their probe is attached on demand only.
        minor_time: snapshot
            .probes
            .is_attached(Feature::MinorFaultTime)
            .then_some(FaultTime {
                faults: stats.minor,
                time_ns: stats.minor_ns,
                in_calls: stats.minor_in_calls,
                in_calls_ns: stats.minor_in_calls_ns,
            }),
        major: stats.major_faults(),
        major_in_calls: stats.major_in_calls,
        major_in_calls_ns: stats.major_in_calls_ns,
        major_latency: histogram(Unit::Ns, &stats.major, &counted.major),
        on_files: snapshot.has(Feature::FaultsOnFiles).then(|| FileFaults {
            minor: stats.on_files.saturating_sub(stats.major_on_files),
            major: stats.major_on_files,
            minor_io: stats.minor_io,
            minor_io_ns: stats.minor_io_ns,
        }),
        dirtying: snapshot
            .has(Feature::DirtyingFaults)
            .then_some(stats.dirtying),
    })
}
