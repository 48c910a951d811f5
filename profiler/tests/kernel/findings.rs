//! Findings: each rule fires on its fault, first of all, and neither on the cure nor on what looks like the fault.
//!
//! They hold on a busy machine: the program does nothing but what the rule is about, some hundred times over, so that this
//! takes nearly all of its time, whatever else there is to wait for. Waiting for a CPU lengthens the calls of the fault
//! and all else alike, and a rule needs 1 % of the time. No duration is looked at.

use std::fs;

use serde_json::Value;

use crate::support::{Report, device::Loop, plain, profile, program::Program};

const MIB: u64 = 1024 * 1024;
/// What is read: long enough for some hundred waits where it is read ahead.
const FILE: u64 = 40 * MIB;

/// The rules that fire on a mode of the program, the most time at stake first; what they say is in the report.
fn rules(program: &Program, mode: &str, device: &Loop, count: u64) -> Vec<String> {
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
    let found = report.findings.iter();
    found.map(|one| one.id.as_str().to_owned()).collect()
}

fn assert_evidence_stands_there(report: &Report) {
    let found = report.findings.iter().flat_map(|one| &one.evidence);
    let out = report.ruled_out.iter().flat_map(|one| &one.evidence);
    for one in found.chain(out) {
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
    let found = rules(&program, fault, &device, count);
    assert_eq!(found.first().map(String::as_str), Some(rule), "{fault}");
    for (mode, count) in others {
        let found = rules(&program, mode, &device, count);
        assert_eq!(found, [""; 0], "{mode}");
    }
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
