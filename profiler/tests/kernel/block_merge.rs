//! Bios of several workloads that the kernel puts into one request: each workload is given its own bytes.

use std::{thread, time::Duration};

use crate::support::{
    attached::Attached,
    held::{Held, TAGS},
    plain,
    program::Program,
    report::{BlockOperation, CheckKind, known, requests},
    steps::Steps,
};

const BLOCK: u64 = 4096;

/// Bios that are merged into requests from before the window.
const BIOS: u8 = 16;

/// Has two workloads write blocks, each given by the workload, 0 or 1, and its number; the requests and the bytes of
/// both. What they write is to be merged so many times: where the kernel has not done that, it is begun again.
fn written(blocks: &[(usize, u8)], merges: u64) -> [(u64, u64); 2] {
    let program = Program::compile("queued_writes");
    for _ in 0..5 {
        let held = Held::new();
        let node = held.device.node();
        let [mut one, mut other, mut stranger] =
            [(); 3].map(|()| Steps::start(&program, &[plain(&node)]));
        let pids = [one.pid(), other.pid()];
        let attached = Attached::to(&pids, &["--separate"]);
        held.freeze();
        fill(&held, &mut stranger);
        let before = held.device.stat().write_merges;
        for (workload, block) in blocks {
            let writer = if *workload == 0 { &mut one } else { &mut other };
            writer.tell([*block]);
        }
        let merged = held.device.stat().write_merges - before;
        held.thaw();
        for process in [one, other, stranger] {
            process.end();
        }
        let report = attached.ended();
        if merged != merges {
            continue;
        }
        report.assert_nothing_lost();
        for check in [CheckKind::DeviceWrittenBytes, CheckKind::DeviceWrites] {
            let (counted, kernel) = report.device_check(held.device.name(), check);
            assert_eq!(counted, kernel, "{check:?}");
        }
        return pids.map(|pid| {
            let own = report.workload_of(pid);
            let rows = requests(own, held.device.name(), BlockOperation::Write);
            rows.fold((0, 0), |sum, row| (sum.0 + row.requests, sum.1 + row.bytes))
        });
    }
    panic!("the kernel has not merged {blocks:?} as it should");
}

/// Fills the driver, so that what is written then stays with the scheduler.
fn fill(held: &Held, stranger: &mut Steps) {
    // All that the driver takes, and more: the first one that it does not take is with the scheduler no longer. With a
    // block between each two, so that nothing is merged with them.
    for block in 0..2 * TAGS {
        stranger.tell([2 * block]);
    }
    while held.in_flight() < TAGS.into() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_bio_that_is_merged_behind_anothers_is_its_own_workloads() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let written = written(&[(0, 100), (1, 101)], 1);
    assert_eq!(written, [(1, BLOCK), (0, BLOCK)]);
}

#[test]
fn a_bio_that_is_merged_in_front_of_anothers_is_its_own_workloads() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let written = written(&[(0, 101), (1, 100)], 1);
    assert_eq!(written, [(1, BLOCK), (0, BLOCK)]);
}

#[test]
fn a_request_that_is_merged_into_anothers_is_its_own_workloads() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    // The last one fills the gap between the other two.
    let written = written(&[(0, 100), (1, 102), (0, 101)], 2);
    assert_eq!(written, [(1, 2 * BLOCK), (0, BLOCK)]);
}

/// What is remembered of a bio that became part of a request from before the window stays: nothing is known of that
/// request when it is issued. Its memory is used again, by the next writer.
#[test]
fn a_bio_at_the_address_of_one_that_was_merged_earlier_is_its_own_workloads() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let program = Program::compile("queued_writes");
    let held = Held::new();
    let node = held.device.node();
    let [mut one, mut other, mut stranger] =
        [(); 3].map(|()| Steps::start(&program, &[plain(&node)]));
    let pids = [one.pid(), other.pid()];
    held.freeze();
    fill(&held, &mut stranger);
    for block in 0..BIOS {
        stranger.tell([100 + 2 * block]);
    }
    let attached = Attached::to(&pids, &["--separate"]);
    let before = held.device.stat().write_merges;
    for block in 0..BIOS {
        one.tell([101 + 2 * block]);
    }
    let merged = held.device.stat().write_merges - before;
    assert!(merged >= BIOS.into(), "{merged}");
    held.thaw();
    stranger.end();
    one.end();
    // One after the other: each may be at the address of any of them.
    for block in 0..4 * BIOS {
        other.tell([150 + block]);
    }
    other.end();
    let report = attached.ended();
    let [earlier, later] = pids.map(|pid| {
        let own = report.workload_of(pid);
        let rows = requests(own, held.device.name(), BlockOperation::Write);
        rows.fold((0, 0), |sum, row| (sum.0 + row.requests, sum.1 + row.bytes))
    });
    assert_eq!(earlier, (0, 0));
    assert_eq!(later.1, 4 * u64::from(BIOS) * BLOCK);
    // The kernel counts what was queued before the window, with what was merged into it; other devices may have had some.
    let (counted, kernel) = report.device_check(held.device.name(), CheckKind::DeviceWrittenBytes);
    let queued = u64::from(2 * TAGS) + 2 * u64::from(BIOS);
    assert_eq!(kernel - counted, queued * BLOCK);
    assert!(*known(&report.ledger.bytes_in_flight_at_attach) >= kernel - counted);
    let (counted, kernel) = report.device_check(held.device.name(), CheckKind::DeviceWrites);
    assert!(report.ledger.requests_in_flight_at_attach >= kernel - counted);
}
