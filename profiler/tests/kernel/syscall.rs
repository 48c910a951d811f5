//! System calls are counted exactly: calls, errors and bytes of every name, for all threads and descendants.

use std::{ffi::OsString, fs, path::Path};

use ioprof::analysis::doubts;

use crate::support::{
    self, Report, ioprof, plain, profile,
    program::Program,
    report::{CheckKind, Exit, known},
    requirements::{self},
    strace::{self, Counts},
};

const KIB: u64 = 1024;

#[test]
fn a_program_of_known_calls_is_counted_exactly_twenty_times_in_a_row() {
    requires!("cc");
    let program = Program::compile("known_calls");
    let folder = support::folder();
    let file = folder.path().join("data");
    fs::write(&file, [7; 64 * KIB as usize]).expect("a file can be written");
    let command = program.with(&[plain(&file)]);
    for turn in 1..=requirements::turns(20) {
        let report = profile(&[], &command);
        assert_known_calls(&report, turn);
    }
}

fn assert_known_calls(report: &Report, turn: u32) {
    let known = |name, calls, failed: &[(&str, u64)], bytes| {
        let call = report.call(name);
        assert_eq!(
            (call.calls, call.bytes),
            (calls, bytes),
            "{name} in turn {turn}"
        );
        let errors = call
            .errors
            .iter()
            .map(|(name, count)| (name.as_str(), *count));
        assert!(
            errors.eq(failed.iter().copied()),
            "{name}: {:?}",
            call.errors
        );
    };
    known("pread64", 10_000, &[], Some(10_000 * 4096));
    known("openat", 500, &[("ENOENT", 100)], None);
    known("close", 400, &[], None);
    known("fsync", 3, &[], None);
    known("lseek", 250, &[], None);
    known("readv", 250, &[], Some(250 * 15 * KIB));
    for absent in ["read", "pwrite64", "writev", "preadv", "fdatasync"] {
        report.assert_never_called(absent);
    }
    let workload = report.workload(0);
    // The main thread and eight, and four children.
    assert_eq!(workload.threads, 13);
    assert_eq!(workload.processes, 5);
    assert_eq!(workload.threads_running, 0);
    assert_eq!(workload.exit, Some(Exit::Code(0)));

    let sizes = support::report::known(&report.call("readv").size);
    let each = 15 * KIB;
    assert_eq!((sizes.count, sizes.sum), (250, 250 * each));
    assert_eq!((sizes.min, sizes.max), (each, each));
    let buckets = &sizes.buckets;
    assert_eq!(buckets.len(), 1, "{buckets:?}");
    assert_eq!(buckets[0].count, 250);
    assert!(buckets[0].le >= each, "{buckets:?}");
    let latencies = &report.call("pread64").latency;
    let held: u64 = latencies.buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!((latencies.count, held), (10_000, 10_000));

    let (counted, kernel) = report.workload_check(CheckKind::CallReadBytes);
    // The kernel itself reads the head of a program's file when it executes it, twice here.
    let by_kernel = kernel.checked_sub(counted);
    assert!(
        by_kernel.is_some_and(|bytes| bytes < 2 * 4 * KIB),
        "rchar {kernel}, read by calls {counted}, in turn {turn}"
    );
    let (counted, kernel) = report.workload_check(CheckKind::CallWrittenBytes);
    assert_eq!(counted, kernel, "against wchar in turn {turn}");
}

#[test]
fn cat_of_two_hundred_files_is_counted_as_strace_counts_it() {
    requires!("strace");
    let folder = support::folder();
    let mut command = vec![OsString::from("cat")];
    for number in 0..200_usize {
        let file = folder.path().join(format!("file-{number}"));
        fs::write(&file, vec![b'x'; number * 997]).expect("a file can be written");
        command.push(file.into());
    }
    // Two that fail, for the errors.
    command.insert(1, folder.path().join("missing").into());
    command.push(folder.path().into());
    let in_shell = in_shell_that_succeeds(command);
    let report = assert_agrees_with_strace(&in_shell);
    assert_eq!(report.workload(0).processes, 2);
}

#[test]
fn tar_of_a_tree_to_a_pipe_is_counted_as_strace_counts_it() {
    requires!("strace", "tar");
    let folder = support::folder();
    make_tree(folder.path());
    let command = ["tar", "cf", "-", "-C"].map(OsString::from);
    let command = [&command[..], &[folder.path().into(), ".".into()]].concat();
    assert_agrees_with_strace(&command);
}

/// The same command, whose failure is nobody's concern here, as a child of a shell.
fn in_shell_that_succeeds(command: Vec<OsString>) -> Vec<OsString> {
    let shell = ["sh", "-c", "\"$@\" 2>/dev/null; true", "sh"].map(OsString::from);
    shell.into_iter().chain(command).collect()
}

fn make_tree(root: &Path) {
    for folder in 0..10 {
        let inner = root.join(format!("folder-{folder}/inner"));
        fs::create_dir_all(&inner).expect("a folder can be made");
        for number in 0..20_usize {
            fs::write(inner.join(number.to_string()), vec![b'y'; number * 1313]).expect("written");
        }
    }
}

/// Runs a command under both, its stdout a pipe each time. strace does not count calls that never return,
/// such as exit_group(2), and neither does ioprof.
fn assert_agrees_with_strace(command: &[OsString]) -> Report {
    let by_strace = strace::counts(command);
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "-o"]).arg(&file).arg("--").args(command);
    let done = strace::piped(&mut run);
    assert!(done.status.success(), "{done:?}");
    let report = Report::read(&file);
    report.assert_nothing_lost();

    let told_apart: Vec<&str> = report
        .workload(0)
        .syscalls
        .iter()
        .map(|call| call.name.as_str())
        .filter(|name| *name != "other")
        .collect();
    assert!(told_apart.len() > 8, "{told_apart:?}");
    // What ioprof does not name is in `other`; what it names and strace does not, shows as missing.
    let mut expected = Counts::new();
    for (name, (calls, errors)) in &by_strace {
        let name = if told_apart.contains(&name.as_str()) {
            name
        } else {
            "other"
        };
        let sum = expected.entry(name.to_owned()).or_default();
        *sum = (sum.0 + calls, sum.1 + errors);
    }
    let counted: Counts = told_apart
        .iter()
        .chain(&["other"])
        .map(|name| {
            let call = report.call(name);
            ((*name).to_owned(), (call.calls, call.errors.values().sum()))
        })
        .collect();
    assert_eq!(counted, expected, "strace: {by_strace:?}");
    report
}

/// Where the machine has any.
#[test]
fn a_core_dump_is_no_write_of_the_program() {
    requires!("cc");
    let program = Program::compile("dumped");
    let folder = support::folder();
    let script = "cd \"$0\" && \"$1\"; true";
    let path = program.with(&[]).remove(0);
    let words = [
        "sh",
        "-c",
        script,
        plain(folder.path()),
        plain(Path::new(&path)),
    ];
    let report = profile(&[], &words);
    let files = fs::read_dir(folder.path()).expect("the folder is there");
    let workload = report.workload(0);
    let dumps = workload.core_dumps.expect("it is known");
    assert!(dumps >= files.count() as u64, "{dumps}");
    assert_eq!(known(&workload.writeback).mapped_bytes, 0);
    assert!(doubts(&report).is_empty(), "{:#?}", report.ledger.checks);
}

#[test]
fn calls_that_a_seccomp_filter_answers_are_counted_with_their_error() {
    requires!("cc");
    let program = Program::compile("refused_calls");
    let answered = |error: i32| {
        let report = profile(&[], &program.with(&["123", &error.to_string()]));
        report.assert_nothing_lost();
        let call = report.call("lseek").clone();
        assert_eq!(call.calls, 123, "{call:#?}");
        call.errors
    };
    assert_eq!(answered(libc::ENOSYS).get("ENOSYS"), Some(&123));
    // As who builds an image without being root has it.
    assert!(answered(0).is_empty());
}
