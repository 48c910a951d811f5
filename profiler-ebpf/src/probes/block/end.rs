//! What the end of a bio tells: the function that is called then, and what it is given, say which operation of direct I/O
//! it is a part of, and who waits for it.

use core::ffi::c_void;

use crate::probes::{
    base::memory::{self, constant, is_function as is, read},
    io_uring,
    task::waiter,
};

/// The lower halves of the addresses of the functions that end bios of direct I/O: the upper one is that of all the
/// kernel's functions. 0 where there is no such function, or the kernel's types do not tell what it ends; set at load.
/// `iomap_dio_bio_end_io` of fs/iomap/direct-io.c.
#[unsafe(no_mangle)]
static IOMAP_END: u32 = 0;
/// `dio_bio_end_aio` and `dio_bio_end_io` of fs/direct-io.c.
#[unsafe(no_mangle)]
static DIO_AIO_END: u32 = 0;
#[unsafe(no_mangle)]
static DIO_END: u32 = 0;
/// `blkdev_bio_end_io` and `blkdev_bio_end_io_async` of block/fops.c.
#[unsafe(no_mangle)]
static BLKDEV_END: u32 = 0;
#[unsafe(no_mangle)]
static BLKDEV_ASYNC_END: u32 = 0;
/// `btrfs_simple_end_io` of fs/btrfs/bio.c, and `btrfs_dio_end_io` of fs/btrfs/direct-io.c, which that calls.
#[unsafe(no_mangle)]
static BTRFS_END: u32 = 0;
#[unsafe(no_mangle)]
static BTRFS_DIO_END: u32 = 0;
/// `submit_bio_wait_endio` and `bio_wait_end_io` of block/bio.c, and `bio_chain_endio` of the same, which ends a part of a
/// bio that was split.
#[unsafe(no_mangle)]
static WAIT_END: u32 = 0;
#[unsafe(no_mangle)]
static LAST_WAIT_END: u32 = 0;
#[unsafe(no_mangle)]
static CHAIN_END: u32 = 0;
/// `clone_endio` of drivers/md/dm.c, which ends what device mapper passes on of a bio, and `crypt_endio` of
/// drivers/md/dm-crypt.c, which ends what has been encrypted of that or is to be decrypted.
#[unsafe(no_mangle)]
static DM_END: u32 = 0;
#[unsafe(no_mangle)]
static CRYPT_END: u32 = 0;
/// `md_end_clone_io` of drivers/md/md.c, before 6.5 `md_end_io_acct`, which ends what an array has taken of a bio; and of
/// raid1.c and raid10.c the functions that end what a mirror has read or written of that.
#[unsafe(no_mangle)]
static MD_END: u32 = 0;
#[unsafe(no_mangle)]
static R1_READ_END: u32 = 0;
#[unsafe(no_mangle)]
static R1_WRITE_END: u32 = 0;
#[unsafe(no_mangle)]
static R10_READ_END: u32 = 0;
#[unsafe(no_mangle)]
static R10_WRITE_END: u32 = 0;
/// `lo_rw_aio_complete` of drivers/block/loop.c, which ends an operation of direct I/O on the file behind a loop device.
#[unsafe(no_mangle)]
static LOOP_END: u32 = 0;

/// The size of `struct request`, which what is the driver's of a request stands behind (`blk_mq_rq_to_pdu` of
/// include/linux/blk-mq.h); set at load.
#[unsafe(no_mangle)]
static REQUEST_BYTES: u32 = 0;

/// How often a bio is looked for that another is a part or a copy of.
const MAX_STEPS: usize = 8;

/// What a bio was made for, by addresses; 0 where that is not known, or there is none.
pub struct End {
    /// The `struct kiocb` of the operation.
    pub iocb: u64,
    /// The inode, where the bio tells that and no operation.
    pub inode: u64,
    /// The `struct task_struct` that waits for it. For what is not known the number may be of something else: look it up.
    waiter: u64,
}

impl End {
    /// That of the bio at an address.
    #[inline(always)]
    pub fn at(bio: u64) -> Self {
        let (bio, end, private) = whole(bio);
        if is(end, &BTRFS_END) {
            let around = btrfs_bio(bio);
            if !is_direct_io_of_btrfs(around) {
                return Self {
                    inode: inode_of(around),
                    ..Self::UNKNOWN
                };
            }
            return Self::of_iomap(read(around, &memory::OFF_BTRFS_BIO_PRIVATE));
        }
        match () {
            () if is(end, &IOMAP_END) => Self::of_iomap(private),
            () if is(end, &BLKDEV_ASYNC_END) => {
                let embedded = constant(&memory::OFF_BLKDEV_DIO_BIO);
                Self::of_blkdev(bio.wrapping_sub(embedded.into()))
            }
            () if is(end, &BLKDEV_END) => Self::of_blkdev(private),
            () if is(end, &DIO_AIO_END) || is(end, &DIO_END) => Self {
                iocb: read(private, &memory::OFF_DIO_IOCB),
                waiter: read(private, &memory::OFF_DIO_WAITER),
                ..Self::UNKNOWN
            },
            () if is(end, &WAIT_END) || is(end, &LAST_WAIT_END) => Self::of_completion(private),
            () => Self::UNKNOWN,
        }
    }

    const UNKNOWN: Self = Self {
        iocb: 0,
        inode: 0,
        waiter: 0,
    };

    /// Of a `struct iomap_dio`.
    #[inline(always)]
    fn of_iomap(dio: u64) -> Self {
        Self {
            iocb: read(dio, &memory::OFF_IOMAP_DIO_IOCB),
            // Where none waits, the same place holds other things.
            waiter: read(dio, &memory::OFF_IOMAP_DIO_WAITER),
            ..Self::UNKNOWN
        }
    }

    /// Of a `struct blkdev_dio`, which holds one or the other in the same place.
    #[inline(always)]
    fn of_blkdev(dio: u64) -> Self {
        let either = read(dio, &memory::OFF_BLKDEV_DIO_IOCB);
        if read::<u32>(dio, &memory::OFF_BLKDEV_DIO_FLAGS) & DIO_IS_SYNC == 0 {
            Self {
                iocb: either,
                ..Self::UNKNOWN
            }
        } else {
            Self {
                waiter: either,
                ..Self::UNKNOWN
            }
        }
    }

    /// Of a `struct completion`: who waits for it first.
    #[inline(always)]
    fn of_completion(completion: u64) -> Self {
        let first: u64 = read(completion, &memory::OFF_COMPLETION_FIRST);
        let entry = first.wrapping_sub(constant(&memory::OFF_SWAIT_LIST).into());
        Self {
            // Where the list is empty it begins with itself, and no task is found there.
            waiter: read(entry, &memory::OFF_SWAIT_TASK),
            ..Self::UNKNOWN
        }
    }

    /// The address of the request of a loop device that it is made of; 0 where it is of none.
    #[inline(always)]
    pub fn request_above(&self) -> u64 {
        if constant(&LOOP_END) == 0 || self.iocb == 0 {
            return 0;
        }
        if !is(read(self.iocb, &memory::OFF_IOCB_END), &LOOP_END) {
            return 0;
        }
        let command = self
            .iocb
            .wrapping_sub(constant(&memory::OFF_LOOP_IOCB).into());
        command.wrapping_sub(constant(&REQUEST_BYTES).into())
    }

    /// The workload of who waits for it, or has asked a ring for it; 0 where that is not known.
    #[inline(always)]
    pub fn workload(&self) -> u32 {
        match io_uring::workload_of(self.iocb) {
            0 => waiter::workload_of(self.waiter),
            workload => workload,
        }
    }
}

/// `DIO_IS_SYNC` of block/fops.c.
const DIO_IS_SYNC: u32 = 2;

/// Whether there is a driver whose own thread may submit what it makes of a bio.
#[inline(always)]
pub fn is_known_to_hand_over() -> bool {
    [&CRYPT_END, &R1_WRITE_END, &R10_WRITE_END]
        .into_iter()
        .any(|known| constant(known) != 0)
}

/// The bio that one is a part or a copy of, or itself, with the function that ends it and what that is given.
#[inline(always)]
pub fn whole(bio: u64) -> (u64, u64, u64) {
    from(bio, |bio, end, private| match () {
        () if is(end, &CHAIN_END) => Some(private),
        () if is(end, &DM_END) => {
            let around = bio.wrapping_sub(constant(&memory::OFF_DM_CLONE).into());
            Some(read(read(around, &memory::OFF_DM_IO), &memory::OFF_DM_BIO))
        }
        () if is(end, &CRYPT_END) => Some(read(private, &memory::OFF_CRYPT_BIO)),
        () if is(end, &MD_END) => Some(read(private, &memory::OFF_MD_BIO)),
        () if is(end, &R1_WRITE_END) || is(end, &R1_READ_END) => {
            Some(read(private, &memory::OFF_R1_BIO))
        }
        () if is(end, &R10_WRITE_END) || is(end, &R10_READ_END) => {
            Some(read(private, &memory::OFF_R10_BIO))
        }
        () => None,
    })
}

/// Goes from a bio to the next, as long as `next` finds one by it, the function that ends it and what that is given; these of
/// the last.
#[inline(always)]
fn from(mut bio: u64, next: impl Fn(u64, u64, u64) -> Option<u64>) -> (u64, u64, u64) {
    let (mut end, mut private) = end_of(bio);
    for _ in 0..MAX_STEPS {
        let Some(found) = next(bio, end, private) else {
            break;
        };
        bio = found;
        (end, private) = end_of(bio);
    }
    (bio, end, private)
}

/// The function that ends a bio, and what it is given.
#[inline(always)]
fn end_of(bio: u64) -> (u64, u64) {
    let both: [u64; 2] = read(bio, &memory::OFF_BIO_END);
    // They stand side by side in all kernels so far (`struct bio` of include/linux/blk_types.h).
    if constant(&memory::OFF_BIO_PRIVATE)
        == constant(&memory::OFF_BIO_END) + size_of::<u64>() as u32
    {
        both.into()
    } else {
        (both[0], read(bio, &memory::OFF_BIO_PRIVATE))
    }
}

/// The `struct btrfs_bio` that a bio is embedded in.
#[inline(always)]
fn btrfs_bio(bio: u64) -> u64 {
    bio.wrapping_sub(constant(&memory::OFF_BTRFS_BIO).into())
}

/// Whether a `struct btrfs_bio` is of direct I/O.
#[inline(always)]
fn is_direct_io_of_btrfs(around: u64) -> bool {
    is(read(around, &memory::OFF_BTRFS_BIO_END), &BTRFS_DIO_END)
}

/// Whether the bio at an address is known to be of direct I/O, or a part of one that is: 1, else 0. Exported, as there is no
/// room for it on the stack of those that ask.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn is_of_direct_io(bio: u64) -> u64 {
    let (bio, end, _) = whole(bio);
    let is_direct = if is(end, &BTRFS_END) {
        is_direct_io_of_btrfs(btrfs_bio(bio))
    } else {
        let ends = [
            &IOMAP_END,
            &DIO_AIO_END,
            &DIO_END,
            &BLKDEV_END,
            &BLKDEV_ASYNC_END,
        ];
        ends.into_iter().any(|known| is(end, known))
    };
    is_direct.into()
}

/// The bio that holds the data of one that dm-crypt has encrypted, or of a part of that, by its address; 0 where it is none of
/// these, or is of direct I/O.
#[inline(always)]
pub fn in_plain(bio: u64) -> u64 {
    if constant(&CRYPT_END) == 0 {
        return 0;
    }
    let (_, end, private) = from(bio, |_, end, private| {
        is(end, &CHAIN_END).then_some(private)
    });
    if !is(end, &CRYPT_END) || is_of_direct_io(bio) != 0 {
        return 0;
    }
    read(private, &memory::OFF_CRYPT_BIO)
}

/// Whether a bio is one that a thread of btrfs ends.
///
/// # Safety
///
/// `bio` is a BTF pointer to a `struct bio`.
#[inline(always)]
pub unsafe fn is_of_btrfs(bio: *const c_void) -> bool {
    // SAFETY: by the caller's promise.
    let end: u64 = unsafe { memory::field(bio, &memory::OFF_BIO_END) };
    is(end, &BTRFS_END)
}

/// The inode of a bio that a thread of btrfs ends, by its address, also where its pages are of its own, which hold what it has
/// compressed: such a bio is embedded in a `struct btrfs_bio`.
#[inline(always)]
pub fn inode_of_btrfs_bio(bio: u64) -> u64 {
    inode_of(btrfs_bio(bio))
}

/// The inode of a `struct btrfs_bio`; 0 where it has none.
#[inline(always)]
fn inode_of(around: u64) -> u64 {
    match read::<u64>(around, &memory::OFF_BTRFS_BIO_INODE) {
        0 => 0,
        inode => inode + u64::from(constant(&memory::OFF_BTRFS_INODE)),
    }
}
