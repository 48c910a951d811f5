//! What holds for all rules.

use serde_json::Value;

use super::{IDS, judge, subject::Subject};
use crate::{
    model::{
        histogram::{Bucket, Histogram, Unit},
        ledger::CallCost,
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
    assert_eq!(cost_of(&report), (low, high));
    // Two of them are in no bucket: they may be the shortest.
    report.workloads[0].syscalls[0].latency.buckets[1].count = 4;
    let shortest = 6 * (1000 - 260 + 90);
    assert_eq!(cost_of(&report), (shortest, high));
    // What was not divided may all have been a wait for a CPU.
    report.workloads[0].syscalls[0].breakdown = None;
    assert_eq!(cost_of(&report).0, shortest);
}
