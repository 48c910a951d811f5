//! Reads what the probes counted into plain values of the ABI.

mod async_io;
pub mod block;
mod device_node;
mod fault;
mod file;
mod histograms;
pub mod loss;
mod page_cache;
mod path;
mod row;
pub mod so_far;
mod stacked;
mod syscall;
mod under_way;
pub mod writeback;

use ioprof_ebpf::abi::{
    block::{Depth, DepthKey},
    layout::Layout,
    loss::Loss,
    names,
    page_cache::CacheStats,
    syscall::ErrorKey,
    task::WorkloadTotals,
};

pub use async_io::{AsyncIo, Opcode};
pub use block::Requests;
pub use fault::Faults;
pub use file::File;
pub use histograms::Buckets;
pub use path::{Place, is_table_full as is_path_table_full};
pub use row::Rows;
pub use so_far::SoFar;
pub use syscall::Call;
pub use under_way::UnderWay;

use self::{block::BlockReading, histograms::Histograms};
use super::{
    bpf::{
        AttachedProbes, CallCost, Cost, Ebpf,
        map::{Array, entries},
        probes::Feature,
    },
    helper::Helper,
    system::device::Devices,
};
use crate::error::Error;

/// Everything the probes have counted, as they counted it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Calls, by workload and operation.
    pub calls: Vec<Call>,
    /// Errors by number.
    pub errors: Vec<(ErrorKey, u64)>,
    /// Requests.
    pub requests: Vec<Requests>,
    /// Depths.
    pub depths: Vec<(DepthKey, Depth)>,
    /// Page faults of each workload, the first of number 1.
    pub faults: Vec<Faults>,
    /// io_uring and io_submit.
    pub async_io: AsyncIo,
    /// Whether the probes could see which file a call is about.
    pub knows_files: bool,
    /// What was done to each file.
    pub files: Vec<File>,
    /// How the page cache served calls: by [`page_cache_index`](ioprof_ebpf::abi::layout::page_cache_index).
    pub page_cache: Vec<(CacheStats, Buckets)>,
    /// Inodes with pages that workloads made dirty.
    pub dirty: Vec<writeback::Dirty>,
    /// Calls that were under way at both ends.
    pub under_way: Vec<UnderWay>,
    /// What each thread has done.
    pub rows: Rows,
    /// The totals of each workload, the first of number 1.
    pub workloads: Vec<WorkloadTotals>,
    /// What was lost.
    pub losses: Vec<(Loss, u64)>,
    /// What became of the probes.
    pub probes: AttachedProbes,
    /// The probes' CPU time; none where it may not be measured.
    pub cost: Option<Cost>,
    /// What a call costs that does nothing, with the probes and without; none where it was not measured.
    pub call_cost: Option<CallCost>,
    /// Messages of the probes and of ioprof.
    pub messages: Vec<String>,
    /// When the window ended, in nanoseconds of the monotonic clock.
    pub ended_ns: u64,
    /// The devices as the window began.
    pub before: Devices,
    /// The devices as it ended.
    pub after: Devices,
    /// The time between.
    pub duration_ns: u64,
    /// Nanoseconds that interrupts and the hypervisor took of all CPUs meanwhile.
    pub stolen_ns: u64,
}

impl Snapshot {
    /// Whether all probes of a feature are there.
    pub fn has(&self, feature: Feature) -> bool {
        self.probes.has(feature)
    }

    /// The rows of a workload's files.
    pub fn files_of(&self, workload: u32) -> impl Iterator<Item = &File> {
        let all = self.files.iter();
        all.filter(move |file| file.key.workload == workload)
    }

    /// The time since the window began, of a moment in it.
    pub const fn since_it_began(&self, ns: u64) -> u64 {
        let began_ns = self.ended_ns.saturating_sub(self.duration_ns);
        ns.saturating_sub(began_ns)
    }

    /// Nanoseconds with anything in flight. A span that has not ended lasts until the end of the window.
    pub fn busy_ns(&self, depth: &Depth) -> u64 {
        let busy = match depth.in_flight {
            0 => depth.busy_ns,
            _ => depth.busy_ns.wrapping_add(self.ended_ns),
        };
        busy.min(self.duration_ns)
    }
}

/// Reads everything else.
pub fn read(
    ebpf: &Ebpf,
    layout: &Layout,
    block: BlockReading,
    helper: Option<&Helper>,
) -> Result<Snapshot, Error> {
    let histograms = Histograms::new(ebpf)?;
    let paths = path::Paths::of(ebpf, helper)?;
    let files = file::read(ebpf, &paths)?;
    Ok(Snapshot {
        calls: syscall::read(ebpf, layout, &histograms)?,
        errors: entries(ebpf, names::ERRORS)?,
        requests: block::requests(block.slots, layout, &histograms)?,
        under_way: under_way::read(ebpf, &paths, &files)?,
        rows: row::read(ebpf)?,
        files,
        page_cache: page_cache::read(ebpf, layout, &histograms)?,
        faults: fault::read(ebpf, layout, &histograms)?,
        async_io: async_io::read(ebpf, layout, &histograms)?,
        dirty: writeback::dirty(ebpf)?,
        depths: block.depths,
        workloads: (1..=layout.workloads)
            .map(|number| workload(ebpf, number))
            .collect::<Result<_, _>>()?,
        losses: loss::read(ebpf)?,
        ended_ns: block.ended_ns,
        ..Snapshot::default()
    })
}

/// The totals of one workload.
pub fn workload(ebpf: &Ebpf, number: u32) -> Result<WorkloadTotals, Error> {
    Array::of(ebpf, names::WORKLOADS)?.get(number)
}
