//! io_uring and io_submit are counted exactly, by opcode and by how a request was executed.

mod support;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use support::{
    Report,
    device::{Loop, written_file},
    folder, ioprof, profile,
    program::Program,
    report::{items, number},
    requirements::can_profile,
    succeed,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What a workload did of an opcode; null where it did none.
fn opcode<'a>(report: &'a Report, section: &str, name: &str) -> &'a Value {
    items(&report.workload(0)[section]["operations"])
        .find(|operation| operation["name"] == name)
        .unwrap_or(&Value::Null)
}

/// The numbers of an opcode of io_uring that are exact.
fn counts(report: &Report, name: &str) -> Value {
    let one = opcode(report, "io_uring", name);
    json!([
        one["submissions"],
        one["completions"],
        one["inline"],
        one["poll_armed"],
        one["worker"],
        one["asynchronous"],
        one["errors"],
        one["bytes"],
    ])
}

#[test]
fn requests_are_told_apart_by_opcode_and_by_how_they_were_executed() {
    if !can_profile(&["cc"]) {
        return;
    }
    let program = Program::compile("uring");
    let report = profile(&[], &program.with(&["PLAIN"]));
    // Submissions, completions, inline, poll armed, worker, asynchronous, errors, bytes.
    for (name, expected) in [
        ("NOP", json!([18, 14, 11, 0, 3, 0, {"EINVAL": 1}, null])),
        (
            "READ",
            json!([8, 8, 1, 6, 0, 1, {"EBADF": 1, "ECANCELED": 1}, 48]),
        ),
        ("WRITE", json!([1, 1, 1, 0, 0, 0, {}, 8])),
        ("ASYNC_CANCEL", json!([1, 1, 1, 0, 0, 0, {}, null])),
        (
            "POLL_ADD",
            json!([1, 1, 0, 0, 0, 1, {"ECANCELED": 1}, null]),
        ),
        ("POLL_REMOVE", json!([1, 1, 1, 0, 0, 0, {}, null])),
    ] {
        assert_eq!(counts(&report, name), expected, "{name}");
    }
    assert_eq!(opcode(&report, "io_uring", "NOP")["silent"], 4);
    assert_eq!(opcode(&report, "io_uring", "READ")["silent"], 1);
    let uring = &report.workload(0)["io_uring"];
    assert_eq!(items(&uring["operations"]).count(), 6);
    assert_eq!(uring["extra_completions"], 3);
    assert_eq!(uring["unmatched_completions"], 0);
    assert_eq!(uring["depth"]["max"], 10);
    // The kernel adds nothing that io_uring moves to rchar and wchar: 8 bytes are written 8 times and read
    // 3 times by calls, and more by io_uring.
    let name = report.workload(0)["name"].as_str().expect("a name");
    assert_eq!(report.workload_check(name, "call_written_bytes"), (64, 64));
    assert_eq!(report.workload_check(name, "call_read_bytes").0, 24);
}

#[test]
fn completions_for_which_the_ring_has_no_room_are_counted_as_unseen() {
    if !can_profile(&["cc"]) {
        return;
    }
    let program = Program::compile("uring");
    let report = profile(&[], &program.with(&["OVERFLOW"]));
    let nop = opcode(&report, "io_uring", "NOP");
    assert_eq!(nop["submissions"], 48);
    assert_eq!(nop["completions"], 32);
    assert_eq!(nop["unseen_completions"], 16);
    assert_eq!(report.workload(0)["io_uring"]["depth"]["max"], 16);
}

#[test]
fn without_a_probe_for_it_io_uring_is_unknown() {
    if !can_profile(&["cc"]) {
        return;
    }
    let program = Program::compile("uring");
    for probe in ["io_uring_complete", "io_uring_submit_req"] {
        let report = profile(&["--without-probe", probe], &program.with(&["PLAIN"]));
        assert!(report.workload(0)["io_uring"].is_null(), "{probe}");
    }
}

#[test]
fn operations_of_io_submit_are_counted_with_their_results() {
    if !can_profile(&["cc"]) {
        return;
    }
    let program = Program::compile("aio");
    let folder = folder();
    let file = folder.path().join("file");
    let report = profile(&[], &program.with(&[file.to_str().expect("a plain path")]));
    let aio = &report.workload(0)["aio"];
    let exact = |name: &str| {
        let one = opcode(&report, "aio", name);
        json!([
            one["submissions"],
            one["completions"],
            one["unseen_completions"],
            one["errors"],
            one["bytes"]
        ])
    };
    let page = 4 * KIB;
    assert_eq!(exact("PWRITE"), json!([16, 12, 4, {}, 12 * page]));
    assert_eq!(exact("PREAD"), json!([4, 4, 0, {"EAGAIN": 1}, 3 * page]));
    assert_eq!(exact("FSYNC"), json!([1, 1, 0, {}, null]));
    assert_eq!(aio["submitted"], 21);
    assert_eq!(aio["reaped"], 17);
    assert_eq!(aio["depth"]["max"], 8);
    for key in ["iocbs_unread", "events_unread", "unmatched_events"] {
        assert_eq!(aio[key], 0, "{key}");
    }
    // The kernel adds none of it to rchar and wchar.
    let name = report.workload(0)["name"].as_str().expect("a name");
    assert_eq!(report.workload_check(name, "call_written_bytes"), (0, 0));
}

/// A run of fio, and what it says of itself.
struct Fio {
    report: Report,
    operations: u64,
    bytes: u64,
}

/// Profiles fio with random reads of 4 KiB of a whole file, each once.
fn fio(file: &Path, options: &[&str]) -> Fio {
    let folder = folder();
    let output = folder.path().join("fio.json");
    let words: Vec<OsString> = [
        "fio",
        "--name=reads",
        "--rw=randread",
        "--bs=4k",
        "--thread=0",
        "--output-format=json",
    ]
    .iter()
    .chain(options)
    .map(OsString::from)
    .chain([with("--filename=", file), with("--output=", &output)])
    .collect();
    let report = profile(&[], &words);
    let said: Value = serde_json::from_slice(&fs::read(&output).expect("fio has written"))
        .expect("fio writes JSON");
    let read = &said["jobs"][0]["read"];
    Fio {
        report,
        operations: number(&read["total_ios"]),
        bytes: number(&read["io_bytes"]),
    }
}

fn with(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(path);
    word
}

const FILE: u64 = 16 * MIB;
const READS: u64 = FILE / (4 * KIB);

/// A device with a file to read.
fn device() -> (Loop, PathBuf) {
    let device = Loop::new(64 * MIB);
    let file = written_file(&device.mounted(), FILE as usize);
    (device, file)
}

/// What fio read by io_uring is what was counted, and what the device was asked for belongs to the
/// workload, whoever submitted it.
fn assert_reads(fio: &Fio, device: &str, name: &str) -> Value {
    assert_eq!((fio.operations, fio.bytes), (READS, FILE));
    let one = opcode(&fio.report, "io_uring", name);
    assert_eq!(one["submissions"], READS, "{one}");
    assert_eq!(one["completions"], READS, "{one}");
    assert_eq!(one["bytes"], FILE, "{one}");
    assert_eq!(one["latency"]["count"], READS);
    assert_eq!(one["errors"], json!({}));
    let ways = ["inline", "poll_armed", "worker", "asynchronous"];
    let executed: u64 = ways.iter().map(|way| number(&one[*way])).sum();
    assert_eq!(executed, READS, "{one}");
    let (requests, bytes) = fio.report.block(0, device, "read");
    assert!(requests > 0, "the requests belong to the workload");
    assert_eq!(bytes, FILE);
    one.clone()
}

#[test]
fn what_fio_reads_by_io_uring_is_counted_to_the_byte() {
    if !can_profile(&["fio", "losetup", "mkfs.ext4"]) {
        return;
    }
    let (device, file) = device();
    let direct = ["--ioengine=io_uring", "--direct=1", "--iodepth=32"];
    for (options, name) in [
        (&[][..], "READ"),
        (&["--fixedbufs=1"][..], "READ_FIXED"),
        (&["--nonvectored=0"][..], "READV"),
        (&["--sqthread_poll=1"][..], "READ"),
    ] {
        let ran = fio(&file, &[&direct[..], options].concat());
        let one = assert_reads(&ran, device.name(), name);
        assert_eq!(one["worker"], 0, "{options:?}");
        let depth = number(&ran.report.workload(0)["io_uring"]["depth"]["max"]);
        assert!((1..=32).contains(&depth), "{depth} with {options:?}");
    }
    // Every fourth is given to a worker, whose requests are the workload's, too.
    let forced = fio(&file, &[&direct[..], &["--force_async=4"]].concat());
    let one = assert_reads(&forced, device.name(), "READ");
    assert_eq!(one["worker"], READS / 4);
}

#[test]
fn buffered_reads_by_io_uring_are_counted_cold_and_warm() {
    if !can_profile(&["fio", "losetup", "mkfs.ext4"]) {
        return;
    }
    let (device, file) = device();
    let buffered = ["--ioengine=io_uring", "--direct=0", "--iodepth=8"];
    // fio drops the file from the page cache before, unless it is told not to.
    assert_reads(&fio(&file, &buffered), device.name(), "READ");
    let warm = fio(&file, &[&buffered[..], &["--invalidate=0"]].concat());
    let one = opcode(&warm.report, "io_uring", "READ");
    assert_eq!(one["completions"], READS, "{one}");
    assert_eq!(one["bytes"], FILE);
    // Not all: somebody else may have the kernel drop its caches meanwhile.
    assert!(number(&one["inline"]) > 0, "{one}");
}

#[test]
fn what_fio_reads_by_libaio_is_counted_to_the_byte() {
    if !can_profile(&["fio", "losetup", "mkfs.ext4"]) {
        return;
    }
    let (device, file) = device();
    let direct = ["--ioengine=libaio", "--direct=1", "--iodepth=32"];
    let batches = ["--iodepth_batch=16", "--iodepth_batch_complete_min=16"];
    for options in [&[][..], &batches] {
        let ran = fio(&file, &[&direct[..], options].concat());
        assert_eq!((ran.operations, ran.bytes), (READS, FILE));
        let one = opcode(&ran.report, "aio", "PREAD");
        assert_eq!(one["submissions"], READS, "{one}");
        assert_eq!(one["completions"], READS, "{one}");
        assert_eq!(one["bytes"], FILE);
        assert_eq!(one["latency"]["count"], READS);
        let aio = &ran.report.workload(0)["aio"];
        assert_eq!(aio["submitted"], READS);
        assert_eq!(aio["reaped"], READS);
        let depth = number(&aio["depth"]["max"]);
        assert!((1..=32).contains(&depth), "{depth}");
        assert_eq!(ran.report.block(0, device.name(), "read").1, FILE);
    }
}

#[test]
fn a_builtin_workload_on_io_uring_did_what_was_counted() {
    if !can_profile(&[]) {
        return;
    }
    let folder = folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "async", "--engine", "uring", "--files", "300"])
        .args(["--file-size", "16K", "--dir"])
        .arg(folder.path())
        .arg("-o")
        .arg(&file);
    succeed(&mut run);
    let report = Report::read(&file);
    report.assert_nothing_lost();
    let said: Vec<_> = items(&report.workload(0)["self_reported"]["operations"])
        .filter(|operation| operation["via"] == "io_uring")
        .collect();
    assert!(said.len() >= 5, "{said:?}");
    for operation in said {
        let name = operation["name"].as_str().expect("a name");
        let opcodes: &[&str] = match name {
            "open" => &["OPENAT"],
            "read" => &["READ", "READ_FIXED"],
            "write" => &["WRITE", "WRITE_FIXED"],
            "fsync" => &["FSYNC"],
            "close" => &["CLOSE"],
            _ => continue,
        };
        let sum = |key: &str| -> u64 {
            let counted = opcodes.iter().map(|name| opcode(&report, "io_uring", name));
            counted.filter_map(|one| one[key].as_u64()).sum()
        };
        assert_eq!(sum("completions"), number(&operation["calls"]), "{name}");
        assert_eq!(sum("bytes"), number(&operation["bytes"]), "{name}");
    }
}
