//! Others at the device that a workload waits for: both have a request there while it is held.

use std::{thread, time::Duration};

use crate::support::{
    Report, attached::Attached, device::Loop, held::Held, plain, program::Program, steps::Steps,
};

const TURNS: u32 = 5;
const STALL: Duration = Duration::from_millis(100);

/// What ioprof says of a program that writes to a held device, while another one writes to a device, the same one or
/// some other.
fn beside(other: impl FnOnce(&Held) -> Option<String>) -> (Report, String) {
    let program = Program::compile("stalled");
    let held = Held::new();
    let node = held.device.node();
    let mut writer = Steps::start(&program, &[plain(&node)]);
    let other = other(&held);
    let is_same = other.as_deref() == Some(plain(&node));
    let mut stranger = other.map(|node| Steps::start(&program, &[node.as_str()]));
    let attached = Attached::to(&[writer.pid()], &[]);
    for _ in 0..TURNS {
        held.freeze();
        if let Some(stranger) = &mut stranger {
            stranger.begin(b'p');
        }
        writer.begin(b'p');
        while held.in_flight() < 1 + u64::from(is_same) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(STALL);
        held.thaw();
        writer.wait();
        if let Some(stranger) = &mut stranger {
            stranger.wait();
        }
    }
    writer.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    println!("{:#?} {:#?}", report.findings, report.json["ruled_out"]);
    (report, held.device.name().to_owned())
}

#[test]
fn others_at_the_device_that_is_waited_for_are_found() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let (report, device) = beside(|held| Some(plain(&held.device.node()).to_owned()));
    assert_eq!(report.rules(), ["SHARE001"]);
    let finding = &report.findings[0];
    let place = finding.place.device.as_ref().map(ToString::to_string);
    assert_eq!(place, Some(device));
    // Both have a request there for all of each stall.
    let stalled = (STALL * TURNS).as_nanos() as u64;
    let (low, high) = (finding.gain.low_ns, finding.gain.high_ns);
    assert_eq!(low, Some(0));
    assert!(high.is_some_and(|high| high >= stalled), "{high:?}");
}

#[test]
fn others_at_another_device_and_nobody_are_not() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let another = Loop::unmounted(4 << 20);
    let node = plain(&another.node()).to_owned();
    for other in [None, Some(node)] {
        let (report, _) = beside(|_| other);
        assert_eq!(report.rules(), [""; 0]);
    }
}
