//! Bytes that calls move by sockets, between descriptors, and at offsets in memory.

use std::fs;

use crate::support::{
    self, plain, profile,
    program::Program,
    report::{CheckKind, FileKind, Report, known},
};

const PAGE: u64 = 4096;
const TURNS: u64 = 10;
/// Bytes of one message by a vector.
const MESSAGE: u64 = 1500;

/// The report of the program, with the folder of its files.
fn transfers() -> (Report, tempfile::TempDir) {
    let program = Program::compile("transfers");
    let folder = support::folder();
    let files = ["source", "copy", "sent", "spliced", "other"].map(|name| folder.path().join(name));
    for file in &files {
        fs::write(file, vec![1; 32 * PAGE as usize]).expect("a file can be written");
    }
    let names: Vec<&str> = files.iter().map(|file| plain(file)).collect();
    (profile(&[], &program.with(&names)), folder)
}

#[test]
fn what_is_sent_and_received_is_counted_by_call_and_as_bytes_of_sockets() {
    requires!("cc");
    let (report, _folder) = transfers();
    let messages = 4 * TURNS;
    for (name, calls, asked, moved, failed) in [
        ("sendto", TURNS, 700 * TURNS, 700 * TURNS, 0),
        ("recvfrom", TURNS + 1, 2000 * (TURNS + 1), 700 * TURNS, 1),
        ("sendmsg", TURNS, MESSAGE * TURNS, MESSAGE * TURNS, 0),
        ("recvmsg", TURNS, MESSAGE * TURNS, MESSAGE * TURNS, 0),
        ("sendmmsg", TURNS, MESSAGE * messages, MESSAGE * messages, 0),
    ] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, Some(moved)), "{name}");
        assert_eq!(call.failed(), failed, "{name}");
        let size = known(&call.size);
        assert_eq!((size.count, size.sum), (calls, asked), "{name}");
    }
    let call = report.call("recvmmsg");
    assert_eq!(
        (call.calls, call.bytes),
        (TURNS + 1, Some(MESSAGE * messages))
    );
    assert_eq!(call.errors.get("EAGAIN"), Some(&1));

    let one_way = 700 * TURNS + MESSAGE * (TURNS + messages) + 300;
    let sockets = report.files_of(FileKind::Sockets);
    assert_eq!(
        (sockets.read_bytes, sockets.written_bytes),
        (one_way, one_way)
    );
    assert_eq!(
        (sockets.reads, sockets.writes),
        (3 * TURNS + 3, 3 * TURNS + 1)
    );
    // Of 63 sizes 31 are from there to 2 KiB, and 20 are those of several messages together, 6,000 bytes.
    let files = known(&report.workload(0).files);
    let row = files.top.iter().find(|row| row.kind == FileKind::Sockets);
    assert_eq!(row.and_then(|row| row.typical_size_bytes), Some(1024));
    let by_kind = &files.by_kind;
    let of = |wanted| {
        let kind = by_kind.iter().find(|one| one.kind == wanted);
        kind.map(|one| (one.read_bytes, one.written_bytes))
    };
    assert_eq!(of(FileKind::Sockets), Some((one_way, one_way)));
    let copied = 2 * PAGE * TURNS;
    assert_eq!(
        of(FileKind::File),
        Some((3 * copied + PAGE * TURNS, 3 * copied))
    );
    // By vmsplice, tee and read, and a splice each way.
    let read = (3 + 1 + 3 + 2) * PAGE * TURNS + copied;
    let written = (3 + 3) * PAGE * TURNS + copied;
    assert_eq!(of(FileKind::Pipes), Some((read, written)));

    // The kernel counts none of it, but for the read and the write, sendfile, copy_file_range and preadv2.
    let (counted, kernel) = report.workload_check(CheckKind::CallWrittenBytes);
    assert_eq!((counted, kernel), (300 + 2 * copied, 300 + 2 * copied));
    let (counted, _) = report.workload_check(CheckKind::CallReadBytes);
    assert_eq!(counted, 300 + 2 * copied + (5 + 1) * PAGE * TURNS);
    // Nothing of it is a read of a file by the page cache, but for the copies and preadv2.
    let cache = known(&report.workload(0).page_cache);
    let bytes: u64 = cache.ways().map(|(_, served)| served.bytes).sum();
    assert_eq!(bytes, 3 * copied + PAGE * TURNS);
}

#[test]
fn the_sum_of_what_is_asked_for_does_not_wrap_around() {
    requires!("cc");
    let folder = support::folder();
    let files = ["source", "copy"].map(|name| folder.path().join(name));
    for file in &files {
        fs::write(file, vec![1; 4 * PAGE as usize]).expect("a file can be written");
    }
    let names: Vec<&str> = files.iter().map(|file| plain(file)).collect();
    let report = profile(&[], &Program::compile("all_of_it").with(&names));
    for (name, calls, moved) in [
        ("copy_file_range", 3, 12 * PAGE),
        ("sendfile", 6, 15 * PAGE),
    ] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, Some(moved)), "{name}");
        let size = known(&call.size);
        assert_eq!((size.count, size.sum), (calls, u64::MAX), "{name}");
        assert_eq!((size.max, size.mean()), (i64::MAX as u64, None), "{name}");
    }
}

#[test]
fn what_goes_from_pipe_to_pipe_and_from_memory_is_counted() {
    requires!("cc");
    let (report, _folder) = transfers();
    for (name, calls, bytes) in [
        ("vmsplice", 2 * TURNS, 4 * PAGE * TURNS),
        ("tee", TURNS, 3 * PAGE * TURNS),
        ("splice", 2 * TURNS, 4 * PAGE * TURNS),
    ] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, Some(bytes)), "{name}");
        assert!(call.errors.is_empty(), "{name}: {:?}", call.errors);
    }
    assert_eq!(known(&report.call("vmsplice").size).sum, 4 * PAGE * TURNS);
}

#[test]
fn copies_at_offsets_in_memory_are_sequential() {
    requires!("cc");
    let (report, folder) = transfers();
    let of = |name: &str| report.file(&folder.path().join(name)).counts;
    // Each way reads it from its beginning; the first does so from where the row begins.
    let source = of("source");
    assert_eq!(source.reads, 3 * TURNS);
    assert_eq!(source.sequential, 3 * TURNS - 2, "{source:?}");
    for name in ["copy", "sent", "spliced"] {
        let counts = of(name);
        assert_eq!(
            (counts.writes, counts.written_bytes),
            (TURNS, 2 * PAGE * TURNS),
            "{name}"
        );
        assert_eq!(counts.sequential, TURNS, "{name}");
        assert_eq!(counts.unaligned, 0, "{name}");
    }
    let other = of("other");
    assert_eq!((other.reads, other.sequential), (TURNS, TURNS));
}
