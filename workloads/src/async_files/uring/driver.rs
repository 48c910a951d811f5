//! One thread and its ring: submits the steps of tasks and hands their completions back.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};

use super::block_file::BlockFile;
use super::entry::{self, Slot};
use super::ring::{self, Buffers};
use super::task::{Step, Task};
use super::{Limits, Outcome};
use crate::async_files::plan::Plan;
use crate::counters::Counters;
use crate::error::Error;
use crate::transfer::OpenGauge;

/// Items begun per submission. Cached files are read within the submission, so this many buffers are in use at once: few
/// enough to stay in the CPU's cache, enough to share the cost of a system call.
const BATCH: usize = 8;

/// Blocks begun per submission. Completions come in bursts; answering one with a burst as large makes requests wait for each
/// other in the device's queue (measured: docs/benchmarks.md).
const BLOCK_BATCH: usize = 4;

/// How long to wait for completions before looking at deadlines and interrupts.
const TICK: Duration = Duration::from_millis(100);

/// After an interrupt, operations that hang are cancelled this soon.
const INTERRUPT_GRACE: Duration = Duration::from_secs(1);

/// Marks the completion of a cancellation, which belongs to no task.
const CANCELLATION: u64 = u64::MAX;

/// Runs items until the plan has no more.
///
/// # Errors
///
/// See [`super::run`].
pub fn run(plan: &Plan, limits: Limits, gauge: &Arc<OpenGauge>) -> Result<Outcome, Error> {
    let mut blocks = BlockFile::open(plan, gauge)?;
    let mut driver = match Driver::new(plan, limits, gauge, &blocks) {
        Ok(driver) => driver,
        Err(error) => {
            blocks.close(plan)?;
            return Err(error);
        }
    };
    let result = driver.work();
    let mut outcome = driver.dismantle(result.is_ok());
    blocks.close(plan)?;
    outcome
        .counters
        .merge(std::mem::take(&mut blocks.transfer.counters));
    result.map(|()| outcome)
}

struct Driver<'a> {
    plan: &'a Plan,
    gauge: &'a OpenGauge,
    ring: IoUring,
    /// Freed only once nothing is in flight: see `dismantle`.
    buffers: ManuallyDrop<Buffers>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots whose next step needs a buffer while there was none.
    waiting: VecDeque<u32>,
    /// Operations submitted or queued to be, cancellations included.
    in_flight: usize,
    /// Room for completions, kept to be used again.
    completions: Vec<(u64, i32)>,
    /// Cleared once the plan has no more items.
    more: bool,
    next_check: Instant,
    counters: Counters,
    notes: Vec<String>,
}

impl<'a> Driver<'a> {
    fn new(
        plan: &'a Plan,
        limits: Limits,
        gauge: &'a OpenGauge,
        blocks: &BlockFile<'_>,
    ) -> Result<Self, Error> {
        let depth = limits.depth.max(1);
        let ring = ring::create(depth)?;
        let refused = |error: io::Error| Error::Uring {
            reason: format!("files cannot be registered: {error}"),
        };
        if plan.blocks.is_some() {
            // Slot 0 for reading, slot 1 for writing; -1 leaves a slot empty.
            let number = |file: &Option<OwnedFd>| file.as_ref().map_or(-1, AsRawFd::as_raw_fd);
            ring.submitter()
                .register_files(&[number(&blocks.read), number(&blocks.write)])
                .map_err(refused)?;
        } else {
            ring.submitter()
                .register_files_sparse(u32::try_from(depth).unwrap_or(u32::MAX))
                .map_err(refused)?;
        }
        let size = plan.buffer_size();
        let count = depth.min((limits.buffer_bytes / size).max(1));
        let mut buffers =
            Buffers::new(count, size).map_err(Error::io("allocate memory for", plan.any_path()))?;
        let mut notes = Vec::new();
        if let Err(error) = buffers.register(&ring) {
            notes.push(format!(
                "buffers are not registered ({error}): raise `ulimit -l` for somewhat less CPU time"
            ));
        }
        let mut slots = Vec::new();
        slots.resize_with(depth, Slot::default);
        Ok(Self {
            plan,
            gauge,
            ring,
            buffers: ManuallyDrop::new(buffers),
            slots,
            free: (0..u32::try_from(depth).unwrap_or(u32::MAX))
                .rev()
                .collect(),
            waiting: VecDeque::new(),
            in_flight: 0,
            completions: Vec::new(),
            more: true,
            next_check: Instant::now() + TICK,
            counters: Counters::new(),
            notes,
        })
    }

    fn work(&mut self) -> Result<(), Error> {
        let batch = if self.plan.blocks.is_some() {
            BLOCK_BATCH
        } else {
            BATCH
        };
        loop {
            self.serve_waiting()?;
            self.begin(batch)?;
            if self.in_flight == 0 && !self.more {
                return Ok(());
            }
            // As long as more can be begun, do so instead of waiting.
            let can_begin = self.more && !self.free.is_empty() && self.waiting.is_empty();
            self.enter(usize::from(!can_begin && self.in_flight > 0))?;
            self.reap()?;
            self.check_deadlines()?;
        }
    }

    /// Begins up to `batch` items.
    fn begin(&mut self, batch: usize) -> Result<(), Error> {
        let now = Instant::now();
        for _ in 0..batch {
            // Items that wait for buffers come first: opening more files would only add to them.
            if !self.more || !self.waiting.is_empty() {
                break;
            }
            let Some(number) = self.free.pop() else { break };
            let Some(item) = self.plan.next() else {
                self.free.push(number);
                self.more = false;
                break;
            };
            let task = Task::new(self.plan, item, now);
            let step = task.step;
            self.slots[number as usize].task = Some(task);
            self.submit(number, step, now)?;
        }
        Ok(())
    }

    /// Gives free buffers to the slots that wait for one.
    fn serve_waiting(&mut self) -> Result<(), Error> {
        while let Some(number) = self.waiting.pop_front() {
            let Some(buffer) = self.buffers.take() else {
                self.waiting.push_front(number);
                return Ok(());
            };
            self.slots[number as usize].buffer = Some(buffer);
            let Some(step) = self.slots[number as usize]
                .task
                .as_ref()
                .map(|task| task.step)
            else {
                continue;
            };
            self.submit(number, step, Instant::now())?;
        }
        Ok(())
    }

    /// Queues a step, or has the slot wait for a buffer.
    fn submit(&mut self, number: u32, step: Step, now: Instant) -> Result<(), Error> {
        let plan = self.plan;
        let slot = &mut self.slots[number as usize];
        let Some(task) = &mut slot.task else {
            return Ok(());
        };
        task.sent = now;
        let item = task.item;
        if matches!(step, Step::Read(..) | Step::Write(..)) && slot.buffer.is_none() {
            slot.buffer = self.buffers.take();
            if slot.buffer.is_none() {
                self.waiting.push_back(number);
                return Ok(());
            }
        }
        let Some(entry) = entry::build(plan, number, item, step, slot, &mut self.buffers) else {
            return Ok(());
        };
        self.push(&entry.user_data(u64::from(number)))
    }

    fn push(&mut self, entry: &squeue::Entry) -> Result<(), Error> {
        loop {
            // SAFETY: what the entry points to is valid until its completion. The path belongs to its slot, which is used
            // again only after that; the memory of `buffers` is freed only when nothing is in flight, or never.
            let pushed = unsafe { self.ring.submission().push(entry) };
            if pushed.is_ok() {
                self.in_flight += 1;
                return Ok(());
            }
            self.enter(0)?;
        }
    }

    /// Submits the queued entries and waits for `want` completions, a tick at most.
    fn enter(&mut self, want: usize) -> Result<(), Error> {
        let tick = Timespec::from(TICK);
        let arguments = SubmitArgs::new().timespec(&tick);
        let result = if want > 0 {
            self.ring.submitter().submit_with_args(want, &arguments)
        } else {
            self.ring.submitter().submit()
        };
        match result {
            Ok(_) => Ok(()),
            // A tick went by, a signal came, or the completion queue is full until it is reaped.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::Uring {
                reason: format!("submission failed: {error}"),
            }),
        }
    }

    fn reap(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        // Taken out first: handling a completion queues entries, and that needs the ring.
        let mut completions = std::mem::take(&mut self.completions);
        completions.extend(
            self.ring
                .completion()
                .map(|completion| (completion.user_data(), completion.result())),
        );
        for (number, result) in completions.drain(..) {
            self.in_flight -= 1;
            if number != CANCELLATION {
                self.completed(u32::try_from(number).unwrap_or(u32::MAX), result, now)?;
            }
        }
        self.completions = completions;
        Ok(())
    }

    fn completed(&mut self, number: u32, result: i32, now: Instant) -> Result<(), Error> {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return Ok(());
        };
        let Some(task) = &mut slot.task else {
            return Ok(());
        };
        match (task.step, result >= 0) {
            (Step::Open, true) => self.gauge.opened(),
            (Step::Close, _) => self.gauge.closed(),
            _ => {}
        }
        let bytes: &[u8] = match slot.buffer {
            Some(buffer) => self.buffers.bytes(buffer),
            None => &[],
        };
        let step = task.complete(self.plan, result, bytes, now, &mut self.counters);
        if !step.holds_buffer()
            && let Some(buffer) = slot.buffer.take()
        {
            self.buffers.give_back(buffer);
        }
        if step != Step::Done {
            return self.submit(number, step, now);
        }
        if let Some(failure) = task.failure() {
            self.counters.fail(self.plan.path(task.item), failure);
        }
        if self.plan.blocks.is_none() {
            self.counters.finish_file();
        }
        slot.task = None;
        self.free.push(number);
        Ok(())
    }

    /// Once per tick: cancels operations that are overdue.
    fn check_deadlines(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if now < self.next_check {
            return Ok(());
        }
        self.next_check = now + TICK;
        let interrupted = self.plan.queue.interrupted();
        let mut overdue = Vec::new();
        for (slot, number) in self.slots.iter_mut().zip(0_u64..) {
            let Some(task) = &mut slot.task else { continue };
            if interrupted {
                task.deadline = task.deadline.min(task.sent + INTERRUPT_GRACE);
            }
            // A slot that waits for a buffer has nothing in flight to be cancelled.
            let waits = slot.buffer.is_none() && task.step.holds_buffer();
            if now >= task.deadline && !task.cancelled && !waits && task.step != Step::Close {
                task.cancelled = true;
                overdue.push(number);
            }
        }
        for number in overdue {
            self.push(
                &opcode::AsyncCancel::new(number)
                    .build()
                    .user_data(CANCELLATION),
            )?;
        }
        Ok(())
    }

    /// Ends the ring. `idle` says that nothing is in flight.
    fn dismantle(self, idle: bool) -> Outcome {
        let Self {
            ring,
            buffers,
            counters,
            notes,
            slots,
            ..
        } = self;
        drop(ring);
        if idle {
            drop(ManuallyDrop::into_inner(buffers));
        } else {
            // The kernel may still use the buffers and paths: they are leaked.
            std::mem::forget(slots);
        }
        Outcome { counters, notes }
    }
}
