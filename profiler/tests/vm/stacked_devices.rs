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

/// A device that encrypts what another one holds.
fn encrypted(below: &Loop) -> Mapped {
    succeed(tool("modprobe").arg("dm-crypt"));
    let key = "5a3c".repeat(32);
    let table = format!(
        "0 65536 crypt aes-xts-plain64 {key} 0 /dev/{} 0",
        below.name()
    );
    Mapped::new("encrypted", &table)
}

/// Bytes that the workload has moved to or from these devices, with this origin.
fn moved(report: &Report, disks: &[Loop], operation: BlockOperation, origin: Origin) -> u64 {
    let rows = disks
        .iter()
        .flat_map(|disk| requests_of(report.workload(0), disk.name(), operation))
        .filter(|row| row.origin == origin);
    rows.map(|row| row.bytes).sum()
}

/// Writes a whole file of so many MiB by calls that do not wait for the device, over what it holds.
fn writes(file: &Path, mib: u64) -> Vec<String> {
    let to = format!("of={}", plain(file));
    let count = format!("count={mib}");
    let words = ["dd", "if=/dev/zero", &to, "bs=1M", &count];
    let words = words.into_iter().chain(["conv=notrunc", "status=none"]);
    words.map(str::to_owned).collect()
}

/// Fails where what is written past the page cache to a file, of [`FILE`] bytes, is not the workload's, so many times on these
/// devices.
fn assert_direct_writes(file: &Path, disks: &[Loop], copies: u64) {
    let written = |report: &Report| {
        let own = report.workload(0);
        let on_disks = moved(report, disks, BlockOperation::Write, Origin::Thread);
        assert_eq!(on_disks, copies * FILE, "{:#?}", own.block);
        let row = report.file(file).counts;
        assert_eq!(row.device_written_bytes, Some(copies * FILE), "{row:#?}");
    };
    // The first of them, too, before which the thread has never waited for a device.
    let count = (FILE / (256 * KIB)).to_string();
    let program = Program::compile("direct_io");
    let call = program.with(&[plain(file), "write", "262144", &count]);
    written(&profile(&[], &call));
    for engine in ["--ioengine=libaio", "--ioengine=io_uring"] {
        let options = ["--rw=randwrite", engine, "--direct=1", "--iodepth=8"];
        written(&fio(file, &options).report);
    }
}

/// Fails where asynchronous reads of a file past the page cache are not the workload's on these devices.
fn assert_direct_reads(file: &Path, disks: &[Loop]) {
    for engine in ["--ioengine=libaio", "--ioengine=io_uring"] {
        let ran = fio(file, &[engine, "--direct=1", "--iodepth=8"]);
        let read = moved(&ran.report, disks, BlockOperation::Read, Origin::Thread);
        assert_eq!(read, FILE, "{:#?}", ran.report.workload(0).block);
        assert_read_from_device(&ran.report, file);
    }
}

#[test]
#[ignore = "it takes a machine of its own"]
fn what_is_encrypted_is_whose_data_it_is() {
    let below = [Loop::unmounted(64 * MIB)];
    let mapped = encrypted(&below[0]);
    let folder = Mounted::new(&mapped.path());
    let file = written_file(folder.path(), FILE as usize);

    let report = profile(&["--sync"], &writes(&file, 4));
    // A thread of dm-crypt submits all of it, whoever has written it back.
    let written = moved(&report, &below, BlockOperation::Write, Origin::Writeback);
    assert_eq!(written, 4 * MIB, "{:#?}", report.workload(0).block);
    let row = report.file(&file).counts;
    assert_eq!(row.device_written_bytes, Some(4 * MIB), "{row:#?}");

    assert_direct_reads(&file, &below);
}

#[test]
#[ignore = "it takes a machine of its own"]
fn what_is_encrypted_past_the_page_cache_is_whose_writes_it_was() {
    let below = [Loop::unmounted(64 * MIB)];
    let mapped = encrypted(&below[0]);
    let folder = Mounted::new(&mapped.path());
    let file = written_file(folder.path(), FILE as usize);
    assert_direct_writes(&file, &below, 1);
}
