//! System calls: what is counted for each operation of each workload.

use zerocopy::{FromBytes, IntoBytes};

use super::{Aggregate, layout::MAX_OPERATIONS, map_value, merge::merge, off_cpu::WAIT_KINDS};

/// What the probes know of a system call number, packed into the `u32` that the table holds: the operation in the low
/// byte, and above it how the call passes its arguments, where the size of the request stands and what the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKind(pub u32);

impl CallKind {
    /// The call comes by the 32-bit interface: its arguments are the lower halves of other registers, an offset takes two
    /// of them, and addresses in memory have four bytes.
    pub const COMPAT: u32 = 1 << 14;
    /// The first argument is the number of a call, and the second points to its arguments: socketcall(2), by the 32-bit
    /// interface.
    pub const BY_POINTER: u32 = 1 << 13;
    /// The offset that an argument points to has four bytes, as in sendfile(2) by the 32-bit interface.
    pub const SHORT_OFFSET: u32 = 1 << 12;
    /// The call writes to the second argument what it reads from the first, as tee(2), without offsets.
    pub const TEES: u32 = 1 << 11;
    /// The second argument points to as many `struct mmsghdr` as the result says, as in sendmmsg(2), with the bytes of
    /// each.
    pub const MESSAGES: u32 = 1 << 10;
    /// The sixth argument has flags of this call alone, `RWF_APPEND` among them, as in pwritev2(2).
    pub const FLAGS_ARG5: u32 = 1 << 9;
    /// The result is how many requests to a ring the call has submitted: io_uring_enter(2).
    pub const SUBMITS: u32 = 1 << 8;
    /// The size is the third argument, as in read(2).
    pub const SIZE_ARG2: u32 = 1 << 16;
    /// The size is the fourth argument, as in sendfile(2).
    pub const SIZE_ARG3: u32 = 2 << 16;
    /// The size is the fifth argument, as in splice(2).
    pub const SIZE_ARG4: u32 = 3 << 16;
    /// The second argument points to as many `struct iovec` as the third says, as in readv(2).
    pub const SIZE_VECTOR: u32 = 4 << 16;
    /// The second argument points to a `struct msghdr`, as in sendmsg(2), which has the vector.
    pub const SIZE_MESSAGE: u32 = 5 << 16;
    /// The mask of the five above; none of them means the call has no size.
    pub const SIZE_MASK: u32 = 7 << 16;
    /// A positive result is the number of bytes moved.
    pub const MOVES_BYTES: u32 = 1 << 20;
    /// The call executes a program: execve(2), execveat(2).
    pub const EXECUTES: u32 = 1 << 21;
    /// The call makes data durable: fsync(2) and its like.
    pub const SYNCS: u32 = 1 << 22;
    /// The call waits for I/O that others have begun: io_getevents(2), io_uring_enter(2).
    pub const WAITS: u32 = 1 << 23;
    /// The first argument is a descriptor.
    pub const FILE: u32 = 1 << 24;
    /// The call reads from it; where it writes too, as vmsplice(2), it does so from one opened for reading alone.
    pub const READS: u32 = 1 << 25;
    /// The call writes to it.
    pub const WRITES: u32 = 1 << 26;
    /// The fourth argument is the offset in the file, as in pread(2).
    pub const AT_ARG3: u32 = 1 << 27;
    /// The result is a new descriptor.
    pub const OPENS: u32 = 1 << 28;
    /// The call reads from the first argument and writes to the third, as copy_file_range(2), at offsets to which the
    /// arguments behind them point.
    pub const COPIES: u32 = 1 << 29;
    /// The call reads from the second argument and writes to the first, as sendfile(2), at an offset to which the third
    /// points.
    pub const SENDS: u32 = 1 << 30;
    /// The call submits asynchronous operations or reaps their events, and its result is how many; or it ends them.
    pub const ASYNCHRONOUS: u32 = 1 << 19;
    /// Of those, the call reaps.
    pub const REAPS: u32 = 1 << 31;
    /// The call ends operations that are not reaped: io_destroy(2) those of the context in its first argument, execve(2)
    /// all of its process.
    pub const ENDS: u32 = 1 << 15;

    /// The call moves bytes from descriptor to descriptor.
    pub const TRANSFERS: u32 = Self::COPIES | Self::SENDS | Self::TEES;

    /// The operation, an index below [`MAX_OPERATIONS`].
    #[inline(always)]
    pub const fn operation(self) -> u32 {
        self.0 & (MAX_OPERATIONS - 1)
    }

    /// Where the size of the request is found.
    #[inline(always)]
    pub const fn size(self) -> u32 {
        self.0 & Self::SIZE_MASK
    }

    /// Whether a flag is set.
    #[inline(always)]
    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// How many `struct iovec` of a vectored call are summed in the kernel; where there are more, the request
/// counts with the bytes that were moved.
pub const MAX_IOVECS: usize = 16;

/// How many messages sendmmsg(2) and recvmmsg(2) move at most, `UIO_MAXIOV` of include/uapi/linux/uio.h.
pub const MAX_MESSAGES: u64 = 1024;

/// One operation of one workload, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct CallStats {
    /// Calls that returned, and nanoseconds from entry to exit.
    pub latency: Aggregate,
    /// Requested bytes of the calls that move data; of those that submit requests to a ring, how many they were.
    pub size: Aggregate,
    /// Bytes moved, from the results.
    pub bytes: u64,
    /// Calls that returned an error.
    pub errors: u64,
    /// Calls that a seccomp filter answered: the kernel shows their end but not their beginning, so that they
    /// are not among the latencies.
    pub refused: u64,
    /// Nanoseconds that the calls were off the CPU, by [`super::off_cpu::WaitKind`]: also where no histogram block was
    /// left.
    pub off_cpu: [u64; WAIT_KINDS],
}
map_value!(CallStats, 168);
merge!(CallStats {
    latency,
    size,
    bytes,
    errors,
    refused,
    off_cpu
});

/// Requested bytes that are still to be counted: calls in a row mostly ask for as many.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct PendingSizes {
    /// The bytes.
    pub value: u64,
    /// How many calls in a row asked for them.
    pub count: u64,
    /// The series of their histogram.
    pub series: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(PendingSizes, 24);

/// Key of the table of errors.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct ErrorKey {
    /// The workload, from 1.
    pub workload: u32,
    /// The operation.
    pub operation: u32,
    /// The error number, positive.
    pub errno: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(ErrorKey, 16);
