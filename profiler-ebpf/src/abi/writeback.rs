//! Inodes with pages that were made dirty: by which workloads, and how much of it is still to be written.

use zerocopy::{FromBytes, IntoBytes};

use super::{file::FileKey, layout::MAX_WORKLOADS, map_value};

/// How many owners of dirty pages have a place in the record of an inode, and in each block of further ones; the first
/// place of the record is that of all other processes. A power of two.
pub const MAX_OWNERS: usize = 8;

/// How many blocks of further owners an inode can have: there is a place for each workload.
pub const MAX_BLOCKS: usize = 8;
const _: () = assert!(MAX_OWNERS * (1 + MAX_BLOCKS) > MAX_WORKLOADS as usize + 1);

/// How many inodes are looked at to find one that makes room.
pub const PLACES_TRIED: u32 = 16;

/// What one workload has made dirty in an inode.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct DirtyOwner {
    /// Bytes made dirty and not yet submitted, shared by all CPUs.
    pub bytes: u64,
    /// The workload, 0 for all other processes; or what [`DirtyOwner::below`] makes.
    pub workload: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(DirtyOwner, 16);

impl DirtyOwner {
    /// Set where a loop device has made them dirty for a request.
    const BELOW: u32 = 1 << 31;

    /// Where the origin stands of a request that is no workload's.
    const ORIGIN: u32 = 16;

    /// The owner of pages that a loop device makes dirty for a request of this workload, or of none and this origin.
    pub const fn below((workload, origin): (u32, u32)) -> u32 {
        Self::BELOW | workload | origin << Self::ORIGIN
    }

    /// The workload and the origin of what an owner has somebody write with another origin: that of a loop device's.
    pub const fn written(owner: u32, origin: u32) -> (u32, u32) {
        if owner & Self::BELOW == 0 {
            return (owner, origin);
        }
        let origin = (owner & !Self::BELOW) >> Self::ORIGIN;
        (owner & ((1 << Self::ORIGIN) - 1), origin)
    }
}

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
    /// Its address, which is a number to the verifier here.
    pub inode: u64,
    /// How many blocks of further owners it has.
    pub blocks: u32,
    /// Zero.
    pub padding: u32,
    /// Its first owners.
    pub owners: [DirtyOwner; MAX_OWNERS],
}
map_value!(DirtyInode, 184);

/// Where a block of further owners is found.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct BlockOfOwners {
    /// The address of the inode.
    pub inode: u64,
    /// Its number, from 1.
    pub number: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(BlockOfOwners, 16);

/// Owners of dirty pages that have no place in the record of their inode.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct FurtherOwners {
    /// These.
    pub owners: [DirtyOwner; MAX_OWNERS],
}
map_value!(FurtherOwners, 128);
