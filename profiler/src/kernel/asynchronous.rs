//! Reading what was counted of io_uring and of io_submit, and the names of their opcodes.

use std::borrow::Cow;

use aya::{Ebpf, Pod};
use ioprof_ebpf::abi::{
    aio::{self, AioStats, AioTotals},
    io_uring::{self as uring, UringStats, UringTotals},
};

use super::{
    histograms::{Buckets, Histograms},
    maps::{array, per_cpu_array, refused},
    series::FirstSeries,
};
use crate::error::Error;

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
pub struct Asynchronous {
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
pub fn read(
    ebpf: &Ebpf,
    workloads: u32,
    histograms: &Histograms<'_>,
) -> Result<Asynchronous, Error> {
    let first_series = FirstSeries::new(workloads);
    const URING: &str = "URING_TOTALS";
    const AIO: &str = "AIO_TOTALS";
    let (uring_totals, aio_totals) = (
        array::<UringTotals>(ebpf, URING)?,
        array::<AioTotals>(ebpf, AIO)?,
    );
    let numbers = 1..=workloads;
    Ok(Asynchronous {
        uring: opcodes(ebpf, workloads, &of_uring(first_series.uring), histograms)?,
        uring_totals: numbers
            .clone()
            .map(|workload| uring_totals.get(&workload, 0).map_err(refused(URING)))
            .collect::<Result<_, _>>()?,
        aio: opcodes(ebpf, workloads, &of_aio(first_series.aio), histograms)?,
        aio_totals: numbers
            .map(|workload| aio_totals.get(&workload, 0).map_err(refused(AIO)))
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
    let map = per_cpu_array::<T>(ebpf, numbers.map)?;
    let mut used = Vec::new();
    for workload in 1..=workloads {
        for opcode in 0..numbers.opcodes {
            let index = (numbers.index)(workload, opcode);
            let mut stats = T::default();
            for cpu in map.get(&index, 0).map_err(refused(numbers.map))?.iter() {
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

/// The names of io_uring's opcodes by number, `enum io_uring_op` of include/uapi/linux/io_uring.h.
const URING_NAMES: [&str; 65] = [
    "NOP",
    "READV",
    "WRITEV",
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "SYNC_FILE_RANGE",
    "SENDMSG",
    "RECVMSG",
    "TIMEOUT",
    "TIMEOUT_REMOVE",
    "ACCEPT",
    "ASYNC_CANCEL",
    "LINK_TIMEOUT",
    "CONNECT",
    "FALLOCATE",
    "OPENAT",
    "CLOSE",
    "FILES_UPDATE",
    "STATX",
    "READ",
    "WRITE",
    "FADVISE",
    "MADVISE",
    "SEND",
    "RECV",
    "OPENAT2",
    "EPOLL_CTL",
    "SPLICE",
    "PROVIDE_BUFFERS",
    "REMOVE_BUFFERS",
    "TEE",
    "SHUTDOWN",
    "RENAMEAT",
    "UNLINKAT",
    "MKDIRAT",
    "SYMLINKAT",
    "LINKAT",
    "MSG_RING",
    "FSETXATTR",
    "SETXATTR",
    "FGETXATTR",
    "GETXATTR",
    "SOCKET",
    "URING_CMD",
    "SEND_ZC",
    "SENDMSG_ZC",
    "READ_MULTISHOT",
    "WAITID",
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_WAITV",
    "FIXED_FD_INSTALL",
    "FTRUNCATE",
    "BIND",
    "LISTEN",
    "RECV_ZC",
    "EPOLL_WAIT",
    "READV_FIXED",
    "WRITEV_FIXED",
    "PIPE",
    "NOP128",
    "URING_CMD128",
];

/// The names of the opcodes of control blocks, include/uapi/linux/aio_abi.h; number 4 was never used.
const AIO_NAMES: [&str; 9] = [
    "PREAD", "PWRITE", "FSYNC", "FDSYNC", "", "POLL", "NOOP", "PREADV", "PWRITEV",
];

/// The name of an opcode of io_uring.
pub fn uring_name(opcode: u32) -> Cow<'static, str> {
    name(&URING_NAMES, opcode)
}

/// The name of an opcode of a control block.
pub fn aio_name(opcode: u32) -> Cow<'static, str> {
    name(&AIO_NAMES, opcode)
}

fn name(names: &'static [&str], opcode: u32) -> Cow<'static, str> {
    let known = names.get(opcode as usize).filter(|name| !name.is_empty());
    known.map_or_else(
        || Cow::Owned(format!("op {opcode}")),
        |name| Cow::Borrowed(*name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_have_the_names_of_the_kernels_headers() {
        assert_eq!(uring_name(22), "READ");
        assert_eq!(uring_name(62), "PIPE");
        assert_eq!(uring_name(127), "op 127");
        assert_eq!(aio_name(8), "PWRITEV");
        assert_eq!(aio_name(4), "op 4");
    }
}
