//! Turns SIGBUS inside a map into an error: a file that is truncated while it is mapped must not end the process.
//!
//! An access beyond the file's new end raises SIGBUS (mmap(2)). The handler puts zeroed memory in place of the rest of the
//! map, notes the address, and returns: the access is repeated, reads zeros, and the caller finds the note.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

/// Maps guarded at once, at most: one per thread of a workload.
const SLOTS: usize = 64;

/// The start of a slot that is being filled; that of a free slot is 0.
const CLAIMED: usize = 1;

struct Slot {
    start: AtomicUsize,
    length: AtomicUsize,
    /// The first address that failed, 0 for none.
    fault: AtomicUsize,
}

static GUARDED: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
        fault: AtomicUsize::new(0),
    }
}; SLOTS];

/// The page size, for the handler: sysconf is not safe in one.
static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// Whether the handler is installed, or the error.
static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// Guards a map for as long as it lives. Drop it before the map.
#[derive(Debug)]
pub struct Guard {
    slot: usize,
}

impl Guard {
    /// Guards `length` bytes from `start`, a map of a file.
    ///
    /// # Errors
    ///
    /// The error of sigaction(2), or ENOSPC where too many maps are guarded.
    pub fn new(start: *const u8, length: usize) -> io::Result<Self> {
        (*INSTALLED.get_or_init(install)).map_err(io::Error::from_raw_os_error)?;
        for (index, slot) in GUARDED.iter().enumerate() {
            if slot
                .start
                .compare_exchange(0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                slot.length.store(length, Ordering::Relaxed);
                slot.fault.store(0, Ordering::Relaxed);
                slot.start.store(start.addr(), Ordering::Release);
                return Ok(Self { slot: index });
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOSPC))
    }

    /// Where, counted from the map's start, an access failed first.
    pub fn fault(&self) -> Option<usize> {
        // The handler runs on this thread in the middle of an access; the compiler must not move accesses past this.
        compiler_fence(Ordering::SeqCst);
        let slot = &GUARDED[self.slot];
        match slot.fault.load(Ordering::Relaxed) {
            0 => None,
            address => Some(address - slot.start.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDED[self.slot].start.store(0, Ordering::Release);
    }
}

fn install() -> Result<(), i32> {
    // SAFETY: sysconf takes no pointer and changes nothing.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    PAGE.store(usize::try_from(page).unwrap_or(4096), Ordering::Relaxed);
    // SAFETY: all-zero bytes are a valid sigaction: no flags, an empty mask, the default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_sigbus as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: `action` is initialised and its handler does only what a signal handler may: see there.
    let result = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EINVAL))
    }
}

/// Uses atomics and system calls alone: both are safe in a signal handler (signal-safety(7); mmap(2) is not on its list but
/// is a bare system call in Linux's C libraries, and touches no state but errno, which the interrupted access does not use).
extern "C" fn on_sigbus(
    _signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo (sigaction(2)).
    let info = unsafe { &*info };
    // SAFETY: for SIGBUS the kernel sets the address (sigaction(2)).
    let address = unsafe { info.si_addr() }.addr();
    for slot in &GUARDED {
        let start = slot.start.load(Ordering::Acquire);
        let length = slot.length.load(Ordering::Relaxed);
        if start <= CLAIMED || address < start || address - start >= length {
            continue;
        }
        // Only the first is kept.
        let _ = slot
            .fault
            .compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed);
        let page = PAGE.load(Ordering::Relaxed);
        let from = address / page * page;
        // SAFETY: the range ends with the guarded map and starts at the page that failed in it. The faulting thread owns the
        // map, which lives as long as its guard; it expects zeroed memory after a fault, and its munmap removes that memory
        // like the file's pages.
        let replaced = unsafe {
            libc::mmap(
                std::ptr::without_provenance_mut(from),
                start + length - from,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced != libc::MAP_FAILED {
            return;
        }
    }
    // Not a guarded map: the access is repeated, and the signal then ends the process, as without a handler.
    // SAFETY: signal() with SIG_DFL is safe in a handler (signal-safety(7)).
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}
