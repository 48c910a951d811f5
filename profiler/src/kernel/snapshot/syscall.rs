//! Reading the system calls.

use ioprof_ebpf::abi::{
    layout::{Layout, call_index, call_series},
    names,
    off_cpu::WAIT_KINDS,
    syscall::CallStats,
};

use super::histograms::{Buckets, Histograms};
use crate::{
    error::Error,
    kernel::{
        bpf::{Ebpf, map::PerCpuArray},
        syscall::OPERATIONS,
    },
};

/// One operation of one workload.
#[derive(Clone, Debug, Default)]
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

/// Reads the calls of each workload.
pub fn read(ebpf: &Ebpf, layout: &Layout, histograms: &Histograms<'_>) -> Result<Vec<Call>, Error> {
    let map = PerCpuArray::<CallStats>::of(ebpf, names::CALLS)?;
    let mut calls = Vec::new();
    for workload in 1..=layout.workloads {
        for operation in 0..OPERATIONS {
            let stats = map.sum(call_index(workload, operation))?;
            if stats.latency.count + stats.refused == 0 {
                continue;
            }
            let series = call_series(workload, operation);
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
