//! Reading what was counted of io_uring and of io_submit.

use ioprof_ebpf::abi::{
    aio::{AioStats, AioTotals},
    io_uring::{UringStats, UringTotals},
    layout::{AIO_OPCODES, Layout, URING_OPCODES, aio_index, uring_index},
    merge::Merge,
    names,
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::bpf::{
        Ebpf,
        map::{Array, PerCpuArray, Pod},
    },
};

/// One opcode of one workload.
#[derive(Clone, Debug)]
pub struct Opcode<T> {
    /// The workload, from 1.
    pub workload: u32,
    /// The opcode.
    pub opcode: u32,
    /// All CPUs together.
    pub stats: T,
    /// Nanoseconds from submission to completion.
    pub latency: Buckets,
}

/// What was counted of both.
#[derive(Clone, Debug, Default)]
pub struct AsyncIo {
    /// io_uring's opcodes.
    pub uring: Vec<Opcode<UringStats>>,
    /// io_uring's totals of each workload, the first of number 1.
    pub uring_totals: Vec<UringTotals>,
    /// The opcodes of control blocks.
    pub aio: Vec<Opcode<AioStats>>,
    /// The totals of each workload, the first of number 1.
    pub aio_totals: Vec<AioTotals>,
}

/// Reads everything.
pub fn read(ebpf: &Ebpf, layout: &Layout, histograms: &Histograms<'_>) -> Result<AsyncIo, Error> {
    Ok(AsyncIo {
        uring: opcodes(ebpf, layout, &URING, histograms)?,
        uring_totals: totals(ebpf, layout, names::URING_TOTALS)?,
        aio: opcodes(ebpf, layout, &AIO, histograms)?,
        aio_totals: totals(ebpf, layout, names::AIO_TOTALS)?,
    })
}

/// The totals of each workload.
fn totals<T: Pod>(ebpf: &Ebpf, layout: &Layout, map: &'static str) -> Result<Vec<T>, Error> {
    let map = Array::of(ebpf, map)?;
    (1..=layout.workloads)
        .map(|workload| map.get(workload))
        .collect()
}

/// Where the opcodes of an interface stand.
struct Interface<T> {
    map: &'static str,
    opcodes: u32,
    index: fn(u32, u32) -> u32,
    first_series: fn(&Layout) -> u32,
    submissions: fn(&T) -> u64,
}

const URING: Interface<UringStats> = Interface {
    map: names::URING_STATS,
    opcodes: URING_OPCODES,
    index: uring_index,
    first_series: |layout| layout.first_uring_series,
    submissions: |stats| stats.submissions,
};

const AIO: Interface<AioStats> = Interface {
    map: names::AIO_STATS,
    opcodes: AIO_OPCODES,
    index: aio_index,
    first_series: |layout| layout.first_aio_series,
    submissions: |stats| stats.submissions,
};

/// The opcodes that were used.
fn opcodes<T: Pod + Default + Merge>(
    ebpf: &Ebpf,
    layout: &Layout,
    interface: &Interface<T>,
    histograms: &Histograms<'_>,
) -> Result<Vec<Opcode<T>>, Error> {
    let first_series = (interface.first_series)(layout);
    let mut used = Vec::new();
    for workload in 1..=layout.workloads {
        for (opcode, stats) in counted(ebpf, interface, workload)? {
            let index = (interface.index)(workload, opcode);
            used.push(Opcode {
                workload,
                opcode,
                stats,
                latency: histograms.series(first_series + index)?,
            });
        }
    }
    Ok(used)
}

/// The opcodes that a workload has used, all CPUs together.
fn counted<T: Pod + Default + Merge>(
    ebpf: &Ebpf,
    interface: &Interface<T>,
    workload: u32,
) -> Result<Vec<(u32, T)>, Error> {
    let map = PerCpuArray::<T>::of(ebpf, interface.map)?;
    let mut used = Vec::new();
    for opcode in 0..interface.opcodes {
        let stats = map.sum((interface.index)(workload, opcode))?;
        if (interface.submissions)(&stats) > 0 {
            used.push((opcode, stats));
        }
    }
    Ok(used)
}

/// The opcodes of io_uring that a workload has used so far; one look-up where there are none.
pub fn uring_so_far(ebpf: &Ebpf, workload: u32) -> Result<Vec<(u32, UringStats)>, Error> {
    let totals: UringTotals = Array::of(ebpf, names::URING_TOTALS)?.get(workload)?;
    match totals.depth.max {
        0 => Ok(Vec::new()),
        _ => counted(ebpf, &URING, workload),
    }
}

/// The same of control blocks.
pub fn aio_so_far(ebpf: &Ebpf, workload: u32) -> Result<Vec<(u32, AioStats)>, Error> {
    let totals: AioTotals = Array::of(ebpf, names::AIO_TOTALS)?.get(workload)?;
    match totals.submitted {
        0 => Ok(Vec::new()),
        _ => counted(ebpf, &AIO, workload),
    }
}
