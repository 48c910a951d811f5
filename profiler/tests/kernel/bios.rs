//! Devices without requests: what their bios are, and whose.

use crate::support::{
    device::written_file,
    plain, profile,
    program::Program,
    report::{BlockOperation, CheckKind, Origin, known, requests},
    requirements::skip,
    zram::Zram,
};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_cold_file_on_a_device_without_requests_is_read_from_it() {
    requires!("cc", "mkfs.ext4");
    let program = Program::compile("files");
    let Some(disk) = Zram::new(64 * MIB) else {
        return skip(Zram::MISSING);
    };
    let path = written_file(&disk.mounted(), 4 * MIB as usize);
    disk.remount();
    // In one call: read-ahead brings what later calls would find.
    let report = profile(
        &[],
        &program.with(&["read", plain(&path), &(4 * MIB).to_string()]),
    );
    let own = report.workload(0);
    let cache = known(&own.page_cache);
    assert_eq!(cache.hits.bytes, 0, "{cache:?}");
    assert_eq!(cache.misses.bytes + cache.read_ahead_waits.bytes, 4 * MIB);
    assert_eq!(report.file(&path).counts.device_read_bytes, Some(4 * MIB));
    let name = disk.name();
    let data: u64 = requests(own, &name, BlockOperation::Read)
        .filter(|row| row.origin == Origin::Thread)
        .map(|row| row.bytes)
        .sum();
    assert_eq!(data, 4 * MIB, "{:#?}", own.block);
    let (counted, kernel) = report.workload_check(CheckKind::BlockReadBytes);
    assert_eq!(counted, kernel);
    let (counted, kernel) = report.device_check(&name, CheckKind::DeviceReadBytes);
    assert_eq!(counted, kernel);
    assert!(report.device(&name).takes_bios);
}

#[test]
fn direct_io_on_a_device_without_requests_is_counted_to_the_byte() {
    requires!("cc", "mkfs.ext4");
    let program = Program::compile("direct_io");
    let Some(disk) = Zram::new(64 * MIB) else {
        return skip(Zram::MISSING);
    };
    let path = written_file(&disk.mounted(), 4 * MIB as usize);
    let name = disk.name();
    for (how, operation) in [
        ("read", BlockOperation::Read),
        ("write", BlockOperation::Write),
    ] {
        let report = profile(&[], &program.with(&[plain(&path), how, "65536", "32"]));
        let rows: Vec<_> = requests(report.workload(0), &name, operation)
            .filter(|row| row.origin == Origin::Thread)
            .collect();
        let [row] = rows[..] else {
            panic!("one row: {rows:#?}");
        };
        assert_eq!((row.requests, row.bytes, row.errors), (32, 2 * MIB, 0));
        // They wait in no queue.
        assert_eq!((row.queue.count, row.service.count), (0, 32));
        assert_eq!((row.size.min, row.size.max), (65536, 65536));
        assert!(row.service.sum > 0);
        assert_eq!(row.in_flight_requests, 0);
        let counts = &report.file(&path).counts;
        let bytes = match operation {
            BlockOperation::Read => counts.device_read_bytes,
            _ => counts.device_written_bytes,
        };
        assert_eq!(bytes, Some(2 * MIB), "{counts:#?}");
    }
}

#[test]
fn what_others_write_to_a_device_without_requests_is_whose_pages_it_was() {
    requires!("cc", "mkfs.ext4 dd");
    let Some(disk) = Zram::new(64 * MIB) else {
        return skip(Zram::MISSING);
    };
    let path = written_file(&disk.mounted(), 4 * MIB as usize);
    let to = format!("of={}", plain(&path));
    let report = profile(
        &["--sync"],
        &[
            "dd",
            "if=/dev/zero",
            &to,
            "bs=1M",
            "count=4",
            "conv=notrunc",
        ],
    );
    let name = disk.name();
    let written: u64 = requests(report.workload(0), &name, BlockOperation::Write)
        .filter(|row| row.origin == Origin::Writeback)
        .map(|row| row.bytes)
        .sum();
    assert_eq!(written, 4 * MIB, "{:#?}", report.workload(0).block);
    let counts = &report.file(&path).counts;
    assert_eq!(counts.device_written_bytes, Some(4 * MIB), "{counts:#?}");
}
