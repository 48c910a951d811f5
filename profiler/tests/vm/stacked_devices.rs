//! Devices that are made of others.

use super::*;
use crate::support::{
    device::{Loop, written_file},
    fio::{FILE, assert_read_from_device, fio},
    report::{Origin, requests as requests_of},
    requirements::tool,
};

/// A device of the device mapper; gone with this value.
struct Mapped(String);

impl Mapped {
    fn new(name: &str, table: &str) -> Self {
        succeed(tool("dmsetup").args(["create", "--noudevsync", name, "--table", table]));
        succeed(tool("dmsetup").args(["mknodes", name]));
        Self(name.to_owned())
    }

    fn path(&self) -> PathBuf {
        Path::new("/dev/mapper").join(&self.0)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        support::output(tool("dmsetup").args(["remove", "--noudevsync", &self.0]));
    }
}

#[test]
#[ignore = "it takes a machine of its own"]
fn a_request_through_a_mapped_device_is_counted_once() {
    let below = Loop::unmounted(64 * MIB);
    for table in [
        format!("0 65536 linear /dev/{} 0", below.name()),
        format!(
            "0 65536 multipath 0 0 1 1 round-robin 0 1 1 /dev/{} 1",
            below.name()
        ),
    ] {
        let kind = table.split(' ').nth(2).expect("a target").to_owned();
        succeed(tool("modprobe").arg(format!("dm-{kind}").replace("dm-linear", "dm_mod")));
        let mapped = Mapped::new(&kind, &table);
        let program = Program::compile("direct_io");
        let report = profile(&[], &reads(&program, &mapped.path(), 100));
        // The disk is read from, too, where the program was not in memory.
        let is_of_stack = |block: &&Block| {
            block.device == below.name() || block.device.as_str().starts_with("dm-")
        };
        let of_stack: Vec<_> = known(&report.workload(0).block)
            .iter()
            .filter(is_of_stack)
            .collect();
        let last = of_stack.iter().filter(|block| !block.passed_on);
        assert_eq!(last.count(), 1, "{kind}: counted twice");
        let rows: Vec<_> = of_stack
            .iter()
            .map(|block| (block.requests, block.bytes))
            .collect();
        // Above a linear device there are no requests of its own. Those of a multipath one are made anew
        // below, which kernels before 6.5 do by no bio that could be seen.
        println!("{kind}: {rows:?}");
        assert!(!rows.is_empty() && rows.len() <= 1 + usize::from(kind == "multipath"));
        for row in rows {
            assert_eq!(row, (100, 100 * 4 * KIB), "{kind}");
        }
        let mut devices = known(&report.devices).iter();
        let whole = devices.find(|device| device.name == below.name());
        if kind == "linear" {
            assert_eq!(known(&whole).read_bytes, 100 * 4 * KIB);
        }
        let is_below_one = whole.is_none_or(|whole| whole.holders.len() == 1);
        assert!(is_below_one, "{kind}: {whole:#?}");
    }
}

#[test]
#[ignore = "it takes a machine of its own"]
fn what_is_encrypted_is_whose_data_it_is() {
    let below = Loop::unmounted(64 * MIB);
    succeed(tool("modprobe").arg("dm-crypt"));
    let key = "5a3c".repeat(32);
    let table = format!(
        "0 65536 crypt aes-xts-plain64 {key} 0 /dev/{} 0",
        below.name()
    );
    let mapped = Mapped::new("encrypted", &table);
    let folder = Mounted::new(&mapped.path());
    let file = written_file(folder.path(), FILE as usize);
    let bytes = |report: &Report, operation, origin| -> u64 {
        let rows = requests_of(report.workload(0), below.name(), operation);
        let rows = rows.filter(|row| row.origin == origin);
        rows.map(|row| row.bytes).sum()
    };

    let to = format!("of={}", plain(&file));
    let four = ["bs=1M", "count=4", "conv=notrunc", "status=none"];
    let dd: Vec<_> = ["dd", "if=/dev/zero", &to]
        .into_iter()
        .chain(four)
        .collect();
    let report = profile(&["--sync"], &dd);
    // A thread of dm-crypt submits all of it, whoever has written it back.
    let written = bytes(&report, BlockOperation::Write, Origin::Writeback);
    assert_eq!(written, 4 * MIB, "{:#?}", report.workload(0).block);
    let row = report.file(&file).counts;
    assert_eq!(row.device_written_bytes, Some(4 * MIB), "{row:#?}");

    for engine in ["--ioengine=libaio", "--ioengine=io_uring"] {
        let ran = fio(&file, &[engine, "--direct=1", "--iodepth=8"]);
        let read = bytes(&ran.report, BlockOperation::Read, Origin::Thread);
        assert_eq!(read, FILE, "{:#?}", ran.report.workload(0).block);
        assert_read_from_device(&ran.report, &file);
    }
}
