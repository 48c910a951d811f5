//! Reading what the workloads have done so far, while they go on: as little as says how they do.

use ioprof_ebpf::abi::{
    aio::AioStats, io_uring::UringStats, layout::call_index, names, syscall::CallStats,
};

use super::{async_io, block};
use crate::{
    error::Error,
    kernel::{
        bpf::{AttachedProbes, Ebpf, map::PerCpuArray, probes::Feature},
        syscall::FIRST_NUMBERED,
    },
};

/// What they have done, all together.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// The calls that have a name, by operation.
    pub calls: Vec<(u32, CallStats)>,
    /// io_uring's requests by opcode; none where the probes for them are missing.
    pub uring: Option<Vec<(u32, UringStats)>>,
    /// The control blocks of io_submit, by opcode.
    pub aio: Vec<(u32, AioStats)>,
    /// Requests to devices in flight; none where the probes for them are missing.
    pub in_flight: Option<u64>,
    /// Whether the probes could see which file a call is about.
    pub knows_files: bool,
}

/// Reads it for so many workloads.
pub fn read(ebpf: &Ebpf, probes: &AttachedProbes, workloads: u32) -> Result<SoFar, Error> {
    let in_flight = probes.has(Feature::Block);
    let mut so_far = SoFar {
        uring: probes.has(Feature::IoUring).then(Vec::new),
        in_flight: in_flight
            .then(|| block::in_flight_so_far(ebpf))
            .transpose()?,
        ..SoFar::default()
    };
    let map = PerCpuArray::<CallStats>::of(ebpf, names::CALLS)?;
    for workload in 1..=workloads {
        for operation in 1..FIRST_NUMBERED {
            let stats = map.sum(call_index(workload, operation))?;
            if stats.latency.count > 0 {
                so_far.calls.push((operation, stats));
            }
        }
        if let Some(uring) = &mut so_far.uring {
            uring.extend(async_io::uring_so_far(ebpf, workload)?);
        }
        so_far.aio.extend(async_io::aio_so_far(ebpf, workload)?);
    }
    Ok(so_far)
}
