//! One run of a built-in workload in a process of its own, so that no run finds memory or descriptors of another.

use std::{
    ffi::OsString,
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ioprof_workloads::{Interrupt, Summary};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::error::Error;

/// So long a run may take to stop; the disk may hang.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether a signal came just before it was waited.
const LOOK: Duration = Duration::from_millis(200);
/// More is not kept of what a run writes.
const MOST_BYTES: usize = 4 << 20;

/// When a run is to be ended.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So long its measured phase may take.
    pub measured: Duration,
    /// Then at the latest.
    pub until: Instant,
}

/// How a run went.
pub struct Finished {
    /// What it says of itself; none where it failed.
    pub summary: Option<Summary>,
    /// What it wrote to stderr.
    pub said: String,
    /// Why it was ended before it was done.
    pub stopped: Option<Stopped>,
}

/// Why a run was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its measured phase took as long as it may.
    Measured,
    /// There is no time left.
    TimeIsUp,
    /// A signal asks all of it to stop.
    Signal,
}

/// Runs a workload with these words behind its name.
///
/// # Errors
///
/// Where no process can be made.
pub fn run(
    workload: &str,
    words: &[OsString],
    limits: Limits,
    interrupt: &Interrupt,
) -> Result<Finished, Error> {
    let failed = Error::system::<io::Error>;
    let (summary, theirs) = io::pipe().map_err(failed("making a pipe"))?;
    let (start, their_start) = UnixStream::pair().map_err(failed("making a socket"))?;
    // This file may have been replaced since; and as descriptors 0 and 1 the ends need not be made inheritable, which
    // another child might inherit, too.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("ioprof")
        .args(["workload", workload])
        .args(words)
        .args(["--summary-fd", "0", "--start-fd", "1"])
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::from(OwnedFd::from(their_start)))
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed("starting a workload"))?;
    // It holds the other ends.
    drop(command);
    let said = child.stderr.take();
    let mut watch = Watch {
        child: &child,
        limits,
        interrupt,
        start,
        measuring_since: None,
        stopped: None,
        asked_at: None,
    };
    let mut streams = [
        Stream::of(Some(OwnedFd::from(summary))),
        Stream::of(said.map(OwnedFd::from)),
    ];
    watch.wait(&mut streams)?;
    let stopped = watch.stopped;
    child.wait().map_err(failed("waiting for a workload"))?;
    let [summary, said] = streams.map(|stream| stream.bytes);
    Ok(Finished {
        summary: serde_json::from_slice(&summary).ok(),
        said: String::from_utf8_lossy(&said).into_owned(),
        stopped,
    })
}

/// What is read until its end.
struct Stream {
    from: Option<std::fs::File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn of(from: Option<OwnedFd>) -> Self {
        Self {
            from: from.map(Into::into),
            bytes: Vec::new(),
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 65536];
        let Some(from) = &mut self.from else {
            return;
        };
        match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count) if count > 0 => {
                let room = MOST_BYTES.saturating_sub(self.bytes.len());
                self.bytes.extend(buffer.iter().take(count.min(room)));
            }
            _ => self.from = None,
        }
    }
}

/// Follows a run to its end.
struct Watch<'a> {
    child: &'a Child,
    limits: Limits,
    interrupt: &'a Interrupt,
    start: UnixStream,
    measuring_since: Option<Instant>,
    stopped: Option<Stopped>,
    asked_at: Option<Instant>,
}

impl Watch<'_> {
    fn wait(&mut self, streams: &mut [Stream; 2]) -> Result<(), Error> {
        let mut is_started = true;
        while is_started || streams.iter().any(|stream| stream.from.is_some()) {
            let left = self.stop_in_time();
            let timeout = PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO);
            let ready = {
                let mut ends = Vec::new();
                ends.extend(is_started.then(|| self.start.as_fd()));
                ends.extend(
                    streams
                        .iter()
                        .filter_map(|one| one.from.as_ref().map(AsFd::as_fd)),
                );
                let mut ends: Vec<_> = ends
                    .into_iter()
                    .map(|end| PollFd::new(end, PollFlags::POLLIN))
                    .collect();
                match poll(&mut ends, timeout) {
                    Ok(_) => ends.iter().map(|end| end.any() == Some(true)).collect(),
                    Err(Errno::EINTR) => Vec::new(),
                    Err(errno) => return Err(Error::system("waiting for a workload")(errno)),
                }
            };
            let mut ready = ready.into_iter();
            if is_started && ready.next() == Some(true) {
                is_started = self.next_phase();
            }
            for stream in streams.iter_mut().filter(|stream| stream.from.is_some()) {
                if ready.next() == Some(true) {
                    stream.read();
                }
            }
        }
        Ok(())
    }

    /// Lets the run go on to its next phase; whether it has one.
    fn next_phase(&mut self) -> bool {
        let mut start = &self.start;
        if start.read_exact(&mut [0]).is_err() {
            return false;
        }
        self.measuring_since = match self.measuring_since {
            None => Some(Instant::now()),
            // What follows is no more than to tidy up.
            Some(_) => None,
        };
        start.write_all(&[1]).is_ok()
    }

    /// Asks the run to stop where it is time; how long it may go on.
    fn stop_in_time(&mut self) -> Duration {
        let now = Instant::now();
        let pid = Pid::from_raw(self.child.id().cast_signed());
        // It was not waited for, so its number is no other's.
        if let Some(asked_at) = self.asked_at {
            let left = (asked_at + PATIENCE).saturating_duration_since(now);
            if left.is_zero() {
                let _ = kill(pid, Signal::SIGKILL);
                return LOOK;
            }
            return left;
        }
        let measured = self
            .measuring_since
            .map(|since| since + self.limits.measured);
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.stopped = if self.interrupt.is_set() {
            Some(Stopped::Signal)
        } else if is_over(Some(self.limits.until)) {
            Some(Stopped::TimeIsUp)
        } else if is_over(measured) {
            Some(Stopped::Measured)
        } else {
            None
        };
        if self.stopped.is_some() {
            let _ = kill(pid, Signal::SIGTERM);
            self.asked_at = Some(now);
            return PATIENCE;
        }
        let until = measured.map_or(self.limits.until, |at| at.min(self.limits.until));
        until.saturating_duration_since(now)
    }
}
