//! Signals at random moments: whatever was under way, nothing is left behind.

mod common;

use std::time::{Duration, Instant};

use common::{names, start};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use proptest::prelude::*;

const WORKLOADS: [&str; 5] = [
    "async --engine uring --files 3000 --file-size 16K --cache cold-data",
    "async --engine tokio --files 3000 --file-size 16K --cache cold-data",
    "mmap --file-size 64M --cache cold-data",
    "batch --files 3000 --file-size 16K --write --cache cold-data",
    "copy --file-size 96M --cache cold-data",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 15, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left(workload in 0..WORKLOADS.len(), moment in 0_u64..1500, terminate: bool) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let running = start(dir.path(), WORKLOADS[workload], "");
        let process = Pid::from_raw(running.child.id() as i32);
        // From the first file on, so that the moment is not before the program began.
        let patience = Instant::now() + Duration::from_secs(20);
        while names(dir.path()).is_empty() && Instant::now() < patience {
            std::thread::yield_now();
        }
        // The moment is what is random here: there is no event to wait for.
        std::thread::sleep(Duration::from_millis(moment));
        let signal = if terminate { Signal::SIGTERM } else { Signal::SIGINT };
        kill(process, signal).expect("the program is there until it is waited for");
        let outcome = running.finish();

        prop_assert_eq!(names(dir.path()), [] as [String; 0]);
        // The group is empty: no child outlives the program.
        prop_assert_eq!(killpg(process, None), Err(nix::errno::Errno::ESRCH));
        match outcome.status.code() {
            // It was done before the signal came.
            Some(0) => {}
            Some(code) => {
                prop_assert_eq!(code, 128 + signal as i32, "{:?}", outcome);
                let summary = outcome.summary();
                prop_assert_eq!(summary.interrupted_by, Some(signal as i32));
                prop_assert_eq!(summary.leaked_descriptors, 0);
                prop_assert_eq!(summary.calls("open"), summary.calls("close"));
            }
            // Before the handlers were in place, or after the end of all.
            None => prop_assert!(outcome.summary.is_none() || outcome.summary().leaked_descriptors == 0, "{:?}", outcome),
        }
    }
}
