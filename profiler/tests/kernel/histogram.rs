//! Histograms: their blocks are not taken by those who are in no workload, and where there are none left no quantile is
//! made up of what is left.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
};

use ioprof_ebpf::abi::loss::Loss;

use crate::support::{
    self, Report,
    attached::Attached,
    device::Loop,
    plain,
    program::Program,
    report::{Syscall, Workload},
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Devices that others use.
const DEVICES: usize = 12;
/// The sizes of their transfers, as powers of two.
const SIZES: std::ops::RangeInclusive<u32> = 9..=19;
/// So many workloads of `many_series.c` need more blocks than there are: its 12 calls that move bytes meet 44 octaves of
/// sizes each, and it makes 40 calls, each with one octave of latencies at least.
const TOO_MANY: usize = 48;

/// A `many_series` that waits for its first byte.
struct ManySeries {
    child: Child,
}

impl ManySeries {
    fn start(program: &Program) -> Self {
        let child = Command::new(program.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        Self { child }
    }

    /// Lets it go on to where it waits next.
    fn step(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("it is a pipe");
        stdin.write_all(b"x").expect("it reads");
    }

    /// Waits until it has made its calls.
    fn wait(&mut self) {
        let stdout = self.child.stdout.as_mut().expect("it is a pipe");
        stdout.read_exact(&mut [0]).expect("it says so");
    }

    /// Waits for its end.
    fn ended(mut self) {
        let status = self.child.wait().expect("it is a child");
        assert!(status.success(), "{status}");
    }
}

/// Fails where a histogram of a workload that has values has no quantiles, or not all values in buckets.
fn assert_complete(workload: &Workload) {
    for call in &workload.syscalls {
        for histogram in [&call.latency].into_iter().chain(&call.size) {
            assert_eq!(histogram.held(), histogram.count, "{call:?}");
            for q in [0.5, 0.9, 0.99, 0.999] {
                let is_there = histogram.quantile(q).is_some();
                assert_eq!(is_there, histogram.count > 0, "{q}: {call:?}");
            }
        }
    }
}

#[test]
fn requests_of_others_take_no_blocks_of_a_workload() {
    requires!("cc", "losetup");
    let (program, others) = (
        Program::compile("many_series"),
        Program::compile("direct_io"),
    );
    let devices: Vec<_> = (0..DEVICES).map(|_| Loop::unmounted(4 * MIB)).collect();
    let mut workload = ManySeries::start(&program);
    let attached = Attached::to(&[workload.child.id()], &[]);
    for device in &devices {
        let node = device.node();
        for (operation, size) in ["write", "read"]
            .into_iter()
            .flat_map(|operation| SIZES.map(move |size| (operation, 1_u64 << size)))
        {
            let words = [plain(&node), operation, &size.to_string(), "2"];
            let command = others.with(&words);
            support::succeed(Command::new(&command[0]).args(&command[1..]));
        }
    }
    workload.step();
    workload.wait();
    workload.step();
    workload.ended();
    let report = attached.ended();
    assert_eq!(report.lost(Loss::HistogramFull), 0);
    assert!(report.ledger.incomplete_histograms.is_empty());
    assert_complete(report.workload(0));
    for device in &devices {
        let seen = report.device(device.name());
        assert!(seen.reads > 0 && seen.writes > 0, "{seen:?}");
    }
}

/// The calls of a name, of a workload that has made some.
fn call<'a>(workload: &'a Workload, name: &str) -> &'a Syscall {
    let mut calls = workload.syscalls.iter();
    let found = calls.find(|call| call.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {workload:?}"))
}

#[test]
fn without_blocks_no_quantile_is_made_up_and_sleep_is_not_cpu_time() {
    requires!("cc");
    let program = Program::compile("many_series");
    let mut started: Vec<_> = (0..TOO_MANY).map(|_| ManySeries::start(&program)).collect();
    let pids: Vec<_> = started.iter().map(|one| one.child.id()).collect();
    let attached = Attached::to(&pids, &["--separate"]);
    // Each has gone to sleep by the time that the one after it begins.
    for one in &mut started {
        one.step();
        one.wait();
    }
    let first = pids[0];
    for mut one in started {
        one.step();
        one.ended();
    }
    let report: Report = attached.ended();
    assert!(report.lost(Loss::HistogramFull) > 0);

    // It was called after the blocks were used up: a long call, and a short one.
    let workload = report.workload_of(first);
    let slept = call(workload, "preadv2");
    assert_eq!(slept.calls, 2);
    let latency = &slept.latency;
    assert_eq!((latency.count, latency.held()), (2, 0), "{slept:?}");
    assert!(latency.min * 2 < latency.max, "{slept:?}");
    for q in [0.5, 0.9, 0.99, 0.999] {
        assert_eq!(latency.quantile(q), None, "{slept:?}");
    }
    assert_eq!(slept.p99_breakdown, None);
    // It slept while the 31 others made their calls.
    let split = slept.breakdown.as_ref().expect("the probes are there");
    assert!(split.off_cpu.sleep_ns > latency.sum / 2, "{slept:?}");
    assert!(split.cpu_ns < latency.sum / 4, "{slept:?}");

    let json = report.json.to_string();
    assert!(json.contains(r#""p50":null"#), "a null is written");
    let of_it = |entry: &&ioprof::model::ledger::IncompleteHistogram| {
        entry.workload == workload.name && entry.what == "syscalls preadv2 latency"
    };
    let listed = report.ledger.incomplete_histograms.iter().find(of_it);
    let listed = listed.expect("the ledger says where values are missing");
    assert_eq!((listed.count, listed.in_buckets), (2, 0));
    // What was met before is whole.
    assert_eq!(call(workload, "fsync").latency.missing(), 0);
}
