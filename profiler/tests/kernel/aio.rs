//! io_submit(2) is counted exactly, by operation and by result.

use ioprof_ebpf::abi::layout::MAX_AIO_REQUESTS;
use serde_json::json;

use crate::support::{
    fio::{self, FILE, READS, fio},
    folder, plain, profile,
    program::Program,
    report::{BlockOperation, CheckKind},
};

#[test]
fn operations_of_io_submit_are_counted_with_their_results() {
    requires!("cc");
    let program = Program::compile("aio");
    let folder = folder();
    let file = folder.path().join("file");
    let report = profile(&[], &program.with(&[plain(&file)]));
    let aio = &report.workload(0).aio;
    let exact = |name: &str| {
        let one = report.aio(name);
        json!([
            one.submissions,
            one.completions,
            one.unseen_completions,
            one.errors,
            one.bytes
        ])
    };
    let page = 4096;
    assert_eq!(exact("PWRITE"), json!([16, 12, 4, {}, 12 * page]));
    assert_eq!(exact("PREAD"), json!([4, 4, 0, {"EAGAIN": 1}, 3 * page]));
    assert_eq!(exact("FSYNC"), json!([1, 1, 0, {}, null]));
    assert_eq!(aio.submitted, 21);
    assert_eq!(aio.reaped, 17);
    assert_eq!(aio.depth.max, 8);
    let unread = [aio.iocbs_unread, aio.events_unread, aio.unmatched_events];
    assert_eq!(unread, [0; 3]);
    // The kernel adds none of it to rchar and wchar.
    let written = report.workload_check(CheckKind::CallWrittenBytes);
    assert_eq!(written, (0, 0));
}

/// As many as do not fit into the table at once.
#[test]
fn operations_that_nobody_reaps_end_with_their_context() {
    requires!("cc");
    let program = Program::compile("aio_left");
    let (processes, left) = (72, 256);
    assert!(processes * left > u64::from(MAX_AIO_REQUESTS));
    for way in ["ends", "killed", "executes", "destroys"] {
        let report = profile(&[], &program.with(&[&processes.to_string(), way]));
        let (polls, reads) = (report.aio("POLL"), report.aio("PREAD"));
        let unseen = processes * left / 2;
        assert_eq!(
            (
                polls.submissions,
                polls.completions,
                polls.unseen_completions
            ),
            (unseen, 0, unseen),
            "{way}"
        );
        // Where the child executes the program, that reaps one of its own.
        let reaped = if way == "executes" { processes + 1 } else { 1 };
        assert_eq!(
            (
                reads.submissions,
                reads.completions,
                reads.unseen_completions
            ),
            (unseen + reaped, reaped, unseen),
            "{way}"
        );
        // One process after the other.
        let depth = report.workload(0).aio.depth.max;
        assert_eq!(depth, left, "{way}");
    }
}

#[test]
fn what_fio_reads_by_libaio_is_counted_to_the_byte() {
    requires!("fio", "losetup", "mkfs.ext4");
    let (device, file) = fio::device();
    let direct = ["--ioengine=libaio", "--direct=1", "--iodepth=32"];
    let batches = ["--iodepth_batch=16", "--iodepth_batch_complete_min=16"];
    for options in [&[][..], &batches] {
        let ran = fio(&file, &[&direct[..], options].concat());
        assert_eq!((ran.operations, ran.bytes), (READS, FILE));
        let one = ran.report.aio("PREAD");
        assert_eq!(one.submissions, READS, "{one:?}");
        assert_eq!(one.completions, READS, "{one:?}");
        assert_eq!(one.bytes, Some(FILE));
        assert_eq!(one.latency.count, READS);
        let aio = &ran.report.workload(0).aio;
        assert_eq!(aio.submitted, READS);
        assert_eq!(aio.reaped, READS);
        let depth = aio.depth.max;
        assert!((1..=32).contains(&depth), "{depth}");
        assert_eq!(
            ran.report.block(0, device.name(), BlockOperation::Read).1,
            FILE
        );
    }
}
