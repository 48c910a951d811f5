//! What others write of a workload's pages is the workload's, and all bytes of a device have an owner.

use std::path::Path;

use crate::support::{
    self, Report,
    attached::Attached,
    device::{FileSystem, Loop, kernel_is_before},
    ioprof, plain,
    program::Program,
    report::{BlockOperation, CheckKind, Origin, Workload, Writeback, known, requests},
    steps::Steps,
    text,
};
use nix::sys::signal::Signal;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// The smallest xfs there is has 300 MiB.
const DEVICE: u64 = 512 * MIB;

/// What makes every file system.
const TOOLS: &str = "cc losetup mkfs.ext4 mkfs.xfs mkfs.btrfs";

/// Starts a program that writes to a file by steps of this size.
fn start(program: &Program, file: &Path, size: u64) -> Steps {
    Steps::start(program, &[plain(file), &size.to_string()])
}

/// The bytes that a workload wrote to a device, of one origin.
fn written(workload: &Workload, device: &Loop, origin: Origin) -> u64 {
    requests(workload, device.name(), BlockOperation::Write)
        .filter(|row| row.origin == origin)
        .map(|row| row.bytes)
        .sum()
}

fn writeback(workload: &Workload) -> &Writeback {
    known(&workload.writeback)
}

/// At least 99 % of what the kernel counted for the device has an owner, and no more than all.
fn assert_owned(report: &Report, device: &Loop) {
    let (owned, kernel) = report.device_check(device.name(), CheckKind::DeviceOwnedBytes);
    let shares = &report.device(device.name()).shares;
    assert!(
        owned <= kernel && owned * 100 >= kernel * 99,
        "{owned} of {kernel}: {shares:#?}"
    );
}

#[test]
fn what_the_flusher_writes_after_the_writer_has_gone_is_the_writers() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let mut writer = start(&program, &device.mounted().join("one"), 64 * KIB);
        let waiting = start(&program, &device.mounted().join("two"), KIB);
        device.sync();
        let before = device.stat();
        let attached = Attached::to(&[writer.pid(), waiting.pid()], &["--separate"]);
        writer.tell("w".repeat(64));
        let pid = writer.pid();
        writer.end();
        device.sync();
        let after = device.stat();
        let idle = waiting.pid();
        waiting.end();
        let report = attached.ended();
        report.assert_nothing_lost();
        let (own, other) = (report.workload_of(pid), report.workload_of(idle));
        assert_eq!(
            written(own, &device, Origin::Writeback),
            4 * MIB,
            "{file_system:?}"
        );
        assert_eq!(written(own, &device, Origin::Thread), 0);
        assert_eq!(written(other, &device, Origin::Writeback), 0);
        assert_eq!(writeback(own).dirtied_bytes, 4 * MIB);
        assert_eq!(writeback(own).written_bytes, 4 * MIB);
        assert_eq!(writeback(own).dirty_bytes_at_end, 0);
        assert!(after.written_bytes - before.written_bytes >= 4 * MIB);
        assert_owned(&report, &device);
    }
}

#[test]
fn writers_in_turns_get_each_its_own_bytes() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let mut small = start(&program, &device.mounted().join("small"), 16 * KIB);
        let mut large = start(&program, &device.mounted().join("large"), 48 * KIB);
        let attached = Attached::to(&[small.pid(), large.pid()], &["--separate", "--sync"]);
        for _ in 0..32 {
            small.tell("w");
            large.tell("w");
        }
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        for (process, bytes) in [(&small, 512 * KIB), (&large, 1536 * KIB)] {
            let own = report.workload_of(process.pid());
            assert_eq!(
                written(own, &device, Origin::Writeback),
                bytes,
                "{file_system:?}"
            );
            assert_eq!(written(own, &device, Origin::Thread), 0);
            assert_eq!(writeback(own).dirtied_bytes, bytes);
            assert_eq!(writeback(own).dirty_bytes_at_end, 0);
        }
        assert_owned(&report, &device);
        small.end();
        large.end();
    }
}

#[test]
fn writers_of_one_file_share_it_by_what_each_made_dirty() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let file = device.mounted().join("shared");
        let mut small = start(&program, &file, 16 * KIB);
        let mut large = start(&program, &file, 48 * KIB);
        let mut stranger = start(&program, &file, 32 * KIB);
        let attached = Attached::to(&[small.pid(), large.pid()], &["--separate", "--sync"]);
        for _ in 0..32 {
            small.tell("w");
            large.tell("w");
            stranger.tell("w");
        }
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        for (process, bytes) in [(&small, 512 * KIB), (&large, 1536 * KIB)] {
            let own = report.workload_of(process.pid());
            assert_eq!(
                written(own, &device, Origin::Writeback),
                bytes,
                "{file_system:?}"
            );
            assert_eq!(writeback(own).dirty_bytes_at_end, 0);
        }
        let shares = &report.device(device.name()).shares;
        let of_others: u64 = shares
            .iter()
            .filter(|share| share.workload.is_none() && share.origin.is_none())
            .map(|share| share.bytes)
            .sum();
        assert_eq!(of_others, 1024 * KIB, "{file_system:?}: {shares:#?}");
        for process in [small, large, stranger] {
            process.end();
        }
    }
}

/// More than the record of an inode has places for, and than one block of further owners has.
const MANY: u64 = 20;

#[test]
fn many_writers_of_one_file_have_each_its_own_bytes() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let file = device.mounted().join("shared");
        let size = |number: u64| 16 * KIB * (1 + number % 5);
        let mut all: Vec<_> = (0..MANY)
            .map(|number| start(&program, &file, size(number)))
            .collect();
        let pids: Vec<_> = all.iter().map(Steps::pid).collect();
        let attached = Attached::to(&pids, &["--separate", "--sync"]);
        // Once more, when all is written and the places are free.
        for _ in 0..2 {
            for _ in 0..4 {
                all.iter_mut().for_each(|process| process.tell("w"));
            }
            device.sync();
        }
        // What is left is written by ioprof, at the end.
        all.iter_mut().for_each(|process| process.tell("w"));
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        for (number, pid) in (0..MANY).zip(&pids) {
            let own = report.workload_of(*pid);
            let bytes = 9 * size(number);
            let found = writeback(own);
            assert_eq!(found.dirtied_bytes, bytes, "{file_system:?} {number}");
            let written = written(own, &device, Origin::Writeback);
            assert_eq!(written, bytes, "{file_system:?} {number}: {found:#?}");
            assert_eq!(found.dirty_bytes_at_end, 0, "{file_system:?} {number}");
        }
        all.into_iter().for_each(Steps::end);
    }
}

#[test]
fn what_was_dirty_before_the_attaching_is_not_the_workloads() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let mut writer = start(&program, &device.mounted().join("file"), 64 * KIB);
        writer.tell("wwww");
        let attached = Attached::to(&[writer.pid()], &["--sync"]);
        writer.tell("ww");
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        let own = report.workload_of(writer.pid());
        assert_eq!(
            written(own, &device, Origin::Writeback),
            128 * KIB,
            "{file_system:?}"
        );
        assert_eq!(writeback(own).dirtied_bytes, 128 * KIB);
        writer.end();
    }
}

#[test]
fn a_writer_that_syncs_owns_what_it_writes_and_nothing_is_without_an_owner() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let mut writer = start(&program, &device.mounted().join("file"), 16 * KIB);
        device.sync();
        let attached = Attached::to(&[writer.pid()], &["--sync"]);
        writer.tell("ws".repeat(64));
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        let own = report.workload_of(writer.pid());
        // A part may be submitted by a worker of the file system.
        let data = written(own, &device, Origin::Thread) + written(own, &device, Origin::Writeback);
        assert_eq!(data, MIB, "{file_system:?}: {:#?}", own.block);
        assert_eq!(writeback(own).dirtied_bytes, MIB, "{file_system:?}");
        assert_eq!(writeback(own).dirty_bytes_at_end, 0);
        assert!(device.stat().written_bytes > MIB);
        assert_owned(&report, &device);
        writer.end();
    }
}

#[test]
fn what_is_neither_written_nor_dropped_is_left() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let mut writer = start(&program, &device.mounted().join("file"), 64 * KIB);
        let mut dropper = start(&program, &device.mounted().join("gone"), 64 * KIB);
        let attached = Attached::to(&[writer.pid(), dropper.pid()], &["--separate"]);
        writer.tell("w".repeat(16));
        dropper.tell("w".repeat(16));
        dropper.tell("t");
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        let own = report.workload_of(writer.pid());
        let left = writeback(own).dirty_bytes_at_end;
        assert_eq!(
            left + written(own, &device, Origin::Writeback),
            MIB,
            "{file_system:?}"
        );
        assert!(left > 0, "nobody writes so soon what is not synced");
        let own = report.workload_of(dropper.pid());
        assert_eq!(writeback(own).dirtied_bytes, MIB, "{file_system:?}");
        assert_eq!(writeback(own).dirty_bytes_at_end, 0, "{file_system:?}");
        assert!(writeback(own).cancelled_bytes > 0, "{own:#?}");
        writer.end();
        dropper.end();
    }
}

#[test]
fn what_was_dropped_is_no_claim_on_what_others_write_later() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        let file = device.mounted().join("file");
        let mut writer = start(&program, &file, MIB);
        let mut stranger = start(&program, &file, MIB);
        let attached = Attached::to(&[writer.pid()], &[]);
        writer.tell("wwt");
        stranger.tell("ws");
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        let own = report.workload_of(writer.pid());
        let bytes = written(own, &device, Origin::Writeback);
        assert_eq!(bytes, 0, "{file_system:?}: {own:#?}");
        writer.end();
        stranger.end();
    }
}

#[test]
fn pages_that_are_changed_through_a_mapping_are_the_workloads() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, DEVICE);
        // Blocks of a page each, so that no folio is larger.
        let mut writer = start(&program, &device.mounted().join("file"), 4 * KIB);
        writer.tell("ws".repeat(64));
        let attached = Attached::to(&[writer.pid()], &["--sync"]);
        writer.tell("m");
        let report = attached.end(Signal::SIGINT);
        report.assert_nothing_lost();
        let own = report.workload_of(writer.pid());
        assert_eq!(
            written(own, &device, Origin::Writeback),
            256 * KIB,
            "{file_system:?}"
        );
        assert_eq!(writeback(own).dirtied_bytes, 256 * KIB);
        assert_eq!(writeback(own).mapped_bytes, 256 * KIB);
        assert!(
            writeback(own).write_amplification.is_some(),
            "its answer was written"
        );
        writer.end();
    }
}

#[test]
fn pages_that_btrfs_compresses_are_the_workloads() {
    requires!(TOOLS);
    let program = Program::compile("steps");
    let device = Loop::with(FileSystem::Btrfs, DEVICE);
    let mut mount = support::requirements::tool("mount");
    mount.args(["-o", "remount,compress=zstd"]);
    support::succeed(mount.arg(device.mounted()));
    let mut writer = start(&program, &device.mounted().join("file"), 128 * KIB);
    let attached = Attached::to(&[writer.pid()], &["--sync"]);
    writer.tell("wwwwwwww");
    let report = attached.end(Signal::SIGINT);
    report.assert_nothing_lost();
    let own = report.workload_of(writer.pid());
    // A block for each 128 KiB of the same letter; before `struct btrfs_bio` had an inode their owner is unknown.
    let known = !kernel_is_before((6, 3));
    let expected = u64::from(known) * 8 * 4 * KIB;
    assert_eq!(written(own, &device, Origin::Writeback), expected);
    assert_eq!(writeback(own).dirtied_bytes, MIB);
    assert_eq!(writeback(own).dirty_bytes_at_end, 0);
    if known {
        assert_owned(&report, &device);
    }
    writer.end();
}

#[test]
fn without_the_probe_for_dirty_pages_they_are_unknown_and_not_zero() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let missing = ["--without-probe", "writeback_dirty_folio"];
    let run = support::succeed(
        ioprof()
            .args(["run", "--full", "-o"])
            .arg(&file)
            .args(missing)
            .args(["--", "true"]),
    );
    let report = Report::read(&file);
    assert!(report.workload(0).writeback.is_none());
    assert!(
        report.workload(0).block.is_some(),
        "that needs no such probe"
    );
    let said = text(&run.stderr);
    assert!(
        said.contains("PROBE MISSING: writeback_dirty_folio"),
        "{said}"
    );
    assert!(said.contains("dirty   unknown"), "{said}");
}
