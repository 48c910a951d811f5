use super::*;
use crate::async_files::plan::plan_for_tests;
use crate::data_set::DataFile;
use crate::interrupt::Interrupt;
use crate::summary::Summary;
use proptest::prelude::*;
use std::time::Duration;

/// A kernel with one file and injected faults.
struct FakeKernel {
    file: Vec<u8>,
    written: Vec<u8>,
    open: bool,
    /// How each operation ends: 0 complete, 1 short, 2 EINTR, 3 EAGAIN.
    outcomes: Vec<u8>,
}

impl FakeKernel {
    fn serve(&mut self, step: Step, turn: usize, plan: &Plan, buffer: &mut [u8]) -> i32 {
        let outcome = self.outcomes[turn % self.outcomes.len()];
        let transferred = |full: usize| match outcome {
            1 => full.div_ceil(2) as i32,
            2 => -libc::EINTR,
            3 => -libc::EAGAIN,
            _ => full as i32,
        };
        match step {
            Step::Open => {
                assert!(!std::mem::replace(&mut self.open, true), "opened twice");
                7
            }
            Step::Read(offset, length) => {
                let rest = self.file.get(offset as usize..).unwrap_or_default();
                let count = transferred(length.min(rest.len()));
                if count > 0 {
                    buffer[..count as usize].copy_from_slice(&rest[..count as usize]);
                }
                count
            }
            Step::Write(offset, length) => {
                let count = transferred(length);
                if count > 0 {
                    let mut bytes = vec![0; count as usize];
                    plan.content.fill(0, offset, &mut bytes);
                    let end = offset as usize + bytes.len();
                    self.written.resize(end.max(self.written.len()), 0);
                    self.written[offset as usize..end].copy_from_slice(&bytes);
                }
                count
            }
            Step::Close => {
                assert!(
                    std::mem::replace(&mut self.open, false),
                    "closed what was not open"
                );
                0
            }
            Step::Sync | Step::Poll | Step::Done => 0,
        }
    }
}

fn run(plan: &Plan, item: Item, kernel: &mut FakeKernel) -> (Option<Failure>, Summary) {
    let now = Instant::now();
    let mut counters = Counters::new();
    let mut task = Task::new(plan, item, now);
    let mut buffer = vec![0; plan.buffer_size()];
    let mut step = task.step;
    let mut turn = 0;
    for _ in 0..100_000 {
        // Polls do not use up an outcome: a pattern must not fall in step with them.
        turn += usize::from(step != Step::Poll);
        let result = kernel.serve(step, turn, plan, &mut buffer);
        step = task.complete(plan, result, &buffer, now, &mut counters);
        if step == Step::Done {
            let mut summary = Summary::default();
            counters.report(&mut summary);
            return (task.failure(), summary);
        }
    }
    unreachable!("the task never ends");
}

fn setting(length: u64, read: bool) -> (Plan, Item) {
    let files = vec![DataFile {
        path: "/file".into(),
        size: length,
    }];
    let mut plan = plan_for_tests(files, &Interrupt::new());
    plan.verify = true;
    (
        plan,
        Item {
            file: 0,
            offset: 0,
            length,
            read,
        },
    )
}

proptest! {
    #[test]
    fn every_byte_is_transferred_whatever_the_kernel_does(
        length in 0_u64..60_000, read: bool, mut outcomes in prop::collection::vec(0_u8..4, 1..20),
    ) {
        // Some operations must be complete.
        outcomes.push(0);
        let (plan, item) = setting(length, read);
        let mut file = vec![0; length as usize];
        plan.content.fill(0, 0, &mut file);
        let mut kernel = FakeKernel { file, written: Vec::new(), open: false, outcomes };
        let (failure, summary) = run(&plan, item, &mut kernel);
        prop_assert_eq!(failure, None);
        prop_assert!(!kernel.open);
        prop_assert_eq!(summary.bytes(if read { "read" } else { "write" }), length);
        if !read {
            prop_assert_eq!(plan.content.difference(0, 0, &kernel.written), None);
            prop_assert_eq!(kernel.written.len() as u64, length);
        }
    }

    #[test]
    fn a_file_of_another_length_is_noticed(expected in 0_u64..60_000, actual in 0_u64..60_000) {
        let (mut plan, item) = setting(expected, true);
        plan.verify = false;
        let mut kernel = FakeKernel { file: vec![1; actual as usize], written: Vec::new(), open: false, outcomes: vec![0] };
        let (failure, summary) = run(&plan, item, &mut kernel);
        prop_assert_eq!(failure, None);
        prop_assert_eq!(summary.events.contains_key("shrank"), actual < expected);
        prop_assert_eq!(summary.events.contains_key("grew"), actual > expected);
    }
}

#[test]
fn an_error_closes_the_file_and_names_the_operation() {
    let (plan, item) = setting(100, true);
    let now = Instant::now();
    let mut counters = Counters::new();
    let mut task = Task::new(&plan, item, now);
    assert!(matches!(
        task.complete(&plan, 7, &[], now, &mut counters),
        Step::Read(0, _)
    ));
    assert_eq!(
        task.complete(&plan, -libc::EIO, &[], now, &mut counters),
        Step::Close
    );
    assert_eq!(task.complete(&plan, 0, &[], now, &mut counters), Step::Done);
    assert_eq!(
        task.failure().map(|failure| failure.operation),
        Some("read")
    );
}

#[test]
fn a_failed_open_leaves_nothing_to_close() {
    let (plan, item) = setting(100, true);
    let mut counters = Counters::new();
    let mut task = Task::new(&plan, item, Instant::now());
    assert_eq!(
        task.complete(&plan, -libc::ENOENT, &[], Instant::now(), &mut counters),
        Step::Done
    );
    assert_eq!(counters.events(Event::Vanished), 1);
}

#[test]
fn a_file_that_was_opened_after_its_deadline_is_closed() {
    let (plan, item) = setting(100, true);
    let now = Instant::now();
    for (result, next) in [(7, Step::Close), (-libc::ECANCELED, Step::Done)] {
        let mut counters = Counters::new();
        let mut task = Task::new(&plan, item, now);
        task.cancelled = true;
        assert_eq!(task.complete(&plan, result, &[], now, &mut counters), next);
        assert_eq!(counters.events(Event::TimedOut), 1);
    }
}

#[test]
fn a_cancelled_wait_is_a_timeout_of_the_file() {
    let (mut plan, item) = setting(100, true);
    plan.timeout = Duration::from_millis(1);
    let now = Instant::now();
    let mut counters = Counters::new();
    let mut task = Task::new(&plan, item, now);
    task.complete(&plan, 7, &[], now, &mut counters);
    assert_eq!(
        task.complete(&plan, -libc::EAGAIN, &[], now, &mut counters),
        Step::Poll
    );
    task.cancelled = true;
    assert_eq!(
        task.complete(&plan, -libc::ECANCELED, &[], now, &mut counters),
        Step::Close
    );
    assert_eq!(task.complete(&plan, 0, &[], now, &mut counters), Step::Done);
    assert_eq!(
        task.failure().map(|failure| failure.operation),
        Some("timeout")
    );
    assert_eq!(counters.events(Event::TimedOut), 1);
}
