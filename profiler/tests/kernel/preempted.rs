//! Programs that the kernel preempts: it starts none on a CPU where it is active already.

use std::fs;

use crate::support::{Report, folder, ioprof, plain, program::Program, succeed, text};

#[test]
fn calls_of_a_thread_that_preempts_another_in_a_probe_are_counted() {
    requires!("cc");
    let program = Program::compile("preempting");
    let folder = folder();
    let (data, file) = (folder.path().join("data"), folder.path().join("run.json"));
    fs::write(&data, "1").expect("a file can be written");
    let ended = succeed(
        ioprof()
            .args(["run", "-o", plain(&file), "--"])
            .arg(program.path())
            .arg(&data),
    );
    let reads: u64 = text(&ended.stdout).trim().parse().expect("a number");
    let report = Report::read(&file);
    report.assert_nothing_lost();
    assert!(!report.has_skipped_runs(), "{:?}", report.ledger.probes);
    assert_eq!(report.call("pread64").calls, reads);
}
