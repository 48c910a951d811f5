//! What is done much of, and what must be counted of it.

use std::fs;

use ioprof_ebpf::abi::loss::Loss;

use super::{Figures, How, Load, Memory, grouped, losses};
use crate::support::{
    Report,
    report::{File, FileKind, known},
};

/// How many rows the kernel's table of files has, that of all others apart.
pub const ROWS_OF_FILES: u64 = 32_767;

/// Children, half of which execute another program.
pub fn processes(count: u64) -> Figures {
    let before = kernel_memory();
    let (report, took, memory) = Load::start(How::Run, "processes", &[count]).work();
    let workload = report.workload(0);
    assert_eq!(workload.processes, count + 1);
    assert_eq!(workload.threads, count + 1);
    assert_eq!(workload.threads_running, 0);
    let reads = report.call("pread64");
    assert_eq!(
        (reads.calls, reads.bytes),
        (count + count / 2, Some(count + count / 2))
    );
    // A record takes a KiB; a smaller number of them cannot be told from what others do meanwhile.
    let grown = kernel_memory().saturating_sub(before);
    assert!(
        grown < 512 * count.max(100_000),
        "{grown} bytes of records are left"
    );
    Figures {
        done: format!(
            "{} processes (kernel's memory {:.1} MB more)",
            grouped(count),
            grown as f64 / 1e6
        ),
        took,
        lost: losses(&report, &[]),
        memory,
    }
}

/// Threads of one process, all there at once.
pub fn threads(how: How, count: u64, calls: u64) -> Figures {
    let (report, took, memory) = Load::start(how, "threads", &[count, calls]).work();
    let workload = report.workload(0);
    assert_eq!(workload.processes, 1);
    assert_eq!(workload.threads, count + 1);
    assert_eq!(workload.threads_running, 0);
    assert_eq!(report.call("pread64").calls, count * calls);
    // Each thread has waited once and the main one twice, some when they came into scope.
    let under_way = report.ledger.calls_in_flight_at_attach;
    assert_eq!(report.call("read").calls + under_way, count + 2);
    Figures {
        done: format!("{} threads at once ({how:?})", grouped(count)),
        took,
        lost: losses(&report, &[]),
        memory,
    }
}

/// Files, each made, written to and closed.
pub fn files(count: u64) -> Figures {
    let (report, took, memory) = Load::start(How::Attach, "files", &[count]).work();
    let (opens, writes) = (report.call("openat"), report.call("write"));
    assert_eq!((opens.calls, opens.errors.len()), (count, 0));
    // And the line that says that it is done.
    assert_eq!((writes.calls, writes.bytes), (count + 1, Some(count + 5)));
    assert_eq!(report.sum_of_files(|row| row.opens), count);
    assert_eq!(report.sum_of_files(|row| row.writes), count + 1);
    assert_eq!(report.sum_of_files(|row| row.written_bytes), count + 5);
    assert_table_of_files(&report, count);
    Figures {
        done: format!("{} files", grouped(count)),
        took,
        // So many inodes are never dirty at once in the table that knows whose they are.
        lost: losses(&report, &[Loss::DirtyInodesFull]),
        memory,
    }
}

/// A byte read again and again by a thread for each CPU; and how many the CPUs do in a second, if they do nothing
/// else.
pub fn reads(count: u64) -> (Figures, f64) {
    let (report, took, memory) = Load::start(How::Attach, "reads", &[count]).work();
    let all = cpus() * count;
    let reads = report.call("pread64");
    assert_eq!((reads.calls, reads.bytes), (all, Some(all)));
    // And the end of its input, and what sysconf(3) reads to know how many CPUs there are.
    assert_eq!(report.sum_of_files(|row| row.reads), all + 2);
    let sizes = known(&reads.size);
    assert_eq!(sizes.count, all);
    rate("reads", all, (report, took, memory))
}

/// Nothing done by io_uring, by a ring for each CPU; and how many times in a second, likewise.
pub fn nops(count: u64) -> (Figures, f64) {
    let (report, took, memory) = Load::start(How::Attach, "nops", &[count]).work();
    let all = cpus() * count;
    let operations = &known(&report.workload(0).io_uring).operations;
    assert_eq!(operations.len(), 1, "{operations:?}");
    assert_eq!(operations[0].submissions, all);
    assert_eq!(operations[0].completions, all);
    rate("io_uring nops", all, (report, took, memory))
}

fn rate(what: &str, all: u64, worked: (Report, std::time::Duration, Memory)) -> (Figures, f64) {
    let (report, took, memory) = worked;
    let workload = report.workload(0);
    let cpu_ns = workload.cpu_user_ns + workload.cpu_system_ns;
    let each_second = all as f64 * 1e9 * cpus() as f64 / cpu_ns as f64;
    let done = format!(
        "{} {what}, {:.2} million a second, {:.2} by the CPU time that they took",
        grouped(all),
        all as f64 / took.as_secs_f64() / 1e6,
        each_second / 1e6
    );
    let lost = losses(&report, &[]);
    let figures = Figures {
        done,
        took,
        lost,
        memory,
    };
    (figures, each_second)
}

/// A bit of everything, again and again: what grows with time would grow.
pub fn pulses(count: u64) -> Figures {
    let (report, took, memory) = Load::start(How::Attach, "pulses", &[count]).work();
    let workload = report.workload(0);
    assert_eq!(workload.processes, count + 1);
    assert_eq!(workload.threads, 2 * count + 1);
    assert_eq!(workload.threads_running, 0);
    assert_eq!(report.call("pread64").calls, 3 * count);
    let opens = report.call("openat");
    assert_eq!((opens.calls, opens.errors["ENOENT"]), (2 * count, count));
    assert_eq!(report.call("unlink").calls, count);
    assert_eq!(report.call("write").bytes, Some(1024 * count + 5));
    assert_eq!(report.sum_of_files(|row| row.opens), count);
    assert_eq!(report.sum_of_files(|row| row.reads), 3 * count + 1);
    assert_eq!(
        report.sum_of_files(|row| row.written_bytes),
        1024 * count + 5
    );
    // The file that is read, and each that is made.
    assert_table_of_files(&report, count + 1);
    let (first, last) = memory.anonymous;
    assert_eq!(first, last, "ioprof's own memory is not flat: {memory:?}");
    Figures {
        done: format!("{} intervals of activity", grouped(count)),
        took,
        lost: losses(&report, &[]),
        memory,
    }
}

/// Fails where the table has more rows than files or than room, or is full and does not say so.
fn assert_table_of_files(report: &Report, files: u64) {
    let told = known(&report.workload(0).files);
    let of_files = |row: &&File| row.kind == FileKind::File;
    let rows = told.top.iter().filter(of_files).count() as u64 + told.others;
    let messages = &report.ledger.messages;
    if files < ROWS_OF_FILES {
        // The program's own file has one where its pages were faulted in.
        assert!((files..=files + 1).contains(&rows), "{rows}");
        assert!(messages.is_empty(), "{messages:?}");
    } else {
        // Pipes take a row, too.
        assert!(
            (ROWS_OF_FILES - 2..=ROWS_OF_FILES).contains(&rows),
            "{rows}"
        );
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(
            messages[0].as_str().contains("table of files is full"),
            "{messages:?}"
        );
    }
}

/// What the kernel has for itself and cannot give up, in bytes.
fn kernel_memory() -> u64 {
    let information = fs::read_to_string("/proc/meminfo").expect("/proc is mounted");
    let line = information
        .lines()
        .find_map(|line| line.strip_prefix("SUnreclaim:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    1024 * kib.unwrap_or(0_u64)
}

/// How many CPUs there are.
fn cpus() -> u64 {
    let online = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    let online = online.expect("it can be asked for").expect("it is known");
    online.cast_unsigned()
}
