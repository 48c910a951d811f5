//! io_submit(2) is counted exactly, by operation and by result.

use std::path::PathBuf;

use ioprof_ebpf::abi::layout::MAX_AIO_REQUESTS;
use serde_json::json;

use crate::support::{
    Report, called_directly,
    device::{FileSystem, Loop, kernel_is_before, written_file},
    fio::{self, FILE, READS, assert_read_from_device, fio},
    folder, plain, profile,
    program::Program,
    report::{BlockOperation, CheckKind, known},
    requirements::tool,
    succeed,
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
    let row = &report.file(&file).counts;
    assert_eq!((row.writes, row.written_bytes), (12, 12 * page));
    assert_eq!((row.reads, row.read_bytes), (3, 3 * page));
    assert_eq!(exact("PWRITE"), json!([16, 12, 4, {}, null]));
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
        assert_read_from_device(&ran.report, &file);
    }
}

/// The file system has a workqueue end them, which wakes the thread.
#[test]
fn waits_for_direct_writes_of_libaio_are_the_devices() {
    requires!("fio", "losetup", "mkfs.ext4");
    let (_device, file) = fio::device();
    let ran = fio(
        &file,
        &["--ioengine=libaio", "--direct=1", "--rw=randwrite"],
    );
    let call = ran.report.call("io_getevents");
    let waits = &known(&call.breakdown).off_cpu;
    let device = waits.queue_ns + waits.service_ns + waits.device_ns;
    assert!(device > waits.sleep_ns, "{waits:#?}");
}

/// The pages of such a request are the program's: which file it is for is known by what the kernel keeps for its end.
#[test]
fn asynchronous_direct_io_is_of_its_file_on_every_file_system_and_on_a_device() {
    requires!("fio", "losetup", "mkfs.ext4 mkfs.xfs mkfs.btrfs");
    let unmounted = Loop::unmounted(FILE);
    let mut files = vec![(None, PathBuf::from("/dev").join(unmounted.name()), None)];
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, 512 * 1024 * 1024);
        let file = written_file(&device.mounted(), FILE as usize);
        files.push((Some(device), file, Some(file_system)));
    }
    for (_, file, file_system) in &files {
        for engine in ["libaio", "io_uring"] {
            let engine = format!("--ioengine={engine}");
            let ran = fio(file, &[&engine, "--direct=1", "--iodepth=8"]);
            if *file_system == Some(FileSystem::Btrfs) && kernel_is_before((6, 3)) {
                // `struct btrfs_bio` has no inode.
                let row = &ran.report.file(file).counts;
                assert_eq!((row.read_bytes, row.device_read_bytes), (FILE, None));
            } else {
                assert_read_from_device(&ran.report, file);
            }
        }
    }
}

#[test]
fn where_the_kernel_hides_its_functions_the_bytes_are_unknown() {
    requires!("fio", "losetup", "mkfs.ext4", "unshare");
    let (device, file) = fio::device();
    let folder = folder();
    let out = folder.path().join("run.json");
    let script = "mount --bind /dev/null /proc/kallsyms && exec \"$0\" run --no-save -o \"$1\" -- fio --filename=\"$2\" \
        --name=reads --rw=randread --bs=4k --ioengine=io_uring --direct=1 --output=/dev/null";
    let mut run = called_directly(tool("unshare"));
    run.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_ioprof")]);
    succeed(run.args([&out, &file]));
    let report = Report::read(&out);
    report.assert_nothing_lost();
    let row = &report.file(&file).counts;
    assert_eq!((row.read_bytes, row.device_read_bytes), (FILE, None));
    let (_, bytes) = report.block(0, device.name(), BlockOperation::Read);
    assert_eq!(bytes, FILE);
}
