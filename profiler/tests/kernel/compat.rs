//! Calls by the 32-bit interface are counted as 64-bit ones are: by name, with their bytes and for their files.

use std::{fs, path::Path};

use crate::support::{
    self, Report, plain, profile,
    program::Program,
    report::{CheckKind, FileKind, known},
};

const KIB: u64 = 1024;
const PAGE: u64 = 4 * KIB;
/// So many of each call at an offset, and of read.
const TURNS: u64 = 16;
/// Calls of pread64 by the program's own interface, of 100 bytes.
const OWN: u64 = 7;

/// Runs a program that makes known calls by the 32-bit interface on a file, and so many by its own. Fails where they are not
/// counted by name.
fn assert_counted_by_name(program: &'static str, own: u64) {
    let program = Program::compile(program);
    let folder = support::folder();
    let file = folder.path().join("data");
    fs::write(&file, vec![7; 1 << 20]).expect("a file can be written");
    let report = profile(&[], &program.with(&[plain(&file)]));
    assert_eq!(
        report.workload(0).exit,
        Some(support::report::Exit::Code(0))
    );
    assert_calls(&report);
    assert_files(&report, folder.path());
    let all: u64 = report
        .workload(0)
        .syscalls
        .iter()
        .map(|one| one.calls)
        .sum();
    // But for the execve, and those by its own.
    assert_eq!(report.ledger.compat_calls, all - 1 - own);
}

#[test]
fn a_64_bit_program_that_makes_32_bit_calls_has_both_counted_by_name() {
    requires!("cc");
    assert_counted_by_name("compat", OWN);
}

#[test]
fn a_32_bit_program_is_counted_as_a_64_bit_one() {
    requires!("cc");
    assert_counted_by_name("compat_32", 0);
}

fn assert_calls(report: &Report) {
    let vector = 15 * KIB;
    let moving = [
        ("read", TURNS, TURNS * PAGE),
        ("readv", 1, vector),
        ("pread64", TURNS + OWN, TURNS * PAGE + OWN * 100),
        ("preadv", TURNS, TURNS * vector),
        ("preadv2", 2, 4 * KIB),
        ("write", 1, PAGE),
        ("writev", 1, vector),
        ("pwrite64", TURNS, TURNS * PAGE),
        ("pwritev", TURNS, TURNS * vector),
        ("pwritev2", 1, KIB),
        ("sendfile", 10, 13 * PAGE),
        ("copy_file_range", 1, 4 * PAGE),
        ("splice", 1, PAGE),
    ];
    for (name, calls, bytes) in moving {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, Some(bytes)), "{name}");
        // The segments of vectors have eight bytes each there.
        let sizes = known(&call.size);
        assert_eq!((sizes.count, sizes.sum), (calls, bytes), "{name}");
        assert!(call.errors.is_empty(), "{name}: {:?}", call.errors);
    }
    let others = [
        ("openat", 1),
        ("close", 2),
        ("lseek", 3),
        ("fsync", 3),
        ("fstat", 1),
        ("ftruncate", 1),
        ("fallocate", 1),
        ("fadvise64", 1),
        ("readahead", 1),
        ("sync_file_range", 1),
        ("mmap", 1),
        ("munmap", 1),
        ("io_submit", 1),
        ("io_getevents", 1),
        ("io_destroy", 1),
        ("execve", 1),
        // pipe2, socketpair and io_setup.
        ("other", 3),
    ];
    for (name, calls) in others {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, None), "{name}");
        assert!(call.errors.is_empty(), "{name}: {:?}", call.errors);
    }
    for (name, calls, asked, moved) in [
        ("sendto", 2, 1300, 1300),
        ("recvfrom", 2, 1600, 1300),
        ("sendmsg", 1, 3 * KIB, 3 * KIB),
        ("recvmsg", 1, 3 * KIB, 3 * KIB),
        ("sendmmsg", 1, 6 * KIB, 6 * KIB),
        ("recvmmsg", 1, 6 * KIB, 6 * KIB),
    ] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, Some(moved)), "{name}");
        assert_eq!(known(&call.size).sum, asked, "{name}");
    }
    let sockets = report.files_of(FileKind::Sockets);
    let one_way = 1300 + 9 * KIB;
    assert_eq!(
        (sockets.read_bytes, sockets.written_bytes),
        (one_way, one_way)
    );
    let open = report.call("open");
    assert_eq!((open.calls, open.errors.get("ENOENT")), (2, Some(&1)));
    let names = report.workload(0).syscalls.len();
    assert_eq!(names, moving.len() + others.len() + 6 + 1);
    assert_eq!(report.ledger.vectors_unread, 0);
    // The kernel itself reads the head of a program's file when it executes it.
    let (counted, kernel) = report.workload_check(CheckKind::CallReadBytes);
    assert!(kernel - counted < 4 * KIB, "{counted}, {kernel}");
    let (counted, kernel) = report.workload_check(CheckKind::CallWrittenBytes);
    assert_eq!(counted, kernel);
}

fn assert_files(report: &Report, folder: &Path) {
    let counts = &report.file(&folder.join("data")).counts;
    let read =
        2 * TURNS * PAGE + (TURNS + 1) * 15 * KIB + 4 * KIB + 18 * PAGE + 3 * PAGE + OWN * 100;
    let written = (TURNS + 1) * (PAGE + 15 * KIB) + KIB;
    assert_eq!(counts.opens, 1, "{counts:#?}");
    assert_eq!(
        (counts.reads, counts.read_bytes),
        (3 * TURNS + 15 + 3 + OWN, read)
    );
    assert_eq!(
        (counts.writes, counts.written_bytes),
        (2 * TURNS + 3, written)
    );
    // All pwrite64 and read but for the first, readv and preadv2 behind them, writev behind write, and the copies but for
    // the first of those at the file's own offset and of those at others. By the lower halves of offsets alone, those of
    // pread64 would be, too.
    let sequential = 2 * (TURNS - 1) + 2 + 1 + 3 + 7;
    assert_eq!(counts.sequential, sequential, "{counts:#?}");
    let other = &report.file(&folder.join("data2")).counts;
    assert_eq!((other.opens, other.reads), (1, 0));
    assert_eq!(other.sequential, 11);
    assert_eq!((other.writes, other.written_bytes), (11, 17 * PAGE));
    let aio = &report.workload(0).aio;
    assert_eq!((aio.submitted, aio.reaped, aio.iocbs_unread), (3, 3, 0));
    let one = report.aio("PREAD");
    assert_eq!(
        (one.submissions, one.completions, one.bytes),
        (3, 3, Some(3 * PAGE))
    );
}
