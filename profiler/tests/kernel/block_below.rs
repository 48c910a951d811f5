//! Requests that the driver of a loop device makes of its own, on the device that its file is on.

use std::{thread, time::Duration};

use crate::support::{
    Report,
    attached::Attached,
    device::{Loop, written_file},
    held::Held,
    plain, profile,
    program::Program,
    report::{Block, BlockOperation, CheckKind, Origin, known, requests},
    steps::Steps,
};

const MIB: u64 = 1024 * 1024;

/// The requests and bytes of rows.
fn sum<'a>(rows: impl Iterator<Item = &'a Block>) -> (u64, u64) {
    rows.fold((0, 0), |sum, row| (sum.0 + row.requests, sum.1 + row.bytes))
}

/// Those of the workload on a device that are of a request of another device.
fn below(report: &Report, device: &str, operation: BlockOperation) -> (u64, u64) {
    let rows = requests(report.workload(0), device, operation);
    sum(rows.filter(|row| row.origin == Origin::Below))
}

fn is_not_below(row: &&Block) -> bool {
    row.origin != Origin::Below
}

/// Fails where what a workload has on devices, each byte once, is not what the kernel has for its processes.
fn assert_counted_once(report: &Report, what: CheckKind) {
    let (counted, kernel) = report.workload_check(what);
    assert_eq!(counted, kernel, "{:#?}", report.workload(0).block);
}

#[test]
fn a_request_to_the_disk_of_a_loop_device_is_whose_request_it_was_made_of() {
    requires!("cc", "mkfs.ext4", "losetup", "mount", "umount");
    let program = Program::compile("direct_io");
    let disk = Loop::new(64 * MIB);
    let above = Loop::unmounted_on(&disk, 16 * MIB);
    above.go_past_the_cache();
    // So that no block of the image is to be allocated.
    let fill = program.with(&[plain(&above.node()), "write", "1048576", "16"]);
    profile(&[], &fill);
    disk.sync();
    for (how, operation, check) in [
        ("read", BlockOperation::Read, CheckKind::BlockReadBytes),
        ("write", BlockOperation::Write, CheckKind::BlockWrittenBytes),
    ] {
        let call = program.with(&[plain(&above.node()), how, "65536", "32"]);
        let report = profile(&[], &call);
        let own = report.workload(0);
        let on_it = sum(requests(own, above.name(), operation));
        assert_eq!(on_it, (32, 2 * MIB), "{:#?}", own.block);
        assert_eq!(below(&report, disk.name(), operation), (32, 2 * MIB));
        let others = requests(own, disk.name(), operation).filter(is_not_below);
        assert_eq!(sum(others), (0, 0), "{:#?}", own.block);
        assert_counted_once(&report, check);
        let files = known(&own.files);
        let counts = |row: &ioprof::model::file::File| match operation {
            BlockOperation::Read => row.counts.device_read_bytes,
            _ => row.counts.device_written_bytes,
        };
        assert_eq!(
            counts(report.file(&above.node())),
            Some(2 * MIB),
            "{files:#?}"
        );
    }
}

/// Bytes that have no owner on a device.
fn unknown(report: &Report, device: &str) -> u64 {
    let shares = report.device(device).shares.iter();
    let of_none = shares.filter(|share| share.origin == Some(Origin::Unknown));
    of_none.map(|share| share.bytes).sum()
}

#[test]
fn what_a_loop_device_does_with_pages_of_its_image_is_whose_request_it_serves() {
    requires!("dd", "mkfs.ext4", "losetup", "mount", "umount");
    let disk = Loop::new(64 * MIB);
    let above = Loop::unmounted_on(&disk, 4 * MIB);
    let node = above.node();
    let dd = |other: &str, file: &str, how: &str| {
        let words = format!(
            "dd {other} {file}={} bs=64k count=64 {how} status=none",
            plain(&node)
        );
        words.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    // Once before, so that no block of the image is to be allocated. The flush at the end has the driver write its pages.
    let write = dd("if=/dev/zero", "of", "oflag=direct conv=fsync");
    profile(&[], &write);
    disk.sync();
    let report = profile(&[], &write);
    let written = BlockOperation::Write;
    let own = report.workload(0);
    assert_eq!(below(&report, disk.name(), written).1, 4 * MIB);
    let on_it = requests(own, disk.name(), written).filter(is_not_below);
    assert_eq!(sum(on_it), (0, 0), "{:#?}", own.block);
    assert_eq!(unknown(&report, disk.name()), 0);
    assert_counted_once(&report, CheckKind::BlockWrittenBytes);
    assert_eq!(known(&own.writeback).dirty_bytes_at_end, 0);

    let image = above.image();
    let report = profile(
        &["--evict", plain(&image)],
        &dd("of=/dev/null", "if", "iflag=direct"),
    );
    let read = BlockOperation::Read;
    let own = report.workload(0);
    assert_eq!(below(&report, disk.name(), read).1, 4 * MIB);
    let on_it = requests(own, disk.name(), read).filter(is_not_below);
    assert_eq!(sum(on_it), (0, 0), "{:#?}", own.block);
    assert_eq!(unknown(&report, disk.name()), 0);
    assert_counted_once(&report, CheckKind::BlockReadBytes);
}

#[test]
fn what_a_loop_device_does_while_several_have_requests_in_it_is_nobodys() {
    requires!("cc losetup mkfs.ext4 fsfreeze");
    let program = Program::compile("queued_writes");
    let held = Held::new();
    let node = held.device.node();
    let [mut one, mut other] = [(); 2].map(|()| Steps::start(&program, &[plain(&node)]));
    let attached = Attached::to(&[one.pid()], &[]);
    let completed = |writes: u64| {
        while held.device.stat().writes < writes {
            thread::sleep(Duration::from_millis(1));
        }
        held.below().sync();
    };
    let before = held.device.stat().writes;
    held.freeze();
    one.tell([0]);
    other.tell([2]);
    held.thaw();
    completed(before + 2);
    // It is alone again.
    one.tell([4]);
    completed(before + 3);
    one.end();
    other.end();
    let report = attached.ended();
    report.assert_nothing_lost();
    let on_disk = below(&report, held.below().name(), BlockOperation::Write).1;
    assert_eq!(on_disk, 4096, "{:#?}", report.workload(0).block);
    // The driver's thread takes one after the other: when it comes to the second, the first may have completed, and what is
    // alone then is known to be the other process's.
    let of_none = unknown(&report, held.below().name());
    assert!([4096, 2 * 4096].contains(&of_none), "{of_none}");
}

#[test]
fn what_is_written_back_through_a_loop_device_is_in_the_row_of_its_file_once() {
    requires!("dd", "mkfs.ext4", "losetup", "mount", "umount");
    let disk = Loop::new(256 * MIB);
    let above = Loop::on(&disk, 64 * MIB);
    let path = written_file(&above.mounted(), 4 * MIB as usize);
    for is_past_the_cache in [false, true] {
        if is_past_the_cache {
            above.go_past_the_cache();
        }
        disk.sync();
        let to = format!("of={}", plain(&path));
        let four = ["bs=1M", "count=4", "conv=notrunc", "status=none"];
        let dd: Vec<_> = ["dd", "if=/dev/zero", &to]
            .into_iter()
            .chain(four)
            .collect();
        let report = profile(&["--sync"], &dd);
        let own = report.workload(0);
        let written = BlockOperation::Write;
        let data =
            requests(own, above.name(), written).filter(|row| row.origin == Origin::Writeback);
        assert_eq!(sum(data).1, 4 * MIB, "{:#?}", own.block);
        let row = report.file(&path).counts;
        assert_eq!(row.device_written_bytes, Some(4 * MIB), "{row:#?}");
        let on_disk = below(&report, disk.name(), written).1;
        let all = sum(requests(own, above.name(), written)).1;
        if is_past_the_cache {
            assert_eq!(on_disk, all, "{:#?}", own.block);
        } else {
            // Its driver makes pages of the image dirty, which somebody writes at once or later.
            assert!(on_disk <= all, "{:#?}", own.block);
        }
        assert_eq!(known(&own.writeback).written_bytes, 4 * MIB);
    }
}
