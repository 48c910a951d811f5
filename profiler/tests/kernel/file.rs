//! Every call on a file counts in the row of that file, and the page cache's part in it is told.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use ioprof::text::Text;
use ioprof_ebpf::abi::loss::Loss;

use crate::support::{
    self, Report,
    attached::Attached,
    ioprof,
    overlay::Overlay,
    plain, profile, profile_lossy,
    program::Program,
    report::{File, FileCounts, FileKind, Files, PathState, known},
    requirements::tool,
    succeed,
};

const KIB: usize = 1024;

#[test]
fn what_has_no_name_is_told_by_its_kind() {
    requires!();
    let report = profile(
        &[],
        &[
            "sh",
            "-c",
            "head -c 1000 /dev/zero | cat | wc -c; ls / | wc -l",
        ],
    );
    let files = known(&report.workload(0).files);
    let kind = |kind: FileKind| {
        let found = files.top.iter().find(|row| row.kind == kind);
        found.expect("there is a row for all of them")
    };
    let pipes = kind(FileKind::Pipes);
    assert!(pipes.path.is_none(), "{pipes:#?}");
    assert!(pipes.counts.read_bytes >= 2000, "{pipes:#?}");
    assert!(kind(FileKind::CharacterDevices).counts.read_bytes >= 1000);
    assert!(kind(FileKind::Directories).counts.time_ns > 0);
    // Pipes are no files to the page cache.
    let cache = known(&report.workload(0).page_cache);
    assert!(cache.misses.bytes < 1_000_000, "{cache:#?}");
}

/// The rows of files that were opened, and not just executed.
fn opened(files: &Files) -> impl Iterator<Item = &File> {
    files.top.iter().filter(|row| row.counts.opens > 0)
}

#[test]
fn a_thousand_open_files_keep_their_rows_when_they_are_renamed_and_deleted() {
    const COUNT: u64 = 1000;
    requires!("cc");
    let program = Program::compile("files");
    let folder = support::folder();
    for at in 0..COUNT {
        fs::write(folder.path().join(format!("file-{at:06}")), [7; 4096]).expect("written");
    }
    let report = profile(
        &[],
        &program.with(&["keep", plain(folder.path()), &COUNT.to_string()]),
    );
    assert_eq!(report.sum_of_files(|row| row.opens), COUNT);
    assert_eq!(report.sum_of_files(|row| row.reads), 3 * COUNT);
    assert_eq!(report.sum_of_files(|row| row.read_bytes), 3 * COUNT * 4096);
    let call = report.call("pread64");
    assert_eq!(
        (call.calls, call.bytes),
        (3 * COUNT, Some(3 * COUNT * 4096))
    );
    let files = known(&report.workload(0).files);
    for row in opened(files) {
        assert_eq!(row.counts.reads, 3, "{row:#?}");
        let path = row.path.as_ref().map(Text::as_str).expect("a path");
        let name = path.rsplit('-').next().expect("a number");
        let at: u64 = name.parse().expect("a number");
        // Where it cannot be told what became of a file, the name is that of the first sight.
        let (name, state) = match (at % 4, row.path_state) {
            (0, Some(PathState::Current)) => ("moved", PathState::Current),
            (0 | 1, _) => ("file", PathState::Gone),
            _ => ("file", PathState::Current),
        };
        assert_eq!(path, plain(&folder.path().join(format!("{name}-{at:06}"))));
        assert_eq!(row.path_state, Some(state), "{row:#?}");
    }
    let told = files.top.len() as u64;
    // And the program itself, whose pages were faulted in.
    assert_eq!(told + files.others, COUNT + 1);
}

#[test]
fn a_hundred_thousand_files_fill_the_table_and_none_is_lost() {
    const COUNT: u64 = 100_000;
    requires!("cc");
    let program = Program::compile("files");
    let folder = support::folder();
    // So many inodes are never dirty at once in the table that knows whose they are.
    let report = profile_lossy(
        &[],
        &program.with(&["make", plain(folder.path()), &COUNT.to_string()]),
    );
    for lost in [
        Loss::TaskRefused,
        Loss::ExitMissed,
        Loss::ErrorsFull,
        Loss::HistogramFull,
    ] {
        assert_eq!(report.lost(lost), 0, "{lost:?}");
    }
    assert_eq!(report.sum_of_files(|row| row.opens), COUNT);
    assert_eq!(report.sum_of_files(|row| row.writes), COUNT);
    assert_eq!(report.sum_of_files(|row| row.written_bytes), COUNT);
    let files = known(&report.workload(0).files);
    let rows = files.top.len() as u64 + files.others;
    // All the room there is, but for the row of all others, and that of the device where its pages are the file system's.
    let room = 32 * KIB as u64 - 1;
    assert!([room, room - 1].contains(&rows), "{rows}");
    for row in opened(files) {
        assert_eq!((row.counts.opens, row.counts.writes), (1, 1), "{row:#?}");
        assert_eq!(row.path_state, Some(PathState::Current), "{row:#?}");
    }
}

#[test]
fn files_whose_paths_are_too_many_have_their_rows() {
    // Each path takes two of the 40,960 places.
    const COUNT: u64 = 22_000;
    requires!("cc");
    let program = Program::compile("files");
    let root = support::folder();
    let folder = ["a", "b"]
        .iter()
        .fold(root.path().to_owned(), |path, name| {
            path.join(name.repeat(200))
        });
    fs::create_dir_all(&folder).expect("folders can be made");
    let report = profile_lossy(
        &[],
        &program.with(&["make", plain(&folder), &COUNT.to_string()]),
    );
    let files = known(&report.workload(0).files);
    assert_eq!(report.sum_of_files(|row| row.opens), COUNT);
    assert!(files.top.len() as u64 + files.others >= COUNT);
    let told = |message: &Text| message.as_str().starts_with("the table of paths is full");
    let messages = &report.ledger.messages;
    assert!(messages.iter().any(told), "{messages:?}");
}

#[test]
fn what_io_uring_does_to_files_counts_in_their_rows() {
    requires!();
    let folder = support::folder();
    let out = folder.path().join("run.json");
    let mut run = ioprof();
    run.arg("run").arg("-o").arg(&out).arg("async");
    run.args(["--engine", "uring", "--files", "500", "--file-size", "16K"]);
    succeed(run.arg("--dir").arg(folder.path()));
    let report = Report::read(&out);
    report.assert_nothing_lost();
    let done = |wanted: &str| -> (u64, u64) {
        let operations = &known(&report.workload(0).io_uring).operations;
        let own = operations
            .iter()
            .filter(|one| one.name.as_str().starts_with(wanted));
        own.fold((0, 0), |(count, bytes), one| {
            (count + one.completions, bytes + one.bytes.unwrap_or(0))
        })
    };
    let (reads, read) = done("READ");
    let (writes, written) = done("WRITE");
    assert_eq!(
        (reads + writes, read + written),
        (500, 500 * 16 * KIB as u64)
    );
    // Beside them the workload reads and writes a byte of the socket that lets it begin.
    let files = known(&report.workload(0).files);
    let sockets = files.top.iter().find(|row| row.kind == FileKind::Sockets);
    for (column, expected) in [
        ((|row| row.reads) as fn(&FileCounts) -> u64, reads),
        (|row| row.read_bytes, read),
        (|row| row.writes, writes),
        (|row| row.written_bytes, written),
    ] {
        let by_socket = sockets.map_or(0, |row| column(&row.counts));
        assert_eq!(report.sum_of_files(column) - by_socket, expected);
    }
}

#[test]
fn a_file_that_was_open_before_has_its_name() {
    requires!("cc");
    let program = Program::compile("files");
    let folder = support::folder();
    let path = folder.path().join("data with a space");
    fs::write(&path, vec![1; 64 * KIB]).expect("a file can be written");
    let words = program.with(&["wait", plain(&path), "4096"]);
    let mut reader = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let attached = Attached::to(&[reader.id()], &[]);
    let mut stdin = reader.stdin.take().expect("a pipe");
    // It waits for this, perhaps before its standard input; it ends with what it reads.
    stdin.write_all(b"x").expect("it reads");
    reader.wait().expect("it ends");
    let report = attached.ended();
    let row = report.file(&path);
    assert_eq!(row.counts.read_bytes, 64 * KIB as u64, "{row:#?}");
    assert_eq!(row.counts.reads, 17, "{row:#?}");
}

#[test]
fn a_file_on_overlayfs_has_the_path_that_it_was_opened_by() {
    requires!("cc", "mount", "umount");
    let program = Program::compile("files");
    let folder = support::folder();
    succeed(
        tool("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(folder.path()),
    );
    let overlay = Overlay::of(folder.path(), &[("data", 64 * KIB)]);
    let path = overlay.merged().join("data");
    let report = profile_lossy(&[], &program.with(&["read", plain(&path), "4096"]));
    drop(overlay);
    succeed(tool("umount").arg(folder.path()));
    let row = report.file(&path);
    assert_eq!(row.counts.read_bytes, 64 * KIB as u64, "{row:#?}");
}
