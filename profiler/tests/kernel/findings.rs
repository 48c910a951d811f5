//! Findings: each rule fires on its fault, first of all, and neither on the cure nor on what looks like the fault.
//!
//! They hold on a busy machine: the program does nothing but what the rule is about, some hundred times over, so that this
//! takes nearly all of its time, whatever else there is to wait for. Waiting for a CPU lengthens the calls of the fault
//! and all else alike, and a rule needs 1 % of the time. No duration is looked at.

use std::fs;

use serde_json::Value;

use crate::support::{
    Report, device::Loop, folder, ioprof, output, plain, profile, program::Program, text,
};

const MIB: u64 = 1024 * 1024;
/// What is read: long enough for some hundred waits where it is read ahead.
const FILE: u64 = 40 * MIB;

/// The report of a mode of the program.
fn report(program: &Program, mode: &str, device: &Loop, count: u64) -> Report {
    let file = device.mounted().join("data");
    if mode.starts_with("read") || mode.starts_with("map") {
        fs::write(&file, vec![b'x'; FILE as usize]).expect("the file is written");
    }
    let report = profile(
        &[],
        &program.with(&[mode, plain(&file), &count.to_string()]),
    );
    assert_evidence_stands_there(&report);
    println!("{mode}: {:#?}", report.findings);
    report
}

/// The rules that fire, the most time at stake first.
fn rules(report: &Report) -> Vec<&str> {
    let found = report.findings.iter();
    found.map(|one| one.id.as_str()).collect()
}

/// The command that a finding is verified by fails on the fault itself, and succeeds on the cure; nothing where a rule
/// names none.
fn assert_verified(fault: &Report, cure: &Report) {
    let Some(command) = &fault.findings[0].verify else {
        assert_eq!(fault.findings[0].id, "MMAP001");
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
        assert_eq!(there, Some(&Value::from(one.value)), "{one:?}");
    }
    for one in &report.findings {
        assert!(!one.evidence.is_empty(), "{one:?}");
    }
}

/// A rule with the modes of its fault, its cure and its neighbour, and the count that each takes.
fn fires_on_the_fault_alone(rule: &str, modes: [(&str, u64); 3]) {
    let program = Program::compile("findings");
    let device = Loop::new(64 * MIB);
    // What is read around a page that is waited for: machines differ.
    device.set("queue/read_ahead_kb", "128");
    let [(fault, count), others @ ..] = modes;
    let of_fault = report(&program, fault, &device, count);
    assert_eq!(rules(&of_fault).first(), Some(&rule), "{fault}");
    let others = others.map(|(mode, count)| {
        let report = report(&program, mode, &device, count);
        assert_eq!(rules(&report), [""; 0], "{mode}");
        report
    });
    assert_verified(&of_fault, &others[0]);
}

#[test]
fn data_made_durable_after_every_record_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let modes = [("sync-each", 200), ("sync-once", 200), ("sync-files", 200)];
    fires_on_the_fault_alone("SYNC001", modes);
}

#[test]
fn a_file_written_by_small_calls_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let modes = [
        ("write-by", 16 * MIB),
        ("write-at-once", 16 * MIB),
        ("write-durable", 200),
    ];
    fires_on_the_fault_alone("SMALL001", modes);
}

#[test]
fn a_file_read_by_bytes_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let modes = [
        ("read-bytes", MIB),
        ("read-at-once", MIB),
        ("read-bytes-apart", MIB),
    ];
    fires_on_the_fault_alone("BYTE001", modes);
}

#[test]
fn a_descriptor_that_is_asked_again_and_again_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let modes = [
        ("poll-again", 200_000),
        ("poll-wait", 200_000),
        ("poll-drain", 50_000),
    ];
    fires_on_the_fault_alone("POLL001", modes);
}

#[test]
fn pages_that_are_waited_for_one_by_one_are_found() {
    requires!("cc", "losetup mkfs.ext4");
    let modes = [
        ("map-apart", FILE),
        ("map-ahead", FILE),
        ("map-around", FILE),
    ];
    fires_on_the_fault_alone("MMAP001", modes);
}
