//! Inodes with pages that were made dirty: by which workloads, and how much of it is still to be written.

use zerocopy::{FromBytes, IntoBytes};

use super::{file::FileKey, map_value};

/// How many owners of dirty pages an inode can have; the first place is that of all other processes.
pub const MAX_OWNERS: usize = 8;

/// How many inodes are looked at to find one that makes room.
pub const PLACES_TRIED: u32 = 16;

/// What one workload has made dirty in an inode.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct DirtyOwner {
    /// Bytes made dirty and not yet submitted, shared by all CPUs.
    pub bytes: u64,
    /// The workload, 0 for all other processes.
    pub workload: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(DirtyOwner, 16);

/// An inode whose pages a workload has made dirty, found by its address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct DirtyInode {
    /// Which file it is, of no workload: another inode may come to stand at the same address.
    pub file: FileKey,
    /// 1 where pages were dirty already when a workload first made one dirty: what is written beyond the
    /// bytes counted here is not the workload's then.
    pub was_dirty: u32,
    /// The workload that made a page dirty last.
    pub last: u32,
    /// The bytes of it that the page cache holds, as they were when the inode was last examined.
    pub cached_bytes: u64,
    /// Its owners.
    pub owners: [DirtyOwner; MAX_OWNERS],
}
map_value!(DirtyInode, 168);
