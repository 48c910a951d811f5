//! The state machine of one item in a ring: which operation follows the result of the last. Nothing here submits anything,
//! so every order of events can be tested without a kernel.

use std::io;
use std::time::Instant;

use crate::async_files::item::{Progress, timed_out, verify};
use crate::async_files::plan::{Item, Plan};
use crate::counters::{Counters, Event, Operation};
use crate::error::Failure;
use crate::options::SyncWhen;
use crate::summary::Via;

/// What is to be submitted next for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open the item's file.
    Open,
    /// Read this many bytes from this offset.
    Read(u64, usize),
    /// Write this many bytes at this offset.
    Write(u64, usize),
    /// Make the file durable.
    Sync,
    /// Wait until the file is ready.
    Poll,
    /// Close the file.
    Close,
    /// Nothing: the item is done.
    Done,
}

impl Step {
    /// Whether the step needs a buffer, or comes between two that do.
    pub fn holds_buffer(self) -> bool {
        matches!(self, Self::Read(..) | Self::Write(..) | Self::Poll)
    }

    /// What it is counted as. Polls are not counted.
    fn operation(self) -> Option<Operation> {
        match self {
            Self::Open => Some(Operation::Open),
            Self::Read(..) => Some(Operation::Read),
            Self::Write(..) => Some(Operation::Write),
            Self::Sync => Some(Operation::Fsync),
            Self::Close => Some(Operation::Close),
            Self::Poll | Self::Done => None,
        }
    }

    /// The name of the operation in the list of failed files.
    fn name(self) -> &'static str {
        self.operation().map_or("poll", Operation::name)
    }
}

/// An item in flight.
#[derive(Debug)]
pub struct Task {
    /// What is read or written.
    pub item: Item,
    /// What was submitted last, or is to be.
    pub step: Step,
    /// When it was submitted.
    pub sent: Instant,
    /// When the item times out.
    pub deadline: Instant,
    /// The deadline has passed, and the step in flight was cancelled.
    pub cancelled: bool,
    progress: Progress,
    written: u64,
    failure: Option<Failure>,
}

impl Task {
    /// An item to be begun.
    pub fn new(plan: &Plan, item: Item, now: Instant) -> Self {
        let mut task = Self {
            item,
            step: Step::Open,
            sent: now,
            deadline: now + plan.timeout,
            cancelled: false,
            progress: Progress::new(item),
            written: 0,
            failure: None,
        };
        if plan.blocks.is_some() {
            task.step = task.transfer(plan);
        }
        task
    }

    /// What went wrong, once the item is done.
    pub fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Records how the last step ended and returns the next. `bytes` is the item's buffer.
    pub fn complete(
        &mut self,
        plan: &Plan,
        result: i32,
        bytes: &[u8],
        now: Instant,
        counters: &mut Counters,
    ) -> Step {
        let outcome = u32::try_from(result).map_err(|_| -result);
        if let Some(operation) = self.step.operation() {
            let moved = matches!(self.step, Step::Read(..) | Step::Write(..));
            let latency = u64::try_from(now.saturating_duration_since(self.sent).as_nanos())
                .unwrap_or(u64::MAX);
            counters.record(
                operation,
                Via::IoUring,
                latency,
                outcome.map(|count| if moved { count.into() } else { 0 }),
            );
        }
        self.step = match outcome {
            Ok(count) => self.succeeded(plan, count as usize, bytes, counters),
            Err(number) => self.failed(plan, number, counters),
        };
        self.step
    }

    fn succeeded(
        &mut self,
        plan: &Plan,
        count: usize,
        bytes: &[u8],
        counters: &mut Counters,
    ) -> Step {
        match self.step {
            Step::Open | Step::Poll if self.cancelled => self.time_out(plan, true, counters),
            Step::Open | Step::Poll => self.transfer(plan),
            Step::Read(offset, wanted) => {
                let outcome = self.progress.advance(plan, wanted, count);
                if let Some(event) = outcome.event {
                    counters.event(event);
                }
                if plan.verify {
                    let mut checked = verify(plan, self.item, offset, &bytes[..count]);
                    if checked.is_ok() && outcome.event == Some(Event::Shrank) {
                        checked = Err(Failure::new(
                            "verify",
                            format!("the file ends at offset {}", self.progress.offset()),
                        ));
                    }
                    if let Err(failure) = checked {
                        return self.fail(plan, true, failure);
                    }
                }
                if outcome.finished {
                    self.end_of_transfer(plan)
                } else {
                    self.next_transfer(plan, counters)
                }
            }
            // Nothing written and no error: repeating it could loop forever.
            Step::Write(..) if count == 0 => self.failed(plan, libc::EIO, counters),
            Step::Write(_, wanted) => {
                if count < wanted {
                    counters.event(Event::ShortWrite);
                }
                self.written += count as u64;
                if self.written >= self.item.length {
                    self.end_of_transfer(plan)
                } else {
                    self.next_transfer(plan, counters)
                }
            }
            Step::Sync => self.close(plan),
            Step::Close | Step::Done => Step::Done,
        }
    }

    fn failed(&mut self, plan: &Plan, number: i32, counters: &mut Counters) -> Step {
        match number {
            _ if self.step == Step::Close => {
                let failure = self.describe(number);
                self.failure.get_or_insert(failure);
                Step::Done
            }
            libc::ECANCELED | libc::EINTR if self.cancelled => {
                self.time_out(plan, self.step != Step::Open, counters)
            }
            libc::EINTR => {
                counters.event(Event::Interrupted);
                self.step
            }
            libc::EAGAIN if matches!(self.step, Step::Read(..) | Step::Write(..)) => {
                counters.event(Event::WouldBlock);
                if self.cancelled {
                    self.time_out(plan, true, counters)
                } else {
                    Step::Poll
                }
            }
            number => {
                if number == libc::ENOENT {
                    counters.event(Event::Vanished);
                }
                let failure = self.describe(number);
                self.fail(plan, self.step != Step::Open, failure)
            }
        }
    }

    fn describe(&self, number: i32) -> Failure {
        Failure::io(self.step.name())(io::Error::from_raw_os_error(number))
    }

    /// Ends a cancelled item. `opened`: there is a file to close, also where the open succeeded after the deadline.
    fn time_out(&mut self, plan: &Plan, opened: bool, counters: &mut Counters) -> Step {
        counters.event(Event::TimedOut);
        self.fail(plan, opened, timed_out(plan.timeout))
    }

    fn fail(&mut self, plan: &Plan, opened: bool, failure: Failure) -> Step {
        self.failure.get_or_insert(failure);
        if opened { self.close(plan) } else { Step::Done }
    }

    fn next_transfer(&mut self, plan: &Plan, counters: &mut Counters) -> Step {
        if self.cancelled {
            self.time_out(plan, true, counters)
        } else {
            self.transfer(plan)
        }
    }

    /// The next read or write.
    fn transfer(&self, plan: &Plan) -> Step {
        if self.item.read {
            return Step::Read(
                self.progress.offset(),
                plan.read_length(self.progress.left()),
            );
        }
        match (self.item.length - self.written).min(plan.block_size) {
            0 => self.end_of_transfer(plan),
            length => Step::Write(self.item.offset + self.written, length as usize),
        }
    }

    fn end_of_transfer(&self, plan: &Plan) -> Step {
        // The file of blocks is synced once, at the end.
        if !self.item.read && plan.fsync == SyncWhen::File && plan.blocks.is_none() {
            return Step::Sync;
        }
        self.close(plan)
    }

    fn close(&self, plan: &Plan) -> Step {
        if plan.blocks.is_some() {
            Step::Done
        } else {
            Step::Close
        }
    }
}

#[cfg(test)]
mod tests;
