//! Sums of bytes moved by opcodes.

use super::{aio::Aio, io_uring::IoUring, sum::sum, syscall::Syscall};
use crate::transfer::{Direction, of_opcode};

/// What was moved, and by how many operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Bytes.
    pub bytes: u64,
    /// Operations.
    pub operations: u64,
}

impl Transferred {
    /// The sum of both.
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: sum([self.bytes, other.bytes]),
            operations: sum([self.operations, other.operations]),
        }
    }
}

/// Those that take sockets alone (io_uring/net.c).
const OF_SOCKETS: [&str; 7] = [
    "SEND",
    "SENDMSG",
    "SEND_ZC",
    "SENDMSG_ZC",
    "RECV",
    "RECVMSG",
    "RECV_ZC",
];

/// Whether bytes of a file may have been moved in a direction, or from descriptor to descriptor, by operations whose end was not
/// seen: of opcodes, each with how many of these it has.
pub fn may_have_moved_unseen<'a>(
    mut opcodes: impl Iterator<Item = (&'a str, u64)>,
    wanted: Direction,
) -> bool {
    opcodes.any(|(name, unseen)| {
        let way = of_opcode(name).filter(|_| unseen > 0 && !OF_SOCKETS.contains(&name));
        way.is_some_and(|way| way == wanted || way == Direction::Copied)
    })
}

/// Whether all bytes are known that a workload moved in a direction by io_uring and io_submit(2): not where the probes are
/// missing, and not where operations completed without that being seen.
pub fn knows_asynchronous(
    io_uring: Option<&IoUring>,
    aio: &Aio,
    syscalls: &[Syscall],
    wanted: Direction,
) -> bool {
    let by_uring = match io_uring {
        Some(io_uring) => !io_uring.may_have_moved_unseen(wanted),
        None => !syscalls.iter().any(|call| call.name == "io_uring_enter"),
    };
    by_uring && !aio.may_have_moved_unseen(wanted)
}

/// The sum of the opcodes of one direction, each with its bytes and its completions.
pub fn in_direction<'a>(
    opcodes: impl Iterator<Item = (&'a str, Option<u64>, u64)>,
    wanted: Direction,
) -> Transferred {
    opcodes
        .filter(|(name, ..)| of_opcode(name) == Some(wanted))
        .fold(Transferred::default(), |all, (_, bytes, operations)| {
            all.and(Transferred {
                bytes: bytes.unwrap_or(0),
                operations,
            })
        })
}
