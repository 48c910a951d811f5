//! `ioprof run`.

use std::{
    fs::File,
    io,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, SigHandler, Signal},
    unistd,
};

use tokio::{net::UnixStream, sync::mpsc};

use super::{
    deliver::{deliver, print},
    gate,
    measurement::{Measurement, StopSignal, runtime},
    repeat::repeat,
    stop::{Answer, Stops, TWICE},
};
use crate::{
    cli::Run,
    collector::{CpuTime, WorkloadInfo},
    error::Error,
    kernel::{bpf::scope::EntryState, system::evict},
    launch::{
        child::{ChildStdout, Ended, Running, Waiting},
        destination::Destination,
        targets::{Target, targets},
    },
    model::report::{Exit, Kind},
    output::{format::count, text::line},
    text::Text,
};

/// Profiles a command or workloads from their first instruction on.
///
/// # Errors
///
/// Failures of ioprof itself; the command's exit is none.
pub fn run(run: Run) -> Result<ExitCode, Error> {
    if run.repeat.is_some() || run.interleave.is_some() {
        repeat(run)
    } else {
        once(run, None)
    }
}

/// Profiles them once, and tells the user of it, unless the report is to be handed over in a file.
///
/// # Errors
///
/// As for [`run`].
pub fn once(run: Run, hand_over: Option<File>) -> Result<ExitCode, Error> {
    let (targets, options) = targets(run)?;
    for path in &options.evict {
        evict(path)?;
    }
    let sync = options.common.sync;
    let output = options.common.output.as_deref();
    let stdout = match output.is_some_and(Destination::is_stdout) {
        true => ChildStdout::Stderr,
        false => ChildStdout::Own,
    };
    let runtime = runtime()?;
    let (report, exits, destination) = runtime.block_on(async {
        // The children first: each is a copy of ioprof until it executes its program, and its largest resident set
        // is never less than ioprof's here.
        let waiting = targets
            .iter()
            .map(|target| Waiting::start(target, stdout))
            .collect::<Result<Vec<_>, _>>()?;
        let children: Vec<_> = waiting.iter().map(|waiting| &waiting.process).collect();
        let (mut measurement, destination) =
            Measurement::start(targets.len(), &children, &options.common)?;
        if let Some(stop) = measurement.pending_signal().await {
            return Err(Error::Interrupted {
                signal: stop.0.as_str(),
            });
        }
        let mut runs = Runs::default();
        for (number, (target, waiting)) in (1..).zip(targets.iter().zip(waiting)) {
            if target.kind == Kind::Command {
                measurement.begin()?;
                // Those of ioprof's own show their progress.
                measurement.show_status();
                let session = measurement.session();
                let added = session.add_process(
                    (waiting.pid, &waiting.process),
                    number,
                    EntryState::Waiting,
                );
                added.map_err(|error| match error {
                    Error::NoProcess { .. } => Error::EndedEarly,
                    other => other,
                })?;
            }
            runs.release(waiting, number)?;
            if !options.parallel {
                runs.begin(&mut measurement).await?;
                runs.wait(&mut measurement, sync).await?;
            }
            if runs.stops.any() {
                break;
            }
        }
        runs.begin(&mut measurement).await?;
        runs.wait(&mut measurement, sync).await?;
        if options.wait_all && !runs.stops.is_recent(Instant::now()) {
            measurement.descendants_ended().await?;
        }
        if sync {
            measurement.sync().await?;
        }
        let infos = runs.infos(&targets);
        let exits: Vec<Exit> = infos.iter().filter_map(|infos| infos.exit).collect();
        Ok::<_, Error>((measurement.finish(infos).await?, exits, destination))
    })?;
    // A thread may still be waiting for a child.
    runtime.shutdown_background();
    deliver(&report, &options.common, destination, hand_over)?;
    Ok(end_as(&exits, || {
        gate::status(&report, options.common.fail_on)
    }))
}

/// Evicts files from the page cache, and tells where some of it is left.
fn evict(path: &Path) -> Result<(), Error> {
    let left = evict::evict(path).map_err(|source| Error::Evict {
        path: path.to_owned(),
        source,
    })?;
    if let Some(left) = left.filter(|left| *left > 0) {
        let told = format!(
            "ioprof: {} pages of {} stay in the page cache: they are mapped, or became dirty again",
            count(left),
            Text::of(path)
        );
        print(&mut io::stderr(), &line(&told));
    }
    Ok(())
}

/// The children, in the order of the targets.
#[derive(Default)]
struct Runs {
    children: Vec<Child>,
    /// The signals that have asked to stop.
    stops: Stops,
    /// Receives the ends of measured phases of built-in workloads, by the index in `children`.
    over: Option<mpsc::UnboundedReceiver<(usize, Arc<UnixStream>)>>,
}

struct Child {
    /// The number of its workload, from 1.
    number: u32,
    running: Running,
    /// When it was released; for a built-in workload, when its measured phase was started.
    released: Instant,
    ended: Option<Ended>,
    /// When the measured phase of a built-in workload ended.
    over: Option<Instant>,
}

impl Child {
    /// From its release to its end, or until now.
    fn wall(&self) -> Duration {
        let end = self.over.or(self.ended.map(|ended| ended.at));
        let end = end.unwrap_or_else(Instant::now);
        end.duration_since(self.released)
    }
}

impl Runs {
    fn release(&mut self, waiting: Waiting, number: u32) -> Result<(), Error> {
        let released = Instant::now();
        self.children.push(Child {
            number,
            running: waiting.release()?,
            released,
            ended: None,
            over: None,
        });
        Ok(())
    }

    /// Waits until all built-in workloads have made their data sets, brings them into scope, and starts them
    /// together: the setup of the first is not profiled, nor do the devices count what it did.
    async fn begin(&mut self, measurement: &mut Measurement) -> Result<(), Error> {
        let mut ready = Vec::new();
        for at in 0..self.children.len() {
            let Some(start) = self.children[at].running.start.take() else {
                continue;
            };
            start
                .set_nonblocking(true)
                .map_err(Error::system("waiting for the workload"))?;
            let start =
                UnixStream::from_std(start).map_err(Error::system("waiting for the workload"))?;
            if self.is_ready(&start, measurement).await {
                ready.push((at, start));
            }
        }
        measurement.begin()?;
        for (at, _) in &ready {
            let child = &self.children[*at];
            let session = measurement.session();
            session.add_process(child.running.named(), child.number, EntryState::Paused)?;
        }
        let (tell, over) = mpsc::unbounded_channel();
        for (at, start) in ready {
            let (start, tell) = (Arc::new(start), tell.clone());
            self.children[at].released = Instant::now();
            // The workload may have just ended.
            let _ = start.try_write(&[1]);
            tokio::spawn(async move {
                if signalled(&start).await {
                    let _ = tell.send((at, start));
                }
            });
        }
        self.over = Some(over);
        Ok(())
    }

    /// Whether a workload signals that it is ready; false where it has ended instead.
    async fn is_ready(&mut self, start: &UnixStream, measurement: &mut Measurement) -> bool {
        loop {
            tokio::select! {
                ready = signalled(start) => return ready,
                signal = measurement.stop_signal() => self.pass_on(signal, measurement),
            }
        }
    }

    /// Waits until all have ended.
    async fn wait(&mut self, measurement: &mut Measurement, sync: bool) -> Result<(), Error> {
        while let Some(child) = self.children.iter_mut().find(|child| child.ended.is_none()) {
            tokio::select! {
                ended = &mut child.running.ended => {
                    let ended = ended
                        .unwrap_or_else(|_| Err(io::Error::other("the waiting thread is gone")))
                        .map_err(Error::system("waiting for the command"))?;
                    child.ended = Some(ended);
                }
                Some((at, start)) = next_over(&mut self.over) => {
                    let child = &mut self.children[at];
                    child.over = Some(Instant::now());
                    measurement
                        .session()
                        .retire_process(child.running.named(), child.number)?;
                    // Cleanup removes its files.
                    if sync {
                        measurement.sync().await?;
                    }
                    let _ = start.try_write(&[1]);
                }
                signal = measurement.stop_signal() => self.pass_on(signal, measurement),
                () = until(self.stops.telling_at()) => self.tell_how_to_kill(),
            }
        }
        Ok(())
    }

    /// Passes a signal on, unless the terminal has done that; two at once kill the children.
    fn pass_on(&mut self, signal: StopSignal, measurement: &Measurement) {
        match self.stops.answer(Instant::now()) {
            Answer::Kill => self.send(Signal::SIGKILL, measurement),
            Answer::PassOn if has_reached_children(signal) => {}
            Answer::PassOn => self.send(signal.0, measurement),
        }
    }

    /// Tells that what goes on after a signal is killed by two.
    fn tell_how_to_kill(&mut self) {
        self.stops.tell();
        let told = format!(
            "ioprof: it goes on after the signal; two within {} seconds kill it",
            TWICE.as_secs()
        );
        print(&mut io::stderr(), &line(&told));
    }

    fn send(&self, signal: Signal, measurement: &Measurement) {
        for (place, child) in self.children.iter().enumerate() {
            if child.ended.is_none() {
                measurement.send((place, child.running.pid), signal);
            }
        }
    }

    fn infos(self, targets: &[Target]) -> Vec<WorkloadInfo> {
        let mut children = self.children.into_iter();
        targets
            .iter()
            .map(|target| {
                // A signal may have kept it from being started.
                let child = children.next();
                let ended = child.as_ref().and_then(|child| child.ended);
                WorkloadInfo {
                    name: target.name.clone(),
                    kind: target.kind,
                    argv: target.argv.iter().map(Text::of).collect(),
                    root_pid: child.as_ref().map_or(0, |child| child.running.pid),
                    exit: ended.map(|ended| ended.exit),
                    wall: child.as_ref().map_or_else(Default::default, Child::wall),
                    // That of a built-in workload includes its setup.
                    cpu: ended
                        .filter(|_| target.kind == Kind::Command)
                        .map(|ended| CpuTime {
                            user_ns: ended.cpu_user_ns,
                            system_ns: ended.cpu_system_ns,
                        }),
                    max_rss_bytes: ended.map(|ended| ended.max_rss_bytes),
                    descendants_at_attach: None,
                    retired_threads: u64::from(
                        child.as_ref().is_some_and(|child| child.over.is_some()),
                    ),
                    self_reported: child
                        .and_then(|child| child.running.summary)
                        .filter(|_| target.kind == Kind::Builtin)
                        .and_then(|summary| summary.join().ok().flatten()),
                }
            })
            .collect()
    }
}

/// Whether a workload signals the end of a phase; false where it has ended instead.
async fn signalled(start: &UnixStream) -> bool {
    loop {
        if start.readable().await.is_err() {
            return false;
        }
        match start.try_read(&mut [0]) {
            Ok(bytes) => return bytes == 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// Waits until then; for ever, where there is no such time.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}

/// The next measured phase to end, if any is left.
async fn next_over(
    over: &mut Option<mpsc::UnboundedReceiver<(usize, Arc<UnixStream>)>>,
) -> Option<(usize, Arc<UnixStream>)> {
    match over {
        Some(over) => over.recv().await,
        None => None,
    }
}

/// Whether the terminal has sent the signal to the whole foreground process group. It does so at a hangup, too, but
/// cannot be opened any more then.
pub fn has_reached_children(signal: StopSignal) -> bool {
    let in_foreground = File::open("/dev/tty")
        .is_ok_and(|terminal| unistd::tcgetpgrp(terminal) == Ok(unistd::getpgrp()));
    signal.0 == Signal::SIGINT && in_foreground
}

/// The exit status of the first workload that failed, and another where none has.
fn end_as(exits: &[Exit], otherwise: impl FnOnce() -> ExitCode) -> ExitCode {
    for exit in exits {
        match *exit {
            Exit::Code(0) => {}
            Exit::Code(code) => return ExitCode::from(code as u8),
            Exit::Signal(number) => return raise(number),
        }
    }
    otherwise()
}

/// Raises the signal that ended the command, so that the caller of ioprof sees the same.
pub fn raise(number: i32) -> ExitCode {
    if let Ok(signal) = Signal::try_from(number) {
        // No second core file.
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
        // SAFETY: the default action needs no handler.
        let _ = unsafe { signal::signal(signal, SigHandler::SigDfl) };
        let _ = signal::raise(signal);
    }
    // Some signals cannot be raised; shells report them like this.
    ExitCode::from((128 + number) as u8)
}
