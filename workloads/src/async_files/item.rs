//! One item done with system calls, from open to close.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::plan::{Item, Plan};
use crate::buffers::{Buffer, PAGE};
use crate::counters::Event;
use crate::error::Failure;
use crate::files::Files;
use crate::options::SyncWhen;
use crate::transfer::Transfer;

/// An item that took longer than --timeout.
pub fn timed_out(timeout: Duration) -> Failure {
    let seconds = timeout.as_secs_f64();
    Failure::new(
        "timeout",
        format!("timed out after {seconds} s; raise --timeout if the file is slow"),
    )
}

/// Processes a whole file: open, transfer, sync if the plan says so, close.
pub fn whole_file<F: Files>(
    plan: &Plan,
    item: Item,
    buffer: &mut Buffer,
    transfer: &mut Transfer<'_, F>,
) -> Result<(), Failure> {
    let file = transfer
        .open(plan.path(item), plan.open_flags(item.read))
        .map_err(Failure::io("open"))?;
    let done = block(plan, item, file.as_fd(), buffer, transfer);
    let done = done.and_then(|()| sync(plan, item, &file, transfer));
    // Closed in any case; the first error is the one to report.
    let closed = transfer.close(file).map_err(Failure::io("close"));
    done.and(closed)
}

fn sync<F: Files>(
    plan: &Plan,
    item: Item,
    file: &OwnedFd,
    transfer: &mut Transfer<'_, F>,
) -> Result<(), Failure> {
    if item.read || plan.fsync == SyncWhen::Never {
        return Ok(());
    }
    transfer.sync(file.as_fd()).map_err(Failure::io("fsync"))
}

/// Reads or writes an item in an open file.
pub fn block<F: Files>(
    plan: &Plan,
    item: Item,
    file: BorrowedFd<'_>,
    buffer: &mut Buffer,
    transfer: &mut Transfer<'_, F>,
) -> Result<(), Failure> {
    if !item.read {
        let mut done = 0;
        while done < item.length {
            let length = (item.length - done).min(plan.block_size);
            let piece = &mut buffer[..length as usize];
            plan.content
                .fill(item.file as u64, item.offset + done, piece);
            transfer
                .write_all(file, piece, item.offset + done)
                .map_err(Failure::io("write"))?;
            done += length;
        }
        return Ok(());
    }
    let mut progress = Progress::new(item);
    loop {
        let wanted = plan.read_length(progress.left());
        let piece = &mut buffer[..wanted];
        let count = transfer
            .read_some(file, piece, Some(progress.offset()))
            .map_err(Failure::io("read"))?;
        let offset = progress.offset();
        let outcome = progress.advance(plan, wanted, count);
        if let Some(event) = outcome.event {
            transfer.counters.event(event);
        }
        if plan.verify {
            verify(plan, item, offset, &buffer[..count])?;
            if outcome.event == Some(Event::Shrank) {
                return Err(Failure::new(
                    "verify",
                    format!("the file ends at offset {}", progress.offset()),
                ));
            }
        }
        if outcome.finished {
            return Ok(());
        }
    }
}

/// Compares the bytes read with those of the seed, up to the item's end.
pub fn verify(plan: &Plan, item: Item, offset: u64, read: &[u8]) -> Result<(), Failure> {
    let expected = (item.offset + item.length).saturating_sub(offset);
    let read = &read[..read.len().min(expected as usize)];
    match plan.content.difference(item.file as u64, offset, read) {
        None => Ok(()),
        Some(at) => Err(Failure::new(
            "verify",
            format!("the byte at offset {at} is not what was written there"),
        )),
    }
}

/// How far an item has been read, and what each read means.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    item: Item,
    done: u64,
    /// Where the last direct read ended within a page; if repeating it ends there again, the file does too.
    stuck_at: Option<u64>,
}

/// What one read meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The item is done.
    pub finished: bool,
    /// The event to count.
    pub event: Option<Event>,
}

impl Progress {
    /// Nothing read yet.
    pub fn new(item: Item) -> Self {
        Self {
            item,
            done: 0,
            stuck_at: None,
        }
    }

    /// Where the next read starts.
    pub fn offset(&self) -> u64 {
        self.item.offset + self.done
    }

    /// Bytes still expected.
    pub fn left(&self) -> u64 {
        self.item.length.saturating_sub(self.done)
    }

    /// Records a read that asked for `wanted` bytes and got `count`.
    pub fn advance(&mut self, plan: &Plan, wanted: usize, count: usize) -> ReadOutcome {
        self.done += count as u64;
        let end = |event| ReadOutcome {
            finished: true,
            event,
        };
        if self.done > self.item.length && plan.blocks.is_none() {
            // The file as it was listed has been read; following one that grows may never end.
            return end(Some(Event::Grew));
        }
        if self.done >= self.item.length && (count < wanted || plan.blocks.is_some()) {
            return end(None);
        }
        if count == 0 {
            return end((self.done < self.item.length).then_some(Event::Shrank));
        }
        if count < wanted && plan.direct && !self.offset().is_multiple_of(PAGE) {
            // Direct reads must start on a boundary, so the odd part is read again; twice the same end is the file's end.
            let end_offset = self.offset();
            if self.stuck_at == Some(end_offset) {
                return end(Some(Event::Shrank));
            }
            self.stuck_at = Some(end_offset);
            self.done -= end_offset % PAGE;
        }
        ReadOutcome {
            finished: false,
            event: (count < wanted).then_some(Event::ShortRead),
        }
    }
}
