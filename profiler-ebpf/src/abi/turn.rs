//! Programs that are attached twice where the kernel may preempt them: see `probes/base/turn.rs`.

use zerocopy::{FromBytes, IntoBytes};

use super::{map_value, names};

/// Numbers of programs, and the names that they have in the object.
macro_rules! copies {
    ($($number:ident = $name:ident),* $(,)?) => {
        /// A program that is attached twice: its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Twice {
            $(
                #[doc = concat!("[`names::", stringify!($name), "`]")]
                $number,
            )*
        }

        impl Twice {
            /// All of them with their names, by number.
            pub const ALL: &[(Self, &str)] = &[$((Self::$number, names::$name)),*];
        }
    };
}

// Not here: what runs with interrupts off or under a lock, which no kernel preempts, as `sched_switch`, `sched_waking`,
// `page_fault_user`, `page_fault_kernel`, `writeback_dirty_folio` and the perf events.
copies! {
    BioComplete = BIO_COMPLETE,
    BioQueue = BIO_QUEUE,
    BlockBackmerge = BLOCK_BACKMERGE,
    BlockComplete = BLOCK_COMPLETE,
    BlockFrontmerge = BLOCK_FRONTMERGE,
    BlockIssue = BLOCK_ISSUE,
    BlockMerge = BLOCK_MERGE,
    BlockRequeue = BLOCK_REQUEUE,
    BlockStart = BLOCK_START,
    CachedFolio = CACHED_FOLIO,
    FaultAround = FAULT_AROUND,
    FaultFile = FAULT_FILE,
    ProcessExec = PROCESS_EXEC,
    ProcessExit = PROCESS_EXIT,
    SyscallEnter = SYSCALL_ENTER,
    SyscallExit = SYSCALL_EXIT,
    TaskNew = TASK_NEW,
    Throttle = THROTTLE,
    UringComplete = URING_COMPLETE,
    UringPoll = URING_POLL,
    UringRefuse = URING_REFUSE,
    UringSubmit = URING_SUBMIT,
    UringWork = URING_WORK,
}

/// What became of the events of a program that is attached twice.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Turns {
    /// Events that the second copy has counted, as the kernel had skipped the first.
    pub taken_over: u64,
    /// Runs of the first copy that had to leave an event alone, as they interrupted the second within it.
    pub first_refused: u64,
    /// The same of the second, where it interrupted the first.
    pub second_refused: u64,
    /// Events that the kernel skipped the second for, and that the first had counted.
    pub second_not_needed: u64,
}
map_value!(Turns, 32);

/// The cookie that the second copy is attached with; the first has 0.
pub const SECOND: u64 = 1;

/// Events that the first copy has counted, and that the second has still to pass; further ones it leaves to the second.
pub const MAX_TURNS: u32 = 4096;
