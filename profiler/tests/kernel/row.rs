//! What each process and each thread did; all of them did what their workload did.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use ioprof_ebpf::abi::layout::{MAX_NAMED_ROWS, MAX_THREAD_ROWS};
use nix::sys::signal::Signal;

use crate::support::{
    attached::Attached,
    folder, line, profile,
    program::Program,
    reader,
    report::{Did, ProcessRow, ProcessRows, Report, Time, Workload, known},
};

const SIZE: u64 = 4096;

fn rows(workload: &Workload) -> &ProcessRows {
    known(&workload.process_rows)
}

/// Calls, bytes, and all kinds of time whose sums are exact.
fn sums<'a>(all: impl Iterator<Item = &'a Did>) -> Vec<u64> {
    let mut sums = vec![0; 18];
    for did in all {
        let counts = [
            did.calls,
            did.read_bytes,
            did.written_bytes,
            did.copied_bytes,
        ];
        let all = counts.into_iter().chain(times(known(&did.time)));
        for (sum, one) in sums.iter_mut().zip(all) {
            *sum += one;
        }
    }
    sums
}

fn times(time: &Time) -> Vec<u64> {
    let off = &time.off_cpu;
    vec![
        time.thread_ns,
        time.cpu_ns,
        time.exit_ns,
        time.stolen_ns + time.unexplained_ns,
        off.queue_ns,
        off.service_ns,
        off.device_ns,
        off.throttled_ns,
        off.journal_ns,
        off.fault_ns,
        off.runnable_ns,
        off.sleep_ns,
        off.idle_ns,
        off.unknown_ns,
    ]
}

/// Fails where the rows are not all of the first workload: of processes, and of the threads of each.
fn assert_add_up(report: &Report) {
    let workload = report.workload(0);
    let rows = rows(workload);
    let bytes = |names: &[&str]| {
        let calls = workload.syscalls.iter();
        let calls = calls.filter(|call| names.contains(&call.name.as_str()));
        calls.map(|call| known(&call.bytes)).sum::<u64>()
    };
    let mut whole = vec![
        workload.syscalls.iter().map(|call| call.calls).sum(),
        bytes(&["read", "pread64", "recvmsg", "recvfrom"]),
        bytes(&["write", "pwrite64", "sendmsg", "sendto"]),
        bytes(&["sendfile", "copy_file_range"]),
    ];
    whole.extend(times(known(&workload.time)));
    let processes = rows.processes.iter().map(|row| &row.did);
    let processes = processes.chain(rows.by_name.iter().map(|named| &named.did));
    assert_eq!(sums(processes), whole);
    let own = rows.processes.iter().map(|row| row.threads).sum::<u64>();
    let named = rows.by_name.iter().map(|named| named.threads).sum::<u64>();
    assert_eq!(own + named, workload.threads);
    let named: u64 = rows.by_name.iter().map(|named| named.processes).sum();
    assert_eq!(rows.processes.len() as u64 + named, workload.processes);
    for process in &rows.processes {
        let threads = process.thread_rows.iter().map(|thread| &thread.did);
        let threads = threads.chain(process.threads_by_name.iter().map(|named| &named.did));
        assert_eq!(
            sums(threads),
            sums(std::iter::once(&process.did)),
            "{process:#?}"
        );
        let named = process.threads_by_name.iter().map(|named| named.threads);
        let threads = process.thread_rows.len() as u64 + named.sum::<u64>();
        assert_eq!(threads, process.threads);
    }
}

/// The process of a name; there must be one.
fn process<'a>(report: &'a Report, name: &str) -> &'a ProcessRow {
    let processes = &rows(report.workload(0)).processes;
    let found = processes.iter().find(|process| process.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {processes:#?}"))
}

#[test]
fn short_lived_processes_are_folded_by_their_names() {
    requires!();
    let script =
        "for i in $(seq 200); do dd if=/dev/zero of=/dev/null bs=4k count=10 2>/dev/null; done";
    let report = profile(&[], &["bash", "-c", script]);
    assert_add_up(&report);
    let rows = rows(report.workload(0));
    let named = rows.by_name.iter();
    let of_dd: u64 = named
        .filter(|named| named.name.as_ref().is_some_and(|name| name == "dd"))
        .map(|named| named.processes)
        .sum();
    let own = rows.processes.iter().filter(|process| process.name == "dd");
    assert_eq!(of_dd + own.count() as u64, 200);
    // One of them may have had to wait for a CPU for a tenth of the time, but not more than ten.
    assert!(of_dd >= 190, "{of_dd}");
    let shell = process(&report, "bash");
    assert_eq!(i64::from(shell.pid), i64::from(report.workload(0).root_pid));
    assert_eq!((shell.argv.as_ref(), shell.running), (None, false));
}

#[test]
fn threads_of_a_running_process_have_rows_with_their_bytes() {
    requires!("cc");
    let program = Program::compile("thread_rows");
    let folder = folder();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![1; SIZE as usize]).expect("the folder can be written");
    let mut child = Command::new(program.path())
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut stdout = reader(&mut child.stdout);
    assert_eq!(line(&mut stdout), "ready\n");
    let attached = Attached::to(&[child.id()], &[]);
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(b"x").expect("it reads");
    assert_eq!(line(&mut stdout), "done\n");
    let report = attached.end(Signal::SIGINT);
    drop(stdin);
    assert!(child.wait().expect("a child").success());

    assert_add_up(&report);
    let row = process(&report, "thread_rows");
    assert_eq!((row.pid, row.threads, row.running), (child.id(), 4, true));
    let argv = known(&row.argv);
    let given = file.to_str().expect("the folder has a plain name");
    assert_eq!(argv.last().map(|word| word.as_str()), Some(given));
    for (name, number, runs) in [
        ("first", 1, false),
        ("second", 2, false),
        ("third", 3, true),
    ] {
        let mut threads = row.thread_rows.iter();
        let thread = threads.find(|thread| thread.name == name);
        let thread = thread.unwrap_or_else(|| panic!("no {name} in {row:#?}"));
        // The third has told that it was done by a byte.
        let told = u64::from(runs);
        let did = &thread.did;
        assert_eq!(did.read_bytes, number * 10 * SIZE, "{name}");
        assert_eq!(did.written_bytes, number * SIZE + told, "{name}");
        assert!(did.calls >= number * 11 && thread.running == runs, "{name}");
    }
}

#[test]
fn threads_and_processes_beyond_the_table_are_kept_by_name() {
    requires!("cc");
    let program = Program::compile("many_rows");
    let path = program.path();
    let path = path.to_str().expect("the folder has a plain name");
    let threads = u64::from(MAX_THREAD_ROWS) - 100;
    let processes = u64::from(MAX_NAMED_ROWS) + 100;
    let report = profile(&[], &[path, &threads.to_string(), &processes.to_string()]);
    assert_add_up(&report);
    let rows = rows(report.workload(0));
    let all = rows.by_name.iter();
    let written: u64 = all.map(|named| named.did.written_bytes).sum();
    assert_eq!(rows.by_name.len(), 1, "{:#?}", rows.by_name);
    let own = rows.processes.iter();
    let all_written: u64 = own.map(|process| process.did.written_bytes).sum();
    assert_eq!(written + all_written, threads + processes);
    assert!(rows.by_name[0].processes >= processes - 100);
    assert!(rows.processes.len() <= 128);
}
