//! The engine on a file of this machine, whatever device it is on: no rate is expected.

use std::{fs::File, os::fd::AsFd as _, time::Duration};

use super::*;
use crate::skip::skip;

const MIB: u64 = 1 << 20;
const LIMIT: Duration = Duration::from_millis(60);

/// A file of 4 MiB without a name; none where its file system has no direct I/O, and the test is skipped.
fn file() -> Option<File> {
    let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file can be made");
    let set = set_direct(file.as_fd(), true);
    if let Err(error) = &set {
        skip(&format!("no direct I/O on this file system: {error}"));
    }
    set.is_ok().then_some(file)
}

#[test]
fn every_load_is_done_in_the_file_and_counted() {
    let Some(file) = file() else { return };
    let interrupt = Interrupt::new();
    let filled = fill(file.as_fd(), (MIB, 4 * MIB), Duration::MAX, &interrupt).expect("filled");
    assert_eq!(filled, 4 * MIB);
    let length = || file.metadata().expect("it is open").len();
    assert_eq!(length(), 4 * MIB);
    let bench = Bench::new(file.try_clone().expect("cloned"), filled, &interrupt);
    for (is_random, size, depth, read_percent) in [
        (true, 4096, 1, 100),
        (true, 4096, 32, 0),
        (false, 65536, 4, 100),
        (false, MIB as usize, 8, 0),
        (true, 4096, 300, 50),
    ] {
        let load = Load {
            is_random,
            size,
            depth,
            read_percent,
        };
        let point = bench.direct(&load, LIMIT).expect("done");
        let point = point.expect("no signal came");
        assert!(point.operations > 0 && point.operations_per_second > 0.0);
        assert_eq!(point.bytes, point.operations * size as u64);
        assert_eq!(point.depth, depth as u64);
        assert!(point.latency_p50_ns <= point.latency_p99_ns, "{point:?}");
    }
    assert_eq!(length(), 4 * MIB, "nothing is written behind its end");
    let read = bench.buffered_read(65536, LIMIT).expect("read");
    assert!(read.is_some_and(|point| point.operations > 0));
    let cost = bench.page_cache(LIMIT).expect("read").expect("no signal");
    assert!(cost.call_ns > 0.0, "{cost:?}");
    let appended = append(&file, 4096, LIMIT, &interrupt);
    // The file is open for direct I/O no more, as its clone is the same open file.
    assert!(appended.expect("appended").is_some());
}

#[test]
fn a_signal_ends_each_measurement() {
    let Some(file) = file() else { return };
    let interrupt = Interrupt::new();
    fill(file.as_fd(), (MIB, MIB), Duration::MAX, &interrupt).expect("filled");
    let bench = Bench::new(file.try_clone().expect("cloned"), MIB, &interrupt);
    interrupt.raise(libc::SIGINT);
    let load = Load {
        is_random: true,
        size: 4096,
        depth: 4,
        read_percent: 50,
    };
    let forever = Duration::MAX;
    assert_eq!(bench.direct(&load, forever).expect("ended"), None);
    assert_eq!(bench.buffered_read(4096, forever).expect("ended"), None);
    assert_eq!(bench.page_cache(forever).expect("ended"), None);
    assert_eq!(
        append(&file, 4096, forever, &interrupt).expect("ended"),
        None
    );
    let filled = fill(file.as_fd(), (MIB, 2 * MIB), forever, &interrupt);
    assert_eq!(filled.expect("ended"), 0);
}

#[test]
fn what_cannot_be_read_is_an_error_of_one_line() {
    let Some(file) = file() else { return };
    let interrupt = Interrupt::new();
    // It is empty.
    let bench = Bench::new(file, MIB, &interrupt);
    let load = Load {
        is_random: true,
        size: 4096,
        depth: 4,
        read_percent: 100,
    };
    let error = bench.direct(&load, LIMIT).expect_err("there is nothing");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
}
