//! A helper process that keeps a few privileges, so that ioprof itself needs none once its probes are attached.
//!
//! It is forked before anything is loaded, holds no descriptors but its socket and those of the children, and reads
//! only requests of a fixed form. An attacker who took over ioprof could do no more than these: see docs/security.md.

mod message;

use std::{
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use caps::{CapSet, Capability};
use nix::{
    sys::{
        signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork},
};

use self::message::{ANSWER, Message, PATH_MAX, Request, WANTED, Wanted, bytes_of, receive, words};
use super::{
    bpf::statistics,
    system::{Mounts, capabilities, handle::Inode, lead::Lead, namespace::Namespaces},
};

/// The capabilities it keeps: for BPF statistics, for paths of other users, for signals to them, and the last two with the
/// first for paths in other mount namespaces.
pub const KEPT: [Capability; 5] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_KILL,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_SYS_CHROOT,
];

/// How long a path may take: whoever serves a file system need not answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The helper process. It exits when this is dropped, and when ioprof exits for any reason.
#[derive(Debug)]
pub struct Helper {
    process: Pid,
    socket: UnixStream,
    /// Whether it may be waiting for a file system: then its exit is not waited for.
    waits: AtomicBool,
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
            waits: AtomicBool::new(false),
        };
        // After the answer it holds none of ioprof's descriptors.
        helper.ask(Request::Ping, [0, 0])?;
        Ok(Some(helper))
    }

    /// Sends a signal to a child, by its index among the children given at the start.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub fn signal(&self, child: usize, signal: Signal) -> io::Result<()> {
        let child = u32::try_from(child).unwrap_or(u32::MAX);
        self.ask(Request::Signal, [child, signal as u32])
            .map(|_| ())
    }

    /// Where a path leads in a mount namespace, see [`Namespaces::follow`].
    ///
    /// # Errors
    ///
    /// Where the helper has been killed, or does not answer.
    pub fn follow(
        &self,
        namespace: u32,
        path: Option<&Path>,
        inode: &Inode,
    ) -> io::Result<(Lead, Option<PathBuf>)> {
        let (major, minor) = inode.device;
        let (low, high) = (inode.number as u32, (inode.number >> 32) as u32);
        let (generation, volume) = (inode.generation, inode.volume);
        let wanted: Wanted = [namespace, major, minor, low, high, generation, volume];
        let mut bytes = bytes_of(&wanted);
        bytes.extend(path.map_or(&[][..], |path| path.as_os_str().as_bytes()));
        self.socket.set_read_timeout(Some(PATIENCE))?;
        let answer = self.ask_for_path(Request::Follow, [0, 0], &bytes);
        self.socket.set_read_timeout(None)?;
        if answer
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        {
            // It would answer that to the next request.
            self.waits.store(true, Ordering::Relaxed);
            self.socket.shutdown(std::net::Shutdown::Both)?;
        }
        let (lead, path) = answer?;
        let path = (!path.is_empty()).then(|| OsString::from_vec(path).into());
        Ok((Lead::of_number(lead), path))
    }

    /// Syncs a file system; see [`sync_file_system`].
    ///
    /// # Errors
    ///
    /// Those of [`sync_file_system`].
    pub fn sync_file_system(&self, (major, minor): (u32, u32)) -> io::Result<()> {
        self.waits.store(true, Ordering::Relaxed);
        let done = self.ask(Request::Sync, [major, minor]).map(|_| ());
        self.waits.store(false, Ordering::Relaxed);
        done
    }

    fn ask(&self, request: Request, arguments: [u32; 2]) -> io::Result<u64> {
        self.ask_for_path(request, arguments, b"")
            .map(|(value, _)| value)
    }

    fn ask_for_path(
        &self,
        request: Request,
        [first, second]: [u32; 2],
        rest: &[u8],
    ) -> io::Result<(u64, Vec<u8>)> {
        if rest.len() > WANTED + PATH_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        let length = rest.len() as u32;
        let request: Message = [request as u32, first, second, length];
        let mut bytes = bytes_of(&request);
        bytes.extend(rest);
        (&self.socket).write_all(&bytes)?;
        let mut answer = [0; ANSWER];
        (&self.socket).read_exact(&mut answer)?;
        let [error, low, high, length] = words(&answer);
        let mut path = vec![0; length as usize];
        (&self.socket).read_exact(&mut path)?;
        match error {
            0 => Ok((u64::from(high) << 32 | u64::from(low), path)),
            number => Err(io::Error::from_raw_os_error(number.cast_signed())),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        if !self.waits.load(Ordering::Relaxed) {
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
        helper.ask(Request::StatisticsOn, [0, 0]).ok()?;
        Some(Self::Helpers(helper.clone()))
    }

    /// Switches them off. Returns whether they were on until now: the helper may have been killed.
    pub fn end(self) -> bool {
        match self {
            Self::Own(held) => {
                drop(held);
                true
            }
            Self::Helpers(helper) => helper.ask(Request::StatisticsOff, [0, 0]).is_ok(),
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

/// Ignores what ends the processes of a terminal, and what a closed pipe or socket would end this one by.
pub fn ignore_signals() -> io::Result<()> {
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
    Ok(())
}

/// Serves requests until the other end is closed.
fn serve(socket: &UnixStream, children: &[&OwnedFd], mask: &SigSet) -> io::Result<()> {
    ignore_signals()?;
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(mask), None)?;
    nix::sys::prctl::set_name(c"ioprof-helper")?;
    let mut held: Vec<RawFd> = children.iter().map(|child| child.as_raw_fd()).collect();
    held.push(socket.as_raw_fd());
    close_all_but(held)?;
    capabilities::keep(&KEPT.into_iter().collect())?;
    let mut state = State::default();
    loop {
        let (request, rest) = receive(socket)?;
        let (done, path) = match request {
            // After an error it is not where it was.
            Some((Request::Follow, _)) => {
                let (lead, path) = state.follow(&rest)?;
                (Ok(lead.number()), path)
            }
            request => (execute(request, children, &mut state), None),
        };
        let (error, value) = match done {
            Ok(value) => (0, value),
            Err(error) => (error.raw_os_error().unwrap_or(libc::EIO), 0),
        };
        let path = path.map(|path| path.into_os_string().into_vec());
        let path = path.unwrap_or_default();
        let mut answer = bytes_of(&[
            error.cast_unsigned(),
            value as u32,
            (value >> 32) as u32,
            path.len() as u32,
        ]);
        answer.extend(path);
        (&*socket).write_all(&answer)?;
    }
}

/// What the helper holds from one request to the next.
#[derive(Default)]
struct State {
    statistics: Option<OwnedFd>,
    /// The mount namespaces as of the first path that was followed, at the end of the run.
    namespaces: Option<Namespaces>,
}

impl State {
    /// Follows a path that stands behind what is wanted.
    fn follow(&mut self, rest: &[u8]) -> io::Result<(Lead, Option<PathBuf>)> {
        let Some((wanted, path)) = rest.split_at_checked(WANTED) else {
            return Ok((Lead::Unknown, None));
        };
        let [namespace, major, minor, low, high, generation, volume]: Wanted = words(wanted);
        let inode = Inode {
            device: (major, minor),
            number: u64::from(high) << 32 | u64::from(low),
            generation,
            volume,
        };
        let path = (!path.is_empty()).then(|| Path::new(OsStr::from_bytes(path)));
        if self.namespaces.is_none() {
            self.namespaces = Namespaces::now().ok();
        }
        match &mut self.namespaces {
            Some(namespaces) => namespaces.follow(namespace, path, &inode),
            None => Ok((Lead::Unknown, None)),
        }
    }
}

/// Executes a request that is about no path.
fn execute(
    request: Option<(Request, [u32; 2])>,
    children: &[&OwnedFd],
    state: &mut State,
) -> io::Result<u64> {
    let wrong = || io::Error::from_raw_os_error(libc::EINVAL);
    let (request, [first, second]) = request.ok_or_else(wrong)?;
    match request {
        Request::Ping => Ok(0),
        Request::StatisticsOn => {
            state.statistics = Some(statistics::enable()?);
            Ok(0)
        }
        Request::StatisticsOff => {
            state.statistics = None;
            Ok(0)
        }
        Request::Signal => {
            let child = children.get(first as usize).ok_or_else(wrong)?;
            let number = Signal::try_from(second.cast_signed())?;
            send(child, number).map(|()| 0)
        }
        Request::Follow => Err(wrong()),
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
///
/// # Errors
///
/// Those of close_range(2).
pub fn close_all_but(mut held: Vec<RawFd>) -> io::Result<()> {
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
