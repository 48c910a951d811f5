//! The first screen: the answer, what it rests on, and whether to trust it, in as many lines as a terminal has.

mod bar;
mod calls;
mod device;
mod verdict;

use super::{Style, file, findings, ledger, line::WIDTH};
use crate::{
    analysis::busiest,
    model::report::{Report, Workload},
    output::format::{counted, filled},
    text::Text,
};

/// The lines of one workload, and of several; the caller has one more for where the rest is.
const LINES: usize = 23;
const LINES_OF_SEVERAL: usize = 39;

/// How much of each workload is shown.
#[derive(Clone, Copy)]
struct Detail {
    findings: usize,
    calls: usize,
    devices: usize,
    files: usize,
}

/// From the richest to what there is always room for.
const DETAILS: [Detail; 8] = [
    Detail::new(3, 3, 3, 3),
    Detail::new(3, 3, 2, 1),
    Detail::new(2, 2, 1, 1),
    Detail::new(1, 2, 1, 1),
    Detail::new(1, 1, 1, 1),
    Detail::new(1, 1, 1, 0),
    Detail::new(1, 0, 0, 0),
    Detail::new(0, 0, 0, 0),
];

impl Detail {
    const fn new(findings: usize, calls: usize, devices: usize, files: usize) -> Self {
        Self {
            findings,
            calls,
            devices,
            files,
        }
    }
}

/// The screen: the richest that fits.
pub fn render(report: &Report, style: Style) -> String {
    let most = match report.workloads.len() {
        0 | 1 => LINES,
        _ => LINES_OF_SEVERAL,
    };
    let alarms = alarms(report, style);
    let end = ledger::line_of(report, style);
    let left = most
        .saturating_sub(lines(&alarms))
        .saturating_sub(lines(&end));
    let middle = DETAILS
        .iter()
        .map(|detail| workloads(report, *detail, style))
        .find(|text| lines(text) <= left)
        .unwrap_or_else(|| as_many_as_fit(report, left, style));
    format!("{alarms}{middle}{end}")
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

fn workloads(report: &Report, detail: Detail, style: Style) -> String {
    let all = report.workloads.iter();
    all.map(|one| workload(one, report, detail, style))
        .collect()
}

/// The answer of one workload, and what it rests on.
fn workload(workload: &Workload, report: &Report, detail: Detail, style: Style) -> String {
    let verdict = [
        verdict::render(workload, style),
        bar::render(workload, style),
    ];
    let parts = [
        calls::render(
            workload,
            &named_calls(workload, report),
            detail.calls,
            style,
        ),
        device::render(workload, report, detail.devices, style),
        file::render_most(workload.files.as_ref(), detail.files, style),
    ];
    let found = findings::brief(report, workload, detail.findings);
    format!("{}{found}\n{}", verdict.concat(), parts.concat())
}

/// The calls that the verdict and the first finding name.
fn named_calls<'a>(workload: &'a Workload, report: &'a Report) -> Vec<&'a Text> {
    let spent = verdict::told(workload, busiest(workload).as_ref());
    let spent = spent.and_then(|spent| spent.parts.first()?.call);
    let mut findings = report.findings.iter();
    let found = findings.find(|one| one.workload == workload.name);
    let found = found.and_then(|one| one.place.call.as_ref());
    spent
        .map(|(name, _)| name)
        .into_iter()
        .chain(found)
        .collect()
}

/// The verdicts of the workloads with the most time, where not even those of all fit.
fn as_many_as_fit(report: &Report, most: usize, style: Style) -> String {
    let mut longest: Vec<_> = report.workloads.iter().collect();
    longest.sort_by_key(|workload| std::cmp::Reverse(workload.span_ns()));
    let mut text = String::new();
    for (shown, one) in longest.iter().enumerate() {
        let next = verdict::render(one, style);
        if lines(&text).saturating_add(lines(&next)) >= most {
            let more = longest.len().saturating_sub(shown);
            let more = counted(more as u64, "more workload", "more workloads");
            return format!("{text}{more}: --full\n");
        }
        text.push_str(&next);
    }
    text
}

/// So many lines of alarms; how many more there are is always said.
const ALARMS: usize = 4;

/// What puts the figures in doubt, and what ioprof could not do.
fn alarms(report: &Report, style: Style) -> String {
    let alarm = ledger::alarm(report).unwrap_or_default();
    let messages = report.ledger.messages.iter();
    let messages = messages.map(|message| format!("probes: {message}"));
    let all: Vec<_> = alarm
        .lines()
        .map(str::to_owned)
        .chain(messages)
        .flat_map(|line| {
            let wrapped = filled(line.split_whitespace(), WIDTH, "  ");
            wrapped.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut text: String = all
        .iter()
        .take(ALARMS)
        .map(|line| format!("{}\n", style.alarm(line)))
        .collect();
    let more = all.len().saturating_sub(ALARMS);
    if more > 0 {
        let more = counted(more as u64, "more line", "more lines");
        let line = format!("{more} of warnings: --section ledger");
        text.push_str(&format!("{}\n", style.alarm(&line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            finding::{Confidence, Evidence, Finding, Gain, Severity},
            io_uring::UringOperation,
            ledger::{Probe, Verdict},
        },
        output::text::width,
    };

    fn report() -> Report {
        let text = include_str!("../../../../tests/fixtures/report.json");
        serde_json::from_str(text).expect("the fixture is a report")
    }

    fn assert_fits(text: &str, most: usize) {
        assert!(lines(text) <= most, "{} lines:\n{text}", lines(text));
        let wide = text.lines().find(|line| width(line) > WIDTH);
        assert_eq!(wide, None, "{text}");
    }

    #[test]
    fn however_many_workloads_there_are_the_screen_has_room() {
        let mut report = report();
        assert_fits(&render(&report, Style::PLAIN), LINES);
        for count in [2, 5, 64] {
            report.workloads = vec![report.workloads[0].clone(); count];
            let text = render(&report, Style::PLAIN);
            assert_fits(&text, LINES_OF_SEVERAL);
            assert_eq!(text.contains("more workloads"), count == 64, "{text}");
        }
    }

    #[test]
    fn alarms_come_first_and_those_left_out_are_counted() {
        let mut report = report();
        let reason =
            "the kernel has no such tracepoint, or does not let anybody attach to it".into();
        let missing = Probe {
            verdict: Verdict::Absent { reason },
            ..report.ledger.probes[0].clone()
        };
        report.ledger.probes = vec![missing; 12];
        let text = render(&report, Style::PLAIN);
        assert_fits(&text, LINES);
        assert!(text.starts_with("PROBE MISSING"), "{text}");
        assert!(text.contains("20 more lines of warnings"), "{text}");
        assert!(text.contains("12 of 12 probes missing"), "{text}");
    }

    #[test]
    fn what_could_not_be_done_is_said() {
        let mut report = report();
        report.ledger.messages = vec!["file system 8:1 was not synced: it is not mounted".into()];
        let text = render(&report, Style::PLAIN);
        assert!(text.starts_with("probes: file system 8:1"), "{text}");
    }

    #[test]
    fn however_much_was_done_the_lines_hold_the_width() {
        for many in [999_999, 1_234_567, 98_765_432_109, 9_999_999_999_999] {
            let mut report = report();
            let workload = &mut report.workloads[0];
            let mut latency = workload.syscalls[0].latency.clone();
            (latency.sum, latency.max) = (many, many);
            for call in &mut workload.syscalls {
                (call.calls, call.time_ns) = (many, many / 2);
                call.bytes = call.bytes.map(|_| many);
            }
            let uring = workload.io_uring.as_mut().expect("it is known");
            uring.operations = vec![UringOperation {
                name: "READ_FIXED".into(),
                submissions: many,
                completions: many,
                silent: 0,
                unseen_completions: 0,
                errors: Default::default(),
                bytes: Some(many),
                latency,
                inline: 0,
                poll_armed: 0,
                worker: 0,
                for_worker: Some(0),
                asynchronous: many,
            }];
            for row in workload.block.iter_mut().flatten() {
                row.bytes = many;
            }
            for file in workload.files.iter_mut().flat_map(|files| &mut files.top) {
                (file.counts.read_bytes, file.counts.device_read_bytes) = (many, Some(many));
            }
            let text = render(&report, Style::PLAIN);
            assert_fits(&text, LINES);
            assert!(text.contains("io_ur"), "{text}");
        }
    }

    /// A finding of the first workload that has so many lines of advice.
    fn finding(lines: usize) -> Finding {
        Finding {
            id: "SYNC001".into(),
            severity: Severity::Info,
            confidence: Confidence::High,
            workload: "async".into(),
            summary: "something is wrong".into(),
            place: Default::default(),
            cost_ns: 1_000_000,
            gain: Gain {
                low_ns: None,
                high_ns: Some(1_000_000),
                method: "".into(),
            },
            evidence: vec![Evidence {
                pointer: "/workloads/0/wall_ns".into(),
                value: 1.into(),
            }],
            advice: vec!["x".repeat(70); lines].join(" ").into(),
            verify: None,
        }
    }

    #[test]
    fn rows_go_before_the_files_do() {
        let mut report = report();
        let are_shown = |report: &Report| {
            let text = render(report, Style::PLAIN);
            assert_fits(&text, LINES);
            text.lines().any(|line| line.starts_with("file "))
        };
        // The most lines of advice that leave the files in place beside one finding: one less does beside another.
        let most = (1..20)
            .take_while(|lines| {
                report.findings = vec![finding(*lines)];
                are_shown(&report)
            })
            .last()
            .expect("there is room for a finding");
        report.findings = vec![finding(most.saturating_sub(1)), finding(1)];
        let text = render(&report, Style::PLAIN);
        assert!(text.contains("1 more: --section findings"), "{text}");
        assert!(are_shown(&report), "{text}");
    }

    #[test]
    fn a_report_of_nothing_is_said_to_be_one() {
        let mut report = report();
        let workload = &mut report.workloads[0];
        (workload.time, workload.files, workload.block) = (None, None, None);
        workload.syscalls.clear();
        (report.devices, workload.io_uring) = (None, None);
        let text = render(&report, Style::PLAIN);
        assert!(text.contains("where its time went is unknown"), "{text}");
        assert!(text.contains("device unknown"), "{text}");
        report.workloads.clear();
        assert_fits(&render(&report, Style::PLAIN), LINES);
    }
}
