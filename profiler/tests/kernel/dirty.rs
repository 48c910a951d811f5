//! How many bytes a workload makes dirty: those that it writes, and not the folios around them.

use std::process::Command;

use crate::support::{
    attached::Attached,
    device::{FileSystem, Loop},
    held::Held,
    plain, profile,
    program::Program,
    report::{Block, BlockOperation, CheckKind, Origin, Report, Workload, known},
    steps::Steps,
    succeed,
};
use nix::sys::signal::Signal;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// The smallest xfs there is has 300 MiB.
const DEVICE: u64 = 512 * MIB;

/// What makes every file system.
const TOOLS: &str = "cc losetup mkfs.ext4 mkfs.xfs mkfs.btrfs";

/// The report of some steps on a file of 4 MiB that was written by one call, so that it is in large folios where the
/// file system has any, and is clean; and the process.
fn report_of(program: &Program, device: &Loop, steps: &str) -> (Report, u32) {
    let mut writer = Steps::start(program, &[plain(&device.mounted().join("file"))]);
    writer.tell("fs");
    let attached = Attached::to(&[writer.pid()], &[]);
    writer.tell(steps);
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();
    let pid = writer.pid();
    writer.end();
    (report, pid)
}

/// The bytes that were written to devices for a workload.
fn written(workload: &Workload) -> u64 {
    let rows = known(&workload.block).as_slice();
    let rows = Block::once(rows, BlockOperation::Write);
    rows.filter(|row| matches!(row.origin, Origin::Thread | Origin::Writeback))
        .map(|row| row.bytes)
        .sum()
}

#[test]
fn what_calls_make_dirty_is_what_they_write_and_not_the_folios() {
    requires!(TOOLS);
    let program = Program::compile("dirty_bytes");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        for (steps, bytes) in [
            // Pieces of folios.
            ("r", 64 * KIB),
            // The same again, once they are clean.
            ("rsr", 128 * KIB),
            // Over and over, in one folio that was clean.
            ("o", 4 * KIB),
            ("oso", 8 * KIB),
            ("a", 10_000),
            ("w", 10_000),
            ("f", 4 * MIB),
            ("p", 64 * KIB),
            // Dropped.
            ("rt", 64 * KIB),
        ] {
            let (report, pid) = report_of(&program, &device, steps);
            let writeback = known(&report.workload_of(pid).writeback);
            assert_eq!(
                writeback.dirtied_bytes, bytes,
                "{file_system:?} {steps}: {writeback:#?}"
            );
            assert!(writeback.dirty_bytes_at_end <= bytes, "{writeback:#?}");
            assert!(writeback.dirtied_folio_bytes >= bytes, "{writeback:#?}");
            assert_eq!(writeback.mapped_bytes, 0);
        }
    }
}

/// It is in no fault, though it was not seen to begin.
#[test]
fn what_a_call_that_was_under_way_at_attach_writes_is_not_mapped() {
    requires!("cc", "losetup mkfs.ext4 fsfreeze");
    let program = Program::compile("steps");
    let held = Held::new();
    let file = held.below().mounted().join("file");
    let size = 4 * MIB;
    let mut writer = Steps::start(&program, &[plain(&file), &size.to_string()]);
    held.freeze();
    writer.begin(b'w');
    writer.wait_in(libc::SYS_write, 3);
    let attached = Attached::to(&[writer.pid()], &[]);
    held.thaw();
    writer.wait();
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();
    let writeback = known(&report.workload_of(writer.pid()).writeback);
    writer.end();
    assert_eq!(writeback.mapped_bytes, 0, "{writeback:#?}");
    assert!(writeback.dirtied_bytes >= size, "{writeback:#?}");
}

/// A worker of a ring makes no call that writes, and no page fault.
#[test]
fn what_a_worker_of_a_ring_writes_is_written_and_not_mapped() {
    requires!("cc", "losetup mkfs.ext4");
    let program = Program::compile("findings");
    let device = Loop::new(128 * MIB);
    let file = device.mounted().join("data");
    let words =
        |words: &[&str]| program.with(&[&["ring-write-cached", plain(&file)], words].concat());
    let prepare = words(&["0", "prepare"]);
    succeed(Command::new(&prepare[0]).args(&prepare[1..]));
    device.sync();
    let report = profile(&[], &words(&["2000"]));
    report.assert_nothing_lost();
    let own = report.workload(0);
    let ring = known(&own.io_uring);
    assert!(
        ring.operations.iter().any(|one| one.worker > 0),
        "{ring:#?}"
    );
    let writeback = known(&own.writeback);
    assert_eq!(writeback.mapped_bytes, 0, "{writeback:#?}");
    // As many different pages.
    assert_eq!(writeback.dirtied_bytes, 2000 * 4 * KIB, "{writeback:#?}");
}

/// The kernel has metadata in its account of a task, too: where there is a lot of it, that is no difference.
#[test]
fn the_kernels_account_is_that_of_the_folios_of_files_and_of_metadata() {
    requires!(TOOLS);
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let script = "cd \"$0\" && mkdir $(seq 4000) && seq 40000 >file";
        let report = profile(&[], &["sh", "-c", script, plain(&device.mounted())]);
        report.assert_nothing_lost();
        let writeback = known(&report.workload(0).writeback);
        assert!(writeback.dirtied_folio_bytes > 0, "{writeback:#?}");
        if file_system == FileSystem::Btrfs {
            assert!(writeback.metadata_folio_bytes > MIB, "{writeback:#?}");
        }
        let (_, kernel) = report.workload_check(CheckKind::BlockWrittenBytes);
        let dirtied = writeback.dirtied_folio_bytes + writeback.metadata_folio_bytes;
        assert_eq!(dirtied, kernel, "{file_system:?}: {writeback:#?}");
    }
}

#[test]
fn what_is_changed_through_a_mapping_is_between_the_pages_and_their_folios() {
    requires!(TOOLS);
    let program = Program::compile("dirty_bytes");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let touched = 4 * MIB / 8;
        // By the program, by a call that writes to its memory, and by one that makes it ready to be written to.
        for (steps, by_calls) in [("ms", 0), ("drs", 64 * KIB), ("Prs", 64 * KIB)] {
            let (report, pid) = report_of(&program, &device, steps);
            let own = report.workload_of(pid);
            let writeback = known(&own.writeback);
            let told = format!("{file_system:?} {steps}: {writeback:#?}");
            let is_by_faults = steps != "Prs";
            assert_eq!(writeback.mapped_page_bytes > 0, is_by_faults, "{told}");
            assert!(writeback.mapped_page_bytes <= touched, "{told}");
            let folios = writeback.dirtied_folio_bytes;
            assert!(folios >= touched, "{told}");
            let bounds = known(&writeback.write_amplification_bounds);
            let is_exact = is_by_faults && writeback.mapped_page_bytes == writeback.mapped_bytes;
            assert_eq!(writeback.write_amplification.is_some(), is_exact, "{told}");
            assert!(bounds.most >= bounds.least, "{told}");
            // All of each folio is written, of which a part was changed.
            let right = written(own) as f64 / (touched + by_calls) as f64;
            assert!(
                (bounds.least..=bounds.most).contains(&right),
                "{right} {told}"
            );
        }
    }
}

#[test]
fn what_others_have_made_dirty_is_no_amplification() {
    requires!("cc losetup mkfs.ext4");
    let program = Program::compile("dirty_bytes");
    let device = Loop::new(DEVICE);
    let mut writer = Steps::start(&program, &[plain(&device.mounted().join("file"))]);
    let mut is_known = |before: &str, steps: &str| {
        writer.tell(before);
        let attached = Attached::to(&[writer.pid()], &[]);
        writer.tell(steps);
        let report = attached.end(Signal::SIGINT);
        let writeback = known(&report.workload_of(writer.pid()).writeback);
        writeback.write_amplification_bounds.is_some()
    };
    assert!(is_known("fs", "as"));
    // Beside what was dirty before, and over it. Another test may sync all file systems in between.
    for steps in ["as", "os"] {
        assert!((0..10).any(|_| !is_known("f", steps)), "{steps}");
    }
    writer.end();
}
