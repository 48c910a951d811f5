//! io_uring and io_submit are counted exactly, by opcode and by how a request was executed.

use std::path::Path;

use crate::support::{
    Report,
    device::{Loop, keep_cached},
    fio::{self, FILE, Fio, READS, assert_read_from_device, fio},
    folder, ioprof, plain, profile,
    program::Program,
    report::{BlockOperation, CheckKind, UringOperation, known},
    succeed,
};
use serde_json::{Value, json};

/// The numbers of an opcode of io_uring that are exact.
fn counts(report: &Report, name: &str) -> Value {
    let one = report.uring(name);
    json!([
        one.submissions,
        one.completions,
        one.inline,
        one.poll_armed,
        one.worker,
        one.asynchronous,
        one.errors,
        one.bytes,
    ])
}

#[test]
fn requests_are_told_apart_by_opcode_and_by_how_they_were_executed() {
    requires!("cc");
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
        ("POLL_REMOVE", json!([1, 1, 1, 0, 0, 0, {}, null])),
    ] {
        assert_eq!(counts(&report, name), expected, "{name}");
    }
    // Kernels before 6.4 end it within the submission that removes it.
    let poll = report.uring("POLL_ADD");
    assert_eq!((poll.submissions, poll.completions), (1, 1));
    assert_eq!(poll.inline + poll.poll_armed, 1, "{poll:?}");
    assert_eq!(json!(poll.errors), json!({"ECANCELED": 1}));
    assert_eq!(report.uring("NOP").silent, 4);
    assert_eq!(report.uring("READ").silent, 1);
    let uring = known(&report.workload(0).io_uring);
    assert_eq!(uring.operations.len(), 6);
    assert_eq!(uring.extra_completions, 3);
    assert_eq!(uring.unmatched_completions, 0);
    assert_eq!(uring.depth.max, 10);
    // The kernel adds nothing that io_uring moves to rchar and wchar: 8 bytes are written 8 times and read
    // 3 times by calls, and more by io_uring.
    let written = report.workload_check(CheckKind::CallWrittenBytes);
    assert_eq!(written, (64, 64));
    assert_eq!(report.workload_check(CheckKind::CallReadBytes).0, 24);
}

#[test]
fn completions_for_which_the_ring_has_no_room_are_counted_as_unseen() {
    requires!("cc");
    let program = Program::compile("uring");
    let report = profile(&[], &program.with(&["OVERFLOW"]));
    let nop = report.uring("NOP");
    assert_eq!(nop.submissions, 48);
    assert_eq!(nop.completions, 32);
    assert_eq!(nop.unseen_completions, 16);
    assert_eq!(known(&report.workload(0).io_uring).depth.max, 16);
}

#[test]
fn calls_that_leave_it_to_a_thread_of_the_kernel_submit_nothing() {
    requires!("cc");
    let program = Program::compile("uring");
    let report = profile(&[], &program.with(&["POLLED"]));
    assert_eq!(report.uring("NOP").submissions, 100);
    let ring = known(&report.workload(0).io_uring);
    assert_eq!(report.call("io_uring_enter").calls, 100);
    let by_calls = (ring.submitting_calls, ring.submitted_by_calls);
    assert_eq!(by_calls, (Some(0), Some(0)));
}

/// A log: nine writes that complete silently, one that is seen, and 100 bytes by a call.
#[test]
fn what_was_written_unseen_is_no_amplification() {
    requires!("cc", "losetup mkfs.ext4");
    let program = Program::compile("uring");
    let device = Loop::new(64 << 20);
    let path = device.mounted().join("log");
    let report = profile(&["--sync"], &program.with(&["SILENT", plain(&path)]));
    let write = report.uring("WRITE");
    assert_eq!((write.submissions, write.silent), (1000, 900), "{write:?}");
    assert_eq!(write.bytes, None);
    let writeback = known(&report.workload(0).writeback);
    assert_eq!(writeback.write_amplification, None, "{writeback:#?}");
    let whole = 1000 * 4096;
    assert!(writeback.dirtied_bytes >= whole, "{writeback:#?}");
    let of_file = report.file(&path).counts.dirtied_bytes;
    assert!(of_file >= Some(whole), "{of_file:?}");
}

#[test]
fn without_a_probe_for_it_io_uring_is_unknown() {
    requires!("cc");
    let program = Program::compile("uring");
    for probe in ["io_uring_complete", "io_uring_submit_req"] {
        let report = profile(&["--without-probe", probe], &program.with(&["PLAIN"]));
        assert!(report.workload(0).io_uring.is_none(), "{probe}");
    }
}

/// What fio read by io_uring is what was counted, and what the device was asked for belongs to the
/// workload, whoever submitted it.
fn assert_reads<'a>(fio: &'a Fio, device: &str, name: &str, file: &Path) -> &'a UringOperation {
    assert_eq!((fio.operations, fio.bytes), (READS, FILE));
    let one = fio.report.uring(name);
    assert_eq!(one.submissions, READS, "{one:?}");
    assert_eq!(one.completions, READS, "{one:?}");
    assert_eq!(one.bytes, Some(FILE), "{one:?}");
    assert_eq!(one.latency.count, READS);
    assert!(one.errors.is_empty(), "{one:?}");
    let executed = one.inline + one.poll_armed + one.worker + one.asynchronous;
    assert_eq!(executed, READS, "{one:?}");
    let (requests, bytes) = fio.report.block(0, device, BlockOperation::Read);
    assert!(requests > 0, "the requests belong to the workload");
    let shares = &fio.report.device(device).shares;
    assert_eq!(bytes, FILE, "{shares:#?}");
    assert_read_from_device(&fio.report, file);
    // The kernel counts what threads of io_uring read as theirs.
    let (counted, kernel) = fio.report.workload_check(CheckKind::BlockReadBytes);
    assert_eq!(counted, kernel);
    one
}

/// The CPU time of threads of io_uring, in nanoseconds. All CPU time of the workload by the kernel's own count is in its
/// table of time.
fn assert_ring_time(fio: &Fio) -> u64 {
    let workload = fio.report.workload(0);
    let time = known(&workload.time);
    let kernel = workload.cpu_user_ns + workload.cpu_system_ns;
    let shown = time.cpu_ns + time.exit_ns + time.stolen_ns + time.unexplained_ns;
    let within = kernel / 20;
    assert!(time.cpu_ns <= kernel + within, "{time:?}, kernel {kernel}");
    assert!(shown + within >= kernel, "{time:?}, kernel {kernel}");
    known(&time.cpu).io_uring_ns
}

#[test]
fn what_fio_reads_by_io_uring_is_counted_to_the_byte() {
    requires!("fio", "losetup", "mkfs.ext4");
    let (device, file) = fio::device();
    let direct = ["--ioengine=io_uring", "--direct=1", "--iodepth=32"];
    for (options, name) in [
        (&[][..], "READ"),
        (&["--fixedbufs=1"][..], "READ_FIXED"),
        (&["--nonvectored=0"][..], "READV"),
        (&["--sqthread_poll=1"][..], "READ"),
    ] {
        let ran = fio(&file, &[&direct[..], options].concat());
        let one = assert_reads(&ran, device.name(), name, &file);
        assert_eq!(one.worker, 0, "{options:?}");
        // A thread that polls the submission queue is on a CPU from the first request on.
        let polls = options == ["--sqthread_poll=1"];
        assert_eq!(assert_ring_time(&ran) > 0, polls, "{options:?}");
        let depth = known(&ran.report.workload(0).io_uring).depth.max;
        assert!((1..=32).contains(&depth), "{depth} with {options:?}");
    }
    // Every fourth is given to a worker, whose requests are the workload's, too.
    let forced = fio(&file, &[&direct[..], &["--force_async=4"]].concat());
    let one = assert_reads(&forced, device.name(), "READ", &file);
    assert_eq!(one.worker, READS / 4);
    assert_eq!(one.for_worker, Some(READS / 4));
    assert!(assert_ring_time(&forced) > 0);
}

#[test]
fn buffered_reads_by_io_uring_are_counted_cold_and_warm() {
    requires!("fio", "losetup", "mkfs.ext4");
    let (device, file) = fio::device();
    let buffered = ["--ioengine=io_uring", "--direct=0", "--iodepth=8"];
    // fio drops the file from the page cache before, unless it is told not to.
    assert_reads(&fio(&file, &buffered), device.name(), "READ", &file);
    let _cached = keep_cached(&file);
    let warm = fio(&file, &[&buffered[..], &["--invalidate=0"]].concat());
    let one = warm.report.uring("READ");
    assert_eq!(one.completions, READS, "{one:?}");
    assert_eq!(one.bytes, Some(FILE));
    assert_eq!(one.inline, READS, "{one:?}");
}

#[test]
fn a_builtin_workload_on_io_uring_did_what_was_counted() {
    requires!();
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
    let said: Vec<_> = known(&report.workload(0).self_reported)
        .operations
        .iter()
        .filter(|operation| operation.via == ioprof_workloads::Via::IoUring)
        .collect();
    assert!(said.len() >= 5, "{said:?}");
    for operation in said {
        let name = operation.name.as_str();
        let opcodes: &[&str] = match name {
            "open" => &["OPENAT"],
            "read" => &["READ", "READ_FIXED"],
            "write" => &["WRITE", "WRITE_FIXED"],
            "fsync" => &["FSYNC"],
            "close" => &["CLOSE"],
            _ => continue,
        };
        let uring = known(&report.workload(0).io_uring).operations.iter();
        let counted = uring.filter(|one| opcodes.contains(&one.name.as_str()));
        let sum = |value: fn(&UringOperation) -> u64| counted.clone().map(value).sum::<u64>();
        assert_eq!(sum(|one| one.completions), operation.calls, "{name}");
        assert_eq!(sum(|one| one.bytes.unwrap_or(0)), operation.bytes, "{name}");
    }
}
