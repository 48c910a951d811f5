//! Which system calls and opcodes move bytes, and which way: the one place that says so.

/// Which way an operation moves bytes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    Read,
    /// From the program.
    Written,
    /// From descriptor to descriptor.
    Copied,
}

use Direction::{Copied, Read, Written};
use ioprof_ebpf::abi::opcodes::{AIO, Moves, URING};

/// The system calls that move bytes.
const CALLS: [(&str, Direction); 21] = [
    ("read", Read),
    ("pread64", Read),
    ("readv", Read),
    ("preadv", Read),
    ("preadv2", Read),
    ("write", Written),
    ("pwrite64", Written),
    ("writev", Written),
    ("pwritev", Written),
    ("pwritev2", Written),
    ("copy_file_range", Copied),
    ("sendfile", Copied),
    ("splice", Copied),
    ("tee", Copied),
    ("vmsplice", Copied),
    ("recvfrom", Read),
    ("recvmsg", Read),
    ("recvmmsg", Read),
    ("sendto", Written),
    ("sendmsg", Written),
    ("sendmmsg", Written),
];

/// Those that the kernel has no place in /proc/PID/io for (`add_rchar` and `add_wchar` in fs/read_write.c).
const NOT_IN_PROC_IO: [&str; 9] = [
    "splice", "tee", "vmsplice", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg",
];

/// Which way a system call moves bytes; none where it moves none.
pub fn of_call(name: &str) -> Option<Direction> {
    find(&CALLS, name)
}

/// Which way an opcode of io_uring or of a control block moves bytes; none where it moves none, or does not tell.
pub fn of_opcode(name: &str) -> Option<Direction> {
    let found = URING.iter().chain(AIO).find(|(own, _)| *own == name);
    match found.map(|(_, moves)| *moves)? {
        Moves::Read => Some(Read),
        Moves::Written => Some(Written),
        Moves::Copied => Some(Copied),
        Moves::Nothing | Moves::Unseen => None,
    }
}

/// Whether a call adds the bytes it moves to `rchar` or `wchar` of /proc/PID/io.
pub fn is_in_proc_io(name: &str, way: Direction) -> bool {
    let moves = matches!(of_call(name), Some(found) if found == Copied || found == way);
    moves && !NOT_IN_PROC_IO.contains(&name)
}

fn find(table: &[(&str, Direction)], wanted: &str) -> Option<Direction> {
    let found = table.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, direction)| *direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_count_both_ways_in_proc_io_and_splice_in_neither() {
        assert!(is_in_proc_io("read", Read) && !is_in_proc_io("read", Written));
        for way in [Read, Written] {
            assert!(is_in_proc_io("sendfile", way));
            assert!(!is_in_proc_io("splice", way) && !is_in_proc_io("recvmsg", way));
            assert!(!is_in_proc_io("fsync", way));
        }
    }
}
