//! Files on overlayfs: one row has the calls, and what was done to pages, which are those of a file below.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::support::{
    Report,
    attached::Attached,
    device::{Loop, kernel_is_before, written_file},
    overlay::{Overlay, fill},
    plain, profile,
    program::Program,
    report::{BlockOperation, FileCounts, Origin, known, requests},
    steps::Steps,
};

const KIB: usize = 1024;
const PAGE: u64 = 4096;

/// What the program finds in the lower layer.
const LOWER: [(&str, usize); 5] = [
    ("cold", 1024 * KIB),
    ("mapped", 64 * KIB),
    ("direct", 64 * KIB),
    ("copied", 256 * KIB),
    ("both", 128 * KIB),
];

/// Fails where a column of a file does not have this value.
fn assert_bytes(told: Option<u64>, bytes: u64, row: &FileCounts) {
    assert_eq!(told, Some(bytes), "{row:#?}");
}

#[test]
fn one_row_has_the_calls_on_a_file_and_its_pages() {
    requires!("cc", "mkfs.ext4", "losetup", "mount", "umount");
    let program = Program::compile("stacked");
    let disk = Loop::new(64 << 20);
    let overlay = Overlay::of(&disk.mounted(), &LOWER);
    // Nothing of it is in the cache then.
    overlay.unmounted(|| disk.remount());
    let (merged, lower) = (overlay.merged(), overlay.lower());
    let report = profile(&[], &program.with(&[plain(&merged), plain(&lower)]));
    let counts = |folder: &Path, name: &str| report.file(&folder.join(name)).counts;
    let kib = |kib: u64| kib * 1024;
    if kernel_is_before((6, 5)) {
        // Nothing tells which file is below.
        let row = counts(&merged, "cold");
        assert_eq!((row.read_bytes, row.device_read_bytes), (kib(1024), None));
        return;
    }

    // Of what is in the cache something may be dropped before it is read.
    for (name, bytes) in [("cold", kib(1024)), ("copied", kib(256))] {
        let row = counts(&merged, name);
        assert_eq!(row.read_bytes, bytes, "{row:#?}");
        assert!(row.device_read_bytes >= Some(bytes), "{row:#?}");
    }
    let row = counts(&merged, "mapped");
    assert_eq!((row.reads, row.major_faults), (0, Some(16)), "{row:#?}");
    assert!(row.major_fault_ns > Some(0), "{row:#?}");
    assert!(row.device_read_bytes >= Some(16 * PAGE), "{row:#?}");
    let row = counts(&merged, "direct");
    assert_eq!(row.read_bytes, kib(64), "{row:#?}");
    assert_bytes(row.device_read_bytes, kib(64), &row);

    // The copy, and the page that was written over, of what is no other file.
    assert_eq!(report.file(&merged.join("copied")).inodes, Some(1));
    let row = counts(&merged, "copied");
    assert_eq!(row.written_bytes, PAGE, "{row:#?}");
    assert_bytes(row.dirtied_bytes, kib(256) + PAGE, &row);
    assert_bytes(row.device_written_bytes, kib(256) + PAGE, &row);
    let row = counts(&merged, "new");
    assert_eq!(row.written_bytes, kib(512) + 2 * PAGE, "{row:#?}");
    assert_bytes(row.dirtied_bytes, kib(512) + 2 * PAGE, &row);
    assert_bytes(row.device_written_bytes, kib(512) + 2 * PAGE, &row);
    let row = counts(&merged, "touched");
    assert_eq!(row.dirtying_faults, Some(16), "{row:#?}");
    assert_bytes(row.dirtied_bytes, 16 * PAGE, &row);
    assert_bytes(row.device_written_bytes, 16 * PAGE, &row);

    // Used both ways, its pages are of no way alone.
    let row = counts(&lower, "both");
    assert_eq!(row.read_bytes, kib(128), "{row:#?}");
    assert!(row.device_read_bytes >= Some(kib(128)), "{row:#?}");
    let row = counts(&merged, "both");
    assert_eq!(row.read_bytes, kib(128), "{row:#?}");
    assert_eq!((row.device_read_bytes, row.minor_faults), (None, None));

    nothing_is_left_for_others(&report, &disk, &overlay);
}

/// The files that were used have a row, and those below none; the rows have all that went to and came from the device.
fn nothing_is_left_for_others(report: &Report, disk: &Loop, overlay: &Overlay) {
    let files = known(&report.workload(0).files);
    let mounted = disk.mounted();
    let mut names = Vec::new();
    let (mut read, mut written) = (0, 0);
    for row in &files.top {
        let path = row.path.as_ref().map(ioprof::text::Text::as_str);
        let Some(path) = path.filter(|path| Path::new(path).starts_with(&mounted)) else {
            continue;
        };
        names.push(path.to_owned());
        read += row.counts.device_read_bytes.unwrap_or(0);
        written += row.counts.device_written_bytes.unwrap_or(0);
    }
    names.sort_unstable();
    let used = [
        "both", "cold", "copied", "direct", "mapped", "new", "touched",
    ];
    let used = used.map(|name| overlay.merged().join(name));
    let expected: Vec<_> = [overlay.lower().join("both")]
        .into_iter()
        .chain(used)
        .collect();
    let expected: Vec<_> = expected.iter().map(|path| plain(path)).collect();
    assert_eq!(names, expected);
    let on_device = |operation| on_device(report, disk, operation);
    assert_eq!(read, on_device(BlockOperation::Read), "{files:#?}");
    assert_eq!(written, on_device(BlockOperation::Write), "{files:#?}");
}

/// The bytes of files that the workload's requests to a device moved.
fn on_device(report: &Report, disk: &Loop, operation: BlockOperation) -> u64 {
    let rows = requests(report.workload(0), disk.name(), operation);
    let data = rows.filter(|row| matches!(row.origin, Origin::Thread | Origin::Writeback));
    data.map(|row| row.bytes).sum()
}

#[test]
fn files_of_one_number_in_two_lower_file_systems_are_told_apart() {
    requires!("dd", "mkfs.ext4", "losetup", "mount", "umount");
    let [first, second, upper] = [(); 3].map(|()| Loop::new(64 << 20));
    // An ext4 numbers its files as they come.
    fill(
        &first.mounted(),
        &[("one", 256 * KIB), ("copied", 128 * KIB)],
    );
    fill(&second.mounted(), &[("two", 512 * KIB), ("kept", 64 * KIB)]);
    let number =
        |disk: &Loop, name: &str| fs::metadata(disk.mounted().join(name)).map(|it| it.ino());
    for (one, two) in [("one", "two"), ("copied", "kept")] {
        let numbers = (number(&first, one).ok(), number(&second, two).ok());
        assert!(numbers.0.is_some() && numbers.0 == numbers.1, "{numbers:?}");
    }
    let overlay = Overlay::above(vec![first.mounted(), second.mounted()], &upper.mounted());
    overlay.unmounted(|| {
        fill(&overlay.upper(), &[("above", 32 * KIB)]);
        // Nothing of them is in the cache then.
        for disk in [&first, &second, &upper] {
            disk.remount();
        }
    });
    let merged = overlay.merged();
    let path = |name: &str| merged.join(name);
    let read = |name: &str| {
        format!(
            "dd if={} of=/dev/null bs=16k status=none",
            plain(&path(name))
        )
    };
    let commands = [
        read("one"),
        read("two"),
        read("copied"),
        read("kept"),
        format!(
            "dd if=/dev/zero of={} bs=4k count=1 conv=notrunc,fsync status=none",
            plain(&path("copied"))
        ),
        read("kept"),
        read("above"),
    ];
    let report = profile(&[], &["sh", "-ec", &commands.join("\n")]);
    for (name, kib_read, written) in [
        ("one", 256, 0),
        ("two", 512, 0),
        ("copied", 128, PAGE),
        ("kept", 2 * 64, 0),
        ("above", 32, 0),
    ] {
        let row = report.file(&path(name));
        let bytes = (row.counts.read_bytes, row.counts.written_bytes);
        assert_eq!(bytes, (kib_read * 1024, written), "{row:#?}");
        assert_eq!(row.inodes, Some(1), "{row:#?}");
    }
    if kernel_is_before((6, 5)) {
        // Nothing tells which file is below.
        return;
    }
    for (disk, names) in [
        (&first, &["one", "copied"][..]),
        (&second, &["two", "kept"]),
        (&upper, &["above"]),
    ] {
        let rows = names.iter().map(|name| report.file(&path(name)).counts);
        let read: u64 = rows.filter_map(|row| row.device_read_bytes).sum();
        assert!(read > 0, "{names:?}");
        assert_eq!(read, on_device(&report, disk, BlockOperation::Read));
    }
    let row = report.file(&path("copied")).counts;
    assert_bytes(row.dirtied_bytes, 128 * 1024 + PAGE, &row);
    assert_bytes(row.device_written_bytes, 128 * 1024 + PAGE, &row);
}

#[test]
fn the_row_of_a_block_device_has_what_its_pages_and_direct_io_moved() {
    requires!("dd", "losetup");
    let disk = Loop::unmounted(64 << 20);
    let node = disk.node();
    let of_node = |what: &str| format!("{what}={}", plain(&node));
    let dd =
        |words: &str, file: String, other: &str| format!("dd {file} {other} {words} status=none");
    let read = |words: &str| dd(words, of_node("if"), "of=/dev/null");
    let write = |words: &str| dd(words, of_node("of"), "if=/dev/zero");
    let commands = [
        read("bs=64k count=16 iflag=direct"),
        write("bs=64k count=8 oflag=direct"),
        read("bs=64k count=32 skip=512"),
        write("bs=64k count=4 seek=900 conv=fsync"),
    ];
    let report = profile(&[], &["sh", "-ec", &commands.join("\n")]);
    let row = report.file(&node).counts;
    let kib = |kib: u64| kib * 1024;
    assert_eq!(row.read_bytes, kib(1024 + 2048), "{row:#?}");
    assert_eq!(row.written_bytes, kib(512 + 256), "{row:#?}");
    let moved = |operation| report.block(0, disk.name(), operation).1;
    // With what was read ahead.
    assert_bytes(row.device_read_bytes, moved(BlockOperation::Read), &row);
    assert!(row.device_read_bytes >= Some(row.read_bytes), "{row:#?}");
    assert_bytes(row.device_written_bytes, kib(512 + 256), &row);
    assert_bytes(row.dirtied_bytes, kib(256), &row);
}

#[test]
fn files_that_are_made_anew_are_as_many() {
    requires!("sh", "mkfs.ext4", "losetup", "mount", "umount");
    let disk = Loop::new(64 << 20);
    let overlay = Overlay::of(&disk.mounted(), &[]);
    let file = overlay.merged().join("journal");
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8; do echo x > {0}; rm {0}; done",
        plain(&file)
    );
    let report = profile(&[], &["sh", "-c", &script]);
    let row = report.file(&file);
    assert_eq!((row.counts.opens, row.inodes), (8, Some(8)), "{row:#?}");
}

#[test]
fn what_io_submit_alone_did_is_in_the_row_of_the_file() {
    requires!("cc", "mkfs.ext4", "losetup", "mount", "umount");
    let program = Program::compile("queued_writes");
    let disk = Loop::new(64 << 20);
    let overlay = Overlay::of(&disk.mounted(), &[]);
    let file = written_file(&overlay.merged(), 64 * KIB);
    disk.sync();
    let mut writer = Steps::start(&program, &[plain(&file)]);
    let attached = Attached::to(&[writer.pid()], &[]);
    writer.tell([0, 1]);
    writer.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    let row = report.file(&file).counts;
    assert_eq!(row.written_bytes, 2 * PAGE, "{row:#?}");
    // Before, nothing tells which file is below.
    let bytes = (!kernel_is_before((6, 5))).then_some(2 * PAGE);
    assert_eq!(row.device_written_bytes, bytes, "{row:#?}");
}
