//! Events count from one instant to another: what is under way at either is lost by no probe.

use std::{fs, path::Path};

use ioprof::analysis::doubts;
use nix::sys::signal::Signal;

use crate::support::{
    attached::Attached, device::Loop, plain, program::Program, report::known, requirements::turns,
    steps::Steps,
};

/// The threads of `busy.c`, and the calls of preadv(2) that each makes when it is told to, with their bytes.
const THREADS: u64 = 64;
const MARKED: (u64, u64) = (10, 100);

/// How many calls of pread(2) have begun in `busy.c`, and how many have returned.
fn preads(folder: &Path) -> (u64, u64) {
    let counts = fs::read(folder.join("counts")).expect("the program has made the file");
    let number = |at: usize| {
        let bytes = counts[at..at + 8].try_into().expect("eight bytes");
        u64::from_ne_bytes(bytes)
    };
    // In this order no call is seen to return that was not seen to begin.
    let returned = number(8);
    (number(0).max(returned), returned)
}

#[test]
fn attaching_to_busy_threads_again_and_again_raises_no_alarm_and_counts_exactly() {
    requires!("cc", "losetup mkfs.ext4");
    let device = Loop::new(64 << 20);
    let folder = device.mounted();
    let mut busy = Steps::start(&Program::compile("busy"), &[plain(&folder)]);
    // All threads are at work.
    busy.tell(b"x");
    for turn in 0..turns(12) {
        let (_, returned_before) = preads(&folder);
        let attached = Attached::to(&[busy.pid()], &[]);
        let (begun_within, _) = preads(&folder);
        busy.tell(b"x");
        let (_, returned_within) = preads(&folder);
        let report = attached.end(Signal::SIGINT);
        let (begun_after, _) = preads(&folder);

        report.assert_nothing_lost();
        let doubts = doubts(&report);
        assert!(doubts.is_empty(), "in turn {turn}: {doubts:?}");
        let marked = report.call("preadv");
        let (calls, size) = (THREADS * MARKED.0, MARKED.1);
        assert_eq!((marked.calls, marked.bytes), (calls, Some(calls * size)));
        let file = report.file(&folder.join("marked"));
        assert_eq!(
            (file.counts.reads, file.counts.read_bytes),
            (calls, calls * size)
        );
        let read = report.call("pread64").calls;
        let certain = returned_within.saturating_sub(begun_within);
        let possible = begun_after - returned_before;
        assert!(
            (certain..=possible).contains(&read),
            "{certain} to {possible}: {read}"
        );
        // What began before the beginning or ends after the end is no completion that was missed.
        for one in &known(&report.workload(0).io_uring).operations {
            assert_eq!(one.unseen_completions, 0, "in turn {turn}: {one:?}");
        }
        for one in &report.workload(0).aio.operations {
            assert_eq!(one.unseen_completions, 0, "in turn {turn}: {one:?}");
        }
        // A thread is in no more than one call.
        assert!(report.ledger.calls_in_flight_at_attach <= THREADS + 1);
        assert_eq!(report.workload(0).threads, THREADS + 1);
    }
    busy.end();
}
