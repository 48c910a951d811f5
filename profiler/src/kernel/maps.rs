//! Reading the maps into plain values of the ABI.

use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray},
};
use ioprof_ebpf::abi::{
    block::{BlockKey, BlockStats, Depth, DepthKey},
    fault::{self, FaultStats},
    file::{FileKey, FileStats},
    loss::Loss,
    off_cpu::WAIT_KINDS,
    page_cache::{self as cache, CacheStats},
    syscall::{self, CallStats, ErrorKey, MAX_OPERATIONS},
    task::WorkloadTotals,
    writeback::DirtyInode,
};

use super::{
    asynchronous::{self, Asynchronous},
    files::{self, File},
    helper::Helper,
    histograms::{Buckets, Histograms},
    one_line,
    overhead::Cost,
    probes::{Feature, PROBES},
    proc::Devices,
    requests::{self, BlockReading},
    series::FirstSeries,
    syscalls::OPERATIONS,
};
use crate::{error::Error, model::ledger::Probe};

/// One operation of one workload.
#[derive(Clone, Debug)]
pub struct Call {
    /// The workload, from 1.
    pub workload: u32,
    /// The operation.
    pub operation: u32,
    /// All CPUs together.
    pub stats: CallStats,
    /// Nanoseconds from entry to exit.
    pub latency: Buckets,
    /// Requested bytes.
    pub size: Buckets,
    /// Time off the CPU by octave of latency: nanoseconds of each [`ioprof_ebpf::abi::off_cpu::WaitKind`].
    pub off_cpu: Vec<(u32, [u64; WAIT_KINDS])>,
}

/// One operation on one device by one workload, of one origin.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Whose, where and what.
    pub key: BlockKey,
    /// All CPUs together.
    pub stats: BlockStats,
    /// Nanoseconds from made to issued.
    pub queue: Buckets,
    /// Nanoseconds from issued to completed.
    pub service: Buckets,
    /// Bytes.
    pub size: Buckets,
}

/// The page faults of one workload.
#[derive(Clone, Debug)]
pub struct Faults {
    /// All CPUs together.
    pub stats: FaultStats,
    /// Nanoseconds of the major ones.
    pub major: Buckets,
}

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
    pub asynchronous: Asynchronous,
    /// Whether the probes could see which file a call is about.
    pub knows_files: bool,
    /// What was done to each file.
    pub files: Vec<File>,
    /// How the cache served calls: by [`cache::index`].
    pub cache: Vec<(CacheStats, Buckets)>,
    /// Inodes with pages that workloads made dirty.
    pub dirty: Vec<DirtyInode>,
    /// Bytes that each workload made dirty through mappings, the first of number 1.
    pub mapped: Vec<u64>,
    /// The totals of each workload, the first of number 1.
    pub workloads: Vec<WorkloadTotals>,
    /// What was lost.
    pub losses: Vec<(Loss, u64)>,
    /// What became of the probes.
    pub probes: Vec<Probe>,
    /// The probes' CPU time; none where it may not be measured.
    pub cost: Option<Cost>,
    /// What the probes had to say.
    pub messages: Vec<String>,
    /// When the depths were read, in nanoseconds of the monotonic clock.
    pub read_at_ns: u64,
    /// The devices as the first request could be counted.
    pub before: Devices,
    /// The devices as the maps were read.
    pub after: Devices,
    /// The time between.
    pub duration_ns: u64,
    /// Nanoseconds that interrupts and the hypervisor took of all CPUs meanwhile.
    pub stolen_ns: u64,
}

impl Snapshot {
    /// Whether every probe is there that something hangs on: without one of them the others mislead.
    pub fn has(&self, feature: Feature) -> bool {
        PROBES
            .iter()
            .zip(&self.probes)
            .filter(|(probe, _)| probe.feature == feature)
            .all(|(_, found)| found.verdict.reason_missing().is_none())
    }

    /// Nanoseconds with anything in flight. A span that has not ended lasts until the reading.
    pub fn busy_ns(&self, depth: &Depth) -> u64 {
        let busy = match depth.in_flight {
            0 => depth.busy_ns,
            _ => depth.busy_ns.wrapping_add(self.read_at_ns),
        };
        busy.min(self.duration_ns)
    }
}

/// Reads everything else.
pub fn read(
    ebpf: &Ebpf,
    workloads: u32,
    block: BlockReading,
    helper: Option<&Helper>,
) -> Result<Snapshot, Error> {
    let histograms = Histograms::new(ebpf)?;
    Ok(Snapshot {
        calls: calls(ebpf, workloads, &histograms)?,
        errors: entries(ebpf, "ERRORS")?,
        requests: requests::requests(block.slots, workloads, &histograms)?,
        files: files::read(ebpf, helper)?,
        cache: cache(ebpf, workloads, &histograms)?,
        faults: faults(ebpf, workloads, &histograms)?,
        asynchronous: asynchronous::read(ebpf, workloads, &histograms)?,
        dirty: dirty(ebpf)?,
        mapped: mapped(ebpf, workloads)?,
        depths: block.depths,
        workloads: (1..=workloads)
            .map(|number| workload(ebpf, number))
            .collect::<Result<_, _>>()?,
        losses: losses(ebpf)?,
        read_at_ns: block.read_at_ns,
        ..Snapshot::default()
    })
}

pub const FILES: &str = "FILES";

/// Makes the row of each workload that takes the files for which there is no other.
pub fn make_rows_of_other_files(ebpf: &mut Ebpf, workloads: u32) -> Result<(), Error> {
    let map = ebpf.map_mut(FILES).ok_or_else(|| not_in_object(FILES))?;
    let mut files: HashMap<_, FileKey, FileStats> = map.try_into().map_err(refused(FILES))?;
    for workload in 1..=workloads {
        files
            .insert(FileKey::others(workload), FileStats::default(), 0)
            .map_err(refused(FILES))?;
    }
    Ok(())
}

fn mapped(ebpf: &Ebpf, workloads: u32) -> Result<Vec<u64>, Error> {
    const MAP: &str = "MAPPED";
    let map = array::<u64>(ebpf, MAP)?;
    (1..=workloads)
        .map(|number| map.get(&number, 0).map_err(refused(MAP)))
        .collect()
}

/// The inodes with dirty pages, as they were last examined.
pub fn dirty(ebpf: &Ebpf) -> Result<Vec<DirtyInode>, Error> {
    let inodes = entries::<u64, DirtyInode>(ebpf, "DIRTY")?.into_iter();
    Ok(inodes.map(|(_, inode)| inode).collect())
}

/// The totals of one workload.
pub fn workload(ebpf: &Ebpf, number: u32) -> Result<WorkloadTotals, Error> {
    const MAP: &str = "WORKLOADS";
    array::<WorkloadTotals>(ebpf, MAP)?
        .get(&number, 0)
        .map_err(refused(MAP))
}

fn calls(ebpf: &Ebpf, workloads: u32, histograms: &Histograms<'_>) -> Result<Vec<Call>, Error> {
    const MAP: &str = "CALLS";
    let map = per_cpu_array::<CallStats>(ebpf, MAP)?;
    let mut calls = Vec::new();
    for workload in 1..=workloads {
        for operation in 0..OPERATIONS {
            let index = (workload - 1) * MAX_OPERATIONS + operation;
            let mut stats = CallStats::default();
            for cpu in map.get(&index, 0).map_err(refused(MAP))?.iter() {
                stats.latency.merge(&cpu.latency);
                stats.size.merge(&cpu.size);
                stats.bytes += cpu.bytes;
                stats.errors += cpu.errors;
                stats.refused += cpu.refused;
            }
            if stats.latency.count + stats.refused == 0 {
                continue;
            }
            let series = syscall::series(workload, operation);
            calls.push(Call {
                workload,
                operation,
                stats,
                latency: histograms.series(series)?,
                size: histograms.series(series + 1)?,
                off_cpu: histograms.sums(series + 2)?,
            });
        }
    }
    Ok(calls)
}

fn cache(
    ebpf: &Ebpf,
    workloads: u32,
    histograms: &Histograms<'_>,
) -> Result<Vec<(CacheStats, Buckets)>, Error> {
    const MAP: &str = "CACHE";
    let map = per_cpu_array::<CacheStats>(ebpf, MAP)?;
    let first = FirstSeries::new(workloads).cache;
    (0..cache::index(workloads + 1, 0))
        .map(|index| {
            let mut stats = CacheStats::default();
            for cpu in map.get(&index, 0).map_err(refused(MAP))?.iter() {
                stats.latency.merge(&cpu.latency);
                stats.bytes += cpu.bytes;
            }
            Ok((stats, histograms.series(first + index)?))
        })
        .collect()
}

fn faults(ebpf: &Ebpf, workloads: u32, histograms: &Histograms<'_>) -> Result<Vec<Faults>, Error> {
    const MAP: &str = "FAULTS";
    let map = per_cpu_array::<FaultStats>(ebpf, MAP)?;
    // Their series are the last, one for each workload.
    let first = histograms.count().saturating_sub(map.len());
    (1..=workloads)
        .map(|workload| {
            let mut stats = FaultStats::default();
            for cpu in map.get(&(workload - 1), 0).map_err(refused(MAP))?.iter() {
                stats.merge(cpu);
            }
            Ok(Faults {
                stats,
                major: histograms.series(fault::series(first, workload))?,
            })
        })
        .collect()
}

/// Whether this process may read the maps, which before Linux 5.19 took more than their descriptors.
pub fn can_be_read(ebpf: &Ebpf) -> bool {
    losses(ebpf).is_ok()
}

fn losses(ebpf: &Ebpf) -> Result<Vec<(Loss, u64)>, Error> {
    const MAP: &str = "LOSSES";
    let map = array::<u64>(ebpf, MAP)?;
    Loss::ALL
        .iter()
        .map(|(loss, _)| {
            let count = map.get(&(*loss as u32), 0).map_err(refused(MAP))?;
            Ok((*loss, count))
        })
        .collect()
}

fn map<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a aya::maps::Map, Error> {
    ebpf.map(name).ok_or_else(|| not_in_object(name))
}

/// The error of a map that is not there.
pub fn not_in_object(map: &'static str) -> Error {
    Error::Map {
        map,
        reason: "it is not in the object".into(),
    }
}

/// An array of the object.
pub fn array<'a, V: Pod>(
    ebpf: &'a Ebpf,
    name: &'static str,
) -> Result<Array<&'a MapData, V>, Error> {
    map(ebpf, name)?.try_into().map_err(refused(name))
}

/// The same with a value for each CPU.
pub fn per_cpu_array<'a, V: Pod>(
    ebpf: &'a Ebpf,
    name: &'static str,
) -> Result<PerCpuArray<&'a MapData, V>, Error> {
    map(ebpf, name)?.try_into().map_err(refused(name))
}

/// A hash table of the object.
pub fn hash<'a, K: Pod, V: Pod>(
    ebpf: &'a Ebpf,
    name: &'static str,
) -> Result<HashMap<&'a MapData, K, V>, Error> {
    map(ebpf, name)?.try_into().map_err(refused(name))
}

/// All that is in it.
pub fn entries<K: Pod, V: Pod>(ebpf: &Ebpf, name: &'static str) -> Result<Vec<(K, V)>, Error> {
    let all = hash(ebpf, name)?.iter().collect::<Result<_, _>>();
    all.map_err(refused(name))
}

/// The error of a map that cannot be used.
pub fn refused(map: &'static str) -> impl FnOnce(MapError) -> Error {
    move |error| Error::Map {
        map,
        reason: one_line(&error),
    }
}
