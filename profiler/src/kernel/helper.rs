//! A helper process that keeps a few privileges, so that ioprof itself needs none once its probes are attached.
//!
//! It is forked before anything is loaded, holds no descriptors but its socket and those of the children, and reads
//! only requests of a fixed form. An attacker who took over ioprof could do no more than these: see docs/security.md.

use std::{
    ffi::OsStr,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _, net::UnixStream},
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use caps::{CapSet, Capability};
use nix::{
    sys::{
        signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork},
};

use super::{
    bpf::statistics,
    system::{Mounts, capabilities},
};

/// The capabilities it keeps: for BPF statistics, for paths of other users, and for signals to them.
pub const KEPT: [Capability; 3] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_KILL,
];

/// A request to the helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Request {
    /// Shows that the helper runs.
    Ping,
    /// BPF statistics on, or off.
    StatisticsOn,
    StatisticsOff,
    /// A signal to a child, both by number.
    Signal,
    /// The inode number of a path.
    Inode,
    /// syncfs(2) on the file system of a device, by major and minor number.
    Sync,
}

impl Request {
    const ALL: [Self; 6] = [
        Self::Ping,
        Self::StatisticsOn,
        Self::StatisticsOff,
        Self::Signal,
        Self::Inode,
        Self::Sync,
    ];
}

/// A request, two arguments, and the length of the path that follows.
type Message = [u32; 4];
const MESSAGE: usize = size_of::<Message>();

/// An errno or 0, and the result.
const ANSWER: usize = size_of::<u32>() + size_of::<u64>();

/// PATH_MAX of linux/limits.h.
const PATH_MAX: usize = 4096;

/// The helper process. It exits when this is dropped, and when ioprof exits for any reason.
#[derive(Debug)]
pub struct Helper {
    process: Pid,
    socket: UnixStream,
    /// Whether it may be waiting for a disk: then its exit is not waited for.
    syncs: AtomicBool,
}

impl Helper {
    /// Starts the helper; none without CAP_SYS_ADMIN, as there are no privileges to keep. Call it while this process
    /// has one thread.
    ///
    /// # Errors
    ///
    /// Where the kernel rejects the fork.
    pub fn start(children: &[&OwnedFd]) -> io::Result<Option<Self>> {
        let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
        if !has(Capability::CAP_SYS_ADMIN) {
            return Ok(None);
        }
        let (socket, theirs) = UnixStream::pair()?;
        let mut before = SigSet::empty();
        // No handler of this process may run in the copy.
        pthread_sigmask(
            SigmaskHow::SIG_SETMASK,
            Some(&SigSet::all()),
            Some(&mut before),
        )?;
        // SAFETY: this process has one thread so far, so that its copy may do what it may.
        let forked = unsafe { fork() };
        if let Ok(ForkResult::Child) = forked {
            let serve = || serve(&theirs, children, &before);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(serve));
            // SAFETY: the call ends the process, which holds nothing that needs to be dropped.
            unsafe { libc::_exit(0) }
        }
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        let ForkResult::Parent { child } = forked? else {
            return Ok(None);
        };
        drop(theirs);
        let helper = Self {
            process: child,
            socket,
            syncs: AtomicBool::new(false),
        };
        // After the answer it holds none of ioprof's descriptors.
        helper.ask(Request::Ping, [0, 0], b"")?;
        Ok(Some(helper))
    }

    /// Sends a signal to a child, by its index among the children given at the start.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub fn signal(&self, child: usize, signal: Signal) -> io::Result<()> {
        let child = u32::try_from(child).unwrap_or(u32::MAX);
        self.ask(Request::Signal, [child, signal as u32], b"")
            .map(|_| ())
    }

    /// The inode number of a path, links not followed.
    ///
    /// # Errors
    ///
    /// Those of lstat(2).
    pub fn inode(&self, path: &Path) -> io::Result<u64> {
        self.ask(Request::Inode, [0, 0], path.as_os_str().as_bytes())
    }

    /// Syncs a file system; see [`sync_file_system`].
    ///
    /// # Errors
    ///
    /// Those of [`sync_file_system`].
    pub fn sync_file_system(&self, (major, minor): (u32, u32)) -> io::Result<()> {
        self.syncs.store(true, Ordering::Relaxed);
        let done = self.ask(Request::Sync, [major, minor], b"").map(|_| ());
        self.syncs.store(false, Ordering::Relaxed);
        done
    }

    fn ask(&self, request: Request, [first, second]: [u32; 2], path: &[u8]) -> io::Result<u64> {
        if path.len() > PATH_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        let length = path.len() as u32;
        let request: Message = [request as u32, first, second, length];
        let mut bytes: Vec<u8> = request.into_iter().flat_map(u32::to_ne_bytes).collect();
        bytes.extend(path);
        (&self.socket).write_all(&bytes)?;
        let mut answer = [0; ANSWER];
        (&self.socket).read_exact(&mut answer)?;
        let (error, value) = answer.split_at(size_of::<u32>());
        match u32::from_ne_bytes(error.try_into().unwrap_or_default()) {
            0 => Ok(u64::from_ne_bytes(value.try_into().unwrap_or_default())),
            number => Err(io::Error::from_raw_os_error(number.cast_signed())),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        if !self.syncs.load(Ordering::Relaxed) {
            let _ = waitpid(self.process, None);
        }
    }
}

/// BPF statistics that this process or the helper keeps on; the helper does until [`Statistics::end`] or its own
/// exit.
#[derive(Debug)]
pub enum Statistics {
    /// Kept on by this process.
    Own(OwnedFd),
    /// Kept on by the helper.
    Helpers(Arc<Helper>),
}

impl Statistics {
    /// Switches them on; none where the kernel rejects it.
    pub fn on(helper: Option<&Arc<Helper>>) -> Option<Self> {
        let Some(helper) = helper else {
            return statistics::enable().ok().map(Self::Own);
        };
        helper.ask(Request::StatisticsOn, [0, 0], b"").ok()?;
        Some(Self::Helpers(helper.clone()))
    }

    /// Switches them off. Returns whether they were on until now: the helper may have been killed.
    pub fn end(self) -> bool {
        match self {
            Self::Own(held) => {
                drop(held);
                true
            }
            Self::Helpers(helper) => helper.ask(Request::StatisticsOff, [0, 0], b"").is_ok(),
        }
    }
}

/// Syncs the file system of a device, wherever it is mounted, by syncfs(2).
///
/// # Errors
///
/// ENOENT where it is not mounted, or the kernel's reason.
pub fn sync_file_system(device: (u32, u32)) -> io::Result<()> {
    let place = Mounts::now().of(device);
    let place = place.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
    Ok(nix::unistd::syncfs(std::fs::File::open(place)?)?)
}

/// Serves requests until the other end is closed.
fn serve(socket: &UnixStream, children: &[&OwnedFd], mask: &SigSet) -> io::Result<()> {
    for ignored in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
    ] {
        // SAFETY: there is no handler in it.
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(mask), None)?;
    nix::sys::prctl::set_name(c"ioprof-helper")?;
    let mut held: Vec<RawFd> = children.iter().map(|child| child.as_raw_fd()).collect();
    held.push(socket.as_raw_fd());
    close_all_but(held)?;
    capabilities::keep(&KEPT.into_iter().collect())?;
    let mut statistics = None;
    loop {
        let mut request = [0; MESSAGE];
        (&*socket).read_exact(&mut request)?;
        let done = execute(socket, request, children, &mut statistics);
        let (error, value) = match done {
            Ok(value) => (0, value),
            Err(error) => (error.raw_os_error().unwrap_or(libc::EIO), 0),
        };
        let mut answer = error.to_ne_bytes().to_vec();
        answer.extend(value.to_ne_bytes());
        (&*socket).write_all(&answer)?;
    }
}

/// Executes a request.
fn execute(
    mut socket: &UnixStream,
    request: [u8; MESSAGE],
    children: &[&OwnedFd],
    statistics: &mut Option<OwnedFd>,
) -> io::Result<u64> {
    let wrong = || io::Error::from_raw_os_error(libc::EINVAL);
    let mut words = request
        .chunks_exact(size_of::<u32>())
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap_or_default()));
    let mut word = || words.next().unwrap_or_default();
    let (request, first, second, length) = (word(), word(), word(), word() as usize);
    let mut path = vec![0; length.min(PATH_MAX)];
    socket.read_exact(&mut path)?;
    let request = Request::ALL.into_iter().find(|one| *one as u32 == request);
    match request.filter(|_| length <= PATH_MAX).ok_or_else(wrong)? {
        Request::Ping => Ok(0),
        Request::StatisticsOn => {
            *statistics = Some(statistics::enable()?);
            Ok(0)
        }
        Request::StatisticsOff => {
            *statistics = None;
            Ok(0)
        }
        Request::Signal => {
            let child = children.get(first as usize).ok_or_else(wrong)?;
            let number = Signal::try_from(second.cast_signed())?;
            send(child, number).map(|()| 0)
        }
        Request::Inode => Ok(std::fs::symlink_metadata(OsStr::from_bytes(&path))?.ino()),
        Request::Sync => sync_file_system((first, second)).map(|()| 0),
    }
}

/// A signal to a process, by pidfd_send_signal(2).
fn send(process: &OwnedFd, number: Signal) -> io::Result<()> {
    let nothing: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: the call takes a descriptor, two integers, and a pointer that may be null.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            number as i32,
            nothing,
            0,
        )
    };
    if sent == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Closes all descriptors but these, the standard ones included.
fn close_all_but(mut held: Vec<RawFd>) -> io::Result<()> {
    held.sort_unstable();
    let mut first = 0;
    let ends = held.iter().map(|held| held - 1).chain([RawFd::MAX]);
    for (last, next) in ends.zip(held.iter().map(|held| held + 1).chain([0])) {
        if first <= last {
            // SAFETY: nothing in this process uses what is closed.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
            if closed != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        first = next;
    }
    Ok(())
}
