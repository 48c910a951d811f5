//! Flushes, those that are asked for and those that a device executes for them, and discards.

use std::fs;

use crate::support::{
    device::{FileSystem, Loop},
    plain, profile,
    program::Program,
    report::{BlockOperation, CheckKind, known},
};

const MIB: u64 = 1024 * 1024;

#[test]
fn flushes_that_the_device_executes_are_told_from_those_that_are_asked_for() {
    requires!("cc", "losetup");
    let program = Program::compile("flushes");
    let device = Loop::unmounted(4 * MIB);
    let node = device.node();
    let before = device.stat().flushes;
    // Each of one thread's is executed by itself; those that come while the device is at one share the next.
    for (threads, count) in [(1, 50), (8, 50)] {
        let report = profile(
            &[],
            &program.with(&[plain(&node), &threads.to_string(), &count.to_string()]),
        );
        report.assert_nothing_lost();
        let asked_for = threads * count;
        let (requests, _) = report.block(0, device.name(), BlockOperation::Flush);
        let whole = report.device(device.name());
        assert_eq!((requests, whole.flushes), (asked_for, asked_for));
        let executed = known(&whole.executed_flushes);
        let (counted, kernel) = report.device_check(device.name(), CheckKind::DeviceFlushes);
        assert_eq!((counted, kernel), (executed.requests, executed.requests));
        let timed = executed.requests - executed.unseen_completions;
        assert_eq!(executed.service.count, timed);
        if threads == 1 {
            assert_eq!(executed.requests, asked_for);
        } else {
            assert!((1..asked_for).contains(&executed.requests), "{executed:#?}");
        }
    }
    assert!(device.stat().flushes > before, "the kernel counts them");
}

#[test]
fn discards_are_counted_to_the_byte() {
    requires!("losetup", "blkdiscard");
    let device = Loop::unmounted(4 * MIB);
    let node = device.node();
    let report = profile(&[], &["blkdiscard", "--length", "3145728", plain(&node)]);
    report.assert_nothing_lost();
    let (requests, bytes) = report.block(0, device.name(), BlockOperation::Discard);
    assert!(requests > 0);
    assert_eq!(bytes, 3 * MIB);
    let whole = report.device(device.name());
    assert_eq!((whole.discards, whole.discarded_bytes), (requests, bytes));
    let (counted, kernel) = report.device_check(device.name(), CheckKind::DeviceDiscardedBytes);
    assert_eq!((counted, kernel), (bytes, bytes));
}

/// A file system that trims does not wait for all that it has asked for.
#[test]
fn what_a_file_system_trims_is_counted_to_the_byte() {
    requires!("losetup", "mkfs.xfs", "fstrim");
    let device = Loop::with(FileSystem::Xfs, 512 * MIB);
    let folder = device.mounted();
    // Free space in pieces.
    let files: Vec<_> = (0..64).map(|i| folder.join(i.to_string())).collect();
    for file in &files {
        fs::write(file, vec![1; 1 << 16]).expect("a file can be written");
        device.sync();
    }
    for file in files.iter().step_by(2) {
        fs::remove_file(file).expect("a file can be deleted");
    }
    device.sync();
    for _ in 0..5 {
        let before = device.stat();
        let report = profile(&[], &["fstrim", plain(&folder)]);
        let after = device.stat();
        let right = (
            after.discards - before.discards,
            after.discarded_bytes - before.discarded_bytes,
        );
        assert!(right.0 > 16 && right.1 > 64 * MIB, "{right:?}");
        let found = report.block(0, device.name(), BlockOperation::Discard);
        assert_eq!(found, right);
        let (counted, kernel) = report.device_check(device.name(), CheckKind::DeviceDiscardedBytes);
        assert_eq!((counted, kernel), (right.1, right.1));
    }
}
