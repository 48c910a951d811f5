//! Requests that are in flight when their workload ends are waited for, and told where they do not complete.

use crate::support::{
    Report,
    attached::Attached,
    device::{Loop, written_file},
    held::Held,
    plain, profile,
    program::Program,
    report::{Block, BlockOperation, CheckKind, Origin, requests},
    steps::Steps,
};

const BYTES: u64 = 256 << 10;

/// Has a program queue the writing of [`BYTES`] to a device that is held, and end; with what ioprof says after `then`.
fn left_in_flight(options: &[&str], then: impl FnOnce(&Held)) -> (Report, Held, u32) {
    let program = Program::compile("steps");
    let held = Held::new();
    let node = held.device.node();
    let mut writer = Steps::start(&program, &[plain(&node), &BYTES.to_string()]);
    let pid = writer.pid();
    let attached = Attached::to(&[pid], options);
    held.freeze();
    writer.tell("wq");
    writer.end();
    then(&held);
    let report = attached.ended();
    held.thaw();
    report.assert_nothing_lost();
    (report, held, pid)
}

/// Bytes completed, requests in flight and their bytes.
fn written((report, held, pid): &(Report, Held, u32)) -> (u64, u64, u64) {
    sums(requests(
        report.workload_of(*pid),
        held.device.name(),
        BlockOperation::Write,
    ))
}

/// The same of some rows.
fn sums<'a>(rows: impl Iterator<Item = &'a Block>) -> (u64, u64, u64) {
    rows.fold((0, 0, 0), |(bytes, requests, in_flight), row| {
        (
            bytes + row.bytes,
            requests + row.in_flight_requests,
            in_flight + row.in_flight_bytes,
        )
    })
}

#[test]
fn what_a_workload_leaves_in_flight_is_waited_for() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let left = left_in_flight(&["--drain", "600"], Held::thaw);
    assert_eq!(written(&left), (BYTES, 0, 0));
    let (report, held, _) = left;
    let (counted, kernel) = report.device_check(held.device.name(), CheckKind::DeviceWrittenBytes);
    assert_eq!(counted, kernel);
}

#[test]
fn what_does_not_complete_in_time_is_in_flight_at_the_end() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let left = left_in_flight(&["--drain", "0"], |_| ());
    let (bytes, requests, in_flight) = written(&left);
    assert!(requests > 0);
    assert_eq!((bytes, in_flight), (0, BYTES));
}

#[test]
fn what_a_program_asks_for_and_does_not_wait_for_is_its_own() {
    requires!("cc losetup mkfs.ext4");
    let program = Program::compile("files");
    let disk = Loop::new(128 << 20);
    let bytes = 32 << 20;
    let path = written_file(&disk.mounted(), bytes);
    for by in ["advise", "ahead"] {
        disk.remount();
        let command = program.with(&[by, plain(&path), &bytes.to_string()]);
        let report = profile(&["--drain", "600"], &command);
        let rows = requests(report.workload(0), disk.name(), BlockOperation::Read);
        let data = rows.filter(|row| row.origin == Origin::Thread);
        assert_eq!(sums(data), (bytes as u64, 0, 0), "{by}");
        let row = report.file(&path).counts;
        assert_eq!(row.device_read_bytes, Some(bytes as u64), "{by}: {row:#?}");
    }
}
