//! The names of the opcodes of io_uring and of control blocks.

use std::borrow::Cow;

/// The names of io_uring's opcodes by number, `enum io_uring_op` of include/uapi/linux/io_uring.h.
const URING_NAMES: [&str; 65] = [
    "NOP",
    "READV",
    "WRITEV",
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "SYNC_FILE_RANGE",
    "SENDMSG",
    "RECVMSG",
    "TIMEOUT",
    "TIMEOUT_REMOVE",
    "ACCEPT",
    "ASYNC_CANCEL",
    "LINK_TIMEOUT",
    "CONNECT",
    "FALLOCATE",
    "OPENAT",
    "CLOSE",
    "FILES_UPDATE",
    "STATX",
    "READ",
    "WRITE",
    "FADVISE",
    "MADVISE",
    "SEND",
    "RECV",
    "OPENAT2",
    "EPOLL_CTL",
    "SPLICE",
    "PROVIDE_BUFFERS",
    "REMOVE_BUFFERS",
    "TEE",
    "SHUTDOWN",
    "RENAMEAT",
    "UNLINKAT",
    "MKDIRAT",
    "SYMLINKAT",
    "LINKAT",
    "MSG_RING",
    "FSETXATTR",
    "SETXATTR",
    "FGETXATTR",
    "GETXATTR",
    "SOCKET",
    "URING_CMD",
    "SEND_ZC",
    "SENDMSG_ZC",
    "READ_MULTISHOT",
    "WAITID",
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_WAITV",
    "FIXED_FD_INSTALL",
    "FTRUNCATE",
    "BIND",
    "LISTEN",
    "RECV_ZC",
    "EPOLL_WAIT",
    "READV_FIXED",
    "WRITEV_FIXED",
    "PIPE",
    "NOP128",
    "URING_CMD128",
];

/// The names of the opcodes of control blocks, include/uapi/linux/aio_abi.h; number 4 was never used.
const AIO_NAMES: [&str; 9] = [
    "PREAD", "PWRITE", "FSYNC", "FDSYNC", "", "POLL", "NOOP", "PREADV", "PWRITEV",
];

/// The name of an opcode of io_uring.
pub fn uring_name(opcode: u32) -> Cow<'static, str> {
    name(&URING_NAMES, opcode)
}

/// The name of an opcode of a control block.
pub fn aio_name(opcode: u32) -> Cow<'static, str> {
    name(&AIO_NAMES, opcode)
}

fn name(names: &'static [&str], opcode: u32) -> Cow<'static, str> {
    let known = names.get(opcode as usize).filter(|name| !name.is_empty());
    known.map_or_else(
        || Cow::Owned(format!("op {opcode}")),
        |name| Cow::Borrowed(*name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_have_the_names_of_the_kernels_headers() {
        assert_eq!(uring_name(22), "READ");
        assert_eq!(uring_name(62), "PIPE");
        assert_eq!(uring_name(127), "op 127");
        assert_eq!(aio_name(8), "PWRITEV");
        assert_eq!(aio_name(4), "op 4");
    }
}
