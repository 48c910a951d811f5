//! Every process and thread of a workload is counted, however short it lives.

use crate::support::profile;

#[test]
fn short_lived_processes_are_all_counted() {
    requires!();
    let command = ["sh", "-c", "for i in $(seq 500); do /bin/true; done"];
    let report = profile(&[], &command);
    let workload = report.workload(0);
    // The shell, seq in its own, and five hundred.
    assert_eq!(workload.processes, 502);
    assert_eq!(workload.threads, 502);
    assert_eq!(workload.threads_running, 0);
}
