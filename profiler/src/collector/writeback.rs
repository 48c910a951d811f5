//! The pages that workloads made dirty.

use std::collections::HashMap;

use ioprof_ebpf::abi::file::FileKey;
use nix::unistd::{SysconfVar, sysconf};

use crate::{
    kernel::{
        bpf::probes::Feature,
        snapshot::{self, Snapshot, writeback::Dirty},
    },
    model::{
        block::{Block, BlockOperation, Origin},
        writeback::{Bounds, Writeback},
    },
};

/// What became of a workload's dirty pages; none where a probe for it is missing. `knows_asynchronous`
/// tells whether what it did by io_submit(2) and io_uring is known.
pub fn writeback(
    snapshot: &Snapshot,
    workload: u32,
    knows_asynchronous: bool,
    block: Option<&[Block]>,
) -> Option<Writeback> {
    let block =
        block.filter(|_| snapshot.has(Feature::Block) && snapshot.has(Feature::Writeback))?;
    let files = || snapshot.files_of(workload);
    let dirtied: HashMap<FileKey, u64> = files()
        .map(|file| (file.key, file.dirtied_bytes(knows_asynchronous)))
        .collect();
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
    // Whose bytes of these were written cannot be told: they are in no ratio.
    let known = || files().filter(|file| !file.has_dirty_of_others());
    let mapped_bytes = files().map(|file| file.stats.mapped_bytes).sum();
    let mapped_folios: u64 = files().map(|file| file.stats.mapped_folios).sum();
    let mapped_page_bytes = mapped_folios * page_bytes();
    let unasked: u64 = files().map(snapshot::File::written_unasked).sum();
    let by_calls: u64 = known().map(snapshot::File::written_for_device).sum();
    let written_for_it = (written(Origin::Thread) + written_bytes).saturating_sub(unasked);
    // What calls that do not write have made dirty, as by truncation, was changed in part, or not at all.
    let most: u64 = known()
        .map(|file| file.stats.mapped_bytes + file.stats.other_folio_bytes)
        .sum();
    let pages: u64 = known().map(|file| file.stats.mapped_folios).sum();
    let (fewest, most) = (by_calls + pages * page_bytes(), by_calls + most);
    let bounds = amplification(written_for_it, fewest, most).filter(|_| knows_asynchronous);
    Some(Writeback {
        dirtied_bytes: dirtied.values().sum(),
        dirtied_folio_bytes: files().map(snapshot::File::own_folio_bytes).sum(),
        metadata_folio_bytes: files().map(|file| file.stats.metadata_folio_bytes).sum(),
        written_bytes,
        cancelled_bytes,
        dirty_bytes_at_end: snapshot
            .dirty
            .iter()
            .map(|inode| {
                let key = FileKey {
                    workload,
                    ..inode.file
                };
                let most = dirtied.get(&key).copied().unwrap_or(u64::MAX);
                left(inode, workload).min(most)
            })
            .sum(),
        mapped_bytes,
        mapped_page_bytes,
        write_amplification: bounds.filter(|_| fewest == most).map(|bounds| bounds.least),
        write_amplification_bounds: bounds,
    })
}

/// The bytes of a workload that are still dirty in an inode: those that were not written, but no more than
/// its part of what the page cache holds.
fn left(inode: &Dirty, workload: u32) -> u64 {
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

#[expect(clippy::cast_precision_loss, reason = "a ratio is for reading")]
fn amplification(written: u64, fewest: u64, most: u64) -> Option<Bounds> {
    (fewest > 0).then(|| Bounds {
        least: written as f64 / most as f64,
        most: written as f64 / fewest as f64,
    })
}

/// The size of a page.
fn page_bytes() -> u64 {
    let found = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    found
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use ioprof_ebpf::abi::writeback::DirtyOwner;

    use super::*;

    #[test]
    fn what_is_left_is_no_more_than_the_page_cache_holds_and_goes_by_parts() {
        let owner = |(workload, bytes)| DirtyOwner {
            bytes,
            workload,
            padding: 0,
        };
        let mut inode = Dirty {
            cached_bytes: 4096,
            owners: [(1, 3072), (2, 1024)].map(owner).to_vec(),
            ..Dirty::default()
        };
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
