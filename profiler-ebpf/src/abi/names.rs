//! The names of the maps, the programs and the constants of the object, for both sides.
//!
//! The probes name each by its own identifier; that the object has these and no others is tested.

/// Constants that hold their own name, and a list of all.
macro_rules! names {
    ($(#[$about:meta])* $all:ident: $($name:ident),* $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "`")]
            pub const $name: &str = stringify!($name);
        )*
        $(#[$about])*
        pub const $all: &[&str] = &[$($name),*];
    };
}

/// Constants of a name each that is written otherwise, and a list of all.
macro_rules! programs {
    ($(#[$about:meta])* $all:ident: $($name:ident = $text:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $name: &str = $text;
        )*
        $(#[$about])*
        pub const $all: &[&str] = &[$($name),*];
    };
}

names! {
    /// All maps that the probes declare.
    MAPS:
    AIO_REQUESTS, AIO_STATS, AIO_TOTALS, BIOS_USED, BLOCKS, BLOCKS_USED, BLOCK_STATS, BUSY, CACHE, CALLS, CALL_KINDS, CLOCK_HAND,
    CLOCK_SLOTS, COMPAT_KINDS, DEPTHS, DEPTHS_USED, DEPTH_NUMBERS, DIRECTORY, DIRTY, DIRTY_OWNERS, EMPTY_ROW, ERRORS, FAULTS, FILES, IN_TURN,
    LAST_REQUEST, LOOP_OWNERS, LOSSES, MARKS, MERGED, NAMED_ROWS, NEW_TASK, PATHS, PATHS_USED, READERS, REQUESTS, REQUESTS_USED, RETIRING, SLEEPS, SLOTS, SLOTS_USED,
    TASKS, THREAD_ROWS, TURNS, UNDER_WAY, UNDER_WAY_USED, URING_ENTRIES, URING_FILE, URING_POSTERS, URING_REQUESTS, URING_SOURCES, URING_STATS,
    URING_TOTALS, VECTOR, WAITERS, WINDOW, WORKLOADS, WRITERS,
}

names! {
    /// All constants that user space sets at load, but for the offsets of fields and registers, and the numbers of types.
    CONSTANTS:
    BLKDEV_ASYNC_END, BLKDEV_END, BTRFS_DIO_END, BTRFS_END, CHAIN_END, COMPLETE_BY_CQE, CRYPT_END, DIO_AIO_END, DIO_END,
    DM_END, FIRST_AIO_SERIES, FIRST_BLOCK_SERIES, FIRST_CACHE_SERIES, FIRST_FAULT_SERIES, FIRST_URING_SERIES,
    FOLIO_IS_LARGE, IN_IOWAIT, IOMAP_END, LAST_WAIT_END, LOOP_END, LOOP_ROOT_WORK, LOOP_WORK, MAY_READ, MD_END, O_DIRECT, PAGE_BYTES, PAGE_IN_SWAP_CACHE,
    PAGE_SWAP_BACKED, QUEUED_BY_BIO, R10_READ_END, R10_WRITE_END, R1_READ_END, R1_WRITE_END, REQUESTS_KEPT, REQUEST_BYTES, REQ_IDLE, REQ_META, REQ_PREFLUSH, THROTTLE_BY_DOMAIN,
    WAIT_END,
}

/// What the probes call where they want an address to have a type. User space puts in the number that the running kernel
/// has for its function `bpf_rdonly_cast`, before the object is loaded: no loader for Rust does it.
pub const CAST: i32 = 0x7fc0_de01;

/// The kernel's function `bpf_preempt_disable`, likewise, where programs can be preempted.
pub const DISABLE_PREEMPTION: i32 = 0x7fc0_de02;

/// The kernel's function `bpf_preempt_enable`, likewise.
pub const ENABLE_PREEMPTION: i32 = 0x7fc0_de03;

/// A number that the probes ask for, in whose place user space puts 1 where programs can be preempted, and else 0: a constant
/// of .rodata would have to be loaded.
pub const MAY_BE_PREEMPTED: i32 = 0x7fc0_de04;

programs! {
    /// All programs: the probes, the walks over all tasks, and the empty ones.
    PROGRAMS:
    BASELINE_ENTER = "baseline_enter",
    BASELINE_EXIT = "baseline_exit",
    BIO_COMPLETE = "bio_complete",
    BIO_QUEUE = "bio_queue",
    BLOCK_BACKMERGE = "block_backmerge",
    BLOCK_COMPLETE = "block_complete",
    BLOCK_FRONTMERGE = "block_frontmerge",
    BLOCK_GETRQ = "block_getrq",
    BLOCK_ISSUE = "block_issue",
    BLOCK_MERGE = "block_merge",
    BLOCK_REQUEUE = "block_requeue",
    BLOCK_START = "block_start",
    CACHED_FOLIO = "cached_folio",
    DIRTY_FOLIO = "dirty_folio",
    EXAMINE_DIRTY = "examine_dirty",
    FAULT_AROUND = "fault_around",
    FAULT_DIRTIES = "fault_dirties",
    FAULT_FILE = "fault_file",
    FAULT_KERNEL = "fault_kernel",
    FAULT_MAJOR = "fault_major",
    FAULT_MINOR = "fault_minor",
    FAULT_USER = "fault_user",
    PROCESS_EXEC = "process_exec",
    PROCESS_EXIT = "process_exit",
    RETIRE_THREADS = "retire_threads",
    SEED_THREADS = "seed_threads",
    SETTLE_THREADS = "settle_threads",
    SWITCH = "switch",
    SYSCALL_ENTER = "syscall_enter",
    SYSCALL_EXIT = "syscall_exit",
    TASK_NEW = "task_new",
    THROTTLE = "throttle",
    URING_COMPLETE = "uring_complete",
    URING_POLL = "uring_poll",
    URING_REFUSE = "uring_refuse",
    URING_SUBMIT = "uring_submit",
    URING_SUBMIT_SQE = "uring_submit_sqe",
    URING_WORK = "uring_work",
    WAKING = "waking",
}
