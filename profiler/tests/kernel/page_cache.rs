//! The page cache's part in reads: hits, misses, and waits for read-ahead.

use std::{fs, path::Path};

use crate::support::{
    Report,
    device::{Loop, written_file},
    plain, profile,
    program::Program,
    report::number,
};

const MIB: usize = 1024 * 1024;

/// Bytes and calls by how the cache served them.
fn served(report: &Report, how: &str) -> (u64, u64) {
    let served = &report.workload(0)["cache"][how];
    (
        number(&served["bytes"]),
        number(&served["latency"]["count"]),
    )
}

/// Takes a file out of the page cache.
fn evict(path: &Path) {
    let file = fs::File::open(path).expect("the file is there");
    let advice = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    nix::fcntl::posix_fadvise(file, 0, 0, advice).expect("it can be evicted");
}

#[test]
fn a_cold_file_is_read_by_misses_and_a_warm_one_by_hits() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 16 * MIB);
    // In one call: read-ahead brings what later calls would find.
    let command = program.with(&["read", plain(&path), &(16 * MIB).to_string()]);
    evict(&path);
    let cold = profile(&[], &command);
    let all = 16 * MIB as u64;
    let (missed, misses) = served(&cold, "misses");
    let (waited, waits) = served(&cold, "read_ahead_waits");
    assert_eq!(missed + waited, all, "{:#}", cold.workload(0)["cache"]);
    assert_eq!(misses + waits, 1);
    // The end of the file.
    assert_eq!(served(&cold, "hits"), (0, 1));
    let warm = profile(&[], &command);
    assert_eq!(served(&warm, "hits"), (all, 2));
    for how in ["misses", "read_ahead_waits", "direct"] {
        assert_eq!(served(&warm, how), (0, 0), "{how}");
    }
    for report in [&cold, &warm] {
        let row = report.file(&path);
        assert_eq!(number(&row["reads"]), 2);
        assert_eq!(number(&row["read_bytes"]), all);
        assert_eq!(number(&row["opens"]), 1);
        assert_eq!(number(&row["sequential"]), 2);
        assert_eq!(number(&row["unaligned"]), 0);
        assert_eq!(number(&row["typical_size_bytes"]), 16 * MIB as u64);
        assert_eq!(row["path_is_current"], true);
    }
}

#[test]
fn direct_reads_do_not_ask_the_cache() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("direct_io");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    let report = profile(&[], &program.with(&[plain(&path), "read", "4096", "100"]));
    assert_eq!(served(&report, "direct"), (100 * 4096, 100));
    for how in ["hits", "misses", "read_ahead_waits"] {
        assert_eq!(served(&report, how), (0, 0), "{how}");
    }
}
