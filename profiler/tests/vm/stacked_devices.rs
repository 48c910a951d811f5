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

/// An array of md, stopped with this value.
struct Array(&'static str);

impl Array {
    /// Of a level and its options, of disks of which nothing is to be copied to others.
    fn new(level: &str, options: &[&str], disks: &[Loop]) -> Self {
        let array = Self("/dev/md0");
        let count = disks.len().to_string();
        let mut mdadm = tool("mdadm");
        mdadm.args(options).args([array.0, "--level", level]);
        mdadm.args(["--run", "--raid-devices", &count]);
        succeed(mdadm.args(disks.iter().map(Loop::node)));
        array
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        support::output(tool("mdadm").args(["--stop", self.0]));
    }
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

#[test]
#[ignore = "it takes a machine of its own"]
fn what_an_array_does_is_whose_request_it_is_on_each_of_its_disks() {
    // The first have no record of themselves on their disks, which a thread of the array would write at times.
    let build = ["--build"];
    let mirror = ["--build", "--assume-clean"];
    let create = ["--create", "--assume-clean", "--metadata=1.2"];
    for (level, options, copies) in [
        ("linear", &build[..], 1),
        ("raid0", &build, 1),
        ("raid1", &mirror, 2),
        ("raid10", &create, 2),
    ] {
        let names = if level == "linear" {
            // 6.8 to 6.14 have none.
            ["linear", "md-linear"]
        } else {
            [level; 2]
        };
        let is_there = |name| support::output(tool("modprobe").arg(name)).status.success();
        if !names.into_iter().any(is_there) {
            assert_eq!(level, "linear", "the kernel has it");
            println!("no {level}");
            continue;
        }
        let disks = [Loop::unmounted(64 * MIB), Loop::unmounted(64 * MIB)];
        let array = Array::new(level, options, &disks);
        let folder = Mounted::new(Path::new(array.0));
        let file = written_file(folder.path(), FILE as usize);
        println!("{level}");
        assert_direct_writes(&file, &disks, copies);
        assert_direct_reads(&file, &disks);

        let report = profile(&["--sync"], &writes(&file, 4));
        // A thread of the array may submit it.
        let written: u64 = [Origin::Thread, Origin::Writeback]
            .map(|origin| moved(&report, &disks, BlockOperation::Write, origin))
            .iter()
            .sum();
        let row = report.file(&file).counts;
        assert_eq!(written, copies * 4 * MIB, "{:#?}", report.workload(0).block);
        assert_eq!(row.device_written_bytes, Some(written), "{row:#?}");
    }
}
