//! The opcodes of io_uring and of control blocks: the one place that has their names, and what they move.

/// What an opcode moves, as far as its completions tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// No bytes of files or sockets.
    Nothing,
    /// Bytes to the program, as many as its results say.
    Read,
    /// Bytes from the program, likewise.
    Written,
    /// Bytes from another file to that of the request, likewise.
    Copied,
    /// Bytes of which no completion that can be seen tells.
    Unseen,
}

use Moves::{Copied, Nothing, Read, Unseen, Written};

/// An opcode's name, and what it moves.
pub type Opcode = (&'static str, Moves);

/// The opcodes of io_uring by number, `enum io_uring_op` of include/uapi/linux/io_uring.h. What the network card puts into
/// the program's memory for RECV_ZC is posted past the tracepoint; what a command is, only its driver knows.
pub const URING: &[Opcode] = &[
    ("NOP", Nothing),
    ("READV", Read),
    ("WRITEV", Written),
    ("FSYNC", Nothing),
    ("READ_FIXED", Read),
    ("WRITE_FIXED", Written),
    ("POLL_ADD", Nothing),
    ("POLL_REMOVE", Nothing),
    ("SYNC_FILE_RANGE", Nothing),
    ("SENDMSG", Written),
    ("RECVMSG", Read),
    ("TIMEOUT", Nothing),
    ("TIMEOUT_REMOVE", Nothing),
    ("ACCEPT", Nothing),
    ("ASYNC_CANCEL", Nothing),
    ("LINK_TIMEOUT", Nothing),
    ("CONNECT", Nothing),
    ("FALLOCATE", Nothing),
    ("OPENAT", Nothing),
    ("CLOSE", Nothing),
    ("FILES_UPDATE", Nothing),
    ("STATX", Nothing),
    ("READ", Read),
    ("WRITE", Written),
    ("FADVISE", Nothing),
    ("MADVISE", Nothing),
    ("SEND", Written),
    ("RECV", Read),
    ("OPENAT2", Nothing),
    ("EPOLL_CTL", Nothing),
    ("SPLICE", Copied),
    ("PROVIDE_BUFFERS", Nothing),
    ("REMOVE_BUFFERS", Nothing),
    ("TEE", Copied),
    ("SHUTDOWN", Nothing),
    ("RENAMEAT", Nothing),
    ("UNLINKAT", Nothing),
    ("MKDIRAT", Nothing),
    ("SYMLINKAT", Nothing),
    ("LINKAT", Nothing),
    ("MSG_RING", Nothing),
    ("FSETXATTR", Nothing),
    ("SETXATTR", Nothing),
    ("FGETXATTR", Nothing),
    ("GETXATTR", Nothing),
    ("SOCKET", Nothing),
    ("URING_CMD", Unseen),
    ("SEND_ZC", Written),
    ("SENDMSG_ZC", Written),
    ("READ_MULTISHOT", Read),
    ("WAITID", Nothing),
    ("FUTEX_WAIT", Nothing),
    ("FUTEX_WAKE", Nothing),
    ("FUTEX_WAITV", Nothing),
    ("FIXED_FD_INSTALL", Nothing),
    ("FTRUNCATE", Nothing),
    ("BIND", Nothing),
    ("LISTEN", Nothing),
    ("RECV_ZC", Unseen),
    ("EPOLL_WAIT", Nothing),
    ("READV_FIXED", Read),
    ("WRITEV_FIXED", Written),
    ("PIPE", Nothing),
    ("NOP128", Nothing),
    ("URING_CMD128", Unseen),
];

/// The opcodes of control blocks by number, include/uapi/linux/aio_abi.h; number 4 was never used.
pub const AIO: &[Opcode] = &[
    ("PREAD", Read),
    ("PWRITE", Written),
    ("FSYNC", Nothing),
    ("FDSYNC", Nothing),
    ("", Nothing),
    ("POLL", Nothing),
    ("NOOP", Nothing),
    ("PREADV", Read),
    ("PWRITEV", Written),
];

/// A set of opcodes of io_uring, a bit for each.
#[derive(Clone, Copy, Debug)]
pub struct Set([u64; 2]);

impl Set {
    /// Those that move bytes so.
    pub const fn that(moves: Moves) -> Self {
        let mut bits = [0; 2];
        let mut at = 0;
        while at < URING.len() {
            if URING[at].1 as u8 == moves as u8 {
                bits[at / 64] |= 1 << (at % 64);
            }
            at += 1;
        }
        Self(bits)
    }

    /// Those with these numbers, each below 128.
    pub const fn of(opcodes: &[u32]) -> Self {
        let mut bits = [0; 2];
        let mut at = 0;
        while at < opcodes.len() {
            bits[opcodes[at] as usize / 64] |= 1 << (opcodes[at] % 64);
            at += 1;
        }
        Self(bits)
    }

    /// Whether an opcode is in it.
    #[inline(always)]
    pub const fn has(self, opcode: u32) -> bool {
        let word = if opcode < 64 { self.0[0] } else { self.0[1] };
        word >> (opcode & 63) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_the_opcodes_that_the_table_says() {
        for moves in [Nothing, Read, Written, Copied, Unseen] {
            let set = Set::that(moves);
            for (number, (name, own)) in (0..).zip(URING) {
                assert_eq!(set.has(number), *own == moves, "{name}");
            }
            assert!(!set.has(127));
        }
        assert!(Set::of(&[2, 127]).has(127) && !Set::of(&[2, 127]).has(63));
        assert!(Set::that(Copied).has(30) && Set::that(Unseen).has(64));
    }
}
