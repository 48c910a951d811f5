//! The workloads as programs: what they count, what they refuse, what they leave behind.

mod common;

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use common::{SmallDisk, names, run, start};

/// Small enough for a debug build, with contents in cache.
const QUICK: [(&str, &str); 7] = [
    (
        "async",
        "async --engine uring --files 60 --file-size 1K-40K --verify --cache warm",
    ),
    (
        "async",
        "async --engine tokio --files 60 --file-size 1K-40K --verify --cache warm",
    ),
    (
        "async",
        "async --access random --file-size 4M --direct --read-percent 50 --cache cold-data --verify",
    ),
    ("mmap", "mmap --file-size 6M --window 2M --cache warm"),
    (
        "batch",
        "batch --files 200 --file-size 0-20K --transform checksum,lines,compress --ordered --cache warm",
    ),
    (
        "batch",
        "batch --files 50 --file-size 400K --write --workers 3 --cache as-is",
    ),
    ("copy", "copy --file-size 9M --verify --cache cold-data"),
];

#[test]
fn every_workload_counts_and_cleans_up() {
    // On a real file system, for direct I/O.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("temporary folder");
    for (name, arguments) in QUICK {
        let outcome = run(dir.path(), arguments);
        assert!(outcome.status.success(), "{arguments}: {outcome:?}");
        let summary = outcome.summary();
        assert_eq!(summary.workload, name);
        assert_eq!(summary.errors, [], "{arguments}");
        assert_eq!(summary.leaked_descriptors, 0, "{arguments}");
        assert_eq!(summary.calls("open"), summary.calls("close"), "{arguments}");
        assert_eq!(
            summary.calls("mmap"),
            summary.calls("munmap"),
            "{arguments}"
        );
        assert!(
            summary.files > 0 && summary.elapsed_ns > 0 && summary.peak_open_files > 0,
            "{arguments}"
        );
        assert!(outcome.stdout.contains("files in"), "{arguments}");
        assert_eq!(names(dir.path()), [] as [String; 0], "{arguments}");
    }
}

#[test]
fn counts_are_exact() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for engine in ["uring", "tokio"] {
        let arguments = format!(
            "async --engine {engine} --files 100 --file-size 8K --block-size 4K --read-percent 70 --cache warm"
        );
        let outcome = run(dir.path(), &arguments);
        let summary = outcome.summary();
        assert_eq!(
            (summary.files, summary.calls("open"), summary.calls("close")),
            (100, 100, 100)
        );
        // Two blocks a file: of those read the second read meets the end, of those written both are full.
        assert_eq!(
            (summary.calls("read"), summary.bytes("read")),
            (140, 70 * 8192)
        );
        assert_eq!(
            (summary.calls("write"), summary.bytes("write")),
            (60, 30 * 8192)
        );
        assert_eq!(summary.calls("fsync"), 30);
        assert_eq!(summary.setup.setup_bytes, 100 * 8192);
    }
    let outcome = run(dir.path(), "batch --files 100 --file-size 8K --cache as-is");
    // The read that gets the last byte meets the end as well; one folder above, one below.
    let summary = outcome.summary();
    assert_eq!(
        (summary.calls("read"), summary.bytes("read")),
        (100, 100 * 8192)
    );
    assert_eq!((summary.calls("open"), summary.calls("stat")), (102, 100));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_keep_finds_them_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let digest = |seed: u64, folder: &str| {
        let data = dir.path().join(folder);
        fs::create_dir_all(&data).expect("folder");
        let results = dir.path().join("results");
        let arguments = format!(
            "batch --keep --seed {seed} --files 30 --file-size 1K-9K --ordered --cache as-is --results {}",
            results.display()
        );
        let outcome = run(&data, &arguments);
        let lines = fs::read_to_string(&results).expect("results");
        let mut sums: Vec<String> = lines
            .lines()
            .map(|line| line.split('\t').take(5).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(sums.len(), 30);
        // Files come in the order of their inodes, which are the file system's to give.
        sums.sort_unstable();
        (outcome.summary().setup.reused, sums)
    };
    let (reused, first) = digest(1, "a");
    assert!(!reused);
    assert_eq!(digest(1, "b"), (false, first.clone()));
    assert_eq!(digest(1, "a"), (true, first.clone()));
    assert_ne!(digest(2, "a").1, first);
}

#[test]
fn a_file_that_was_updated_is_made_again_unless_that_does_not_matter() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let again = |words: &str| {
        let arguments = format!("mmap --keep --pattern update --file-size 1M {words}");
        run(dir.path(), &arguments).summary().setup.reused
    };
    let reuse = "--reuse-changed";
    let found = ["", "", reuse, reuse].map(again);
    assert_eq!(found, [false, false, false, true]);
}

#[test]
fn a_scan_holds_little_of_a_large_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let outcome = run(
        dir.path(),
        "mmap --pattern scan --file-size 512M --data-size 1M --window 4M --cache as-is",
    );
    assert_eq!(outcome.summary().bytes("load"), 512 << 20);
    assert!(
        outcome.summary().peak_rss_bytes < 40 << 20,
        "{} bytes",
        outcome.summary().peak_rss_bytes
    );
}

#[test]
fn few_descriptors_are_enough() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (limit, arguments) in [
        (
            256,
            "async --files 5000 --file-size 512 --depth 1000 --read-percent 100 --cache as-is",
        ),
        (
            64,
            "async --engine tokio --files 300 --file-size 4K --depth 1000 --cache as-is",
        ),
        (
            64,
            "async --engine uring --files 300 --file-size 4K --depth 1000 --cache as-is",
        ),
        (
            64,
            "batch --files 300 --file-size 4K --workers 64 --cache as-is",
        ),
        (64, "mmap --file-size 4M --cache as-is"),
        (64, "copy --file-size 4M --method splice --cache as-is"),
    ] {
        let outcome = start(dir.path(), arguments, &format!("ulimit -n {limit}")).finish();
        assert!(outcome.status.success(), "{arguments}: {outcome:?}");
        let summary = outcome.summary();
        assert!(
            summary.peak_open_files < limit,
            "{arguments}: {}",
            summary.peak_open_files
        );
        assert!(
            !summary
                .operations
                .iter()
                .any(|operation| operation.errors.contains_key("EMFILE")),
            "{arguments}"
        );
        if arguments.contains("1000") || arguments.contains("64 ") {
            assert!(
                summary.notes.iter().any(|note| note.contains("lowered")),
                "{arguments}: {:?}",
                summary.notes
            );
        }
    }
    start(dir.path(), "async --files 10", "ulimit -n 12")
        .finish()
        .assert_refused("ulimit -n");
}

#[test]
fn contradicting_options_are_refused_in_one_line() {
    let dir = tempfile::tempdir().expect("temporary folder");
    run(Path::new("/nonexistent/folder"), "async").assert_refused("/nonexistent/folder");
    run(Path::new("/proc/version"), "async").assert_refused("folder");
    run(dir.path(), "async --direct --block-size 1000").assert_refused("multiple of 4096");
    run(
        dir.path(),
        "async --direct --file-size 1000 --read-percent 0",
    )
    .assert_refused("multiple of 4096");
    run(dir.path(), "mmap --window 1K").assert_refused("--window");
    run(dir.path(), "mmap --file-size 0").assert_refused("--file-size");
    run(dir.path(), "copy --input /dev/null").assert_refused("regular file");
    run(dir.path(), "copy --input /nonexistent").assert_refused("/nonexistent");
    run(dir.path(), "batch --input /nonexistent").assert_refused("/nonexistent");
    run(
        dir.path(),
        "batch --files 5 --cache as-is --results /nonexistent/r",
    )
    .assert_refused("/nonexistent/r");
    run(dir.path(), "mmap --file-size 1000T --cache as-is").assert_refused("bytes free");
    assert_eq!(names(dir.path()), [] as [String; 0]);
}

#[test]
fn a_closed_summary_descriptor_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let arguments = "copy --file-size 1M --cache as-is --summary-fd 77";
    let output = std::process::Command::new(common::program())
        .args(arguments.split_whitespace())
        .arg("--dir")
        .arg(dir.path())
        .output()
        .expect("run");
    assert!(String::from_utf8_lossy(&output.stderr).contains("descriptor 77"));
    assert!(!output.status.success());
}

#[test]
fn a_summary_descriptor_that_the_program_opened_itself_is_refused() {
    let file = tempfile::tempfile().expect("temporary file");
    // SAFETY: it is refused, for its owner here marked it close-on-exec.
    let refused = unsafe { ioprof_workloads::inherited(file.as_raw_fd()) };
    assert!(refused.is_err());
    file.metadata().expect("it is still open");
}

#[test]
fn a_full_disk_is_reported_in_one_line_and_left_clean() {
    let Some(disk) = SmallDisk::new(160) else {
        return;
    };
    let before = names(disk.path());
    run(disk.path(), "async --files 4000 --file-size 64K").assert_refused("bytes free");

    // More than fits, of which the workload cannot know beforehand: its input is elsewhere.
    let input = tempfile::tempdir().expect("temporary folder");
    for index in 0..40 {
        fs::write(input.path().join(format!("f{index}")), vec![index; 6 << 20]).expect("input");
    }
    let arguments = format!(
        "batch --input {} --write --transform none --cache as-is",
        input.path().display()
    );
    let outcome = run(disk.path(), &arguments);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    let summary = outcome.summary();
    assert_eq!(summary.files, 40);
    assert!(
        summary.failed() > 0 && summary.failed() < 40,
        "{:?}",
        summary.errors
    );
    assert!(
        summary
            .errors
            .iter()
            .all(|error| error.error.contains("free some space")),
        "{:?}",
        summary.errors
    );
    assert_eq!(names(disk.path()), before);

    // Holes that are filled through a map need space that is not there: SIGBUS, or nothing until the pages are written.
    let outcome = run(
        disk.path(),
        "mmap --file-size 1G --data-size 4K --pattern update --operations 200000 --cache as-is",
    );
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    assert_eq!(names(disk.path()), before);
}

#[test]
fn a_read_only_file_system_is_reported_in_one_line() {
    let Some(disk) = SmallDisk::new(80) else {
        return;
    };
    disk.freeze();
    for workload in [
        "async",
        "mmap --file-size 1M",
        "batch --files 10",
        "copy --file-size 1M",
    ] {
        let outcome = run(disk.path(), workload);
        outcome.assert_refused("read-only");
    }
}

#[test]
fn a_data_set_in_memory_is_noted() {
    let shm = Path::new("/dev/shm");
    let Ok(dir) = tempfile::tempdir_in(shm) else {
        common::skip("/dev/shm cannot be written to");
        return;
    };
    let outcome = run(dir.path(), "copy --file-size 1M --cache as-is");
    assert!(
        outcome
            .summary()
            .notes
            .iter()
            .any(|note| note.contains("tmpfs")),
        "{:?}",
        outcome.summary().notes
    );
}
