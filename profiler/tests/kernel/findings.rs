//! Findings: each rule fires on its fault, first of all, and neither on the cure nor on what looks like the fault.
//!
//! They hold on a busy machine: the program does nothing but what the rule is about, some hundred times over, so that this
//! takes nearly all of its time, whatever else there is to wait for. A rule needs 1 % of the time without the wait
//! for a CPU. No duration is looked at.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{
    Report, device::Loop, folder, ioprof, output, plain, profile, program::Program, succeed, text,
};

const MIB: u64 = 1024 * 1024;

/// A mode of the program, and its count.
type Mode<'a> = (&'a str, &'a str);

/// A line of `findings.pairs`.
struct Pair<'a> {
    fault: Mode<'a>,
    cure: Mode<'a>,
    neighbour: Mode<'a>,
    /// The rules that find the neighbour.
    others: Vec<&'a str>,
}

impl Pair<'static> {
    fn of(rule: &str) -> Self {
        let table = include_str!("../programs/findings.pairs");
        let mut lines = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| words.first() == Some(&rule));
        let words = line.expect("the rule has a line");
        Self {
            fault: (words[1], words[2]),
            cure: (words[3], words[4]),
            neighbour: (words[5], words[6]),
            others: words[7..].to_vec(),
        }
    }
}

/// The report of a mode of the program.
fn report(program: &Program, (mode, count): Mode<'_>, device: &Loop) -> Report {
    let file = device.mounted().join("data");
    let words = [mode, plain(&file), count, "prepare"];
    succeed(Command::new(program.path()).args(words));
    let report = profile(&[], &program.with(&words[..3]));
    assert_evidence_stands_there(&report);
    let workload = &report.json["workloads"][0];
    println!(
        "{mode}: {:#?} {:#?} {:#?}",
        report.findings, workload["time"], report.json["ruled_out"]
    );
    report
}

/// The command that a finding is verified by fails on the fault itself, and succeeds on the cure; nothing where a rule
/// names none.
fn assert_verified(fault: &Report, cure: &Report) {
    let Some(command) = &fault.findings[0].verify else {
        assert!(
            ["AIO001", "MMAP001", "PUNT001", "SYNC003", "THROTTLE001"]
                .contains(&fault.findings[0].id.as_str())
        );
        return;
    };
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    let write = |name: &str, report: &Report| {
        fs::write(file(name), report.json.to_string()).expect("the report is written");
    };
    write("before.json", fault);
    for (after, status) in [(fault, 3), (cure, 0)] {
        write("after.json", after);
        let words = command.as_str().split(' ').skip(1);
        // The gate is the only quoted word.
        let words = words.map(|word| word.trim_matches('\''));
        let compared = output(ioprof().args(words).current_dir(folder.path()));
        println!("{}", text(&compared.stdout));
        assert_eq!(
            compared.status.code(),
            Some(status),
            "{command}: {compared:?}"
        );
    }
}

fn assert_evidence_stands_there(report: &Report) {
    for one in report.evidence() {
        let there = report.json.pointer(one.pointer.as_str());
        assert_eq!(there, Some(&Value::from(one.value.clone())), "{one:?}");
    }
    for one in &report.findings {
        assert!(!one.evidence.is_empty(), "{one:?}");
    }
}

fn fires_on_the_fault_alone(rule: &str) {
    let device = Loop::new(128 * MIB);
    // What is read around a page that is waited for: machines differ.
    device.set("queue/read_ahead_kb", "128");
    fires_on_the_fault_alone_on(&device, rule);
}

fn fires_on_the_fault_alone_on(device: &Loop, rule: &str) -> Report {
    let pair = Pair::of(rule);
    let program = Program::compile("findings");
    let fault = report(&program, pair.fault, device);
    assert_eq!(fault.rules().first(), Some(&rule), "{:?}", pair.fault);
    let cure = report(&program, pair.cure, device);
    assert_eq!(cure.rules(), [""; 0], "{:?}", pair.cure);
    let neighbour = report(&program, pair.neighbour, device);
    assert_eq!(neighbour.rules(), pair.others, "{:?}", pair.neighbour);
    assert_verified(&fault, &cure);
    fault
}

#[test]
fn data_made_durable_after_every_record_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("SYNC001");
}

#[test]
fn data_made_durable_by_every_write_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("SYNC002");
}

#[test]
fn changes_of_folders_that_wait_for_the_journal_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("SYNC003");
}

#[test]
fn a_file_written_by_small_calls_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("SMALL001");
}

#[test]
fn a_file_read_by_bytes_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("BYTE001");
}

#[test]
fn a_file_that_is_written_by_little_and_read_again_by_bytes_is_found_twice() {
    requires!("cc", "losetup mkfs.ext4");
    let program = Program::compile("findings");
    let report = report(
        &program,
        ("write-and-read", "200000"),
        &Loop::new(128 * MIB),
    );
    let mut found = report.rules();
    found.sort_unstable();
    assert_eq!(found, ["BYTE001", "SMALL001"]);
}

#[test]
fn a_descriptor_that_is_asked_again_and_again_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("POLL001");
}

#[test]
fn pages_that_are_waited_for_one_by_one_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("MMAP001");
}

#[test]
fn a_file_that_is_opened_again_and_again_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("OPEN001");
}

#[test]
fn a_file_that_is_made_anew_each_time_is_none_that_is_opened_again() {
    requires!("cc", "losetup mkfs.ext4");
    let program = Program::compile("findings");
    let report = report(&program, ("open-anew", "2000"), &Loop::new(128 * MIB));
    assert!(!report.rules().contains(&"OPEN001"));
    let files = &report.workload(0).files;
    let mut files = files.iter().flat_map(|files| &files.top);
    assert!(files.any(|row| row.inodes > Some(1000)));
}

#[test]
fn a_search_that_mostly_finds_nothing_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("PATH001");
}

#[test]
fn a_writer_that_is_held_back_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let device = Loop::new(128 * MIB);
    device.limit_dirty_pages(4 * MIB);
    let fault = fires_on_the_fault_alone_on(&device, "THROTTLE001");
    let finding = &fault.findings[0];
    let place = &finding.place;
    let names = [&place.device, &place.call].map(|name| name.as_ref().map(ToString::to_string));
    let expected = [device.name(), "write"].map(|name| Some(name.to_owned()));
    assert_eq!(names, expected);
    let devices = fault.json["devices"].as_array().expect("they are known");
    let mut devices = devices.iter();
    let told = devices.find(|one| one["name"] == device.name());
    let limit = &told.expect("it was used")["dirty_limit"];
    assert_eq!(limit["strict"], true);
    // The kernel keeps it as a part of the machine's, which changes.
    let most = limit["bytes"].as_u64().expect("a number");
    assert!((MIB..16 * MIB).contains(&most), "{most}");
    let summary = finding.summary.to_string();
    let of_device = format!("iB of {}", device.name());
    assert!(summary.ends_with(&of_device), "{summary}");
}

#[test]
fn an_offset_that_is_set_before_each_read_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("SEEK001");
}

#[test]
fn a_size_that_is_asked_for_before_each_read_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("STAT001");
}

#[test]
fn an_io_submit_that_waits_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("AIO001");
}

#[test]
fn pages_that_are_read_before_parts_of_them_are_written_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("ALIGN001");
}

#[test]
fn requests_that_workers_execute_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("PUNT001");
}

#[test]
fn requests_that_are_submitted_one_by_one_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    fires_on_the_fault_alone("URING001");
}

#[test]
fn calls_that_wait_for_a_ring_submit_nothing() {
    requires!("cc", "losetup mkfs.ext4");
    let program = Program::compile("findings");
    let report = report(&program, ("ring-wait", "40000"), &Loop::new(128 * MIB));
    assert_eq!(report.rules(), [""; 0]);
    let ring = report.workload(0).io_uring.as_ref().expect("it has one");
    let submitted = (ring.submitting_calls, ring.submitted_by_calls);
    assert_eq!(submitted, (Some(40_000 / 16), Some(40_000)));
}
