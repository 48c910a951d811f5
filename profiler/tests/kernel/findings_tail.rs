//! A device that is fast, and takes very long for a few requests: it is held while they are in flight.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Report,
    attached::Attached,
    held::Held,
    plain,
    program::Program,
    report::{Block, BlockOperation, requests},
    steps::Steps,
};

/// In each, 512 pages are written: 10,240 in all.
const TURNS: u32 = 20;
/// Many times what a page takes, however busy the machine is.
const STALL: Duration = Duration::from_millis(100);

/// What ioprof says of a program that writes pages to a device in turns.
fn written(mut turn: impl FnMut(&mut Steps, &Held, u32)) -> (Report, Held) {
    let program = Program::compile("stalled");
    let held = Held::new();
    let node = held.device.node();
    let mut writer = Steps::start(&program, &[plain(&node)]);
    let attached = Attached::to(&[writer.pid()], &[]);
    for number in 1..=TURNS {
        turn(&mut writer, &held, number);
    }
    writer.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    println!("{:#?} {:#?}", report.findings, report.json["ruled_out"]);
    (report, held)
}

/// Has pages written, of which the first waits for a while.
fn write_stalled(writer: &mut Steps, held: &Held, stall: Duration) {
    held.freeze();
    writer.begin(b'p');
    while held.in_flight() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(stall);
    held.thaw();
    writer.wait();
}

fn writes<'a>(report: &'a Report, held: &'a Held) -> &'a Block {
    let rows = requests(
        report.workload(0),
        held.device.name(),
        BlockOperation::Write,
    );
    let row = rows.max_by_key(|row| row.requests);
    row.expect("it has written")
}

#[test]
fn a_few_requests_that_take_very_long_are_found() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let mut begin = None;
    let mut stalled = Duration::ZERO;
    let mut longest = Duration::ZERO;
    let (report, held) = written(|writer, held, number| {
        // What the threads waited for a CPU is in the rest, and is to be the smaller part, however busy the machine is.
        let rest = begin.get_or_insert_with(Instant::now).elapsed() - stalled;
        longest = if number == TURNS {
            (4 * rest).max(5 * STALL)
        } else {
            STALL
        };
        write_stalled(writer, held, longest);
        stalled += longest;
    });
    assert_eq!(report.rules(), ["TAIL001"]);
    let finding = &report.findings[0];
    let device = finding.place.device.as_ref().map(ToString::to_string);
    assert_eq!(device.as_deref(), Some(held.device.name()));
    // Each of them waited for the whole stall.
    let stalled = stalled.as_nanos() as u64;
    let high = finding.gain.high_ns;
    assert!(high.is_some_and(|high| high > stalled / 10 * 9), "{high:?}");
    let row = writes(&report, &held);
    let when = row.slowest_completed_ns.expect("it is known");
    // That of the last turn.
    assert!(u128::from(row.service.max) >= longest.as_nanos(), "{row:?}");
    assert!(when > stalled && when <= report.duration_ns, "{when}");
}

#[test]
fn a_device_that_is_never_held_has_none_and_large_requests_are_none() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    for steps in ["p", "pll"] {
        let (report, held) = written(|writer, _, _| writer.tell(steps));
        assert!(writes(&report, &held).requests >= 10_000);
        assert_eq!(report.rules(), [""; 0], "{steps}");
    }
}
