//! The owner of a bio, also where a thread of the kernel submits it: the inode of its pages says it.
//!
//! The exported functions are looked at by the verifier by themselves, and not once for every way to them.

use core::ffi::c_void;

use ioprof_ebpf::abi::{
    block::{Operation, Origin},
    writeback::DirtyOwner,
};

use super::{
    above,
    bio::{SWAP, first_vector, has_pages, inode_of, is_pinned, vector_of},
    direct::{self, direct_bio},
    end::{in_plain, is_of_btrfs, is_of_direct_io},
    written::{count_for_file, is_data, written_for_others},
};
use crate::probes::{
    base::{
        memory::{self, constant, field},
        verifier::unknown,
    },
    file::{identity::Identity, inode, table},
    task::{
        loop_device,
        state::{self, Submitter},
    },
    writeback::{outstanding, reader},
};

/// `REQ_META`; its place among the flags changes from kernel to kernel; set at load.
#[unsafe(no_mangle)]
static REQ_META: u32 = 0;

/// `REQ_IDLE`; set at load.
#[unsafe(no_mangle)]
static REQ_IDLE: u32 = 0;

/// The first letters of the name of a thread that commits the journal of an ext4.
const JBD2: u32 = u32::from_le_bytes(*b"jbd2");

/// Whose a bio is, and for what.
pub struct Owner {
    /// The workload; 0 for all other processes, and for what workloads share.
    pub workload: u32,
    /// The [`Origin`].
    pub origin: u32,
    /// Bytes of it that belong to other owners, already counted for them.
    pub other_owner_bytes: u64,
    /// It reads into the pages of who waits for it, and its completion wakes that thread.
    pub is_direct_read: bool,
}

impl Owner {
    #[inline(always)]
    pub const fn of(workload: u32, origin: Origin) -> Self {
        Self {
            workload,
            origin: origin as u32,
            other_owner_bytes: 0,
            is_direct_read: false,
        }
    }

    /// As one number, as an exported function returns it: the workload is in half a word, as in a slot, and the bytes of a bio
    /// are no more than a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.workload as u64
            | (self.origin as u64) << 16
            | (self.is_direct_read as u64) << 24
            | self.other_owner_bytes << 32
    }

    #[inline(always)]
    pub const fn unpack(packed: u64) -> Self {
        Self {
            workload: packed as u32 & 0xffff,
            origin: packed as u32 >> 16 & 0xff,
            other_owner_bytes: packed >> 32,
            is_direct_read: packed & 1 << 24 != 0,
        }
    }
}

/// Set where [`written_for_others`] tells the owner.
const WRITTEN_FOR_OTHERS: u64 = 1 << 25;

/// Set where the bio is of direct I/O: what its pages hold is of another file than the one it is for, if of any.
const DIRECT: u64 = 1 << 26;

/// Set where its pages are of no file, as those of a file system's own: which file it is for, and for whom a thread of
/// the kernel submits it, only its end may tell.
const OF_NO_FILE: u64 = 1 << 27;

/// Set where the bio is of a device below another, so that no such owner is 0.
pub const BELOW: u64 = 1 << 28;

/// What is known of a bio and who submits it, beside the number of its operation.
mod fact {
    /// A thread of the kernel submits it.
    pub const BY_KERNEL: u64 = 1 << 8;
    /// The thread of a journal does.
    pub const BY_JOURNAL: u64 = 1 << 9;
    /// A thread of btrfs ends it.
    pub const OF_BTRFS: u64 = 1 << 11;
    /// Its pages are a program's, pinned for direct I/O.
    pub const PINNED: u64 = 1 << 12;
}

/// Whether a bio of direct I/O reads into the pages of who waits for it, whom its completion wakes.
#[inline(always)]
const fn reads_directly(facts: u64) -> bool {
    facts & (0xff | fact::OF_BTRFS) == Operation::Read as u64
}

/// Whose a bio is that the running task submits.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn owner(
    submitter: Submitter,
    bio: *const c_void,
    device: u32,
    operation: Operation,
    flags: u32,
    size: u32,
) -> Owner {
    let task = submitter.task;
    // SAFETY: by the caller's promise, and `task` is the running task.
    unsafe {
        let mut facts = operation as u64;
        if submitter.workload == 0 && state::is_of_kernel(task) {
            facts |= fact::BY_KERNEL;
            if field::<u32>(task, &memory::OFF_TASK_COMM) == JBD2 {
                facts |= fact::BY_JOURNAL;
            }
        }
        if is_of_btrfs(bio) {
            facts |= fact::OF_BTRFS;
        }
        let is_pinned = submitter.workload != 0 && is_pinned(bio);
        let vector = if has_pages(flags) && !is_pinned {
            first_vector(bio, task)
        } else {
            0
        };
        if is_pinned {
            facts |= fact::PINNED;
        }
        let (facts, vector) = (unknown(facts), unknown(vector));
        let address = memory::address(bio, task);
        if submitter.workload == 0
            && let Some(owner) = above::owner(address)
        {
            return owner;
        }
        let inode = inode_of_pages(address, vector, facts & fact::OF_BTRFS);
        let packed = owner_of_pages(
            submitter.workload.into(),
            address,
            inode,
            u64::from(flags) | u64::from(size) << 32,
            facts,
        );
        // From 6.19 on the driver of a loop device submits what does not wait as the request is queued.
        if packed & DIRECT != 0
            && !is_pinned
            && let Some(owner) = above::owner(address)
        {
            return owner;
        }
        // Where the end of the bio does not tell that it is direct I/O, the flags of the file do that the call is on.
        let is_of_call = packed & OF_NO_FILE != 0 && direct::is_in_call(submitter);
        if packed & DIRECT != 0 || is_of_call {
            direct::count(submitter, address, operation, size);
        } else if packed & OF_NO_FILE != 0 {
            let is_held_back = submitter.workload == 0;
            let waits = direct_bio(
                submitter.workload.into(),
                address,
                operation as u64,
                size.into(),
                is_held_back.into(),
            );
            if is_held_back && waits != 0 {
                return Owner {
                    is_direct_read: reads_directly(facts),
                    ..Owner::of(waits as u32, Origin::Thread)
                };
            }
        }
        Owner::unpack(if packed & WRITTEN_FOR_OTHERS == 0 {
            packed
        } else {
            // Not by the former, which would take more of the stack than there is.
            written_for_others(
                inode,
                u64::from(size) | u64::from(device) << 32,
                packed >> 16 & 0xff,
            )
        })
    }
}

/// [`inode_of`] of a bio, by its address and that of its first page's `struct bio_vec`, 0 where it has none; of what dm-crypt
/// has encrypted that of the data.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn inode_of_pages(bio: u64, vector: u64, is_of_btrfs: u64) -> u64 {
    if vector == 0 {
        return 0;
    }
    match inode_of(bio, vector, is_of_btrfs != 0) {
        0 => match in_plain(bio) {
            0 => 0,
            above => inode_of(above, vector_of(above), false),
        },
        inode => inode,
    }
}

/// Whose a bio is, as [`Owner::pack`] has it, with [`DIRECT`], or [`WRITTEN_FOR_OTHERS`] with the origin: by the
/// workload that submits it, its address, the inode of its pages, its flags with its size in the upper half, and the facts.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn owner_of_pages(submitter: u64, bio: u64, inode: u64, what: u64, facts: u64) -> u64 {
    let submitter = submitter as u32;
    let (flags, size) = (what as u32, what >> 32);
    let operation = facts & 0xff;
    let by_kernel = facts & fact::BY_KERNEL != 0;
    let by_journal = facts & fact::BY_JOURNAL != 0;
    if submitter != 0 && (facts & fact::PINNED != 0 || is_of_direct_io(bio) != 0) {
        let owner = Owner {
            is_direct_read: reads_directly(facts),
            ..Owner::of(submitter, Origin::Thread)
        };
        return owner.pack() | DIRECT;
    }
    if inode == SWAP {
        return Owner::of(submitter, Origin::Swap).pack();
    }
    // Of no inode it is all zeroes.
    let file = Identity::at(inode);
    let is_block_device = inode::is_block_device(file.mode);
    let origin = if by_journal {
        Origin::Journal
    } else if flags & constant(&REQ_META) != 0 {
        // `JBD2_JOURNAL_REQ_FLAGS` of include/linux/jbd2.h and `xlog_write_iclog` of fs/xfs/xfs_log.c.
        if flags & constant(&REQ_IDLE) != 0 {
            Origin::Journal
        } else {
            Origin::Metadata
        }
    } else if is_block_device && inode::is_held(inode) {
        if submitter != 0 {
            table::note_held(submitter, inode, &file);
        }
        Origin::Metadata
    } else {
        Origin::Thread
    };
    if inode == 0 {
        let is_by_thread = origin as u32 == Origin::Thread as u32 && size != 0;
        return match submitter {
            0 if by_kernel && is_by_thread => Owner::of(0, Origin::Unknown).pack() | OF_NO_FILE,
            0 => Owner::of(0, origin).pack(),
            _ if is_by_thread && has_pages(flags) => {
                Owner::of(submitter, origin).pack() | OF_NO_FILE
            }
            _ => Owner::of(submitter, origin).pack(),
        };
    }
    let is_write = operation == Operation::Write as u64;
    let mut owner = Owner::of(submitter, origin);
    if submitter != 0 {
        if is_write {
            outstanding::submitted_by(submitter, inode, &file, size);
        }
    } else {
        // Data that others submit were made dirty by someone.
        let origin = match origin {
            // The journal's thread submits pages of files, too: `jbd2_journal_submit_inode_data_buffers`.
            _ if by_journal && !is_block_device => Origin::Writeback,
            Origin::Thread if is_write => Origin::Writeback,
            Origin::Thread if by_kernel => Origin::Unknown,
            origin => origin,
        };
        owner.origin = origin as u32;
        if !is_write && by_kernel && is_data(owner.origin) {
            // SAFETY: it is the running task.
            if let Some(below) = unsafe { loop_device::owner(state::current()) } {
                let (workload, origin) = DirtyOwner::written(below, origin as u32);
                return Owner {
                    origin,
                    ..Owner::of(workload, Origin::Unknown)
                }
                .pack();
            }
            owner.workload = reader::of_file(inode, &file);
            if owner.workload != 0 {
                owner.origin = Origin::Thread as u32;
            }
        } else if !is_write || origin as u32 == Origin::Journal as u32 {
            return owner.pack();
        } else {
            return owner.pack() | WRITTEN_FOR_OTHERS;
        }
    }
    if is_data(owner.origin) {
        count_for_file(owner.workload, inode, &file, operation, size);
    }
    owner.pack()
}
