//! The system calls that are told apart, and where their arguments are. Which of them move bytes: see
//! [`crate::transfer`].

pub mod compat;
pub mod others;
pub mod waiting;

use std::borrow::Cow;

use ioprof_ebpf::abi::{
    layout::{MAX_OPERATIONS, MAX_SYSCALLS, UNKNOWN_OPERATION},
    syscall::CallKind,
};

use crate::transfer::{Direction, of_call};

/// A system call with a name of its own in the report.
#[derive(Clone, Copy, Debug)]
struct Call {
    name: &'static str,
    number: libc::c_long,
    kind: u32,
}

const PLAIN: u32 = 0;
const FILE: u32 = CallKind::FILE;
const OPENS: u32 = CallKind::OPENS;
const SYNCS: u32 = CallKind::SYNCS;
const AT: u32 = CallKind::AT_ARG3;
const REAPS: u32 = CallKind::ASYNCHRONOUS | CallKind::REAPS | CallKind::WAITS;
const SPLICES_MEMORY: u32 = CallKind::READS | CallKind::WRITES;
const DESTROYS: u32 = CallKind::ASYNCHRONOUS | CallKind::ENDS | CallKind::WAITS;
const EXECUTES: u32 = CallKind::ASYNCHRONOUS | CallKind::ENDS | CallKind::EXECUTES;

/// The libc crate does not have it; include/uapi/asm-generic/unistd.h, and the table of x86-64.
#[expect(
    non_upper_case_globals,
    reason = "named as the libc crate names the others"
)]
const SYS_io_pgetevents: libc::c_long = if cfg!(target_arch = "x86_64") {
    333
} else {
    292
};

macro_rules! calls {
    ($($(#[$attribute:meta])* $name:literal $number:path, $kind:expr),* $(,)?) => {
        &[$($(#[$attribute])* Call { name: $name, number: $number, kind: $kind }),*]
    };
}

/// The calls in the order in which operations are numbered, from 1.
const CALLS: &[Call] = calls![
    "read" libc::SYS_read, CallKind::SIZE_ARG2,
    "pread64" libc::SYS_pread64, AT | CallKind::SIZE_ARG2,
    "readv" libc::SYS_readv, CallKind::SIZE_VECTOR,
    "preadv" libc::SYS_preadv, AT | CallKind::SIZE_VECTOR,
    "preadv2" libc::SYS_preadv2, AT | CallKind::SIZE_VECTOR,
    "write" libc::SYS_write, CallKind::SIZE_ARG2,
    "pwrite64" libc::SYS_pwrite64, AT | CallKind::SIZE_ARG2,
    "writev" libc::SYS_writev, CallKind::SIZE_VECTOR,
    "pwritev" libc::SYS_pwritev, AT | CallKind::SIZE_VECTOR,
    "pwritev2" libc::SYS_pwritev2, AT | CallKind::SIZE_VECTOR | CallKind::FLAGS_ARG5,
    "copy_file_range" libc::SYS_copy_file_range, CallKind::COPIES | CallKind::SIZE_ARG4,
    "sendfile" libc::SYS_sendfile, CallKind::SENDS | CallKind::SIZE_ARG3,
    "splice" libc::SYS_splice, CallKind::COPIES | CallKind::SIZE_ARG4,
    "tee" libc::SYS_tee, CallKind::TEES | CallKind::SIZE_ARG2,
    "vmsplice" libc::SYS_vmsplice, SPLICES_MEMORY | CallKind::SIZE_VECTOR,
    "recvfrom" libc::SYS_recvfrom, CallKind::SIZE_ARG2,
    "recvmsg" libc::SYS_recvmsg, CallKind::SIZE_MESSAGE,
    "recvmmsg" libc::SYS_recvmmsg, CallKind::MESSAGES,
    "sendto" libc::SYS_sendto, CallKind::SIZE_ARG2,
    "sendmsg" libc::SYS_sendmsg, CallKind::SIZE_MESSAGE,
    "sendmmsg" libc::SYS_sendmmsg, CallKind::MESSAGES,
    "fsync" libc::SYS_fsync, SYNCS | FILE,
    "fdatasync" libc::SYS_fdatasync, SYNCS | FILE,
    "sync_file_range" libc::SYS_sync_file_range, SYNCS | FILE,
    "msync" libc::SYS_msync, SYNCS,
    "syncfs" libc::SYS_syncfs, SYNCS | FILE,
    "sync" libc::SYS_sync, SYNCS,
    "openat" libc::SYS_openat, OPENS,
    "openat2" libc::SYS_openat2, OPENS,
    "close" libc::SYS_close, PLAIN,
    "lseek" libc::SYS_lseek, FILE,
    "fstat" libc::SYS_fstat, FILE,
    "newfstatat" libc::SYS_newfstatat, PLAIN,
    "statx" libc::SYS_statx, PLAIN,
    "getdents64" libc::SYS_getdents64, FILE,
    "truncate" libc::SYS_truncate, PLAIN,
    "ftruncate" libc::SYS_ftruncate, FILE,
    "fallocate" libc::SYS_fallocate, FILE,
    "fadvise64" libc::SYS_fadvise64, FILE,
    "readahead" libc::SYS_readahead, FILE,
    "madvise" libc::SYS_madvise, PLAIN,
    "mmap" libc::SYS_mmap, PLAIN,
    "munmap" libc::SYS_munmap, PLAIN,
    "renameat" libc::SYS_renameat, PLAIN,
    "renameat2" libc::SYS_renameat2, PLAIN,
    "unlinkat" libc::SYS_unlinkat, PLAIN,
    "mkdirat" libc::SYS_mkdirat, PLAIN,
    "io_submit" libc::SYS_io_submit, CallKind::ASYNCHRONOUS,
    "io_getevents" libc::SYS_io_getevents, REAPS,
    "io_pgetevents" SYS_io_pgetevents, REAPS,
    "io_destroy" libc::SYS_io_destroy, DESTROYS,
    "io_uring_enter" libc::SYS_io_uring_enter, CallKind::WAITS | CallKind::SUBMITS,
    "execve" libc::SYS_execve, EXECUTES,
    "execveat" libc::SYS_execveat, EXECUTES,
    // The calls below are older forms, which newer architectures do not have.
    #[cfg(target_arch = "x86_64")] "open" libc::SYS_open, OPENS,
    #[cfg(target_arch = "x86_64")] "creat" libc::SYS_creat, OPENS,
    #[cfg(target_arch = "x86_64")] "stat" libc::SYS_stat, PLAIN,
    #[cfg(target_arch = "x86_64")] "lstat" libc::SYS_lstat, PLAIN,
    #[cfg(target_arch = "x86_64")] "rename" libc::SYS_rename, PLAIN,
    #[cfg(target_arch = "x86_64")] "unlink" libc::SYS_unlink, PLAIN,
    #[cfg(target_arch = "x86_64")] "rmdir" libc::SYS_rmdir, PLAIN,
    #[cfg(target_arch = "x86_64")] "mkdir" libc::SYS_mkdir, PLAIN,
];

/// The name of all other calls that are known.
const OTHER: &str = "other";

/// The name of calls of which not even the number is told.
const UNKNOWN: &str = "unknown";

/// How many operations there are, `other` and the unknown ones included.
pub const OPERATIONS: u32 = MAX_OPERATIONS;

/// The first operation of a number that has no call here: one for each, as many as there are. Those before it, but for 0,
/// have a name.
pub const FIRST_NUMBERED: u32 = CALLS.len() as u32 + 1;
const _: () = assert!(FIRST_NUMBERED < UNKNOWN_OPERATION);

/// The first numbers that have no call here, of those that are common to all architectures, and of those of x86-64 before
/// them. The calls up to there that have no name are `other`: [`others`] names them.
const FIRST_NEW: u32 = 473;
const FIRST_NEW_OWN: u32 = 337;
/// The first of the common ones.
const FIRST_COMMON: u32 = 424;

/// The numbers that have no call here, the likely ones first: a newer kernel's, by all interfaces, and those that it may
/// have for x86-64 alone.
fn unknown_numbers() -> impl Iterator<Item = u32> {
    (FIRST_NEW..MAX_SYSCALLS).chain(FIRST_NEW_OWN..FIRST_COMMON)
}

/// The name of an operation by its number.
pub fn operation_name(operation: u32) -> Cow<'static, str> {
    if let Some(place) = operation.checked_sub(FIRST_NUMBERED) {
        let found = unknown_numbers().nth(place as usize);
        return match found.filter(|_| operation < UNKNOWN_OPERATION) {
            Some(number) => Cow::Owned(format!("syscall {number}")),
            None => Cow::Borrowed(UNKNOWN),
        };
    }
    let named = (operation as usize).checked_sub(1);
    Cow::Borrowed(named.map_or(OTHER, |index| CALLS[index].name))
}

/// The flags of a call that moves bytes.
fn transfers(name: &str, kind: u32) -> u32 {
    let moves = if CallKind(kind).has(CallKind::MESSAGES) {
        FILE
    } else {
        CallKind::MOVES_BYTES | FILE
    };
    match of_call(name) {
        Some(Direction::Read) => moves | CallKind::READS,
        Some(Direction::Written) => moves | CallKind::WRITES,
        Some(Direction::Copied) => moves,
        None => PLAIN,
    }
}

/// The calls with their packed [`CallKind`].
fn known() -> impl Iterator<Item = (&'static Call, u32)> {
    let kind = |(operation, call): (u32, &'static Call)| {
        (
            call,
            operation | call.kind | transfers(call.name, call.kind),
        )
    };
    (1..).zip(CALLS).map(kind)
}

/// For each system call number, the packed [`CallKind`].
pub fn kinds() -> [u32; MAX_SYSCALLS as usize] {
    let mut kinds = [0; MAX_SYSCALLS as usize];
    for (place, number) in (FIRST_NUMBERED..).zip(unknown_numbers()) {
        kinds[number as usize] = place.min(UNKNOWN_OPERATION);
    }
    for (call, packed) in known() {
        if let Some(kind) = usize::try_from(call.number)
            .ok()
            .and_then(|at| kinds.get_mut(at))
        {
            *kind = packed;
        }
    }
    kinds
}

/// The packed [`CallKind`] of a call by its name, 0 where it has none.
pub fn kind_of(name: &str) -> u32 {
    let found = known().find(|(call, _)| call.name == name);
    found.map_or(0, |(_, packed)| packed)
}

/// The calls with a name of their own, in the order of their operations.
pub fn names() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|call| call.name)
}

/// Whether the result of a call is a number of messages, whose bytes are read from memory.
pub fn counts_messages(name: &str) -> bool {
    CallKind(kind_of(name)).has(CallKind::MESSAGES)
}

/// The name of an error number as errno(3) has it, and of those that only the kernel sees.
pub fn error_name(errno: u32) -> String {
    // include/linux/errno.h: a call that will be made again, or was ended by a signal handler.
    match errno {
        512 => "ERESTARTSYS".into(),
        513 => "ERESTARTNOINTR".into(),
        514 => "ERESTARTNOHAND".into(),
        516 => "ERESTART_RESTARTBLOCK".into(),
        529 => "EIOCBQUEUED".into(),
        _ => match nix::errno::Errno::from_raw(errno.cast_signed()) {
            nix::errno::Errno::UnknownErrno => format!("E{errno}"),
            known => format!("{known:?}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_number_and_only_once() {
        let kinds = kinds();
        for (operation, call) in (1..).zip(CALLS) {
            let kind = CallKind(kinds[usize::try_from(call.number).expect("a number")]);
            assert_eq!(kind.operation(), operation, "{}", call.name);
            assert_eq!(operation_name(operation), call.name);
            assert_eq!(
                kind.has(CallKind::MOVES_BYTES),
                kind.size() != 0,
                "{}",
                call.name
            );
        }
        let named = kinds
            .iter()
            .filter(|kind| (1..FIRST_NUMBERED).contains(&CallKind(**kind).operation()))
            .count();
        assert_eq!(named, CALLS.len());
        assert_eq!(operation_name(0), "other");
        for number in [337, 361, 473, 511] {
            let operation = CallKind(kinds[number]).operation();
            assert_eq!(operation_name(operation), format!("syscall {number}"));
        }
        for number in [336, 424, 472] {
            assert_eq!(operation_name(CallKind(kinds[number]).operation()), "other");
        }
        // docs/report/syscall.md has these numbers.
        for number in [362, 423] {
            let operation = CallKind(kinds[number]).operation();
            assert_eq!(operation_name(operation), "unknown");
        }
    }

    #[test]
    fn errors_have_the_names_that_strace_prints() {
        assert_eq!(error_name(2), "ENOENT");
        assert_eq!(error_name(11), "EAGAIN");
        assert_eq!(error_name(512), "ERESTARTSYS");
        assert_eq!(error_name(4000), "E4000");
    }
}
