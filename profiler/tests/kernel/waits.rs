//! What a thread waits for is told by who wakes it, and not by the name of its call.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    off_cpu::{longest, off_cpu, split, total},
    support::{
        self, Report,
        attached::Attached,
        device::{FileSystem, Loop, written_file},
        plain, profile,
        program::Program,
        report::{OffCpu, known},
        requirements::{self, skip, tool},
        steps::Steps,
        succeed,
        throttle::ThrottledReads,
    },
};

const MIB: usize = 1 << 20;

/// Calls that wait for what they have written, whatever asks them to: the journal and the device, and no lock.
#[test]
fn writes_that_are_durable_wait_for_the_journal_and_the_device() {
    requires!("cc", "mkfs.ext4", "mkfs.xfs", "losetup");
    let program = Program::compile("waits");
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let disk = Loop::with(file_system, 512 * MIB as u64);
        let ways = [
            ("dsync", "pwritev2"),
            ("sync", "pwritev2"),
            ("rwf", "pwritev2"),
        ];
        for (way, call) in ways.into_iter().chain([("dirsync", "mkdirat")]) {
            if way == "dirsync" && file_system == FileSystem::Xfs {
                // It has no such flag.
                continue;
            }
            let path = match way {
                "dirsync" => disk.mounted(),
                _ => disk.mounted().join(way),
            };
            let report = profile(&[], &program.with(&[way, plain(&path)]));
            split(&report);
            let waits = off_cpu(&report, call);
            assert!(kernel(waits) > 9 * asleep(waits), "{way}: {waits:#?}");
        }
    }
}

/// The time that a device or the kernel's threads took.
fn kernel(waits: &OffCpu) -> u64 {
    waits.queue_ns + waits.service_ns + waits.device_ns + waits.journal_ns
}

/// The time of sleeps that are for something else.
fn asleep(waits: &OffCpu) -> u64 {
    waits.sleep_ns + waits.idle_ns + waits.unknown_ns
}

/// A thread of the kernel that waits for all CPUs writes no journal. Again where the kernel has written for somebody meanwhile.
#[test]
fn what_waits_for_a_thread_of_the_kernel_that_writes_nothing_waits_for_no_journal() {
    requires!("cc");
    let program = Program::compile("waits");
    let mut met = Vec::new();
    for _ in 0..20 {
        let report = profile(&[], &program.with(&["inotify"]));
        split(&report);
        let waits = off_cpu(&report, "close");
        if waits.queue_ns + waits.service_ns == 0 {
            assert_eq!(waits.journal_ns, 0, "{waits:#?}");
            assert!(waits.unknown_ns > 0, "{waits:#?}");
            return;
        }
        met.push((waits.queue_ns, waits.service_ns));
    }
    panic!("the kernel has written all the time: {met:?}");
}

/// An ioctl of a file system is a call like any other.
#[test]
fn a_clone_of_a_file_waits_for_its_data_to_be_written() {
    requires!("cc", "mkfs.xfs", "losetup");
    let program = Program::compile("waits");
    let disk = Loop::with(FileSystem::Xfs, 512 * MIB as u64);
    let path = disk.mounted().join("file");
    let report = profile(&[], &program.with(&["clone", plain(&path)]));
    split(&report);
    let waits = off_cpu(&report, "other");
    assert!(kernel(waits) > 9 * asleep(waits), "{waits:#?}");
}

/// The kernel marks every wait for a ring as one for I/O. That another thread of the process has requests all the time
/// makes it none.
#[test]
fn a_ring_that_waits_for_a_pipe_or_a_timer_waits_for_no_device() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("waits");
    let disk = Loop::new(64 * MIB as u64);
    let file = written_file(&disk.mounted(), MIB);
    for way in ["pipe", "timer"] {
        let report = profile(&[], &program.with(&[way, plain(&file)]));
        split(&report);
        let waits = off_cpu(&report, "io_uring_enter");
        assert!(asleep(waits) >= 900_000_000, "{way}: {waits:#?}");
        assert!(kernel(waits) < asleep(waits) / 9, "{way}: {waits:#?}");
        if way == "pipe" {
            assert!(waits.sleep_ns > 9 * waits.unknown_ns, "{waits:#?}");
        }
    }
    let report = profile(&[], &program.with(&["ring", plain(&file)]));
    split(&report);
    let waits = off_cpu(&report, "io_uring_enter");
    // A signal can end a wait for a ring, so that it is none for the journal; the thread may have had one of those, too.
    let of_ring = OffCpu {
        journal_ns: 0,
        ..*waits
    };
    let longest = longest(&of_ring);
    // An emulated machine takes too long from the completion to the waking.
    assert!(
        longest == "service" || requirements::is_emulated() && longest == "unknown",
        "{waits:#?}"
    );
}

/// Its workers wait for the journal and the device, and so does who waits for the workers.
#[test]
fn a_ring_that_waits_for_a_worker_waits_for_what_that_waits_for() {
    requires!("cc", "mkfs.ext4", "mkfs.xfs", "losetup");
    let program = Program::compile("waits");
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let disk = Loop::with(file_system, 512 * MIB as u64);
        for way in ["fsync", "worker"] {
            let path = disk.mounted().join(way);
            let report = profile(&[], &program.with(&[way, plain(&path)]));
            split(&report);
            let waits = off_cpu(&report, "io_uring_enter");
            // What the worker does on a CPU is a sleep of who waits for it: more where the machine is emulated.
            assert!(kernel(waits) > 4 * asleep(waits), "{way}: {waits:#?}");
            // But for the moment until it begins, and for threads of xfs that wait for a CPU and write nothing.
            if file_system == FileSystem::Ext4 {
                assert!(waits.unknown_ns < kernel(waits) / 50, "{waits:#?}");
            }
        }
    }
}

/// Profiles a program that gives memory up, and how many nanoseconds that took it. Again where it took next to none, as
/// somebody else still had the memory: whoever drops the machine's page cache looks at each inode.
fn gives_up_last(program: &Program, way: &str, to: &Path) -> (Report, u64) {
    for _ in 0..10 {
        let report = profile(&[], &program.with(&[way, plain(to)]));
        let said = fs::read_to_string(to).expect("it says how long it took");
        let took: u64 = said.trim().parse().expect("nanoseconds");
        if took > 1_000_000 {
            return (report, took);
        }
    }
    panic!("never the last to give it up");
}

/// What the kernel puts off until the way out of a call is the call's, as the program finds that times it.
#[test]
fn work_on_the_way_out_of_a_call_is_the_calls() {
    requires!("cc");
    let program = Program::compile("waits");
    let folder = support::folder();
    let to = folder.path().join("took");
    for (way, call) in [("munmap", "munmap"), ("dup2", "other")] {
        let (report, took) = gives_up_last(&program, way, &to);
        let time = split(&report);
        let call = report.call(call);
        let max = call.latency.max;
        assert!(max.abs_diff(took) < took / 20, "{max} of {took}");
        let calls = known(&call.breakdown);
        assert!(calls.cpu_ns + total(&calls.off_cpu) > took / 20 * 19);
        assert!(known(&time.cpu).user_ns < took / 2, "{time:#?}");
        assert_eq!(time.off_cpu.fault_ns, 0, "{time:#?}");
    }
    let time = *split(&profile(&[], &program.with(&["exit"])));
    assert!(time.exit_ns > known(&time.cpu).user_ns, "{time:#?}");
}

/// The data are written on the way out of the call, which ends before.
#[test]
fn an_unmounting_waits_for_the_device_and_for_no_page() {
    requires!("mkfs.ext4", "losetup", "umount", "mount");
    let disk = Loop::new(256 * MIB as u64);
    let mounted = disk.mounted();
    let mut mount = tool("mount");
    mount.arg(disk.node()).arg(&mounted);
    // Another test may sync all file systems: there is nothing left to wait for then.
    let waited = (0..10).find_map(|_| {
        written_dirty(&mounted.join("data"), 64 * MIB);
        let report = profile(&[], &["umount", plain(&mounted)]);
        succeed(&mut mount);
        // It also waits for grace periods of RCU, which a busy machine makes long.
        let umount = *off_cpu(&report, "other");
        (umount.queue_ns + umount.service_ns > 0).then(|| (umount, *split(&report)))
    });
    let (umount, time) = waited.expect("it never waited for a request");
    assert!(time.off_cpu.fault_ns < kernel(&umount) / 10, "{time:#?}");
}

fn written_dirty(path: &Path, bytes: usize) {
    fs::write(path, vec![1; bytes]).expect("a file can be written");
}

/// A fault is one where the thread was in a fault.
#[test]
fn one_that_was_attached_to_while_it_only_faults_waits_in_page_faults() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("waits");
    let disk = Loop::new(64 * MIB as u64);
    let file = written_file(&disk.mounted(), 4 * MIB);
    // So few that it is still at it when the measurement ends.
    let Some(group) = ThrottledReads::new(&disk, 20) else {
        return skip(ThrottledReads::MISSING);
    };
    let words = group.command(program.with(&["mapped", plain(&file)]));
    let command = Command::new(&words[0]).args(&words[1..]).spawn();
    let mut mapping = command.expect("it is started");
    let wait_for_reads = |most: u64| {
        let then = disk.stat().reads + most;
        while disk.stat().reads < then {
            thread::sleep(Duration::from_millis(1));
        }
    };
    // The first are of the file's metadata, in a call.
    wait_for_reads(10);
    let attached = Attached::to(&[mapping.id()], &[]);
    wait_for_reads(20);
    let report = attached.end(Signal::SIGINT);
    mapping.kill().expect("it is there");
    mapping.wait().expect("it ends");
    let time = split(&report);
    assert_eq!(longest(&time.off_cpu), "fault", "{time:#?}");
    assert_eq!(time.off_cpu.service_ns, 0, "{time:#?}");
}

/// Whoever handles them, and however the thread sleeps meanwhile.
#[test]
fn faults_that_another_thread_handles_are_waited_for_in_page_faults() {
    requires!("cc");
    let report = profile(&[], &Program::compile("waits").with(&["handled"]));
    let time = split(&report);
    assert!(time.off_cpu.fault_ns >= 20 * 10_000_000, "{time:#?}");
}

/// A thread that is stopped, as by a shell or by who limits its CPU time, has left its call behind.
#[test]
fn one_that_is_stopped_is_idle_and_not_in_the_call_before() {
    requires!("cc");
    let program = Program::compile("steps");
    let folder = support::folder();
    let mut steps = Steps::start(&program, &[plain(&folder.path().join("file")), "1"]);
    let attached = Attached::to(&[steps.pid()], &[]);
    let pid = Pid::from_raw(steps.pid().cast_signed());
    let mut stopped = Duration::ZERO;
    for _ in 0..10 {
        steps.tell("w");
        kill(pid, Signal::SIGSTOP).expect("it is there");
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
        while !state().contains(") T ") {
            thread::sleep(Duration::from_millis(1));
        }
        let since = Instant::now();
        thread::sleep(Duration::from_millis(50));
        stopped += since.elapsed();
        kill(pid, Signal::SIGCONT).expect("it is there");
    }
    let report = attached.end(Signal::SIGINT);
    steps.end();
    let time = split(&report);
    let stopped = stopped.as_nanos() as u64;
    assert!(time.off_cpu.idle_ns >= stopped, "{stopped}: {time:#?}");
}

#[test]
fn reads_of_a_mapping_wait_in_page_faults() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("waits");
    let disk = Loop::new(64 * MIB as u64);
    let file = written_file(&disk.mounted(), 4 * MIB);
    let report = profile(&[], &program.with(&["mapped", plain(&file)]));
    let time = split(&report);
    assert_eq!(longest(&time.off_cpu), "fault", "{time:#?}");
}
