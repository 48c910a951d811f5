//! Block requests: queued, issued, completed.

use zerocopy::{FromBytes, IntoBytes};

use super::{
    Aggregate,
    layout::MAX_WORKLOADS,
    map_value,
    merge::{Merge, merge},
};

/// Key of the table that gives each (workload, device, operation, origin) its slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct BlockKey {
    /// The owner; 0 for all other processes, and for what workloads share.
    pub workload: u32,
    /// The device, major << 20 | minor.
    pub device: u32,
    /// The [`Operation`].
    pub operation: u32,
    /// The [`Origin`].
    pub origin: u32,
}
map_value!(BlockKey, 16);

/// How a request came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Origin {
    /// A thread of the workload submitted it; of workload 0, a process in no workload.
    Thread = 0,
    /// Somebody else submitted pages that the workload had made dirty; of workload 0, a thread of the kernel
    /// pages of a file that no workload had made dirty.
    Writeback = 1,
    /// The journal of a file system; of workload 0, shared by all who use it.
    Journal = 2,
    /// Other metadata of a file system; of workload 0, shared by all who use it.
    Metadata = 3,
    /// A thread of the kernel submitted it, and its owner is unknown; only of workload 0.
    Unknown = 4,
    /// Pages that are swapped out or in; of workload 0, by a thread of the kernel or a process in no workload.
    Swap = 5,
    /// The driver of a device above made it of a request of the workload, which is counted there; never of workload 0.
    Below = 6,
}

/// The major and minor number of a device that a key holds packed, as the kernel's `MKDEV` does.
pub const fn device_number(packed: u32) -> (u32, u32) {
    (packed >> 20, packed & 0xf_ffff)
}

/// Such a number.
pub const fn packed_device(major: u32, minor: u32) -> u32 {
    major << 20 | minor
}

/// What a request does to the device, by the rule of the kernel's own accounting
/// (`op_stat_group` in include/linux/blk_types.h), with empty flushes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// From the device.
    Read = 0,
    /// To the device; write-zeroes too, as in /sys/block/DEV/stat.
    Write = 1,
    /// An empty write that asks for the device's cache to be written.
    Flush = 2,
    /// Blocks no longer needed.
    Discard = 3,
    /// The kernel's own request by which the device writes its cache, for however many flushes: of workload 0, and in
    /// no depth.
    ExecutedFlush = 4,
}

/// Where a slot's numbers are kept.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct BlockSlot {
    /// Index into the statistics, from 1; the histogram series follow from it.
    pub stats: u32,
    /// Index into the depths, of this workload on this device.
    pub own_depth: u32,
    /// Index into the depths, of all owners on this device.
    pub device_depth: u32,
    /// The owner, as in the key.
    pub workload: u16,
    /// The [`Operation`].
    pub operation: u8,
    /// The [`Origin`], with [`BlockSlot::OF_LOOP`] where the device is a loop device.
    pub origin: u8,
}
map_value!(BlockSlot, 16);

// Half a word is room for a workload.
const _: () = assert!(MAX_WORKLOADS < 1 << 16);

/// `LOOP_MAJOR` of include/uapi/linux/major.h.
pub const LOOP_MAJOR: u32 = 7;

impl BlockSlot {
    /// Set in the origin where the device is a loop device.
    pub const OF_LOOP: u8 = 1 << 7;

    /// The [`Origin`].
    pub const fn origin(&self) -> u32 {
        (self.origin & !Self::OF_LOOP) as u32
    }

    /// Whether its requests are those of a loop device.
    pub const fn is_of_loop(&self) -> bool {
        self.origin & Self::OF_LOOP != 0
    }

    /// Whether its requests are of an operation.
    pub const fn is(&self, operation: Operation) -> bool {
        self.operation == operation as u8
    }

    /// Whether each request is counted in histograms, or in count, sum and extremes only. The report shows no distribution
    /// of what is in no workload; whoever else uses the devices, and how many there are, is not to take the blocks of the
    /// workloads.
    pub const fn has_histograms(&self) -> bool {
        self.workload != 0 || self.is(Operation::ExecutedFlush)
    }
}

/// The owners of requests in flight together, in one number, so that one atomic addition counts one in or out: how many
/// requests there are, the sum of the numbers of their owners, and that of the squares of these.
pub struct Owners;

impl Owners {
    /// Where the sums stand.
    const SUM: u32 = 16;
    const SQUARES: u32 = 36;

    /// The number of what is in no workload and has the first origin, which those of the other origins follow.
    const NO_WORKLOAD: u64 = MAX_WORKLOADS as u64 + 1;

    /// One request of a slot.
    pub const fn one(slot: &BlockSlot) -> u64 {
        let owner = match (slot.workload, slot.origin()) {
            // Whoever has it written, it is a process in no workload.
            (0, WRITEBACK) => Self::NO_WORKLOAD + Origin::Thread as u64,
            (0, origin) => Self::NO_WORKLOAD + origin as u64,
            (workload, _) => workload as u64,
        };
        1 | owner << Self::SUM | (owner * owner) << Self::SQUARES
    }

    /// The workload and the origin that all of them have, the latter where that is 0; that it is unknown, where they
    /// have several or there are none.
    pub const fn only(owners: u64) -> (u32, u32) {
        let requests = owners & ((1 << Self::SUM) - 1);
        let sum = owners >> Self::SUM & ((1 << (Self::SQUARES - Self::SUM)) - 1);
        let squares = owners >> Self::SQUARES;
        // By the inequality of Cauchy and Schwarz these are the same where all numbers are, and else the first is more.
        if requests == 0 || requests * squares != sum * sum {
            return (0, Origin::Unknown as u32);
        }
        let owner = sum / requests;
        if owner < Self::NO_WORKLOAD {
            (owner as u32, Origin::Below as u32)
        } else {
            (0, (owner - Self::NO_WORKLOAD) as u32)
        }
    }
}

const WRITEBACK: u32 = Origin::Writeback as u32;

// A queue has no more requests than this, `BLK_MQ_MAX_DEPTH` of include/linux/blk-mq.h, and the sums of the largest owner's
// numbers are within their places.
const _: () = {
    const MAX_REQUESTS: u64 = 10_240;
    const LARGEST: u64 = Owners::NO_WORKLOAD + Origin::Below as u64;
    assert!(MAX_REQUESTS < 1 << Owners::SUM);
    assert!(MAX_REQUESTS * LARGEST < 1 << (Owners::SQUARES - Owners::SUM));
    assert!(MAX_REQUESTS * LARGEST * LARGEST < 1 << (64 - Owners::SQUARES));
};

/// How many bios of a request are looked at: as many as it can have segments, `BLK_MAX_SEGMENTS` of
/// include/linux/blkdev.h.
pub const MAX_BIOS: u32 = 128;

/// A request in flight.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct RequestState {
    /// When it was queued, in nanoseconds of the monotonic clock.
    pub queued_ns: u64,
    /// When it was last issued to the driver; 0 before.
    pub issued_ns: u64,
    /// Bytes completed so far.
    pub done_bytes: u64,
    /// Bytes when issued, all merged bios included.
    pub size: u64,
    /// Those of them that are another workload's, which had its bio merged into this request.
    pub other_owner_bytes: u64,
    /// The address of the bio that it was made for; the others were merged into it.
    pub bio: u64,
    /// Where its numbers go.
    pub slot: BlockSlot,
    /// The workload that may wait for it, [`super::off_cpu::KERNEL`] where it is for a journal or metadata.
    pub waiting_workload: u32,
    /// The process whose thread queued it.
    pub process: u32,
}
map_value!(RequestState, 72);

impl RequestState {
    /// No request.
    pub const NONE: Self = Self {
        queued_ns: 0,
        issued_ns: 0,
        done_bytes: 0,
        size: 0,
        other_owner_bytes: 0,
        bio: 0,
        slot: BlockSlot {
            stats: 0,
            own_depth: 0,
            device_depth: 0,
            workload: 0,
            operation: 0,
            origin: 0,
        },
        waiting_workload: 0,
        process: 0,
    };
}

/// A bio that was merged into a request, until that is issued.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct MergedBio {
    /// Its bytes.
    pub bytes: u64,
    /// Where they go.
    pub slot: BlockSlot,
    /// Further bytes of it, which their owners have been given already.
    pub other_owner_bytes: u64,
}
map_value!(MergedBio, 32);

/// The slowest request of several.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Slowest {
    /// Nanoseconds from issued to completed.
    pub service_ns: u64,
    /// When it completed, in nanoseconds of the monotonic clock; 0 where there is none.
    pub completed_ns: u64,
}
map_value!(Slowest, 16);

impl Slowest {
    /// Takes one request in.
    #[inline(always)]
    pub const fn add(&mut self, service_ns: u64, completed_ns: u64) {
        if self.completed_ns == 0 || service_ns > self.service_ns {
            *self = Self {
                service_ns,
                completed_ns,
            };
        }
    }
}

impl Merge for Slowest {
    fn merge(&mut self, other: &Self) {
        if other.completed_ns != 0 {
            self.add(other.service_ns, other.completed_ns);
        }
    }
}

/// One slot, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct BlockStats {
    /// Requests completed, and their bytes, of all owners.
    pub size: Aggregate,
    /// Nanoseconds from queued to issued.
    pub queue: Aggregate,
    /// Nanoseconds from issued to completed; of a flush, from queued to completed.
    pub service: Aggregate,
    /// The request that took the most of it.
    pub slowest: Slowest,
    /// Requests that failed.
    pub errors: u64,
    /// Bytes completed, without those of other workloads' bios.
    pub bytes: u64,
    /// Bytes in requests of others: of bios that were merged into them, and of bios whose pages several
    /// workloads had made dirty. Kept apart, because it may be interrupted by completion.
    pub merged_bytes: u64,
    /// Requests whose completion was not seen, but whose place was taken by another. Kept apart, because the
    /// making of a request may be interrupted by completion.
    pub unseen: u64,
    /// Their bytes.
    pub unseen_bytes: u64,
}
map_value!(BlockStats, 152);
merge!(BlockStats {
    size,
    queue,
    service,
    slowest,
    errors,
    bytes,
    merged_bytes,
    unseen,
    unseen_bytes
});

impl BlockStats {
    /// The bytes of the slot's own bios, in whatever request.
    pub const fn own_bytes(&self) -> u64 {
        self.bytes + self.merged_bytes + self.unseen_bytes
    }

    /// Requests completed, seen or not.
    pub const fn requests(&self) -> u64 {
        self.size.count + self.unseen
    }
}

/// Key of the table of depths.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct DepthKey {
    /// The device, major << 20 | minor.
    pub device: u32,
    /// The workload, or one of the values below.
    pub workload: u32,
}
map_value!(DepthKey, 8);

impl DepthKey {
    /// All requests of the device, of all owners.
    pub const EVERYBODY: u32 = u32::MAX;
    /// Requests for a journal that workloads share.
    pub const JOURNAL: u32 = u32::MAX - 1;
    /// Requests for metadata that workloads share.
    pub const METADATA: u32 = u32::MAX - 2;
    /// Requests whose owner is unknown.
    pub const UNKNOWN: u32 = u32::MAX - 3;
    /// Requests for swap that no workload submitted.
    pub const SWAP: u32 = u32::MAX - 4;

    /// Who a depth is of: a workload, or what workloads share.
    pub const fn owner(workload: u32, origin: u32) -> u32 {
        const JOURNAL: u32 = Origin::Journal as u32;
        const METADATA: u32 = Origin::Metadata as u32;
        const UNKNOWN: u32 = Origin::Unknown as u32;
        const SWAP: u32 = Origin::Swap as u32;
        match (workload, origin) {
            (0, JOURNAL) => Self::JOURNAL,
            (0, METADATA) => Self::METADATA,
            (0, UNKNOWN) => Self::UNKNOWN,
            (0, SWAP) => Self::SWAP,
            _ => workload,
        }
    }
}

/// Requests queued and not yet completed, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Depth {
    /// How many there are now.
    pub in_flight: u64,
    /// Ends minus beginnings of the spans with at least one in flight, in nanoseconds, wrapping: right
    /// whenever none is in flight; otherwise the time of reading is still to be added.
    pub busy_ns: u64,
    /// The most there were at once.
    pub max: u64,
}
map_value!(Depth, 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(workload: u16, origin: Origin) -> BlockSlot {
        BlockSlot {
            workload,
            origin: origin as u8 | BlockSlot::OF_LOOP,
            ..BlockSlot::default()
        }
    }

    #[test]
    fn owners_in_flight_are_told_where_there_is_only_one() {
        let one = |workload, origin| Owners::one(&slot(workload, origin));
        let sum = |of: &[u64]| of.iter().sum::<u64>();
        let unknown = (0, Origin::Unknown as u32);
        assert_eq!(Owners::only(0), unknown);
        let own = |workload| (u32::from(workload), Origin::Below as u32);
        for workload in [1, 2, MAX_WORKLOADS as u16] {
            let threads = one(workload, Origin::Thread);
            let all = threads * 100 + one(workload, Origin::Writeback);
            assert_eq!(Owners::only(all), own(workload));
            // One and three are not two and two.
            let others = one(workload + 2, Origin::Thread) + one(workload, Origin::Thread);
            assert_eq!(Owners::only(others), unknown);
            // Those that are done leave it as it was.
            let done = sum(&[others, all]).wrapping_sub(others);
            assert_eq!(Owners::only(done), own(workload));
        }
        for origin in [Origin::Journal, Origin::Metadata, Origin::Thread] {
            let all = one(0, origin) * 10_240;
            assert_eq!(Owners::only(all), (0, origin as u32));
            assert_eq!(Owners::only(all + one(64, Origin::Thread)), unknown);
        }
        let both = one(0, Origin::Thread) + one(0, Origin::Writeback);
        assert_eq!(Owners::only(both), (0, Origin::Thread as u32));
    }

    #[test]
    fn the_slowest_of_all_cpus_is_the_slowest() {
        let of = |service_ns, completed_ns| Slowest {
            service_ns,
            completed_ns,
        };
        let mut one = Slowest::default();
        one.add(0, 5);
        assert_eq!(one, of(0, 5));
        one.add(7, 9);
        one.add(6, 11);
        let mut all = Slowest::default();
        for other in [Slowest::default(), one, of(3, 20), Slowest::default()] {
            all.merge(&other);
        }
        assert_eq!(all, of(7, 9));
    }
}
