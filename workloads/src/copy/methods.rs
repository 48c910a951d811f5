//! The methods: each copies an extent and returns how far it got.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use memmap2::Advice;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl};

use crate::buffers::{Buffer, PAGE, round_up};
use crate::ceiling::set_direct;
use crate::counters::{Event, Operation};
use crate::files::{Kernel, signed};
use crate::interrupt::Interrupt;
use crate::mmap::window::{Mapping, Span, Window};
use crate::transfer::Transfer;

/// Mapped at once by the mmap method.
const WINDOW: u64 = 8 << 20;

/// Bytes per copy_file_range or sendfile: enough to make their cost negligible, few enough to stop soon after Ctrl-C.
const REQUEST: u64 = 64 << 20;

/// A way to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// pread(2), pwrite(2).
    ReadWrite,
    /// copy_file_range(2).
    CopyFileRange,
    /// sendfile(2).
    Sendfile,
    /// splice(2) into and out of a pipe.
    Splice,
    /// pwrite(2) out of a map.
    Mmap,
    /// pread(2), pwrite(2) with O_DIRECT.
    Direct,
}

impl Method {
    /// What failed, for the list of failures.
    pub fn verb(self) -> &'static str {
        match self {
            Self::ReadWrite | Self::Direct => "copy",
            Self::CopyFileRange => "copy_file_range",
            Self::Sendfile => "sendfile",
            Self::Splice => "splice",
            Self::Mmap => "copy from a map",
        }
    }
}

/// Where and why a method stopped.
#[derive(Debug)]
pub struct Stopped {
    /// Everything before this offset was copied.
    pub at: u64,
    /// Whether reading the source failed, rather than writing.
    pub reading: bool,
    /// The error of the kernel.
    pub error: io::Error,
}

impl Stopped {
    fn reading(at: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            at,
            reading: true,
            error,
        }
    }

    fn writing(at: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            at,
            reading: false,
            error,
        }
    }
}

/// An open file and its path.
#[derive(Clone, Copy)]
pub struct NamedFile<'f> {
    /// Its path.
    pub path: &'f Path,
    /// Its descriptor.
    pub fd: BorrowedFd<'f>,
}

/// The methods, and the buffers they share.
pub struct MethodState<'a> {
    buffer: Buffer,
    pipe: Option<(OwnedFd, OwnedFd)>,
    block: u64,
    interrupt: &'a Interrupt,
}

impl<'a> MethodState<'a> {
    /// A buffer of a block, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(block: u64, interrupt: &'a Interrupt) -> io::Result<Self> {
        let block = round_up(block);
        Ok(Self {
            buffer: Buffer::new(block as usize)?,
            pipe: None,
            block,
            interrupt,
        })
    }

    /// Whether the user has interrupted the run.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Copies an extent. Returns its end, or less where the source ends before it or the user interrupted.
    pub fn copy(
        &mut self,
        method: Method,
        source: NamedFile<'_>,
        target: NamedFile<'_>,
        extent: Range<u64>,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<u64, Stopped> {
        if method == Method::Direct {
            // What refuses it leaves neither: it is copied otherwise then, by pieces of any size.
            set_direct(target.fd, true).map_err(Stopped::writing(extent.start))?;
            if let Err(error) = set_direct(source.fd, true) {
                set_direct(target.fd, false).map_err(Stopped::writing(extent.start))?;
                return Err(Stopped::reading(extent.start)(error));
            }
        }
        let mut at = extent.start;
        while at < extent.end && !self.interrupt.is_set() {
            let left = at..extent.end;
            let copied = match method {
                Method::ReadWrite | Method::Direct => {
                    self.read_write(method, source.fd, target.fd, left, transfer)
                }
                Method::CopyFileRange => copy_file_range(source.fd, target.fd, left, transfer),
                Method::Sendfile => sendfile(source.fd, target.fd, left, transfer),
                Method::Splice => self.splice(source.fd, target.fd, left, transfer),
                Method::Mmap => self.map_write(source, target.fd, left, transfer),
            }?;
            if copied == 0 {
                break;
            }
            at += copied;
        }
        Ok(at)
    }

    /// Copies a file of unknown length.
    pub fn until_the_end(
        &mut self,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> io::Result<u64> {
        let mut at = 0;
        while !self.interrupt.is_set() {
            let count = transfer.read_some(source, &mut self.buffer, None)?;
            if count == 0 {
                break;
            }
            transfer.write_all(target, &self.buffer[..count], at)?;
            at += count as u64;
        }
        Ok(at)
    }

    fn read_write(
        &mut self,
        method: Method,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        left: Range<u64>,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<u64, Stopped> {
        let direct = method == Method::Direct;
        let length = (left.end - left.start).min(self.block);
        let wanted = if direct { round_up(length) } else { length } as usize;
        let count = transfer
            .read_some(source, &mut self.buffer[..wanted], Some(left.start))
            .map_err(Stopped::reading(left.start))?;
        let count = count.min(length as usize);
        // A direct write takes whole pages; the padding at the end is truncated once the copy is done.
        let written = if direct {
            round_up(count as u64) as usize
        } else {
            count
        };
        self.buffer[count..written].fill(0);
        transfer
            .write_all(target, &self.buffer[..written], left.start)
            .map_err(Stopped::writing(left.start))?;
        if direct && count < length as usize && !(count as u64).is_multiple_of(PAGE) {
            // The source ends within this page now: going on from there would be unaligned.
            transfer.counters.event(Event::Shrank);
        }
        Ok(count as u64)
    }

    fn splice(
        &mut self,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        left: Range<u64>,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<u64, Stopped> {
        let pipe = match self.pipe.take() {
            Some(pipe) => pipe,
            None => {
                let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC)
                    .map_err(|errno| Stopped::reading(left.start)(errno.into()))?;
                // The default of 64 KiB works too, with more calls.
                let _ = fcntl(&pipe.1, FcntlArg::F_SETPIPE_SZ(1 << 20));
                pipe
            }
        };
        let (output, input) = &pipe;
        let flags = SpliceFFlags::SPLICE_F_MOVE;
        let length = (left.end - left.start).min(self.block) as usize;
        let mut from = signed(left.start).map_err(Stopped::reading(left.start))?;
        let mut to = from;
        let count = retry(transfer, Operation::Splice, || {
            nix::fcntl::splice(source, Some(&mut from), input, None, length, flags)
        })
        .map_err(Stopped::reading(left.start))?;
        let mut written = 0;
        while written < count {
            // On an error the rest stays in the pipe, so the pipe is dropped and its contents are copied again.
            written += retry(transfer, Operation::Splice, || {
                let rest = count - written;
                nix::fcntl::splice(output, None, target, Some(&mut to), rest, flags)
            })
            .map_err(Stopped::writing(left.start + written as u64))?;
        }
        self.pipe = Some(pipe);
        Ok(count as u64)
    }

    fn map_write(
        &mut self,
        source: NamedFile<'_>,
        target: BorrowedFd<'_>,
        left: Range<u64>,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<u64, Stopped> {
        let at = left.start;
        // Maps start on page boundaries; an extent after a hole does, but a fallback may not.
        let skip = at % PAGE;
        let length = (left.end - at + skip).min(WINDOW);
        let file = File::from(
            source
                .fd
                .try_clone_to_owned()
                .map_err(Stopped::reading(at))?,
        );
        let span = Span {
            offset: at - skip,
            length: length as usize,
        };
        let mapping = Mapping {
            populate: true,
            huge: false,
            advice: Advice::Sequential,
        };
        let window = Window::open(
            &file,
            source.path,
            span,
            mapping,
            false,
            &mut transfer.counters,
        )
        .map_err(|error| Stopped::reading(at)(into_io(error)))?;
        let mut done = 0;
        let mut result = Ok(());
        for piece in window.bytes()[skip as usize..].chunks(self.block as usize) {
            // A piece beyond the end of a file that was truncated makes the write fail with EFAULT.
            result = transfer
                .write_all(target, piece, at + done)
                .map_err(Stopped::writing(at + done));
            if result.is_err() || self.interrupt.is_set() {
                break;
            }
            done += piece.len() as u64;
        }
        window.close(&mut transfer.counters);
        result.map(|()| done)
    }
}

fn copy_file_range(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    left: Range<u64>,
    transfer: &mut Transfer<'_, Kernel>,
) -> Result<u64, Stopped> {
    in_kernel(Operation::CopyFileRange, &left, transfer, |at, length| {
        let mut to = *at;
        nix::fcntl::copy_file_range(source, Some(at), target, Some(&mut to), length)
    })
}

fn sendfile(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    left: Range<u64>,
    transfer: &mut Transfer<'_, Kernel>,
) -> Result<u64, Stopped> {
    // It writes at the target's own position, which follows along: this method copies from start to end.
    in_kernel(Operation::Sendfile, &left, transfer, |at, length| {
        nix::sys::sendfile::sendfile(target.as_fd(), source.as_fd(), Some(at), length)
    })
}

/// A call that copies from one file to the other by itself: it gets the offset to begin at, and how many bytes.
fn in_kernel(
    operation: Operation,
    left: &Range<u64>,
    transfer: &mut Transfer<'_, Kernel>,
    mut call: impl FnMut(&mut i64, usize) -> nix::Result<usize>,
) -> Result<u64, Stopped> {
    let length = (left.end - left.start).min(REQUEST) as usize;
    let mut at = signed(left.start).map_err(Stopped::reading(left.start))?;
    retry(transfer, operation, || call(&mut at, length))
        .map(|count| count as u64)
        .map_err(Stopped::writing(left.start))
}

/// A call that moves bytes, repeated after EINTR.
fn retry(
    transfer: &mut Transfer<'_, Kernel>,
    operation: Operation,
    mut call: impl FnMut() -> nix::Result<usize>,
) -> io::Result<usize> {
    loop {
        match transfer
            .counters
            .call(operation, |&count| count as u64, || Ok(call()?))
        {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {
                transfer.counters.event(Event::Interrupted)
            }
            result => return result,
        }
    }
}

/// The kernel's error in an [`Error`](crate::Error).
fn into_io(error: crate::Error) -> io::Error {
    match error {
        crate::Error::Io { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}
