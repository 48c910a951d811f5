//! How the histogram series are numbered.

use ioprof_ebpf::abi::{aio, io_uring as uring, page_cache as cache, syscall};

/// Where the series begin that are not those of system calls, which come first.
#[derive(Clone, Copy, Debug)]
pub struct FirstSeries {
    /// Those of how the page cache served calls.
    pub cache: u32,
    /// io_uring's.
    pub uring: u32,
    /// Those of control blocks.
    pub aio: u32,
    /// Those of block requests, of which there are as many as there is room for slots, and behind them those
    /// of page faults.
    pub block: u32,
}

impl FirstSeries {
    /// For so many workloads.
    pub fn new(workloads: u32) -> Self {
        let workloads = workloads.max(1);
        let cache = syscall::series(workloads + 1, 0);
        let uring = cache + cache::index(workloads + 1, 0);
        let aio = uring + workloads * uring::OPCODES;
        Self {
            cache,
            uring,
            aio,
            block: aio + workloads * aio::OPCODES,
        }
    }
}
