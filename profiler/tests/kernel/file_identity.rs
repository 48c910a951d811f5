//! What is done to a file counts in its row, and not in that of another one that the kernel had at the same addresses
//! before, whoever has opened it, changed it or closed it.

use std::{fs, path::Path};

use crate::support::{
    self, Report,
    device::{FileSystem, Loop},
    overlay::Overlay,
    plain, profile,
    program::Program,
    report::{FileKind, PathState, known},
    requirements::tool,
    succeed,
};

/// How many files there are.
const COUNT: u64 = 30;

/// Has bytes written to one file after the other in one of the ways of the program; the report, in which each file has
/// its own.
fn hand_over(way: &str, keep: &[&str]) -> Report {
    hand_over_in(support::folder().path(), way, keep)
}

/// The same in a folder.
fn hand_over_in(folder: &Path, way: &str, keep: &[&str]) -> Report {
    let program = Program::compile("handed_over");
    let count = COUNT.to_string();
    let arguments = [&[way, plain(folder), &count], keep].concat();
    let report = profile(&[], &program.with(&arguments));
    for at in 0..COUNT {
        let row = report.file(&folder.join(format!("file-{at:03}")));
        assert_eq!(
            (
                row.counts.opens,
                row.counts.writes,
                row.counts.written_bytes
            ),
            (1, 1, (at + 1) * 1000),
            "{way}: {row:#?}"
        );
        assert_eq!(row.counts.reads, 0, "{way}: {row:#?}");
        let state = if keep.is_empty() {
            PathState::Gone
        } else {
            PathState::Current
        };
        assert_eq!(row.path_state, Some(state), "{way}: {row:#?}");
    }
    report
}

/// All that was written to the files.
const ALL: u64 = COUNT * (COUNT + 1) / 2 * 1000;

#[test]
fn what_another_thread_writes_counts_in_the_row_of_the_file() {
    requires!("cc");
    hand_over("thread", &[]);
    hand_over("thread", &["keep"]);
}

#[test]
fn a_descriptor_that_another_thread_has_changed_stands_for_the_new_file() {
    requires!("cc");
    hand_over("dup", &[]);
}

#[test]
fn both_ends_of_a_copy_by_another_thread_have_their_bytes() {
    requires!("cc");
    for way in ["sendfile", "copy"] {
        let report = hand_over(way, &[]);
        let files = &known(&report.workload(0).files).top;
        let source = files.iter().find(|row| {
            let path = row.path.as_ref().map(ioprof::text::Text::as_str);
            path.is_some_and(|path| path.ends_with("/source"))
        });
        let source = source.expect("the file that is copied from has a row");
        let read = (source.counts.reads, source.counts.read_bytes);
        assert_eq!(read, (COUNT, ALL), "{way}: {source:#?}");
    }
}

#[test]
fn what_a_ring_writes_counts_in_the_row_of_the_file() {
    requires!("cc");
    for way in ["ring", "fixed"] {
        let report = hand_over(way, &[]);
        assert_eq!(report.uring("WRITE").bytes, Some(ALL), "{way}");
    }
}

#[test]
fn files_on_overlayfs_that_have_the_same_number_one_after_the_other_are_told_apart() {
    requires!("cc", "mkfs.ext4", "losetup", "mount", "umount");
    // An ext4 gives the number of the file that was deleted last to the next one.
    let disk = Loop::new(64 << 20);
    let overlay = Overlay::of(&disk.mounted(), &[]);
    hand_over_in(&overlay.merged(), "thread", &[]);
}

#[test]
fn a_file_of_btrfs_and_that_of_its_snapshot_are_told_apart() {
    requires!("cc", "btrfs", "mkfs.btrfs", "losetup");
    let disk = Loop::with(FileSystem::Btrfs, 256 << 20);
    let [first, second] = ["first", "second"].map(|name| disk.mounted().join(name));
    let subvolume = |words: &[&Path]| {
        let mut made = tool("btrfs");
        succeed(made.arg("subvolume").args(words));
    };
    subvolume(&[Path::new("create"), &first]);
    fs::write(first.join("data"), [1; 3000]).expect("a file can be written");
    subvolume(&[Path::new("snapshot"), &first, &second]);
    let script = format!(
        "head -c 1000 {0}/data; head -c 2000 {1}/data; head -c 1000 {0}/data",
        plain(&first),
        plain(&second)
    );
    let report = profile(&[], &["sh", "-c", &script]);
    for (folder, opens, bytes) in [(first, 2, 2000), (second, 1, 2000)] {
        let row = report.file(&folder.join("data"));
        assert_eq!(
            (row.counts.opens, row.counts.read_bytes),
            (opens, bytes),
            "{row:#?}"
        );
    }
}

#[test]
fn flags_and_descriptors_are_those_that_a_call_has_found() {
    const BLOCK: u64 = 64 * 1024;
    requires!("cc");
    let program = Program::compile("changed_flags");
    let folder = support::folder();
    let path = folder.path().join("data");
    fs::write(&path, vec![1; 200 * BLOCK as usize]).expect("a file can be written");
    let report = profile(&[], &program.with(&[plain(&path)]));
    let cache = known(&report.workload(0).page_cache);
    // Half of them after O_DIRECT was set, by fcntl in either case.
    assert_eq!(
        (cache.direct.latency.count, cache.direct.bytes),
        (120, 120 * BLOCK)
    );
    let all: u64 = cache.ways().map(|(_, served)| served.bytes).sum();
    let bytes = all - cache.direct.bytes;
    // Beside the file, what the program reads of /proc to see that its thread waits.
    assert!((80 * BLOCK..81 * BLOCK).contains(&bytes), "{cache:#?}");
    let row = report.file(&path);
    assert_eq!(
        (row.counts.reads, row.counts.read_bytes),
        (200, 200 * BLOCK)
    );
    // What was read from the pipe is the pipe's, though the descriptor was the file's when the call returned.
    let files = &known(&report.workload(0).files).top;
    let pipes = files.iter().find(|row| row.kind == FileKind::Pipes);
    let pipes = pipes.expect("there is a row for pipes");
    assert_eq!(
        (pipes.counts.reads, pipes.counts.read_bytes),
        (1, 1000),
        "{pipes:#?}"
    );
}
