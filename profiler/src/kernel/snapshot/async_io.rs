//! Reading what was counted of io_uring and of io_submit.

use ioprof_ebpf::abi::{
    aio::{self, AioStats, AioTotals},
    io_uring::{self as uring, UringStats, UringTotals},
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::bpf::{
        Ebpf, FirstSeries,
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
pub fn read(ebpf: &Ebpf, workloads: u32, histograms: &Histograms<'_>) -> Result<AsyncIo, Error> {
    let first_series = FirstSeries::new(workloads);
    let uring_totals = Array::<UringTotals>::of(ebpf, "URING_TOTALS")?;
    let aio_totals = Array::<AioTotals>::of(ebpf, "AIO_TOTALS")?;
    let numbers = 1..=workloads;
    Ok(AsyncIo {
        uring: opcodes(ebpf, workloads, &of_uring(first_series.uring), histograms)?,
        uring_totals: numbers
            .clone()
            .map(|workload| uring_totals.get(workload))
            .collect::<Result<_, _>>()?,
        aio: opcodes(ebpf, workloads, &of_aio(first_series.aio), histograms)?,
        aio_totals: numbers
            .map(|workload| aio_totals.get(workload))
            .collect::<Result<_, _>>()?,
    })
}

/// Where the numbers of the opcodes stand.
struct Numbers<T> {
    map: &'static str,
    opcodes: u32,
    index: fn(u32, u32) -> u32,
    first_series: u32,
    /// Takes in what another CPU saw.
    merge: fn(&mut T, &T),
    submissions: fn(&T) -> u64,
}

/// The opcodes that were used.
fn opcodes<T: Pod + Default>(
    ebpf: &Ebpf,
    workloads: u32,
    numbers: &Numbers<T>,
    histograms: &Histograms<'_>,
) -> Result<Vec<Opcode<T>>, Error> {
    let map = PerCpuArray::<T>::of(ebpf, numbers.map)?;
    let mut used = Vec::new();
    for workload in 1..=workloads {
        for opcode in 0..numbers.opcodes {
            let index = (numbers.index)(workload, opcode);
            let mut stats = T::default();
            for cpu in map.get(index)?.iter() {
                (numbers.merge)(&mut stats, cpu);
            }
            if (numbers.submissions)(&stats) > 0 {
                used.push(Opcode {
                    workload,
                    opcode,
                    stats,
                    latency: histograms.series(numbers.first_series + index)?,
                });
            }
        }
    }
    Ok(used)
}

const fn of_uring(first_series: u32) -> Numbers<UringStats> {
    Numbers {
        map: "URING_STATS",
        opcodes: uring::OPCODES,
        index: uring::index,
        first_series,
        merge: |sum, cpu| {
            sum.submissions += cpu.submissions;
            sum.silent += cpu.silent;
            sum.unseen += cpu.unseen;
            sum.latency.merge(&cpu.latency);
            sum.results += cpu.results;
            sum.errors += cpu.errors;
            sum.inline += cpu.inline;
            sum.polled += cpu.polled;
            sum.worker += cpu.worker;
        },
        submissions: |stats| stats.submissions,
    }
}

const fn of_aio(first_series: u32) -> Numbers<AioStats> {
    Numbers {
        map: "AIO_STATS",
        opcodes: aio::OPCODES,
        index: aio::index,
        first_series,
        merge: |sum, cpu| {
            sum.submissions += cpu.submissions;
            sum.unseen += cpu.unseen;
            sum.latency.merge(&cpu.latency);
            sum.results += cpu.results;
            sum.errors += cpu.errors;
        },
        submissions: |stats| stats.submissions,
    }
}
