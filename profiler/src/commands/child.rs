//! A child that waits, before its first instruction, until it is let go.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::{
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    process::{Command, ExitStatus},
    thread::JoinHandle,
    time::Instant,
};

use ioprof_workloads::Summary;
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc, unistd,
};
use tokio::sync::oneshot;

use super::targets::Target;
use crate::{
    error::Error,
    model::{
        report::{Exit, Kind},
        text,
    },
};

/// A child that exists and waits.
///
/// It reads from a pipe whose other end only ioprof holds: where ioprof dies, even by SIGKILL, the read ends
/// and the child with it. A child that was stopped by a signal would stay so.
pub struct Waiting {
    /// Its number.
    pub pid: i32,
    gate: io::PipeWriter,
    spawning: JoinHandle<io::Result<std::process::Child>>,
    summary: Option<io::PipeReader>,
    start: Option<UnixStream>,
    command: String,
}

/// A child that runs.
pub struct Running {
    /// Its number.
    pub pid: i32,
    /// How it ended, when it has.
    pub ended: oneshot::Receiver<io::Result<Ended>>,
    /// What a built-in workload says it did.
    pub summary: Option<JoinHandle<Option<Summary>>>,
    /// Where a built-in workload says that its data are made, and waits for the word to begin.
    pub start: Option<UnixStream>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// By itself or by a signal.
    pub exit: Exit,
    /// When.
    pub at: Instant,
    /// CPU time in user mode, of it and the descendants it waited for.
    pub cpu_user_ns: u64,
    /// The same in the kernel.
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
    pub fn start(target: &Target) -> Result<Self, Error> {
        let failed = Error::system::<io::Error>;
        let (mut pids, pid_writer) = io::pipe().map_err(failed("making a pipe"))?;
        let (gate_reader, gate) = io::pipe().map_err(failed("making a pipe"))?;
        let mut command = Command::new(&target.program);
        if let Some((first, rest)) = target.argv.split_first() {
            command.arg0(first).args(rest);
        }
        let (mut summary, mut start) = (None, None);
        if target.kind == Kind::Builtin {
            let ends = io::pipe().map_err(failed("making a pipe"))?;
            command.args(["--summary-fd", &ends.1.as_raw_fd().to_string()]);
            summary = Some(ends);
            let ends = UnixStream::pair().map_err(failed("making a socket"))?;
            command.args(["--start-fd", &ends.1.as_raw_fd().to_string()]);
            start = Some(ends);
        }
        let kept: [Option<RawFd>; 2] = [
            summary.as_ref().map(|(_, writer)| writer.as_raw_fd()),
            start.as_ref().map(|(_, theirs)| theirs.as_raw_fd()),
        ];
        let own_end = gate.as_raw_fd();
        let wait = {
            let (mut pid_writer, mut gate_reader) = (pid_writer, gate_reader);
            move || {
                // Only system calls here: the process is a copy of one with other threads.
                // SAFETY: the descriptor is this process's copy of the parent's end, which nothing here uses.
                unsafe { libc::close(own_end) };
                pid_writer.write_all(&unistd::getpid().as_raw().to_ne_bytes())?;
                if gate_reader.read_exact(&mut [0]).is_err() {
                    // ioprof is gone, or going. An error returned from here would be reported to it, and
                    // where nobody is left to read that, the process would abort with a message of its own.
                    // SAFETY: the call ends the process, which holds nothing that needs an ending.
                    unsafe { libc::_exit(125) };
                }
                for kept in kept.into_iter().flatten() {
                    // SAFETY: the parent holds the descriptor until the child has been made.
                    let kept = unsafe { std::os::fd::BorrowedFd::borrow_raw(kept) };
                    fcntl(kept, FcntlArg::F_SETFD(FdFlag::empty()))?;
                }
                Ok(())
            }
        };
        // SAFETY: the closure makes system calls only, and touches no lock and no allocator.
        unsafe { command.pre_exec(wait) };
        // `spawn` returns when the child has executed its program, so it must not be waited for here.
        let spawning = std::thread::spawn(move || command.spawn());
        let mut pid = [0; 4];
        if pids.read_exact(&mut pid).is_err() {
            let error = match spawning.join() {
                Ok(Err(error)) => error,
                _ => io::Error::other("it ended before it began"),
            };
            return Err(failed("starting a process")(error));
        }
        Ok(Self {
            pid: i32::from_ne_bytes(pid),
            gate,
            spawning,
            summary: summary.map(|(reader, _writer)| reader),
            start: start.map(|(ours, _theirs)| ours),
            command: target.argv.first().map_or_else(String::new, text::of),
        })
    }

    /// Lets the child go, and returns when it has executed its program.
    ///
    /// # Errors
    ///
    /// Where the program cannot be executed.
    pub fn release(mut self) -> Result<Running, Error> {
        self.gate
            .write_all(&[1])
            .map_err(Error::system("letting the child go"))?;
        match self.spawning.join() {
            Ok(Ok(_child)) => {}
            Ok(Err(source)) => {
                return Err(Error::CommandNotExecutable {
                    command: self.command,
                    source,
                });
            }
            Err(_) => {
                return Err(Error::system("starting a process")(io::Error::other(
                    "the thread that starts it has ended",
                )));
            }
        }
        let pid = self.pid;
        let (sender, ended) = oneshot::channel();
        std::thread::spawn(move || {
            // Whoever waited may have been told to stop waiting.
            let _ = sender.send(wait(pid));
        });
        let summary = self.summary.map(|mut reader| {
            std::thread::spawn(move || {
                let mut json = Vec::new();
                reader.read_to_end(&mut json).ok()?;
                serde_json::from_slice(&json).ok()
            })
        });
        Ok(Running {
            pid,
            ended,
            summary,
            start: self.start,
        })
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
