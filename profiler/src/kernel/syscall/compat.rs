//! The system calls of the 32-bit interface that are told apart, by the numbers that they have there.

use std::collections::BTreeSet;

use ioprof_ebpf::abi::{
    layout::{MAX_COMPAT_SYSCALLS, MAX_SYSCALLS},
    syscall::CallKind,
};

use super::{FIRST_NEW, kind_of};

/// The numbers of arch/x86/entry/syscalls/syscall_32.tbl, each with the name that the call has in the report: that of the
/// 64-bit call that does the same. What has several forms there, for offsets or times of 32 and of 64 bits, is one call.
const CALLS: &[(u16, &str)] = &[
    (3, "read"),
    (4, "write"),
    (5, "open"),
    (6, "close"),
    (8, "creat"),
    (10, "unlink"),
    (11, "execve"),
    (18, "stat"),
    (19, "lseek"),
    (28, "fstat"),
    (36, "sync"),
    (38, "rename"),
    (39, "mkdir"),
    (40, "rmdir"),
    (84, "lstat"),
    (90, "mmap"),
    (91, "munmap"),
    (92, "truncate"),
    (93, "ftruncate"),
    (106, "stat"),
    (107, "lstat"),
    (108, "fstat"),
    (118, "fsync"),
    (140, "lseek"),
    (144, "msync"),
    (145, "readv"),
    (146, "writev"),
    (148, "fdatasync"),
    (180, "pread64"),
    (181, "pwrite64"),
    (187, "sendfile"),
    (192, "mmap"),
    (193, "truncate"),
    (194, "ftruncate"),
    (195, "stat"),
    (196, "lstat"),
    (197, "fstat"),
    (219, "madvise"),
    (220, "getdents64"),
    (225, "readahead"),
    (239, "sendfile"),
    (246, "io_destroy"),
    (247, "io_getevents"),
    (248, "io_submit"),
    (250, "fadvise64"),
    (272, "fadvise64"),
    (295, "openat"),
    (296, "mkdirat"),
    (300, "newfstatat"),
    (301, "unlinkat"),
    (302, "renameat"),
    (313, "splice"),
    (314, "sync_file_range"),
    (315, "tee"),
    (316, "vmsplice"),
    (324, "fallocate"),
    (333, "preadv"),
    (334, "pwritev"),
    (337, "recvmmsg"),
    (344, "syncfs"),
    (345, "sendmmsg"),
    (353, "renameat2"),
    (358, "execveat"),
    (369, "sendto"),
    (370, "sendmsg"),
    (371, "recvfrom"),
    (372, "recvmsg"),
    (377, "copy_file_range"),
    (378, "preadv2"),
    (379, "pwritev2"),
    (383, "statx"),
    (385, "io_pgetevents"),
    (416, "io_pgetevents"),
    (417, "recvmmsg"),
    (426, "io_uring_enter"),
    (437, "openat2"),
];

/// socketcall(2), which has the number of a call as its first argument and a pointer to the others as its second.
const SOCKETCALL: u16 = 102;

/// sendfile(2) with an offset of four bytes.
const SENDFILE: u16 = 187;

/// The numbers that socketcall(2) takes, include/uapi/linux/net.h, likewise.
const BY_SOCKETCALL: &[(u16, &str)] = &[
    (9, "sendto"),
    (10, "recvfrom"),
    (11, "sendto"),
    (12, "recvfrom"),
    (16, "sendmsg"),
    (17, "recvmsg"),
    (19, "recvmmsg"),
    (20, "sendmmsg"),
];

/// The calls that have a name by the 32-bit interface.
pub fn names() -> BTreeSet<&'static str> {
    let all = CALLS.iter().chain(BY_SOCKETCALL);
    all.map(|(_, name)| *name).collect()
}

/// For each system call number of the 32-bit interface, the packed [`CallKind`]; and behind them for each that
/// socketcall(2) takes.
pub fn kinds() -> [u32; MAX_COMPAT_SYSCALLS as usize] {
    let mut kinds = [0; MAX_COMPAT_SYSCALLS as usize];
    let (calls, by_socketcall) = kinds.split_at_mut(MAX_SYSCALLS as usize);
    // The numbers of new calls are common to both interfaces.
    let new = FIRST_NEW as usize..;
    calls[new.clone()].copy_from_slice(&super::kinds()[new]);
    for (number, name) in CALLS {
        calls[usize::from(*number)] = kind_of(name);
    }
    calls[usize::from(SENDFILE)] |= CallKind::SHORT_OFFSET;
    calls[usize::from(SOCKETCALL)] = CallKind::BY_POINTER;
    for (number, name) in BY_SOCKETCALL {
        by_socketcall[usize::from(*number)] = kind_of(name) | CallKind::BY_POINTER;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, process::Command};

    use super::*;
    use crate::kernel::syscall::operation_name;

    #[test]
    fn every_call_has_the_name_of_a_64_bit_one() {
        let kinds = kinds();
        let behind = MAX_SYSCALLS as usize;
        let of_calls = CALLS.iter().map(|(number, name)| (0, number, name));
        let of_sockets = BY_SOCKETCALL
            .iter()
            .map(|(number, name)| (behind, number, name));
        for (first, number, name) in of_calls.chain(of_sockets) {
            let kind = CallKind(kinds[first + usize::from(*number)]);
            assert_ne!(kind.operation(), 0, "{name}");
            assert_eq!(operation_name(kind.operation()), *name);
        }
        let named = kinds.iter().filter(|kind| **kind != 0).count();
        let new = behind - FIRST_NEW as usize;
        let all = CALLS.len() + BY_SOCKETCALL.len() + 1 + new;
        assert_eq!(named, all, "a number is there twice");
    }

    /// The calls and their numbers in a header of the C library's, by the compiler that every Rust program is linked by.
    fn header(name: &str) -> Vec<(String, usize)> {
        let output = Command::new("cc")
            .args(["-E", "-dM", "-include", name, "-x", "c", "/dev/null"])
            .output()
            .expect("cc can be started");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("macros are ASCII");
        let number = |line: &str| {
            let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        text.lines().filter_map(number).collect()
    }

    /// The name that the call of a number has in the report, of those that are told apart.
    fn told(kind: u32) -> Cow<'static, str> {
        operation_name(CallKind(kind).operation())
    }

    #[test]
    fn numbers_are_those_of_the_kernels_headers() {
        let calls = header("asm/unistd_32.h");
        assert!(calls.len() > 400, "{calls:?}");
        let kinds = kinds();
        for (name, number) in &calls {
            // What the header calls otherwise than the 64-bit call that does the same.
            let call = match name.as_str() {
                "oldstat" | "stat64" => "stat",
                "oldlstat" | "lstat64" => "lstat",
                "oldfstat" | "fstat64" => "fstat",
                "fstatat64" => "newfstatat",
                "_llseek" => "lseek",
                "mmap2" => "mmap",
                "truncate64" => "truncate",
                "ftruncate64" => "ftruncate",
                "fadvise64_64" => "fadvise64",
                "sendfile64" => "sendfile",
                "io_pgetevents_time64" => "io_pgetevents",
                "recvmmsg_time64" => "recvmmsg",
                name => name,
            };
            let expected = if kind_of(call) == 0 { "other" } else { call };
            assert_eq!(told(kinds[*number]), expected, "{name}, {number}");
        }
        let numbers: BTreeSet<_> = calls.iter().map(|(_, number)| *number).collect();
        for (number, name) in CALLS {
            assert!(numbers.contains(&usize::from(*number)), "{number}, {name}");
        }
    }

    #[test]
    fn a_number_without_a_call_is_one_that_the_kernels_headers_do_not_have() {
        let kinds = crate::kernel::syscall::kinds();
        for (name, number) in header("asm/unistd_64.h") {
            let expected = if kind_of(&name) == 0 { "other" } else { &name };
            assert_eq!(told(kinds[number]), expected, "{name}, {number}");
        }
    }
}
