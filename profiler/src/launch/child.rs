//! A child that waits, before its first instruction, until it is released.

use std::{
    ffi::{CString, OsString},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{ffi::OsStrExt as _, net::UnixStream, process::ExitStatusExt as _},
    },
    process::ExitStatus,
    thread::JoinHandle,
    time::Instant,
};

use ioprof_workloads::Summary;
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    sys::signal::{SigHandler, Signal, signal},
    unistd::{self, ForkResult},
};
use tokio::sync::oneshot;

use super::{targets::Target, user::User};
use crate::{
    error::Error,
    kernel::system::process::pidfd_open,
    model::report::{Exit, Kind},
    text::Text,
};

/// A limit on the summary of a built-in workload: other processes of its user can write to the pipe, too.
const MOST_OF_A_SUMMARY: u64 = 1 << 20;

/// A child that exists and waits.
///
/// It reads from a pipe whose other end only ioprof holds: when ioprof dies, even by SIGKILL, the read ends and so
/// does the child. A child stopped by a signal would stay stopped.
pub struct Waiting {
    /// Its PID.
    pub pid: i32,
    /// A descriptor of it, which never means another process.
    pub process: OwnedFd,
    gate: io::PipeWriter,
    outcome: io::PipeReader,
    summary: Option<io::PipeReader>,
    start: Option<UnixStream>,
    command: Text,
    user: Option<User>,
}

/// Where a child writes what it writes to its stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStdout {
    /// To ioprof's.
    Own,
    /// To stderr, as ioprof's stdout is for the report alone.
    Stderr,
}

/// A child that runs.
pub struct Running {
    /// Its PID.
    pub pid: i32,
    process: OwnedFd,
    /// Receives how it ended.
    pub ended: oneshot::Receiver<io::Result<Ended>>,
    /// What a built-in workload reports of itself.
    pub summary: Option<JoinHandle<Option<Summary>>>,
    /// Where a built-in workload signals that its data set is made, and waits for the start.
    pub start: Option<UnixStream>,
}

impl Running {
    /// Its PID, and a descriptor that means no other process when it is gone.
    pub const fn named(&self) -> (i32, &OwnedFd) {
        (self.pid, &self.process)
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// By itself or by a signal.
    pub exit: Exit,
    /// When it ended.
    pub at: Instant,
    /// CPU time in user mode, of it and of the descendants it waited for.
    pub cpu_user_ns: u64,
    /// CPU time in the kernel, of the same.
    pub cpu_system_ns: u64,
    /// The largest resident set of any of them.
    pub max_rss_bytes: u64,
}

impl Waiting {
    /// Starts a child and has it wait.
    ///
    /// # Errors
    ///
    /// Where no process can be made.
    pub fn start(target: &Target, stdout: ChildStdout) -> Result<Self, Error> {
        let failed = Error::system::<io::Error>;
        let (gate_reader, gate) = io::pipe().map_err(failed("making a pipe"))?;
        let (outcome, outcome_writer) = io::pipe().map_err(failed("making a pipe"))?;
        let mut argv = target.argv.clone();
        let (mut summary, mut start) = (None, None);
        if target.kind == Kind::Builtin {
            let mut give = |option: &str, end: RawFd| {
                argv.extend([OsString::from(option), end.to_string().into()]);
            };
            let ends = io::pipe().map_err(failed("making a pipe"))?;
            give("--summary-fd", ends.1.as_raw_fd());
            summary = Some(ends);
            let ends = UnixStream::pair().map_err(failed("making a socket"))?;
            give("--start-fd", ends.1.as_raw_fd());
            start = Some(ends);
        }
        let kept = [
            summary.as_ref().map(|(_, writer)| writer.as_raw_fd()),
            start.as_ref().map(|(_, theirs)| theirs.as_raw_fd()),
        ];
        let child = Child {
            program: words([target.program.as_os_str()])?.remove(0),
            argv: words(argv.iter().map(OsString::as_os_str))?,
            user: target.user.clone(),
            kept: kept.into_iter().flatten().collect(),
            stdout,
        };
        // SAFETY: this process has one thread so far, so that its copy may do what it may.
        let pid = match unsafe { unistd::fork() }.map_err(Error::system("starting a process"))? {
            ForkResult::Child => {
                drop((gate, outcome));
                child.run(gate_reader, outcome_writer)
            }
            ForkResult::Parent { child } => child.as_raw(),
        };
        Ok(Self {
            pid,
            process: pidfd_open(pid)?,
            gate,
            outcome,
            summary: summary.map(|(reader, _writer)| reader),
            start: start.map(|(ours, _theirs)| ours),
            command: target.argv.first().map_or_else(Text::default, Text::of),
            user: target.user.clone(),
        })
    }

    /// Releases the child, and returns when it has executed its program.
    ///
    /// # Errors
    ///
    /// Where the program cannot be executed.
    pub fn release(mut self) -> Result<Running, Error> {
        // The write fails if the child was killed meanwhile.
        self.gate.write_all(&[1]).map_err(|_| Error::EndedEarly)?;
        let mut failure = Vec::new();
        self.outcome
            .read_to_end(&mut failure)
            .map_err(Error::system("releasing the child"))?;
        if let Some((stage, number)) = failure.split_first() {
            let number = number.try_into().map_or(0, i32::from_ne_bytes);
            let source = io::Error::from_raw_os_error(number);
            return Err(match self.user {
                Some(user) if *stage == Stage::User as u8 => user.refused(source),
                _ => Error::CommandNotExecutable {
                    command: self.command,
                    source,
                },
            });
        }
        let pid = self.pid;
        let (sender, ended) = oneshot::channel();
        let no_thread = Error::system("starting a thread");
        std::thread::Builder::new()
            .spawn(move || {
                // The receiver may be gone.
                let _ = sender.send(wait(pid));
            })
            .map_err(no_thread)?;
        // Without a thread the summary stays unknown.
        let summary = self.summary.and_then(|reader| {
            let read = move || {
                let mut json = Vec::new();
                reader.take(MOST_OF_A_SUMMARY).read_to_end(&mut json).ok()?;
                serde_json::from_slice(&json).ok()
            };
            std::thread::Builder::new().spawn(read).ok()
        });
        Ok(Running {
            pid,
            process: self.process,
            ended,
            summary,
            start: self.start,
        })
    }
}

/// Words as C strings.
fn words<'a>(words: impl IntoIterator<Item = &'a std::ffi::OsStr>) -> Result<Vec<CString>, Error> {
    words
        .into_iter()
        .map(|word| CString::new(word.as_bytes()).map_err(io::Error::from))
        .collect::<Result<_, _>>()
        .map_err(Error::system("starting a process"))
}

/// The step of a child that failed; it is sent before the error number.
#[derive(Clone, Copy)]
enum Stage {
    User,
    Execute,
}

/// What a child needs to become its program.
struct Child {
    program: CString,
    argv: Vec<CString>,
    user: Option<User>,
    /// The descriptors that the program inherits.
    kept: Vec<RawFd>,
    stdout: ChildStdout,
}

impl Child {
    /// Waits at the gate and executes the program; sends the error where that fails.
    fn run(self, mut gate: io::PipeReader, mut outcome: io::PipeWriter) -> ! {
        if gate.read_exact(&mut [0]).is_ok() {
            let (stage, error) = self.execute();
            let mut failure = vec![stage as u8];
            failure.extend(error.raw_os_error().unwrap_or(0).to_ne_bytes());
            let _ = outcome.write_all(&failure);
        }
        // The read fails where ioprof is gone.
        // SAFETY: the call ends the process, which holds nothing that needs to be dropped.
        unsafe { libc::_exit(125) }
    }

    fn execute(&self) -> (Stage, io::Error) {
        if let Some(user) = &self.user
            && let Err(error) = user.become_for_good()
        {
            return (Stage::User, error);
        }
        for kept in &self.kept {
            // SAFETY: the descriptor is this process's copy of one that its parent made for it.
            let kept = unsafe { std::os::fd::BorrowedFd::borrow_raw(*kept) };
            if let Err(error) = fcntl(kept, FcntlArg::F_SETFD(FdFlag::empty())) {
                return (Stage::Execute, error.into());
            }
        }
        if self.stdout == ChildStdout::Stderr
            && let Err(error) = unistd::dup2_stdout(io::stderr())
        {
            return (Stage::Execute, error.into());
        }
        // The Rust runtime ignores SIGPIPE, and the program would inherit that.
        // SAFETY: the default action needs no handler.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
        let mut argv: Vec<_> = self.argv.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        // SAFETY: the words live through the call, and null ends them; the environment is left as it is.
        unsafe { libc::execvp(self.program.as_ptr(), argv.as_ptr()) };
        (Stage::Execute, io::Error::last_os_error())
    }
}

/// wait4(2): the end of a child, and what it used.
fn wait(pid: i32) -> io::Result<Ended> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to values that live through the call.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: all zeroes is a valid value, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    let nanoseconds =
        |time: libc::timeval| (time.tv_sec * 1_000_000_000 + time.tv_usec * 1_000).cast_unsigned();
    let status = ExitStatus::from_raw(status);
    Ok(Ended {
        at: Instant::now(),
        exit: status
            .signal()
            .map_or_else(|| Exit::Code(status.code().unwrap_or(0)), Exit::Signal),
        cpu_user_ns: nanoseconds(usage.ru_utime),
        cpu_system_ns: nanoseconds(usage.ru_stime),
        max_rss_bytes: usage.ru_maxrss.cast_unsigned() * 1024,
    })
}
