//! The page cache's part in reads: hits, misses, and waits for read-ahead.

use std::{fs, path::Path};

use crate::support::{
    self,
    device::{FileSystem, Loop, keep_cached, kernel_is_before, written_file},
    fio::{self, fio_by},
    ioprof, output,
    overlay::Overlay,
    plain, profile,
    program::Program,
    report::{
        BlockOperation, CheckKind, FileKind, Origin, PathState, Report, Served, known, requests,
    },
    requirements::skip,
    succeed, text,
    throttle::ThrottledReads,
};

const MIB: usize = 1024 * 1024;

/// Bytes and calls that the cache served in one way.
fn counts(served: &Served) -> (u64, u64) {
    (served.bytes, served.latency.count)
}

/// Takes a file out of the page cache.
fn evict(path: &Path) {
    let file = fs::File::open(path).expect("the file is there");
    let advice = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    nix::fcntl::posix_fadvise(file, 0, 0, advice).expect("it can be evicted");
}

#[test]
fn a_cold_file_is_read_by_misses_and_a_warm_one_by_hits() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    // In one call: read-ahead brings what later calls would find.
    let command = program.with(&["read", plain(&path), &(4 * MIB).to_string()]);
    evict(&path);
    let cold = profile(&[], &command);
    let all = 4 * MIB as u64;
    let cold_cache = known(&cold.workload(0).page_cache);
    let (missed, misses) = counts(&cold_cache.misses);
    let (waited, waits) = counts(&cold_cache.read_ahead_waits);
    assert_eq!(missed + waited, all, "{cold_cache:?}");
    assert_eq!(misses + waits, 1);
    // The end of the file.
    assert_eq!(counts(&cold_cache.hits), (0, 1));
    let _cached = keep_cached(&path);
    let warm = profile(&[], &command);
    let warm_cache = known(&warm.workload(0).page_cache);
    assert_eq!(counts(&warm_cache.hits), (all, 2));
    for other in [
        &warm_cache.misses,
        known(&warm_cache.read_ahead),
        &warm_cache.read_ahead_waits,
        &warm_cache.direct,
    ] {
        assert_eq!(counts(other), (0, 0), "{warm_cache:?}");
    }
    for report in [&cold, &warm] {
        let row = report.file(&path);
        assert_eq!(row.counts.reads, 2);
        assert_eq!(row.counts.read_bytes, all);
        assert_eq!(row.counts.opens, 1);
        assert_eq!(row.counts.sequential, 2);
        assert_eq!(row.counts.unaligned, 0);
        assert_eq!(row.typical_size_bytes, Some(all));
        assert_eq!(row.path_state, Some(PathState::Current));
    }
}

#[test]
fn files_are_evicted_before_the_start_and_what_stays_is_told() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    let command = program.with(&["read", plain(&path), &(4 * MIB).to_string()]);
    for evicted in [path.clone(), disk.mounted()] {
        drop(keep_cached(&path));
        let report = profile(&["--evict", plain(&evicted)], &command);
        let cache = known(&report.workload(0).page_cache);
        let (misses, waits) = (counts(&cache.misses), counts(&cache.read_ahead_waits));
        assert_eq!(misses.0 + waits.0, 4 * MIB as u64, "{cache:?}");
    }
    let _cached = keep_cached(&path);
    let run = ["run", "--no-save", "--evict", plain(&path), "--"];
    let ran = succeed(ioprof().args(run).args(&command));
    let told = text(&ran.stderr);
    assert!(told.contains("1,024 pages of "), "{told}");
    let refused = output(ioprof().args(["run", "--evict", "/none", "--", "true"]));
    support::assert_one_line(&refused, &["/none", "name a file"]);
}

#[test]
fn what_calls_before_have_read_ahead_is_no_hit() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    // As of a container's image.
    let overlay = Overlay::of(&disk.mounted(), &[("cold", 4 * MIB)]);
    disk.sync();
    let (above, below) = (overlay.merged().join("cold"), overlay.lower().join("cold"));
    // One after the other; and in turns with writes to another file, which bring nothing that is read.
    let on_disk = ["read", "copy", "send"].map(|how| (how, &path, &path));
    let on_overlay = (!kernel_is_before((6, 5))).then_some(("read", &above, &below));
    for (how, path, to_evict) in on_disk.into_iter().chain(on_overlay) {
        evict(to_evict);
        let report = profile(&[], &program.with(&[how, plain(path), "4096"]));
        let cache = known(&report.workload(0).page_cache);
        let ahead = known(&cache.read_ahead).bytes;
        let other = cache.misses.bytes + cache.read_ahead_waits.bytes;
        assert_eq!(ahead + other, 4 * MIB as u64, "{how}: {cache:?}");
        assert!(ahead > other, "{how}: {cache:?}");
        // The end of the file.
        assert_eq!(counts(&cache.hits), (0, 1), "{how}: {cache:?}");
    }
}

#[test]
fn what_was_read_ahead_is_a_hit_when_it_is_read_again() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    evict(&path);
    let report = profile(&[], &program.with(&["twice", plain(&path), "4096"]));
    let cache = known(&report.workload(0).page_cache);
    let first = known(&cache.read_ahead).bytes + cache.misses.bytes + cache.read_ahead_waits.bytes;
    assert_eq!(first + cache.hits.bytes, 8 * MIB as u64, "{cache:?}");
    // What is dropped meanwhile, as by another test, is read again.
    assert!(first >= 4 * MIB as u64, "{cache:?}");
    assert!(cache.hits.bytes > 0, "{cache:?}");
}

#[test]
fn who_waits_for_what_is_written_does_not_wait_for_what_is_read() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), MIB);
    let _cached = keep_cached(&path);
    let report = profile(&[], &program.with(&["keep-sent", plain(&path), "65536"]));
    let cache = known(&report.workload(0).page_cache);
    let sent = known(&report.call("sendfile").breakdown);
    assert!(
        sent.off_cpu.queue_ns + sent.off_cpu.service_ns > 0,
        "{sent:#?}"
    );
    assert_eq!(counts(&cache.hits), (MIB as u64, 17), "{cache:?}");
    assert_eq!(counts(&cache.read_ahead_waits), (0, 0), "{cache:?}");
}

#[test]
fn what_a_file_system_makes_as_it_is_read_is_no_hit() {
    requires!("cc");
    let program = Program::compile("files");
    let report = profile(&[], &program.with(&["read", "/proc/kallsyms", "4096"]));
    assert!(report.call("read").bytes > Some(MIB as u64));
    let cache = known(&report.workload(0).page_cache);
    for served in [&cache.hits, &cache.misses, &cache.read_ahead_waits] {
        assert_eq!(counts(served), (0, 0), "{cache:?}");
    }
}

#[test]
fn direct_reads_do_not_ask_the_cache() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("direct_io");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    let report = profile(&[], &program.with(&[plain(&path), "read", "4096", "100"]));
    let cache = known(&report.workload(0).page_cache);
    assert_eq!(counts(&cache.direct), (100 * 4096, 100));
    for other in [&cache.hits, &cache.misses, &cache.read_ahead_waits] {
        assert_eq!(counts(other), (0, 0), "{cache:?}");
    }
}

#[test]
fn what_a_thread_of_the_kernel_reads_into_the_cache_is_the_readers() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("files");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), 4 * MIB);
    // So many that most are held back, and submitted later by a worker of the kernel.
    disk.set("queue/read_ahead_kb", "64");
    let Some(group) = ThrottledReads::new(&disk, 50) else {
        return skip(ThrottledReads::MISSING);
    };
    evict(&path);
    let command = program.with(&["read", plain(&path), &(64 * 1024).to_string()]);
    let report = profile(&[], &group.command(command));
    let rows = requests(report.workload(0), disk.name(), BlockOperation::Read);
    let own = rows.filter(|row| row.origin == Origin::Thread);
    let bytes: u64 = own.map(|row| row.bytes).sum();
    let shares = &report.device(disk.name()).shares;
    // What is dropped meanwhile, as by another test, is read again.
    assert!(bytes >= 4 * MIB as u64, "{shares:#?}");
    assert!(
        shares
            .iter()
            .all(|share| share.origin != Some(Origin::Unknown)),
        "{shares:#?}"
    );
    assert_eq!(report.file(&path).counts.device_read_bytes, Some(bytes));
}

/// Bytes of a device's requests that nobody is known for.
fn unknown_bytes(report: &Report, disk: &Loop) -> u64 {
    let shares = report.device(disk.name()).shares.iter();
    let unknown = shares.filter(|share| share.origin == Some(Origin::Unknown));
    unknown.map(|share| share.bytes).sum()
}

/// Fails where what was read of a device and of a file on it is not all the workload's.
fn assert_own(report: &Report, disk: &Loop, path: &Path, bytes: u64) {
    let (_, own) = report.block(0, disk.name(), BlockOperation::Read);
    assert_eq!((own, unknown_bytes(report, disk)), (bytes, 0));
    let row = &report.file(path).counts;
    assert_eq!(row.device_read_bytes, Some(bytes), "{row:?}");
    let (counted, kernel) = report.workload_check(CheckKind::BlockReadBytes);
    assert_eq!(counted, kernel);
}

#[test]
fn what_a_control_group_holds_back_of_direct_reads_is_the_readers() {
    requires!("cc", "losetup mkfs.ext4 mkfs.xfs mkfs.btrfs");
    let program = Program::compile("direct_io");
    let is_known = |system: &FileSystem| *system != FileSystem::Btrfs || !kernel_is_before((6, 3));
    // Before, btrfs made bios of its own of that of the reader.
    for system in FileSystem::ALL.into_iter().filter(is_known) {
        let disk = Loop::with(system, 512 * MIB as u64);
        let path = written_file(&disk.mounted(), 4 * MIB);
        // Larger reads are split, some of them after they were held back.
        disk.set("queue/max_sectors_kb", "256");
        let Some(group) = ThrottledReads::new(&disk, 50) else {
            return skip(ThrottledReads::MISSING);
        };
        let command = program.with(&[plain(&path), "read", &MIB.to_string(), "4"]);
        let report = profile(&[], &group.command(command));
        assert_own(&report, &disk, &path, 4 * MIB as u64);
    }
}

/// Direct reads of which a control group holds back most.
const LARGE_READS: [&str; 3] = ["--direct=1", "--iodepth=16", "--bs=64k"];

#[test]
fn what_a_control_group_holds_back_of_a_rings_reads_is_the_readers() {
    requires!("fio losetup mkfs.ext4");
    let (disk, path) = fio::device();
    let Some(group) = ThrottledReads::new(&disk, 20) else {
        return skip(ThrottledReads::MISSING);
    };
    let options = [&["--ioengine=io_uring"], &LARGE_READS[..]].concat();
    let run = fio_by(&path, &options, |command| {
        profile(&[], &group.command(command))
    });
    assert_own(&run.report, &disk, &path, run.bytes);
}

/// Nothing tells whose it is: the books have it, without an owner, and the report does not hide that the reader asked for
/// more than was seen.
#[test]
fn what_a_control_group_holds_back_of_io_submit_has_no_owner_and_raises_an_alarm() {
    requires!("fio losetup mkfs.ext4");
    let (disk, path) = fio::device();
    let Some(group) = ThrottledReads::new(&disk, 20) else {
        return skip(ThrottledReads::MISSING);
    };
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let options = [&["--ioengine=libaio"], &LARGE_READS[..]].concat();
    let mut said = String::new();
    let run = fio_by(&path, &options, |command| {
        let mut run = ioprof();
        run.args(["run", "-o", plain(&file), "--"]);
        let run = succeed(run.args(group.command(command)));
        said = text(&run.stderr);
        Report::read(&file)
    });
    let unknown = unknown_bytes(&run.report, &disk);
    let (_, own) = run.report.block(0, disk.name(), BlockOperation::Read);
    assert_eq!(own + unknown, run.bytes);
    assert_ne!(unknown, 0);
    let (counted, kernel) = run.report.workload_check(CheckKind::BlockReadBytes);
    assert_eq!(kernel - counted, unknown);
    let alarm = said
        .lines()
        .find(|line| line.starts_with("COUNTERS DISAGREE"));
    assert!(alarm.is_some(), "{said}");
    assert!(said.contains("read from devices"), "{said}");
}

#[test]
fn a_tracer_that_stops_a_thread_behind_its_calls_leaves_the_ways_apart() {
    requires!("strace", "dd");
    let trace =
        "strace -f -qq -o /dev/null dd if=/dev/zero of=/dev/null bs=4k count=500 status=none";
    let words: Vec<_> = trace.split(' ').collect();
    let report = profile(&[], &words);
    // Each read is stopped behind its end, which is part of its time. None of them asks the cache.
    let told = &report.ledger.incomplete_histograms;
    assert!(told.is_empty(), "{told:#?}");
    let hits = &known(&report.workload(0).page_cache).hits.latency;
    let held: u64 = hits.buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!(hits.count, held);
    assert!(
        hits.count < 500 && hits.sum <= hits.count * hits.max,
        "{hits:#?}"
    );
}

#[test]
fn what_is_read_from_a_device_that_a_file_system_holds_is_not_known() {
    requires!("dd", "losetup mkfs.ext4");
    let device = Loop::new(64 * MIB as u64);
    let node = device.node();
    let from = format!("if={}", node.display());
    let read = |count: &str| {
        let words = ["dd", &from, "of=/dev/null", "bs=64k", count];
        let report = profile(&[], &words);
        report.assert_nothing_lost();
        let rows = &known(&report.workload(0).files).top;
        let devices = rows.iter().filter(|row| row.kind == FileKind::BlockDevice);
        assert_eq!(devices.count(), 1, "{rows:#?}");
        report.file(&node).counts
    };
    let cold = read("count=64");
    assert_eq!((cold.reads, cold.read_bytes), (64, 4 * MIB as u64));
    assert_eq!(
        (cold.device_read_bytes, cold.device_written_bytes),
        (None, None)
    );
    // No page was read of which that could not be told. What is dropped meanwhile, as by another test, is read again.
    let mut cached = (0..10).map(|_| read("count=32"));
    let told = cached.find(|row| row.device_read_bytes.is_some());
    let told = told.map(|row| (row.reads, row.device_read_bytes));
    assert_eq!(told, Some((32, Some(0))));
}

#[test]
fn what_is_read_from_a_block_device_itself_was_asked_for() {
    requires!("dd", "losetup");
    let device = Loop::unmounted(64 * MIB as u64);
    let node = device.node();
    for flags in ["iflag=direct", "iflag=fullblock"] {
        let from = format!("if={}", node.display());
        let words = ["dd", &from, "of=/dev/null", "bs=4k", "count=4096", flags];
        let report = profile(&[], &words);
        report.assert_nothing_lost();
        let cache = known(&report.workload(0).page_cache);
        let read = cache.read_amplification.expect("it has read");
        assert!((0.9..2.0).contains(&read), "{flags}: {cache:#?}");
        let row = report.file(&node).counts;
        assert_eq!((row.reads, row.sequential, row.unaligned), (4096, 4096, 0));
    }
}

/// A call that failed has been nowhere, and one that follows it at the same place comes from elsewhere.
#[test]
fn what_is_tried_without_waiting_first_is_not_read_in_order() {
    requires!("cc", "mkfs.ext4", "losetup");
    const COUNT: u64 = 256;
    let program = Program::compile("reads_beside");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), COUNT as usize * 4096);
    disk.remount();
    let report = profile(
        &[],
        &program.with(&["nowait", plain(&path), &COUNT.to_string()]),
    );
    let tried = report.call("preadv2");
    let failed = tried.errors.get("EAGAIN").copied();
    assert_eq!(
        (tried.calls, report.call("pread64").calls >= COUNT / 2),
        (COUNT, true)
    );
    let row = &report.file(&path).counts;
    assert_eq!(
        (Some(row.reads), row.sequential),
        (failed.map(|failed| COUNT + failed), 0)
    );
}

/// What its caller's memory has to be read from is no part of the file.
#[test]
fn what_is_read_into_memory_that_is_not_there_is_a_hit() {
    requires!("cc", "mkfs.ext4", "losetup");
    const COUNT: u64 = 256;
    let program = Program::compile("reads_beside");
    let disk = Loop::new(64 * MIB as u64);
    let path = written_file(&disk.mounted(), COUNT as usize * 4096);
    let folder = disk.mounted().join("other");
    fs::create_dir(&folder).expect("a folder can be made");
    let other = written_file(&folder, COUNT as usize * 4096);
    disk.remount();
    let _cached = keep_cached(&path);
    let report = profile(&[], &program.with(&["into", plain(&path), plain(&other)]));
    let cache = known(&report.workload(0).page_cache);
    assert!(
        known(&report.workload(0).faults).major >= COUNT / 2,
        "{cache:?}"
    );
    assert!(counts(&cache.hits).0 >= COUNT * 4096, "{cache:?}");
}
