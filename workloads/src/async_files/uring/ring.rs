//! Sets up a ring with the features that the kernel has, and its buffers.

use std::io;

use io_uring::{IoUring, Probe, opcode};
use memmap2::{Advice, MmapMut};

use crate::error::Error;

/// The operations that the engine submits. Direct descriptors (Linux 5.15) are tested separately: the probe does not report them.
const NEEDED: [(u8, &str); 7] = [
    (opcode::OpenAt::CODE, "openat"),
    (opcode::Read::CODE, "read"),
    (opcode::Write::CODE, "write"),
    (opcode::Fsync::CODE, "fsync"),
    (opcode::Close::CODE, "close"),
    (opcode::PollAdd::CODE, "poll"),
    (opcode::AsyncCancel::CODE, "cancel"),
];

/// Whether the kernel lets this process use io_uring as the engine needs it; if not, why.
///
/// # Errors
///
/// The reason: no io_uring, forbidden by kernel.io_uring_disabled or seccomp, or too old.
pub fn available() -> Result<(), String> {
    let ring = IoUring::new(2).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM) => {
            "forbidden by kernel.io_uring_disabled or a security policy".to_owned()
        }
        Some(libc::ENOSYS) => {
            "this kernel has no io_uring, or a seccomp filter hides it".to_owned()
        }
        _ => error.to_string(),
    })?;
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| format!("the kernel cannot be probed: {error}"))?;
    if let Some((_, name)) = NEEDED.iter().find(|(code, _)| !probe.is_supported(*code)) {
        return Err(format!("this kernel's io_uring has no {name}"));
    }
    ring.submitter()
        .register_files_sparse(2)
        .map_err(|error| format!("this kernel's io_uring has no sparse table of files: {error}"))
}

/// Makes a ring for up to `depth` operations in flight.
///
/// # Errors
///
/// [`Error::Uring`].
pub fn create(depth: usize) -> Result<IoUring, Error> {
    // Entries are filled and submitted in batches, so the submission queue need not hold the whole depth. Twice the depth
    // of completions leaves room for a cancellation of each.
    let entries = u32::try_from(depth).unwrap_or(u32::MAX).clamp(8, 256);
    let completions = u32::try_from(depth * 2)
        .unwrap_or(u32::MAX)
        .clamp(entries * 2, 65_536);
    // Completions are processed when this thread asks for them, not by interrupting it: Linux 6.1 and later. One that is
    // older refuses the flags with EINVAL.
    let modern = IoUring::builder()
        .setup_cqsize(completions)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .build(entries);
    let built = match modern {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            IoUring::builder().setup_cqsize(completions).build(entries)
        }
        built => built,
    };
    built.map_err(|error| Error::Uring {
        reason: error.to_string(),
    })
}

/// Linux's huge page of x86-64, and of AArch64 with pages of 4 KiB. Where it is another, small pages are what there is.
const HUGE_PAGE: usize = 2 << 20;

/// Equal buffers in one mapping, of huge pages where the kernel grants them. A device may do several times as much where a
/// buffer is one piece: a virtual disk does so many pieces a second. The one returned last is taken first: it may
/// still be in the CPU's cache.
#[derive(Debug)]
pub struct Buffers {
    memory: MmapMut,
    /// Where the first huge page begins.
    start: usize,
    length: usize,
    size: usize,
    free: Vec<u32>,
    registered: bool,
}

impl Buffers {
    /// `count` buffers of `size` bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(count: usize, size: usize) -> io::Result<Self> {
        let length = count.max(1) * size;
        let memory = MmapMut::map_anon(length.next_multiple_of(HUGE_PAGE) + HUGE_PAGE)?;
        let start = memory.as_ptr().align_offset(HUGE_PAGE);
        // Where it refuses, small ones work too.
        let _ = memory.advise(Advice::HugePage);
        let free = (0..u32::try_from(count.max(1)).unwrap_or(u32::MAX))
            .rev()
            .collect();
        Ok(Self {
            memory,
            start,
            length,
            size,
            free,
            registered: false,
        })
    }

    /// Pins the memory for the ring, so that transfers need not look its pages up. Counted against RLIMIT_MEMLOCK.
    ///
    /// # Errors
    ///
    /// ENOMEM where the limit is too low; the buffers work without, too.
    pub fn register(&mut self, ring: &IoUring) -> io::Result<()> {
        let vector = libc::iovec {
            iov_base: self.memory[self.start..].as_mut_ptr().cast(),
            iov_len: self.length,
        };
        // SAFETY: the memory is one valid mapping. The driver drops the ring before it, or never frees it.
        unsafe { ring.submitter().register_buffers(&[vector]) }?;
        self.registered = true;
        Ok(())
    }

    /// Whether fixed operations may be used.
    pub fn registered(&self) -> bool {
        self.registered
    }

    /// Takes a buffer.
    pub fn take(&mut self) -> Option<u32> {
        self.free.pop()
    }

    /// Gives a buffer back.
    pub fn give_back(&mut self, buffer: u32) {
        self.free.push(buffer);
    }

    /// The bytes of a buffer.
    pub fn bytes(&mut self, buffer: u32) -> &mut [u8] {
        let start = self.start + buffer as usize * self.size;
        &mut self.memory[start..start + self.size]
    }
}
