//! The time of a workload is split by what it was spent on, and each wait shows in its own row.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use crate::support::{
    self, Report,
    attached::Attached,
    device::{Loop, written_file},
    ioprof, plain, profile,
    program::Program,
    report::{Cpu, OffCpu, Time, known},
    requirements::{skip, tool},
    succeed, text,
    throttle::ThrottledReads,
    tracers,
};

const MIB: usize = 1 << 20;

/// The rows of time off the CPU.
fn waits(time: &OffCpu) -> [(&'static str, u64); 10] {
    [
        ("queue", time.queue_ns),
        ("service", time.service_ns),
        ("device", time.device_ns),
        ("throttled", time.throttled_ns),
        ("journal", time.journal_ns),
        ("fault", time.fault_ns),
        ("runnable", time.runnable_ns),
        ("sleep", time.sleep_ns),
        ("idle", time.idle_ns),
        ("unknown", time.unknown_ns),
    ]
}

pub(crate) fn total(time: &OffCpu) -> u64 {
    waits(time).iter().map(|(_, nanoseconds)| nanoseconds).sum()
}

/// The split of the first workload's time, which must add up.
pub(crate) fn split(report: &Report) -> &Time {
    let time = known(&report.workload(0).time);
    let on_cpu = time.cpu_ns + time.exit_ns + time.stolen_ns + time.unexplained_ns;
    assert_eq!(total(&time.off_cpu) + on_cpu, time.thread_ns, "{time:#?}");
    let cpu = known(&time.cpu);
    let in_calls = cpu.entry_exit_ns + cpu.probes_ns + cpu.calls_ns;
    let parts = cpu.user_ns + in_calls + cpu.io_uring_ns;
    assert_eq!(parts, time.cpu_ns, "{time:#?}");
    for call in &report.workload(0).syscalls {
        let time = known(&call.breakdown);
        // A thread that is preempted at the end of a call comes back a moment after it was timed.
        let split = time.cpu_ns + total(&time.off_cpu);
        assert!(split >= call.time_ns, "{call:#?}");
        if let Some(time) = &call.p99_breakdown {
            let split = time.cpu_ns + total(&time.off_cpu);
            assert_eq!(Some(split), call.latency.quantile(0.99), "{call:#?}");
        }
    }
    time
}

/// The row of the longest sleep; what the machine lets wait for a CPU is another matter.
pub(crate) fn longest(time: &OffCpu) -> &'static str {
    let sleeps = waits(time)
        .into_iter()
        .filter(|(row, _)| *row != "runnable");
    let longest = sleeps.max_by_key(|(_, nanoseconds)| *nanoseconds);
    longest.expect("there are rows").0
}

pub(crate) fn off_cpu<'a>(report: &'a Report, call: &str) -> &'a OffCpu {
    &known(&report.call(call).breakdown).off_cpu
}

/// The longest between two ticks, of a kernel with 100 in a second.
const TICK_NS: u64 = 10_000_000;

/// The division of the time that a program was on a CPU which does the same so many times.
fn on_cpu(what: &str, times: u32) -> (Cpu, u64) {
    let program = Program::compile("on_cpu");
    let report = profile(&[], &program.with(&[what, &times.to_string()]));
    let time = split(&report);
    // What the kernel says includes the exit and what comes before the execve. Where the parent is woken before the last
    // thread has left its CPU, it lacks what that ran for since the last tick (`thread_group_cputime` of
    // kernel/sched/cputime.c adds up what was charged).
    let workload = report.workload(0);
    let charged = workload.cpu_user_ns + workload.cpu_system_ns;
    assert!(time.cpu_ns <= charged + TICK_NS, "{workload:#?}");
    assert!(time.cpu_ns > charged / 10 * 9, "{workload:#?}");
    let cpu = *known(&time.cpu);
    // The ledger has the same probes and those of other processes and events.
    let probes = *known(&report.ledger.probe_cpu_ns);
    assert!(probes >= cpu.probes_ns / 10 * 9, "{probes} {cpu:#?}");
    (cpu, time.cpu_ns)
}

#[test]
fn entry_to_calls_and_probes_are_no_user_time() {
    requires!(alone, "cc");
    let (cpu, all) = on_cpu("calls", 1_000_000);
    // Two instructions of the program for each call.
    assert!(cpu.user_ns < all / 2, "{cpu:#?}");
    // A call that does nothing is entry and exit.
    assert!(cpu.entry_exit_ns > cpu.calls_ns, "{cpu:#?}");
    assert!(cpu.probes_ns > 0, "{cpu:#?}");
}

#[test]
fn a_program_without_calls_has_user_time_alone() {
    requires!("cc");
    let (cpu, all) = on_cpu("instructions", 500_000_000);
    assert!(cpu.user_ns > all / 10 * 9, "{cpu:#?}");
    assert!(cpu.entry_exit_ns + cpu.probes_ns < all / 100, "{cpu:#?}");
}

#[test]
fn an_empty_pipe_and_a_sleep_are_told_apart() {
    requires!();
    let report = profile(&[], &["sh", "-c", "sleep 1 | cat"]);
    let time = split(&report);
    // The cat waits for the sleep in read(2); the sleep, and the shell for both, in no I/O call.
    assert!(time.off_cpu.sleep_ns >= 900_000_000, "{time:#?}");
    assert!(time.off_cpu.idle_ns >= 1_900_000_000, "{time:#?}");
    let read = off_cpu(&report, "read");
    assert!(read.sleep_ns >= 900_000_000, "{read:#?}");
    assert_eq!(read.idle_ns, 0, "{read:#?}");
}

#[test]
fn direct_reads_wait_for_the_device() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("direct_io");
    let disk = Loop::new(64 * MIB as u64);
    let file = written_file(&disk.mounted(), 8 * MIB);
    let report = profile(&[], &reads(&program, &file, 500));
    let time = split(&report);
    assert_eq!(longest(&time.off_cpu), "service", "{time:#?}");
    assert_eq!(longest(off_cpu(&report, "pread64")), "service");
}

/// Direct reads of 4 KiB each.
fn reads(program: &Program, file: &Path, count: u32) -> Vec<std::ffi::OsString> {
    let file = plain(file);
    program.with(&[file, "read", "4096", &count.to_string()])
}

#[test]
fn durable_writes_of_a_database_wait_for_the_device() {
    requires!("sqlite3", "mkfs.ext4", "losetup");
    let disk = Loop::new(128 * MIB as u64);
    for mode in ["delete", "wal"] {
        let database = disk.mounted().join(mode);
        let inserts: String = (0..200)
            .map(|i| format!("insert into t values({i});"))
            .collect();
        let script = format!(
            "pragma journal_mode={mode}; pragma synchronous=full; create table t(a);{inserts}"
        );
        let report = profile(&[], &["sqlite3", plain(&database), &script]);
        let time = split(&report);
        // Of all calls it takes the most time, and most of its waiting has a device behind it.
        assert_eq!(report.workload(0).syscalls[0].name, "fdatasync", "{mode}");
        let waits = off_cpu(&report, "fdatasync");
        let device = waits.service_ns + waits.queue_ns;
        let other = waits.device_ns + waits.sleep_ns + waits.idle_ns + waits.unknown_ns;
        assert!(device > other, "{mode}: {waits:#?}");
        assert_eq!(time.off_cpu.throttled_ns, 0, "{mode}: {time:#?}");
    }
}

#[test]
fn a_writer_is_throttled_by_the_limit_of_dirty_pages() {
    requires!("mkfs.ext4", "losetup");
    let disk = Loop::new(512 * MIB as u64);
    disk.limit_dirty_pages(4 * MIB as u64);
    let to = format!("of={}", disk.mounted().join("data").display());
    let report = profile(
        &[],
        &[
            "dd",
            "if=/dev/zero",
            &to,
            "bs=1M",
            "count=64",
            "status=none",
        ],
    );
    let time = split(&report);
    assert_eq!(longest(off_cpu(&report, "write")), "throttled", "{time:#?}");
}

#[test]
fn a_copy_that_is_not_held_back_waits_for_what_it_reads() {
    requires!("perf", "unshare", "mkfs.ext4", "losetup");
    let disk = Loop::new(64 * MIB as u64);
    let from = written_file(&disk.mounted(), 6 * MIB);
    let folder = support::folder();
    let [out, counted] = ["run.json", "counted"].map(|name| folder.path().join(name));
    // A slow device may hold it back in truth: perf counts how often the kernel does.
    let is_held_back = || {
        disk.remount();
        disk.limit_dirty_pages(6 * MIB as u64);
        let mut perf = tracers::with_tracefs("perf");
        perf.args(["stat", "-x,", "-e", "writeback:balance_dirty_pages"]);
        perf.args(["--filter", "pause > 0", "-o", plain(&counted), "--"]);
        perf.args([env!("CARGO_BIN_EXE_ioprof"), "run", "-o", plain(&out)]);
        perf.args([
            "--",
            "cp",
            plain(&from),
            plain(&disk.mounted().join("copy")),
        ]);
        succeed(&mut perf);
        tracers::perf_stat_count(&counted, "balance_dirty_pages") > 0
    };
    let runs = (0..20).take_while(|_| is_held_back()).count();
    assert!(runs < 20, "it was held back each time");
    let report = Report::read(&out);
    let time = split(&report);
    assert_eq!(time.off_cpu.throttled_ns, 0, "{time:#?}");
}

#[test]
fn one_that_writes_through_a_mapping_is_throttled_in_its_faults() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("waits");
    let disk = Loop::new(512 * MIB as u64);
    disk.limit_dirty_pages(4 * MIB as u64);
    let file = disk.mounted().join("data");
    let report = profile(&[], &program.with(&["dirtied", plain(&file)]));
    let time = split(&report);
    assert_eq!(longest(&time.off_cpu), "throttled", "{time:#?}");
}

#[test]
fn a_reader_is_throttled_by_its_cgroup() {
    requires!("cc", "mkfs.ext4", "losetup");
    let program = Program::compile("direct_io");
    let disk = Loop::new(64 * MIB as u64);
    let file = written_file(&disk.mounted(), 8 * MIB);
    // So few that the device waits for them, and not the other way round, however slow the machine is.
    let Some(group) = ThrottledReads::new(&disk, 10) else {
        return skip(ThrottledReads::MISSING);
    };
    let report = profile(&[], &group.command(reads(&program, &file, 20)));
    let time = split(&report);
    // What is held back has not been issued.
    assert_eq!(longest(off_cpu(&report, "pread64")), "queue", "{time:#?}");
    assert_eq!(longest(&time.off_cpu), "queue", "{time:#?}");
}

/// Programs that run until this value goes.
struct Companions(Vec<Child>);

impl Companions {
    fn sleeper() -> Self {
        let mut sleep = tool("sleep");
        sleep.arg("1000").stdin(Stdio::null()).stdout(Stdio::null());
        Self(vec![sleep.spawn().expect("a process can be made")])
    }

    /// Programs that only use a CPU, the first.
    fn spinners(count: usize) -> Self {
        let spin = || {
            let mut taskset = tool("taskset");
            taskset.args(["-c", "0", "sh", "-c", "while :; do :; done"]);
            taskset
                .stdin(Stdio::null())
                .spawn()
                .expect("a process can be made")
        };
        Self((0..count).map(|_| spin()).collect())
    }
}

impl Drop for Companions {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_reader_without_a_cpu_waits_for_one() {
    requires!("taskset");
    let folder = support::folder();
    let file = folder.path().join("data");
    fs::write(&file, vec![1; 16 * MIB]).expect("a file can be written");
    let _spinners = Companions::spinners(2);
    let from = format!("if={}", file.display());
    let command = [
        "taskset",
        "-c",
        "0",
        "dd",
        &from,
        "of=/dev/null",
        "bs=64",
        "status=none",
    ];
    let report = profile(&[], &command);
    let time = split(&report);
    let asleep = total(&time.off_cpu) - time.off_cpu.runnable_ns;
    assert!(time.off_cpu.runnable_ns > asleep, "{time:#?}");
    // Of three on one CPU each has a third.
    assert!(time.off_cpu.runnable_ns > time.cpu_ns, "{time:#?}");
}

#[test]
fn a_process_that_sleeps_when_it_is_attached_to_is_idle() {
    requires!();
    let sleeper = Companions::sleeper();
    // It sleeps when its call can be seen; before that it runs.
    let state =
        || fs::read_to_string(format!("/proc/{}/stat", sleeper.0[0].id())).expect("it lives");
    while !state().contains(") S ") {
        std::thread::yield_now();
    }
    let report = Attached::to(&[sleeper.0[0].id()], &["-d", "0.3"]).ended();
    let time = split(&report);
    assert!(time.off_cpu.idle_ns > 0, "{time:#?}");
    assert_eq!(time.unexplained_ns, 0, "{time:#?}");
}

#[test]
fn without_its_probes_the_split_is_unknown() {
    requires!();
    for tracepoint in ["sched_switch", "sched_waking", "balance_dirty_pages"] {
        let report = support::profile_lossy(&["--without-probe", tracepoint], &["true"]);
        assert!(report.workload(0).time.is_none(), "{tracepoint}");
        for call in &report.workload(0).syscalls {
            assert!(
                call.breakdown.is_none() && call.p99_breakdown.is_none(),
                "{call:#?}"
            );
        }
        let mut run = ioprof();
        run.args(["run", "--without-probe", tracepoint, "--", "true"]);
        let said = text(&succeed(&mut run).stderr);
        assert!(
            said.contains(&format!("PROBE MISSING: {tracepoint}")),
            "{said}"
        );
    }
}
