//! Bios of several workloads that the kernel puts into one request: each workload is given its own bytes.

use std::{fs, thread, time::Duration};

use crate::support::{
    self,
    attached::Attached,
    device::Loop,
    plain,
    program::Program,
    report::{BlockOperation, CheckKind, requests},
    requirements::tool,
    steps::Steps,
    succeed,
};

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;

/// How many requests the driver of the device takes: what comes then stays with the scheduler, which merges.
const TAGS: u8 = 4;

/// A device that completes nothing that is written to it while it is held: its image is on a file system that is frozen.
struct Held {
    // Dropped in this order: the one is on the other.
    device: Loop,
    below: Loop,
}

impl Held {
    fn new() -> Self {
        let below = Loop::new(32 * MIB);
        let device = Loop::unmounted_on(&below, 4 * MIB);
        // With a scheduler this is how many requests that has; without one, how many the driver takes.
        device.set("queue/scheduler", "none");
        device.set("queue/nr_requests", &TAGS.to_string());
        device.set("queue/scheduler", "mq-deadline");
        Self { device, below }
    }

    fn freeze(&self) {
        let mut freeze = tool("fsfreeze");
        succeed(freeze.arg("--freeze").arg(self.below.mounted()));
    }

    fn thaw(&self) {
        let mut thaw = tool("fsfreeze");
        support::output(thaw.arg("--unfreeze").arg(self.below.mounted()));
    }

    /// How many requests that write the driver has.
    fn in_flight(&self) -> u64 {
        let file = format!("/sys/block/{}/inflight", self.device.name());
        let text = fs::read_to_string(file).expect("the device is there");
        let writes = text.split_whitespace().nth(1).expect("reads and writes");
        writes.parse().expect("a number")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A test that fails leaves nothing frozen.
        self.thaw();
    }
}

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
        let attached = Attached::to(&pids, &[]);
        held.freeze();
        // All that the driver takes, and more: the first one that it does not take is with the scheduler no longer. With a
        // block between each two, so that nothing is merged with them.
        for block in 0..2 * TAGS {
            stranger.tell([2 * block]);
        }
        while held.in_flight() < TAGS.into() {
            thread::sleep(Duration::from_millis(1));
        }
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
