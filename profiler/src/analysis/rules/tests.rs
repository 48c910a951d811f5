//! What holds for all rules.

use serde_json::Value;

use super::{
    IDS, judge,
    subject::{Subject, faults_without_cpu_wait},
};
use crate::{
    model::{
        block::{BlockOperation, QueueDepth},
        calibration::Operation,
        device::{Ceiling, ShareOfCeiling},
        finding::Severity,
        histogram::{Bucket, Histogram, Unit},
        io_uring::{IoUring, UringOperation},
        ledger::CallCost,
        off_cpu::{CallTime, OffCpu, Time},
        report::Report,
        sum::sum,
    },
    text::Text,
};

/// The report of a real run.
pub(super) fn sample() -> Report {
    let text = include_str!("../../../tests/fixtures/report.json");
    serde_json::from_str(text).expect("the fixture is a report")
}

/// So many values of each, ascending.
pub(super) fn histogram(unit: Unit, values: &[(u64, u64)]) -> Histogram {
    let bucket = |(value, count): &(u64, u64)| Bucket {
        ge: *value,
        le: *value,
        count: *count,
    };
    Histogram {
        unit,
        count: sum(values.iter().map(|(_, count)| *count)),
        sum: sum(values
            .iter()
            .map(|(value, count)| value.saturating_mul(*count))),
        min: values.first().expect("there is one").0,
        max: values.last().expect("there is one").0,
        buckets: values.iter().map(bucket).collect(),
    }
}

/// A ring with so many requests of each opcode, of which nothing else is known.
pub(super) fn ring(operations: &[(&str, u64)]) -> IoUring {
    let operation = |(name, requests): &(&str, u64)| UringOperation {
        name: (*name).into(),
        submissions: *requests,
        completions: *requests,
        silent: 0,
        unseen_completions: 0,
        errors: Default::default(),
        bytes: None,
        latency: Histogram::empty(Unit::Ns),
        inline: 0,
        poll_armed: 0,
        worker: 0,
        for_worker: None,
        asynchronous: 0,
    };
    IoUring {
        operations: operations.iter().map(operation).collect(),
        depth: QueueDepth { mean: 0.0, max: 0 },
        busy_ns: 0,
        submitting_calls: None,
        submitted_by_calls: None,
        extra_completions: 0,
        unmatched_completions: 0,
    }
}

/// A workload that reads from a device each, which do such parts of what they can.
pub(super) fn doing(parts: &[f64]) -> Report {
    let mut report = sample();
    let workload = report.workloads.first_mut().expect("there is one");
    let rows = workload.block.as_mut().expect("they are known");
    let devices = report.devices.as_mut().expect("they are known");
    rows.retain(|row| row.operation == BlockOperation::Read);
    rows.truncate(1);
    devices.truncate(1);
    let (row, device) = (rows.remove(0), devices.remove(0));
    for (at, part) in parts.iter().enumerate() {
        let (mut row, mut device) = (row.clone(), device.clone());
        row.device = format!("vd{at}").into();
        row.requests = 1000;
        device.name = row.device.clone();
        (device.reads, device.writes) = (1000, 0);
        device.utilization = 1.0;
        device.ceiling = Some(Ceiling {
            calibrated_at: "2026-01-01T00:00:00Z".into(),
            unused: None,
            loads: vec![ShareOfCeiling {
                operation: Operation::Read,
                size_bytes: 4096,
                depth: 1.0,
                requests_per_second: 1000.0 * part,
                ceiling_at_depth_per_second: 1000.0,
                share_at_depth: *part,
                ceiling_per_second: 1000.0,
                sequential_ceiling_per_second: Some(1000.0),
                share: *part,
                steady: true,
            }],
        });
        rows.push(row);
        devices.push(device);
    }
    report
}

/// Every rule has said something of every workload, and every figure it names stands where it says.
fn check(report: &mut Report) {
    judge(report);
    let json = serde_json::to_value(&*report).expect("a report is JSON");
    for one in report.evidence() {
        assert_eq!(
            json.pointer(one.pointer.as_str()),
            Some(&Value::from(one.value.clone())),
            "{one:?}"
        );
    }
    for workload in &report.workloads {
        for id in IDS {
            let found = report.findings.iter().map(|one| (&one.id, &one.workload));
            let out = report.ruled_out.iter().map(|one| (&one.id, &one.workload));
            let unknown = report.undecided.iter().map(|one| (&one.id, &one.workload));
            let told = |(rule, of): &(&Text, &Text)| **rule == id && **of == workload.name;
            // A rule may have found several files.
            let found = found.filter(told).take(1);
            let times = found
                .chain(out.filter(told))
                .chain(unknown.filter(told))
                .count();
            assert_eq!(times, 1, "{id}");
        }
    }
    for one in &report.findings {
        let (low, high) = (one.gain.low_ns, one.gain.high_ns);
        assert!(high.is_none() || low <= high, "{one:?}");
        assert!(high <= Some(one.cost_ns), "{one:?}");
    }
}

#[test]
fn every_figure_stands_where_the_finding_says() {
    check(&mut sample());
}

#[test]
fn a_report_without_sections_leaves_rules_undecided() {
    let mut report = sample();
    for workload in &mut report.workloads {
        workload.files = None;
        workload.time = None;
        workload.block = None;
        workload.page_cache = None;
        workload.writeback = None;
        for call in &mut workload.syscalls {
            call.breakdown = None;
        }
    }
    check(&mut report);
    assert!(!report.undecided.is_empty());
    assert_eq!(report.findings, []);
}

/// The severities where fsync took so many hundredths of a second on an idle machine, and calls then waited so many
/// nanoseconds for a CPU.
fn severities(hundredths: u64, runnable_ns: u64) -> Vec<(Text, Severity)> {
    const SECOND: u64 = 1_000_000_000;
    let mut report = sample();
    let workload = &mut report.workloads[0];
    let taken = hundredths.saturating_mul(SECOND / 100);
    for call in &mut workload.syscalls {
        let is_sync = call.name == "fsync";
        call.calls = if is_sync { 1000 } else { call.calls };
        let time = call.breakdown.as_mut().expect("it is known");
        *time = CallTime::default();
        time.off_cpu.service_ns = if is_sync { taken } else { 0 };
        time.off_cpu.runnable_ns = if is_sync { runnable_ns } else { 0 };
        call.time_ns = sum([time.off_cpu.service_ns, time.off_cpu.runnable_ns]);
    }
    workload.wall_ns = sum([SECOND, runnable_ns]);
    workload.span_ns = Some(workload.wall_ns);
    let mut time = Time {
        thread_ns: workload.wall_ns,
        cpu_ns: SECOND.saturating_sub(taken),
        ..Time::default()
    };
    time.off_cpu.service_ns = taken;
    time.off_cpu.runnable_ns = runnable_ns;
    workload.time = Some(time);
    judge(&mut report);
    let of_sync = report
        .findings
        .into_iter()
        .filter(|one| one.id == "SYNC001");
    of_sync.map(|one| (one.id, one.severity)).collect()
}

#[test]
fn a_wait_for_a_cpu_changes_no_severity() {
    for hundredths in [0, 1, 2, 4, 6, 29, 31, 90] {
        let idle = severities(hundredths, 0);
        for runnable_ns in [1_000_000_000, 9_000_000_000] {
            assert_eq!(severities(hundredths, runnable_ns), idle, "{hundredths} %");
        }
    }
    assert_eq!(severities(2, 0), [("SYNC001".into(), Severity::Info)]);
}

#[test]
fn what_has_most_at_stake_is_first_and_not_what_waits_for_a_cpu() {
    let text = include_str!("../../../tests/fixtures/sqlite.json");
    let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
    judge(&mut report);
    let order = |report: &Report| -> Vec<_> {
        let all = report.findings.iter();
        all.map(|one| one.id.to_string()).collect()
    };
    assert_eq!(order(&report), ["SYNC001", "SHARE001"]);
    // All but a little of what its calls took was for a CPU.
    let workload = &mut report.workloads[0];
    for call in &mut workload.syscalls {
        if call.name == "fdatasync" {
            let time = call.breakdown.as_mut().expect("it is known");
            time.off_cpu.runnable_ns = call.time_ns.saturating_sub(20_000_000);
        }
    }
    judge(&mut report);
    assert_eq!(order(&report), ["SHARE001", "SYNC001"]);
}

#[test]
fn page_faults_are_at_stake_as_far_as_they_did_not_wait_for_a_cpu() {
    let off_cpu = |fault_ns, runnable_ns| OffCpu {
        fault_ns,
        runnable_ns,
        ..OffCpu::default()
    };
    // An idle machine; a busy one, on which threads waited for a CPU elsewhere, too; others' faults.
    for (faults_ns, fault_ns, runnable_ns, stake) in [
        (100, 90, 0, 100),
        (500, 90, 800, 90),
        (500, 90, 400, 100),
        (50, 90, 0, 50),
    ] {
        assert_eq!(
            faults_without_cpu_wait(faults_ns, &off_cpu(fault_ns, runnable_ns)),
            stake
        );
    }
}

#[test]
fn calls_that_go_cost_at_least_what_the_shortest_do_and_at_most_what_the_longest_do() {
    let mut report = sample();
    report.ledger.call_cost = Some(CallCost {
        bare_ns: 100,
        in_scope_ns: 300,
        with_statistics_ns: 400,
        inside_ns: Some(150),
        others_ns: 0,
        error_ns: 10,
    });
    let workload = &mut report.workloads[0];
    workload.time = None;
    let call = &mut workload.syscalls[0];
    call.latency = histogram(Unit::Ns, &[(1000, 4), (2000, 6)]);
    (call.calls, call.time_ns) = (10, 16_000);
    call.breakdown
        .as_mut()
        .expect("it is known")
        .off_cpu
        .runnable_ns = 500;
    let cost_of = |report: &Report| {
        Subject::of_first(report).cost_of((0, &report.workloads[0].syscalls[0]), 6)
    };
    let low = 4 * 1000 + 2 * 2000 - 500 - 6 * (150 + 10 + 100) + 6 * 90;
    let high = 16_000 - 4 * 1000 - 6 * (150 - 10) + 6 * 110;
    let cost = cost_of(&report);
    assert_eq!((cost.least, cost.most, cost.stake), (low, high, high));
    // All but 3000 ns of them were a wait for a CPU: the six waited for one, too.
    let waited = |report: &mut Report, ns: u64| {
        let time = report.workloads[0].syscalls[0].breakdown.as_mut();
        time.expect("it is known").off_cpu.runnable_ns = ns;
    };
    waited(&mut report, 13_000);
    let cost = cost_of(&report);
    assert_eq!(
        (cost.most, cost.stake),
        (high, 3000 - 6 * (150 - 10) + 6 * 110)
    );
    waited(&mut report, 500);
    // Two of them are in no bucket: they may be the shortest.
    report.workloads[0].syscalls[0].latency.buckets[1].count = 4;
    let shortest = 6 * (1000 - 260 + 90);
    let cost = cost_of(&report);
    assert_eq!((cost.least, cost.most), (shortest, high));
    // What was not divided may all have been a wait for a CPU.
    report.workloads[0].syscalls[0].breakdown = None;
    assert_eq!(cost_of(&report).least, shortest);
}
