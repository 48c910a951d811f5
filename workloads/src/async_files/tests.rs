//! Both engines over files that behave badly: they must count and report the same.

use super::plan::plan_for_tests;
use super::*;
use crate::data_set::DataFile;
use crate::faulty::{FaultOutcome, Faulty};
use crate::interrupt::Interrupt;
use crate::skip::skip;
use crate::transfer::OpenGauge;
use nix::fcntl::OFlag;
use std::fs;
use std::path::Path;

/// What an engine made of a plan.
fn outcome(plan: Plan, uring: bool) -> Summary {
    let gauge = Arc::new(OpenGauge::default());
    let plan = Arc::new(plan);
    let counters = if uring {
        uring::run(&plan, &gauge).expect("uring").counters
    } else {
        tokio_pool::run(plan, Kernel, Arc::clone(&gauge))
            .expect("tokio")
            .0
    };
    let mut summary = Summary {
        peak_open_files: gauge.peak(),
        ..Summary::default()
    };
    counters.report(&mut summary);
    summary
        .errors
        .sort_by(|one, other| one.path.cmp(&other.path));
    summary
}

/// The engines that can be tested here.
fn engines() -> Vec<bool> {
    match uring::available() {
        Ok(()) => vec![false, true],
        Err(reason) => {
            skip(&format!("the uring engine: {reason}"));
            vec![false]
        }
    }
}

/// Files with the plan's contents.
fn files(dir: &Path, plan: &Plan, sizes: &[u64]) -> Vec<DataFile> {
    let make = |(index, &size): (usize, &u64)| {
        let path = dir.join(format!("f{index}"));
        let mut bytes = vec![0; size as usize];
        plan.content.fill(index as u64, 0, &mut bytes);
        fs::write(&path, bytes).expect("file");
        DataFile { path, size }
    };
    sizes.iter().enumerate().map(make).collect()
}

/// A plan over files of these sizes.
fn plan(dir: &Path, sizes: &[u64]) -> Plan {
    let interrupt = Interrupt::new();
    let template = plan_for_tests(Vec::new(), &interrupt);
    let mut plan = plan_for_tests(files(dir, &template, sizes), &interrupt);
    plan.verify = true;
    plan
}

#[test]
fn every_size_is_read_and_verified() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let sizes = [0, 1, 4095, 4096, 16_383, 16_384, 16_385, 100_000];
    for uring in engines() {
        let summary = outcome(plan(dir.path(), &sizes), uring);
        assert_eq!(summary.errors, []);
        assert_eq!(summary.files, sizes.len() as u64);
        assert_eq!(summary.bytes("read"), sizes.iter().sum::<u64>());
        assert_eq!((summary.calls("open"), summary.calls("close")), (8, 8));
        assert!(summary.peak_open_files >= 1 && summary.peak_open_files <= 8);
    }
}

#[test]
fn what_is_written_is_what_the_seed_says() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        let mut writing = plan(dir.path(), &[10, 16_384, 50_000]);
        let (content, paths) = (writing.content, writing.files.clone());
        for file in &paths {
            fs::write(&file.path, vec![0; file.size as usize]).expect("zeros");
        }
        writing.read_percent = 0;
        writing.fsync = crate::options::SyncWhen::File;
        let summary = outcome(writing, uring);
        assert_eq!(summary.errors, []);
        assert_eq!(summary.bytes("write"), 66_394);
        assert_eq!(summary.calls("fsync"), 3);
        assert_eq!((summary.calls("open"), summary.calls("close")), (3, 3));
        for (index, file) in paths.iter().enumerate() {
            let bytes = fs::read(&file.path).expect("file");
            assert_eq!(content.difference(index as u64, 0, &bytes), None);
            assert_eq!(bytes.len() as u64, file.size);
        }
    }
}

#[test]
fn files_that_changed_are_counted_by_kind() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        let mut plan = plan(dir.path(), &[30_000; 5]);
        plan.verify = false;
        fs::write(&plan.files[1].path, vec![1; 10]).expect("shrink");
        fs::write(&plan.files[2].path, vec![1; 40_000]).expect("grow");
        fs::remove_file(&plan.files[3].path).expect("vanish");
        let summary = outcome(plan, uring);
        assert_eq!(summary.files, 5);
        assert_eq!(summary.events["shrank"], 1);
        assert_eq!(summary.events["grew"], 1);
        assert_eq!(summary.events["vanished"], 1);
        assert_eq!(summary.failed(), 1);
        assert_eq!(summary.errors[0].operation, "open");
    }
}

#[test]
fn damage_is_found_by_verify() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        let plan = plan(dir.path(), &[30_000; 3]);
        let mut bytes = fs::read(&plan.files[1].path).expect("file");
        bytes[20_001] ^= 1;
        fs::write(&plan.files[1].path, bytes).expect("damage");
        fs::write(&plan.files[2].path, "short").expect("damage");
        let summary = outcome(plan, uring);
        assert_eq!(summary.failed(), 2);
        assert!(
            summary.errors[0].error.contains("offset 20001"),
            "{:?}",
            summary.errors
        );
        assert!(
            summary
                .errors
                .iter()
                .all(|error| error.operation == "verify")
        );
    }
}

#[test]
fn a_fifo_without_data_is_given_up_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        let mut plan = plan(dir.path(), &[30_000; 4]);
        let path = plan.files[2].path.clone();
        fs::remove_file(&path).expect("removal");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("FIFO");
        // While a writer has it open but writes nothing, a read waits instead of finding the end.
        let writer =
            nix::fcntl::open(&path, OFlag::O_RDWR, nix::sys::stat::Mode::empty()).expect("writer");
        plan.timeout = Duration::from_millis(50);
        let summary = outcome(plan, uring);
        drop(writer);
        assert_eq!(summary.failed(), 1, "{:?}", summary.errors);
        assert_eq!(summary.errors[0].path, path.display().to_string());
        // pread(2) refuses a FIFO at once (ESPIPE); io_uring reads it, and waits.
        assert_eq!(summary.events.contains_key("timed_out"), uring);
        assert_eq!(summary.calls("open"), summary.calls("close"));
        fs::remove_file(&path).expect("removal");
    }
}

#[test]
fn an_interrupt_ends_the_run_with_nothing_open() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        let interrupt = Interrupt::new();
        let mut plan = plan(dir.path(), &[30_000; 10]);
        plan.queue = ItemQueue::new(10, Some(Duration::from_secs(3600)), &interrupt);
        let other = interrupt.clone();
        let raiser = std::thread::spawn(move || {
            std::thread::yield_now();
            other.raise(libc::SIGINT);
        });
        let summary = outcome(plan, uring);
        raiser.join().expect("raiser");
        assert_eq!(summary.errors, []);
        assert_eq!(summary.calls("open"), summary.calls("close"));
    }
}

#[test]
fn blocks_of_one_file_are_each_read_once() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for uring in engines() {
        for workers in [1, 2] {
            let mut plan = plan(dir.path(), &[1_000_001]);
            let blocks = Blocks::shuffled(1_000_001, 4096, 5);
            plan.queue = ItemQueue::new(blocks.count(), None, &Interrupt::new());
            plan.blocks = Some(blocks);
            plan.block_size = 4096;
            plan.workers = workers;
            let summary = outcome(plan, uring);
            assert_eq!(summary.errors, []);
            assert_eq!(summary.bytes("read"), 1_000_001);
            assert_eq!(summary.calls("read"), blocks.count());
        }
    }
}

#[test]
fn injected_faults_do_not_change_what_the_pool_does() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let outcomes = [
        FaultOutcome::Short,
        FaultOutcome::Error(libc::EINTR),
        FaultOutcome::Error(libc::EAGAIN),
        FaultOutcome::Short,
        FaultOutcome::Complete,
    ];
    let gauge = Arc::new(OpenGauge::default());
    let plan = Arc::new(plan(dir.path(), &[50_000; 20]));
    let (counters, lost) =
        tokio_pool::run(plan, Faulty::new(outcomes.to_vec()), gauge).expect("pool");
    let mut summary = Summary::default();
    counters.report(&mut summary);
    assert_eq!((lost, summary.errors.as_slice()), (0, [].as_slice()));
    assert_eq!(summary.bytes("read"), 1_000_000);
    assert!(summary.events["interrupted"] > 0 && summary.events["would_block"] > 0);
}

#[test]
fn a_call_that_hangs_costs_its_file_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut plan = plan(dir.path(), &[5000; 50]);
    plan.timeout = Duration::from_millis(100);
    let hangs = plan.files[7].path.clone();
    let faulty = Arc::new(Faulty::hanging(&hangs));
    let gauge = Arc::new(OpenGauge::default());
    let (counters, lost) =
        tokio_pool::run(Arc::new(plan), Arc::clone(&faulty), gauge).expect("pool");
    faulty.release();
    let mut summary = Summary::default();
    counters.report(&mut summary);
    assert_eq!(lost, 1);
    assert_eq!(summary.files, 50);
    assert_eq!(summary.failed(), 1);
    assert_eq!(
        (
            summary.errors[0].path.as_str(),
            summary.errors[0].operation.as_str()
        ),
        (&*hangs.to_string_lossy(), "timeout")
    );
}
