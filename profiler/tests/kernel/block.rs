//! Block requests are counted exactly, and each belongs to the workload that made it.

use std::{
    ffi::OsString,
    io::Write as _,
    path::Path,
    process::{Child, Stdio},
};

use crate::support::{
    self, Report,
    attached::Attached,
    device::{Loop, device_below, written_file},
    ioprof, plain, profile,
    program::Program,
    report::{BlockOperation, Check, CheckKind, FileCounts, Origin, Verdict, known},
    requirements::{attempts, skip},
    text,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// One run of the program that does direct I/O.
#[derive(Clone, Copy)]
struct Transfers {
    operation: BlockOperation,
    size: u64,
    count: u64,
}

const READS: Transfers = Transfers {
    operation: BlockOperation::Read,
    size: 4 * KIB,
    count: 1000,
};
const WRITES: Transfers = Transfers {
    operation: BlockOperation::Write,
    size: 64 * KIB,
    count: 100,
};
/// So large that each becomes several requests on most devices.
const LARGE: Transfers = Transfers {
    operation: BlockOperation::Read,
    size: 5 * MIB,
    count: 3,
};

impl Transfers {
    const fn bytes(self) -> u64 {
        self.size * self.count
    }

    /// What the program calls it.
    const fn word(self) -> &'static str {
        match self.operation {
            BlockOperation::Read => "read",
            _ => "write",
        }
    }

    fn command(self, program: &Program, file: &Path) -> Vec<OsString> {
        let (size, count) = (self.size.to_string(), self.count.to_string());
        let file = plain(file);
        program.with(&[file, self.word(), &size, &count])
    }
}

#[test]
fn direct_io_on_a_loop_device_is_counted_to_the_byte() {
    on_a_loop_device(&[]);
}

#[test]
fn direct_io_is_counted_to_the_byte_by_the_bios_where_requests_are_not_seen_made() {
    on_a_loop_device(&["--without-probe", "block_io_start"]);
}

fn on_a_loop_device(options: &[&str]) {
    requires!("cc", "losetup", "mkfs.ext4");
    let program = Program::compile("direct_io");
    let device = Loop::new(64 * MIB);
    let file = written_file(&device.mounted(), 16 * MIB as usize);
    for transfers in [READS, WRITES, LARGE] {
        let mut before = device.stat();
        let report = profile_seen(device.name(), transfers, || {
            before = device.stat();
            profile(options, &transfers.command(&program, &file))
        });
        let after = device.stat();
        assert_transfers(&report, device.name(), transfers);

        // Nobody else uses the device: what it did is what the workload did, and what the kernel counted.
        let whole = report.device(device.name());
        let (reads, writes) = match transfers.operation {
            BlockOperation::Read => (transfers.bytes(), 0),
            _ => (0, transfers.bytes()),
        };
        assert_eq!(whole.read_bytes, reads);
        assert_eq!(whole.written_bytes, writes);
        assert_eq!(after.read_bytes - before.read_bytes, reads);
        assert_eq!(after.written_bytes - before.written_bytes, writes);
        assert_eq!(whole.reads, after.reads - before.reads);
        assert_eq!(whole.writes, after.writes - before.writes);
        for check in [
            CheckKind::DeviceReadBytes,
            CheckKind::DeviceWrittenBytes,
            CheckKind::DeviceReads,
            CheckKind::DeviceWrites,
        ] {
            let (counted, kernel) = report.device_check(device.name(), check);
            assert_eq!(counted, kernel, "{check:?} with {options:?}");
        }
        assert!(whole.busy_ns > 0, "{whole:?}");
        assert!(whole.queue_depth.max >= 1, "{whole:?}");
        let shares = &whole.shares;
        assert_eq!(shares.len(), 1, "nobody else has a share: {shares:?}");
        assert_eq!(shares[0].bytes, transfers.bytes());
    }
}

#[test]
fn direct_io_is_counted_to_the_byte_under_every_scheduler() {
    requires!("cc", "losetup");
    let program = Program::compile("direct_io");
    let device = Loop::unmounted(64 * MIB);
    let choice = format!("/sys/block/{}/queue/scheduler", device.name());
    let schedulers = std::fs::read_to_string(&choice).expect("a device has a scheduler");
    for scheduler in schedulers.split_whitespace() {
        let name = scheduler.trim_matches(['[', ']']);
        std::fs::write(&choice, name).expect("it can be chosen");
        let disk = Path::new("/dev").join(device.name());
        for transfers in [READS, WRITES] {
            let report = profile_seen(device.name(), transfers, || {
                profile(&[], &transfers.command(&program, &disk))
            });
            assert_transfers(&report, device.name(), transfers);
        }
    }
}

/// A run in which the kernel has kept at most 1 % of the completions from the probes. It keeps one of a thousand from
/// them now and then, or a whole batch: such a run is made again, but no device loses more of them every time.
fn profile_seen(device: &str, transfers: Transfers, mut run: impl FnMut() -> Report) -> Report {
    let mut unseen = Vec::new();
    for _ in 0..attempts().max(3) {
        let report = run();
        let rows = || support::report::requests(report.workload(0), device, transfers.operation);
        let kept: u64 = rows().map(|row| row.unseen_completions).sum();
        let all: u64 = rows().map(|row| row.requests).sum();
        if kept * 100 <= all {
            return report;
        }
        unseen.push((kept, all));
    }
    panic!("completions that were not seen, of how many: {unseen:?}");
}

/// How many bytes a request of a device may have. Its memory may be in too many parts for as many.
fn largest_request(device: &str) -> u64 {
    let limit = format!("/sys/block/{device}/queue/max_sectors_kb");
    let limit = std::fs::read_to_string(limit).expect("a device has a limit");
    limit.trim().parse::<u64>().expect("it is a number") * KIB
}

/// The workload's own bytes are those that it asked for, and its requests as large as can be.
fn assert_transfers(report: &Report, device: &str, transfers: Transfers) {
    let (requests, bytes) = report.block(0, device, transfers.operation);
    assert_eq!(bytes, transfers.bytes(), "{:#?}", report.workload(0).block);
    if transfers.size <= 64 * KIB {
        assert_eq!(requests, transfers.count);
    } else {
        let each = transfers.size.div_ceil(largest_request(device));
        assert!(
            requests >= transfers.count * each,
            "{requests} large requests"
        );
    }
    let other = match transfers.operation {
        BlockOperation::Read => BlockOperation::Write,
        _ => BlockOperation::Read,
    };
    assert_eq!(report.block(0, device, other), (0, 0));
    let mut rows = support::report::requests(report.workload(0), device, transfers.operation);
    let block = rows.next().expect("there were requests");
    // A request whose completion was not seen is counted, but is in no histogram.
    let seen = requests - block.unseen_completions;
    for histogram in [&block.queue, &block.service, &block.size] {
        assert_eq!(histogram.count, seen, "{histogram:?}");
    }
    let unseen_bytes = transfers.bytes() - block.size.sum;
    assert!(
        unseen_bytes <= block.unseen_completions * block.size.max,
        "{block:#?}"
    );
    if transfers.size <= 64 * KIB {
        assert_eq!(block.size.min, transfers.size);
        assert_eq!(block.size.max, transfers.size);
        assert_eq!(block.size.sum, seen * transfers.size);
    }
    assert_eq!(block.errors, 0);
    let call = match transfers.operation {
        BlockOperation::Read => "pread64",
        _ => "pwrite64",
    };
    assert_eq!(report.call(call).bytes, Some(transfers.bytes()));
    assert_eq!(report.call(call).calls, transfers.count);
}

#[test]
fn direct_io_on_the_machines_disk_is_counted_to_the_byte() {
    requires!("cc");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
    let device = match device_below(folder.path()) {
        Ok(device) => device,
        Err(reason) => return skip(&reason),
    };
    let program = Program::compile("direct_io");
    let file = written_file(folder.path(), 16 * MIB as usize);
    for options in [&[][..], &["--without-probe", "block_io_start"]] {
        for transfers in [READS, WRITES, LARGE] {
            let report = profile_seen(&device, transfers, || {
                attach(options, &transfers.command(&program, &file), &file)
            });
            assert_transfers(&report, &device, transfers);
        }
    }
}

/// Profiles a command from where it has started: pages of its own are read from the disk, too, where they have left the
/// page cache. Where more than those of a file are read all the same, or what tells where they stand, once more.
fn attach(options: &[&str], command: &[OsString], file: &Path) -> Report {
    for _ in 0..5 {
        let mut child = waiting(command);
        let attached = Attached::to(&[child.id()], options);
        let mut gate = child.stdin.take().expect("a pipe");
        gate.write_all(b"x").expect("the program waits for it");
        assert!(child.wait().expect("a child").success());
        let report = attached.ended();
        report.assert_nothing_lost();
        let read = |counts: &FileCounts| *known(&counts.device_read_bytes);
        let is_alone = report.sum_of_files(read) == read(&report.file(file).counts);
        let rows = known(&report.workload(0).block);
        if is_alone && rows.iter().all(|row| row.origin == Origin::Thread) {
            return report;
        }
    }
    panic!("{command:?} is read from the disk again and again");
}

#[test]
fn workloads_on_one_device_get_each_its_own_bytes() {
    requires!("cc", "losetup", "mkfs.ext4");
    let program = Program::compile("direct_io");
    let device = Loop::new(64 * MIB);
    let small = written_file(&device.mounted(), 4 * MIB as usize);
    let large = written_file(&device.mounted(), 8 * MIB as usize);
    let reads = Transfers {
        count: 1024,
        ..READS
    };
    let writes = Transfers {
        size: 32 * KIB,
        count: 256,
        ..WRITES
    };
    let mut children = [(reads, &small), (writes, &large)].map(|(transfers, file)| {
        let command = transfers.command(&program, file);
        waiting(&command)
    });
    let pids = children.each_ref().map(Child::id);
    let attached = Attached::to(&pids, &["--separate"]);
    for child in &mut children {
        let mut gate = child.stdin.take().expect("a pipe");
        gate.write_all(b"x").expect("the program waits for it");
    }
    for child in &mut children {
        assert!(child.wait().expect("a child").success());
    }
    let report = attached.ended();
    report.assert_nothing_lost();
    // In the order of their numbers, whatever order they were named in.
    let index = |pid: u32| usize::from(report.workload(0).root_pid != pid.cast_signed());
    let (reader, writer) = (index(pids[0]), index(pids[1]));
    assert_eq!(
        report.block(reader, device.name(), BlockOperation::Read),
        (reads.count, reads.bytes())
    );
    assert_eq!(
        report.block(reader, device.name(), BlockOperation::Write),
        (0, 0)
    );
    assert_eq!(
        report.block(writer, device.name(), BlockOperation::Write),
        (writes.count, writes.bytes())
    );
    assert_eq!(
        report.block(writer, device.name(), BlockOperation::Read),
        (0, 0)
    );

    let whole = report.device(device.name());
    assert_eq!(whole.read_bytes, reads.bytes());
    assert_eq!(whole.written_bytes, writes.bytes());
    let mut shares: Vec<u64> = whole
        .shares
        .iter()
        .filter(|share| share.workload.is_some())
        .map(|share| share.bytes)
        .collect();
    shares.sort_unstable();
    assert_eq!(shares, [reads.bytes(), writes.bytes()]);
}

/// Starts the program so that it does nothing before a byte comes.
fn waiting(command: &[OsString]) -> Child {
    std::process::Command::new(&command[0])
        .args(&command[1..])
        .arg("wait")
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program can be started")
}

#[test]
fn requests_of_others_are_not_those_of_the_workload() {
    requires!("cc", "losetup", "mkfs.ext4");
    let program = Program::compile("direct_io");
    let device = Loop::new(64 * MIB);
    let file = written_file(&device.mounted(), 4 * MIB as usize);
    let mut idle = waiting(&READS.command(&program, &file));
    let attached = Attached::to(&[idle.id()], &[]);
    support::succeed(
        std::process::Command::new(program.path()).args(&READS.command(&program, &file)[1..]),
    );
    // It goes without having done anything.
    drop(idle.stdin.take());
    assert_eq!(idle.wait().expect("a child").code(), Some(99));
    let report = attached.ended();
    report.assert_nothing_lost();
    assert_eq!(report.block(0, device.name(), BlockOperation::Read), (0, 0));
    let whole = report.device(device.name());
    assert_eq!(whole.read_bytes, READS.bytes());
    let shares = &whole.shares;
    assert_eq!(shares.len(), 1, "{shares:?}");
    assert!(shares[0].workload.is_none(), "{shares:?}");
}

#[test]
fn without_a_probe_that_requests_need_they_are_unknown_and_not_zero() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let options = ["run", "--without-probe", "block_rq_complete", "-o"];
    let run = support::succeed(ioprof().args(options).arg(&file).args(["--", "true"]));
    let report = Report::read(&file);
    assert!(report.workload(0).block.is_none());
    let is_of_blocks = |check: &&Check| match check.what {
        CheckKind::CallReadBytes
        | CheckKind::CallWrittenBytes
        | CheckKind::MajorFaults
        | CheckKind::MinorFaults => false,
        CheckKind::BlockReadBytes
        | CheckKind::BlockWrittenBytes
        | CheckKind::DeviceReadBytes
        | CheckKind::DeviceWrittenBytes
        | CheckKind::DeviceDiscardedBytes
        | CheckKind::DeviceOwnedBytes
        | CheckKind::DeviceReads
        | CheckKind::DeviceWrites
        | CheckKind::DeviceFlushes => true,
    };
    let of_blocks: Vec<_> = report.ledger.checks.iter().filter(is_of_blocks).collect();
    assert!(of_blocks.is_empty(), "nothing is compared: {of_blocks:?}");
    let verdict = &report.probe("block_rq_complete").verdict;
    assert!(matches!(verdict, Verdict::Absent { .. }), "{verdict:?}");
    let said = text(&run.stderr);
    assert!(said.contains("PROBE MISSING: block_rq_complete"), "{said}");
}

#[test]
fn without_a_probe_for_calls_there_is_no_measurement() {
    requires!();
    for tracepoint in [
        "sys_enter",
        "sys_exit",
        "task_newtask",
        "sched_process_exit",
    ] {
        let folder = support::folder();
        let marker = folder.path().join("marker");
        let mut run = ioprof();
        run.args(["run", "--without-probe", tracepoint, "--", "touch"]);
        let refused = support::output(run.arg(&marker));
        assert_eq!(refused.status.code(), Some(125), "{refused:?}");
        assert_eq!(text(&refused.stderr).lines().count(), 1, "{refused:?}");
        assert!(!marker.exists(), "the command must not run");
    }
}
