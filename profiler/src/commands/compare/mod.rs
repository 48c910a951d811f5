//! `ioprof compare`.

mod sides;

use std::{io, process::ExitCode};

use super::{deliver::print, report::read};
use crate::{
    analysis::compare::{self, Comparison, EXPECTED, Gate, Refused, Verdict},
    cli::{Compare, Format},
    error::Error,
    kernel::syscall,
    output::{
        json, junit, markdown,
        terminal::{Style, compare::render},
    },
    text::Text,
    transfer::of_call,
};

/// The exit status where a gate does not hold: none of ioprof's own, nor 1, which says nothing.
const FAILED: u8 = 3;

/// Prints what differs between the reports of two sides, and whether the gates hold.
///
/// # Errors
///
/// Where a file cannot be read or is not a report, where they have other workloads, and where a gate is none.
pub fn compare(arguments: &Compare) -> Result<ExitCode, Error> {
    // Before the files, as what is wrong with a gate may be found without them.
    let gates: Result<Vec<_>, _> = arguments.gate.iter().map(|text| parse(text)).collect();
    let gates = gates?;
    let sides = sides::sides(arguments)?;
    let [before, after] = sides.each_ref().map(|paths| {
        let reports = paths.iter().map(|path| read(path));
        reports.collect::<Result<Vec<_>, _>>()
    });
    let (before, after) = (before?, after?);
    let comparison = compare::compare_for(&before, &after, &gates).map_err(|workloads| {
        Error::OtherWorkloads {
            before: workloads.before,
            after: workloads.after,
        }
    })?;
    let gates = gates
        .iter()
        .zip(&arguments.gate)
        .map(|(gate, text)| Ok((text.clone(), decide(gate, text, &comparison)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let names = sides.map(|paths| paths.iter().map(Text::of).collect::<Vec<_>>());
    let names = names.each_ref().map(Vec::as_slice);
    let stdout = io::stdout();
    let full = arguments.full;
    let as_text = |style| render(&comparison, &gates, names, full, style);
    let text = match arguments.format {
        Format::Text => as_text(Style::of(&stdout)),
        Format::Markdown => markdown::comparison(&comparison, &gates, full),
        Format::Json => {
            let json = json::comparison(&comparison, &gates, names);
            String::from_utf8_lossy(&json).into_owned()
        }
        Format::Junit => junit::comparison(&gates, &as_text(Style::PLAIN)),
    };
    print(&mut stdout.lock(), &text);
    let holds = gates.iter().all(|(_, verdict)| verdict.passes);
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn parse(text: &str) -> Result<Gate, Error> {
    Gate::parse(text).ok_or_else(|| refused(text, EXPECTED))
}

fn decide(gate: &Gate, text: &str, comparison: &Comparison) -> Result<Verdict, Error> {
    let verdict = gate.decide(comparison, is_of_a_call);
    verdict.map_err(|reason| {
        refused(
            text,
            match reason {
                Refused::AbsoluteTime => {
                    "a time is compared with that of the first side: give a percentage with its \
                     sign, as in wall>+5%:fail"
                }
                Refused::UnknownTime => {
                    "there is no such time: name wall, or one of those that `ioprof compare --full` \
                     lists, as in fdatasync.p99>+10%:fail; with several workloads, behind the number of one, \
                     as in 2:wall"
                }
                Refused::UnknownMetric => {
                    "there is no such count: name one as in the rows, which `ioprof compare --full` \
                     lists; with several workloads, behind the number of one, as in 2:fsyncs"
                }
            },
        )
    })
}

fn refused(gate: &str, reason: &'static str) -> Error {
    Error::Gate {
        gate: gate.to_owned(),
        reason,
    }
}

/// The largest error number.
const LAST_ERROR: u32 = 133;

/// Whether a count is of a call that has a row of its own in reports, where it was made.
fn is_of_a_call(metric: &str) -> bool {
    let Some((call, count)) = metric.split_once('.') else {
        return false;
    };
    let is_error = |name| (1..=LAST_ERROR).any(|errno| syscall::error_name(errno) == name);
    syscall::names().any(|name| name == call)
        && match count.split_once('.') {
            Some((errors, name)) => errors == "errors" && is_error(name),
            None if count == "bytes" => of_call(call).is_some(),
            None => ["calls", "errors", "p99"].contains(&count),
        }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use clap::Parser as _;

    use super::*;
    use crate::{analysis::judge, cli::Cli, model::report::Report};

    const SAMPLE: &str = include_str!("../../../tests/fixtures/sqlite.json");

    fn sample() -> Report {
        serde_json::from_str(SAMPLE).expect("the fixture is a report")
    }

    /// A report of which one rule finds what it looks for.
    fn with_small_reads(bytes: u64) -> Report {
        let mut report = sample();
        let workload = &mut report.workloads[0];
        let files = workload.files.as_mut().expect("they are known");
        let counts = &mut files.top[0].counts;
        (counts.reads, counts.writes) = (1_000_000, 0);
        (counts.read_bytes, counts.sequential, counts.opens) = (bytes * 1_000_000, 1_000_000, 1);
        counts.time_ns = workload.wall_ns;
        files.top[0].typical_size_bytes = Some(bytes);
        let call = workload.syscalls.iter_mut();
        let mut call = call.filter(|call| call.name == "pread64");
        if let Some(call) = call.next() {
            (call.calls, call.time_ns) = (1_000_000, workload.wall_ns);
            let time = call.breakdown.as_mut().expect("it is divided");
            time.cpu_ns = workload.wall_ns;
        }
        report
    }

    fn with_polling() -> Report {
        let mut report = sample();
        let workload = &mut report.workloads[0];
        let call = workload.syscalls.iter_mut();
        let mut call = call.filter(|call| call.name == "pwrite64");
        let call = call.next().expect("it was made");
        (call.calls, call.time_ns) = (100_000, workload.wall_ns);
        call.errors.insert("EAGAIN".into(), 100_000);
        let time = call.breakdown.as_mut().expect("it is divided");
        time.cpu_ns = workload.wall_ns;
        report
    }

    #[test]
    fn what_verifies_a_finding_is_a_command_whose_gate_fails_until_it_is_cured() {
        for (id, mut report) in [
            ("SYNC001", sample()),
            ("SMALL001", with_small_reads(100)),
            ("BYTE001", with_small_reads(1)),
            ("POLL001", with_polling()),
        ] {
            judge(&mut report);
            let mut found = report.findings.iter().filter(|one| one.id == id);
            let found = found.next().unwrap_or_else(|| panic!("{id} is found"));
            let command = found.verify.as_ref().expect("it can be verified").as_str();
            // The gate is the only quoted word.
            let words = command.split(' ').map(|word| word.trim_matches('\''));
            let cli = Cli::try_parse_from(words).expect("it is understood");
            let Some(crate::cli::Command::Compare(arguments)) = cli.command else {
                panic!("{command}");
            };
            let text = &arguments.gate[0];
            let gate = parse(text).expect("it is a gate");
            let decided = |after: &Report| {
                let comparison = compare::compare(slice::from_ref(&report), slice::from_ref(after))
                    .expect("they match");
                decide(&gate, text, &comparison).expect("it can be decided")
            };
            assert!(!decided(&report).passes, "{command}");
            let mut cured = report.clone();
            let workload = &mut cured.workloads[0];
            for call in &mut workload.syscalls {
                if ["fsync", "fdatasync"].contains(&call.name.as_str()) {
                    call.calls = 1;
                }
                call.errors.remove("EAGAIN");
            }
            let files = workload.files.as_mut().expect("they are known");
            files.top[0].counts.reads = 2 + files.top[0].counts.read_bytes / (64 << 10);
            assert!(decided(&cured).passes, "{command}");
        }
    }

    #[test]
    fn with_several_workloads_the_one_of_the_finding_is_named() {
        let mut report = sample();
        let mut second = report.workloads[0].clone();
        second.name = "second".into();
        report.workloads.push(second);
        judge(&mut report);
        let found = report.findings.iter().find(|one| one.workload == "second");
        let command = found.and_then(|one| one.verify.as_ref());
        let command = command.expect("it can be verified").as_str();
        assert!(command.contains("'2:fdatasync.calls<=-90%'"), "{command}");
        let comparison = compare::compare(slice::from_ref(&report), slice::from_ref(&report))
            .expect("they match");
        let gate = "2:fdatasync.calls<=-90%";
        let parsed = parse(gate).expect("it is a gate");
        assert!(!decide(&parsed, gate, &comparison).expect("known").passes);
        for unknown in ["fdatasync.calls<=1", "3:preadv.calls==0", "x:fsyncs==0"] {
            let parsed = parse(unknown).expect("it is a gate");
            assert!(decide(&parsed, unknown, &comparison).is_err(), "{unknown}");
        }
        for time in ["wall>+5%:fail", "fdatasync.p99<=+5%"] {
            let parsed = parse(time).expect("it is a gate");
            let said = decide(&parsed, time, &comparison).expect_err("it has no number");
            assert!(said.to_string().contains("as in 2:wall"), "{said}");
        }
    }

    #[test]
    fn what_was_not_done_is_0_and_what_cannot_be_done_is_refused() {
        let report = sample();
        let comparison = compare::compare(slice::from_ref(&report), slice::from_ref(&report))
            .expect("they match");
        let decide = |text: &str| decide(&parse(text).expect("it is a gate"), text, &comparison);
        for holds in [
            "preadv.calls==0",
            "preadv.calls<=-90%",
            "preadv.bytes==0",
            "fdatasync.errors.EIO==0",
        ] {
            assert!(decide(holds).expect("it is known").passes, "{holds}");
        }
        for unknown in [
            "fdatsync.calls==0",
            "fdatasync.call==0",
            "fdatasync.bytes==0",
            "fdatasync.errors.EIOU==0",
            "x==0",
            "1:fsyncs==0",
        ] {
            let said = decide(unknown).expect_err("it is not").to_string();
            assert!(said.contains("no such count"), "{unknown}: {said}");
        }
        for (time, word) in [
            ("wall<=1", "percentage"),
            ("fdatasync.p99<=1", "percentage"),
            ("fdatasync.time<=-5%", "no such time"),
            ("fdatsync.p99>+5%:fail", "no such time"),
            ("time.devices>+5%:fail", "no such time"),
        ] {
            let said = decide(time).expect_err("it is no gate").to_string();
            assert!(said.contains(word), "{time}: {said}");
        }
        // One run on each side decides none.
        for (time, passes) in [
            ("wall<=-5%", false),
            ("wall>+5%:fail", true),
            ("fdatasync.p99>+5%:fail", true),
            ("time.journal>+5%:fail", true),
            ("device.discard.p99<=+0%", false),
        ] {
            let verdict = decide(time).expect("it is a gate");
            assert_eq!(verdict.condition, compare::Outcome::Undecided, "{time}");
            assert_eq!(verdict.passes, passes, "{time}");
        }
    }
}
