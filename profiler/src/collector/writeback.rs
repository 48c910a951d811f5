//! The pages that workloads made dirty.

use ioprof_ebpf::abi::writeback::DirtyInode;

use crate::{
    kernel::{bpf::probes::Feature, snapshot::Snapshot},
    model::{
        block::{Block, BlockOperation, Origin},
        syscall::Syscall,
        writeback::Writeback,
    },
    transfer::{Direction, is_in_proc_io},
};

/// What became of a workload's dirty pages; none where a probe for it is missing. `via_async` is what it wrote by
/// io_uring and io_submit(2), where that is known.
pub fn writeback(
    snapshot: &Snapshot,
    workload: u32,
    syscalls: &[Syscall],
    via_async: Option<u64>,
    block: Option<&[Block]>,
) -> Option<Writeback> {
    let block =
        block.filter(|_| snapshot.has(Feature::Block) && snapshot.has(Feature::Writeback))?;
    let dirtied_bytes = snapshot
        .files
        .iter()
        .filter(|file| file.key.workload == workload)
        .map(|file| file.stats.dirtied_bytes)
        .sum();
    let written = |origin: Origin| -> u64 {
        Block::once(block, BlockOperation::Write)
            .filter(|row| row.origin == origin)
            .map(|row| row.bytes)
            .sum()
    };
    let written_bytes = written(Origin::Writeback);
    let cancelled_bytes = snapshot
        .workloads
        .get(workload as usize - 1)
        .map_or(0, |totals| totals.accounts.cancelled_write_bytes);
    let mapped_bytes = snapshot
        .mapped
        .get(workload as usize - 1)
        .copied()
        .unwrap_or(0);
    Some(Writeback {
        dirtied_bytes,
        written_bytes,
        cancelled_bytes,
        dirty_bytes_at_end: snapshot
            .dirty
            .iter()
            .map(|inode| left(inode, workload))
            .sum(),
        mapped_bytes,
        write_amplification: amplification(
            written(Origin::Thread) + written_bytes,
            via_async.map(|bytes| bytes + mapped_bytes + written_by_calls(syscalls)),
        ),
    })
}

/// The bytes of a workload that are still dirty in an inode: those that were not written, but no more than
/// its part of what the page cache holds.
fn left(inode: &DirtyInode, workload: u32) -> u64 {
    let sum = |of: &dyn Fn(u32) -> bool| -> u64 {
        let owners = inode.owners.iter().filter(|owner| of(owner.workload));
        owners.map(|owner| owner.bytes).sum()
    };
    let (own, all) = (sum(&|owner| owner == workload), sum(&|_| true));
    if all <= inode.cached_bytes {
        return own;
    }
    let part = u128::from(own) * u128::from(inode.cached_bytes);
    part.checked_div(u128::from(all))
        .and_then(|part| u64::try_from(part).ok())
        .unwrap_or(own)
}

fn written_by_calls(syscalls: &[Syscall]) -> u64 {
    let writing = syscalls
        .iter()
        .filter(|call| is_in_proc_io(call.name.as_str(), Direction::Written));
    writing.filter_map(|call| call.bytes).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is for reading")]
fn amplification(written: u64, requested: Option<u64>) -> Option<f64> {
    let requested = requested.filter(|bytes| *bytes > 0)?;
    Some(written as f64 / requested as f64)
}

#[cfg(test)]
mod tests {
    use ioprof_ebpf::abi::writeback::DirtyOwner;

    use super::*;

    #[test]
    fn what_is_left_is_no_more_than_the_page_cache_holds_and_goes_by_parts() {
        let mut inode = DirtyInode {
            cached_bytes: 4096,
            ..DirtyInode::default()
        };
        for (at, bytes) in [(1, 3072), (2, 1024)] {
            inode.owners[at] = DirtyOwner {
                bytes,
                workload: at as u32,
                padding: 0,
            };
        }
        assert_eq!(
            [1, 2, 3].map(|workload| left(&inode, workload)),
            [3072, 1024, 0]
        );
        inode.cached_bytes = 2048;
        assert_eq!(
            [1, 2, 3].map(|workload| left(&inode, workload)),
            [1536, 512, 0]
        );
        inode.cached_bytes = 0;
        assert_eq!(left(&inode, 1), 0);
    }
}
