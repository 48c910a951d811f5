use std::slice;

use super::*;

fn sample() -> Report {
    let text = include_str!("../../../tests/fixtures/sqlite.json");
    let mut report = serde_json::from_str(text).expect("the fixture is a report");
    crate::analysis::judge(&mut report);
    report
}

fn compared(before: &Report, after: &Report) -> Comparison {
    sides(slice::from_ref(before), slice::from_ref(after))
}

fn sides(before: &[Report], after: &[Report]) -> Comparison {
    compare(before, after).expect("they have as many workloads")
}

fn holds(gate: &str, comparison: &Comparison) -> bool {
    let gate = Gate::parse(gate).unwrap_or_else(|| panic!("{gate} is a gate"));
    let verdict = gate.decide(comparison, |_| false);
    verdict.expect("the count is known").passes
}

/// The sample with another number of one call.
fn with_calls(name: &str, calls: u64) -> Report {
    let mut report = sample();
    let of_name = report.workloads[0].syscalls.iter_mut();
    let mut of_name = of_name.filter(|call| call.name == name);
    of_name.next().expect("it was made").calls = calls;
    report
}

/// The findings of a workload, and in how many reports of each side.
fn found(one: &Compared) -> Vec<(&str, u64, u64)> {
    let findings = one.findings.iter();
    findings
        .map(|one| (one.id.as_str(), one.runs.before, one.runs.after))
        .collect()
}

/// What all runs of a side have counted.
fn same(count: u64) -> Option<Span> {
    Some(Span::same(Amount::Count(count)))
}

#[test]
fn a_report_differs_in_nothing_from_itself() {
    let same = compared(&sample(), &sample());
    assert_eq!(same.conditions, []);
    assert_eq!(same.differing, []);
    assert!(same.equal.len() > 50);
    let one = &same.workloads[0];
    assert_eq!(found(one), [("SHARE001", 1, 1), ("SYNC001", 1, 1)]);
    assert!(one.time.iter().all(|part| part.ns.before == part.ns.after));
    for row in same.rows().filter(|row| row.amount.before.is_some()) {
        for gate in ["==+0%", "<=+0%", ">=-0%", "<=+5%", ">=-5%"] {
            assert!(holds(&format!("{}{gate}", row.metric), &same), "{row:?}");
        }
    }
}

#[test]
fn one_call_more_is_found() {
    let before = sample();
    let after = with_calls("unlink", 62);
    let comparison = compared(&before, &after);
    let [row] = &comparison.differing[..] else {
        panic!("{:?}", comparison.differing);
    };
    assert_eq!(row.metric, "unlink.calls");
    assert_eq!(row.amount.before, same(61));
    assert_eq!(row.amount.after, same(62));
    assert!(!holds("unlink.calls<=+0%", &comparison));
    assert!(holds("unlink.calls<=+1.64%", &comparison));
    assert!(!holds("unlink.calls<=+1.63%", &comparison));
}

#[test]
fn a_count_and_the_sum_with_it_differ_and_the_largest_change_is_first() {
    let mut after = with_calls("fdatasync", 2);
    let other = after.workloads[0].syscalls.iter_mut();
    let mut other = other.filter(|call| call.name == "close");
    other.next().expect("it was made").calls += 1;
    crate::analysis::judge(&mut after);
    let comparison = compared(&sample(), &after);
    let rows = comparison.differing.iter().map(|row| row.metric.as_str());
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows, ["fdatasync.calls", "fsyncs", "close.calls"]);
    let one = &comparison.workloads[0];
    assert_eq!(found(one), [("SHARE001", 1, 1), ("SYNC001", 1, 0)]);
}

#[test]
fn each_operator_takes_numbers_and_parts_of_what_was() {
    // From 244 to 24.
    let comparison = compared(&sample(), &with_calls("fdatasync", 24));
    for (gate, expected) in [
        ("fdatasync.calls<=24", true),
        ("fdatasync.calls<=23", false),
        ("fdatasync.calls <= 23.9", false),
        ("fdatasync.calls>=24", true),
        ("fdatasync.calls>=25", false),
        ("fdatasync.calls==24", true),
        ("fdatasync.calls==25", false),
        ("fdatasync.calls<=-90%", true),
        ("fdatasync.calls<=-91%", false),
        ("fdatasync.calls>=-91 %", true),
        ("fdatasync.calls>=-90%", false),
        ("fdatasync.calls==-90%", false),
        ("fdatasync.calls<=-100%", false),
    ] {
        assert_eq!(holds(gate, &comparison), expected, "{gate}");
    }
}

#[test]
fn what_is_no_gate_is_refused() {
    for text in [
        "",
        "fsyncs",
        "fsyncs<=",
        "<=5",
        "fsyncs<5",
        "fsyncs=5",
        "fsyncs<=5%",
        "fsyncs<=-5",
        "fsyncs<=+5",
        "fsyncs<=-101%",
        "fsyncs<=1.2345",
        "fsyncs<=1e9",
        "fsyncs<=.5",
        "fsyncs<=99999999999999999999",
        "fsyncs<=+%",
        "fsyncs<=+99999999999999999999%",
        "fsyncs<=\u{664}",
        "fsyncs<=5>=3",
    ] {
        assert_eq!(Gate::parse(text), None, "{text}");
    }
}

#[test]
fn what_a_report_does_not_know_is_not_0_and_holds_no_gate() {
    let mut after = sample();
    after.workloads[0].block = None;
    let comparison = compared(&sample(), &after);
    let rows = comparison.differing.iter();
    let written = rows
        .clone()
        .find(|row| row.metric == "device.written_bytes");
    let written = written.expect("it differs");
    assert_eq!(written.amount.after, None);
    assert!(!holds("device.written_bytes<=+0%", &comparison));
    assert!(!holds("device.written_bytes>=0", &comparison));
    let neither = compared(&after, &after);
    assert!(!holds("device.written_bytes<=+0%", &neither));
    assert!(
        neither
            .unknown
            .iter()
            .any(|row| row.metric == "device.reads")
    );
}

#[test]
fn a_wall_time_is_not_divided_where_one_report_does_not_know_into_what() {
    let mut after = sample();
    after.workloads[0].time = None;
    assert!(!compared(&sample(), &sample()).workloads[0].time.is_empty());
    for (before, after) in [(&sample(), &after), (&after, &sample())] {
        let comparison = compared(before, after);
        assert_eq!(comparison.workloads[0].time, []);
        assert_eq!(comparison.workloads[0].rest_ns, None);
    }
}

#[test]
fn what_runs_of_a_side_differ_in_is_named() {
    let mut other = sample();
    other.host.kernel = "6.1.0".into();
    let runs = [sample(), other];
    let conditions = sides(&runs, &runs).conditions;
    let [Condition::Mixed { what, values }] = &conditions[..] else {
        panic!("{conditions:?}");
    };
    assert_eq!(*what, "kernel");
    assert!(values.as_str().starts_with("6.1.0 | "), "{values}");
    let conditions = sides(&runs, &runs[..1]).conditions;
    assert!(
        matches!(conditions[..], [Condition::Differs { what: "kernel", .. }]),
        "{conditions:?}"
    );
}

#[test]
fn another_state_of_the_page_cache_is_named() {
    let with = |misses, hits| {
        let mut report = sample();
        let cache = report.workloads[0]
            .page_cache
            .as_mut()
            .expect("it is known");
        cache.read_ahead = None;
        cache.read_ahead_waits.latency.count = 0;
        (cache.misses.latency.count, cache.hits.latency.count) = (misses, hits);
        report
    };
    let named = |before: &Report, after: &Report| {
        let conditions = compared(before, after).conditions;
        let is_cache = |one: &Condition| {
            matches!(
                one,
                Condition::Differs {
                    what: "cache state",
                    ..
                }
            )
        };
        conditions.iter().any(is_cache)
    };
    assert!(named(&with(1, 5), &with(0, 6)));
    assert!(!named(&with(1, 5), &with(2, 0)));
    // What is not read is in no state.
    assert!(!named(&with(1, 5), &with(0, 0)));
}

#[test]
fn bytes_that_a_call_moved_and_that_are_not_known_are_not_0() {
    let mut after = sample();
    let calls = after.workloads[0].syscalls.iter_mut();
    for call in calls.filter(|call| call.name == "read") {
        call.bytes = None;
    }
    let comparison = compared(&sample(), &after);
    let [row] = &comparison.differing[..] else {
        panic!("{:?}", comparison.differing);
    };
    assert_eq!(
        (row.metric.as_str(), row.amount.after),
        ("read.bytes", None)
    );
    assert!(!holds("read.bytes<=+0%", &comparison));
    assert!(comparison.rows().all(|row| row.metric != "close.bytes"));
}

#[test]
fn other_conditions_are_named() {
    let mut after = sample();
    after.host.name = "other".into();
    after.host.kernel = "6.1.0".into();
    after.host.cpus += 1;
    after.ioprof_version = "9".into();
    let mut before = sample();
    for (report, scheduler) in [(&mut before, "none"), (&mut after, "bfq")] {
        for device in report.devices.iter_mut().flatten() {
            device.scheduler = Some(scheduler.into());
        }
    }
    for row in after.workloads[0].block.iter_mut().flatten() {
        row.device = "other".into();
    }
    after.workloads[0].argv.push("more".into());
    after.ledger.lost.insert("slots_full".into(), 1);
    let conditions = compared(&before, &after).conditions;
    let doubt = Condition::InDoubt {
        side: Side::After,
        run: 0,
        runs: 1,
    };
    assert_eq!(conditions[0], doubt);
    let named = conditions[1..].iter().map(|one| match one {
        Condition::Differs { what, .. } => *what,
        Condition::Mixed { .. } => "mixed",
        Condition::InDoubt { .. } => "in doubt",
    });
    let named: Vec<_> = named.collect();
    assert_eq!(
        named,
        [
            "host",
            "kernel",
            "CPUs",
            "ioprof",
            "schedulers",
            "command line",
            "devices"
        ]
    );
}

#[test]
fn workloads_are_matched_by_their_order_or_not_at_all() {
    let mut after = sample();
    let mut second = after.workloads[0].clone();
    second.name = "second".into();
    after.workloads.push(second);
    let numbers = Both {
        before: 1,
        after: 2,
    };
    assert_eq!(compare(&[sample()], slice::from_ref(&after)), Err(numbers));
    let both = compared(&after, &after);
    assert!(
        both.equal
            .iter()
            .any(|row| row.metric == "2:fdatasync.calls")
    );
}

#[test]
fn the_largest_numbers_there_are_compare() {
    for calls in [0, 1, u64::MAX] {
        let one = with_calls("unlink", calls);
        for others in [0, u64::MAX - 1, u64::MAX] {
            let comparison = compared(&one, &with_calls("unlink", others));
            assert_eq!(holds("unlink.calls==+0%", &comparison), calls == others);
            assert_eq!(holds("unlink.calls<=+0%", &comparison), others <= calls);
        }
    }
}
