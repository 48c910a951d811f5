//! What holds for all rules.

use serde_json::Value;

use super::{IDS, judge};
use crate::{model::report::Report, text::Text};

/// The report of a real run.
fn sample() -> Report {
    let text = include_str!("../../../tests/fixtures/report.json");
    serde_json::from_str(text).expect("the fixture is a report")
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
        assert!(low <= high, "{one:?}");
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
