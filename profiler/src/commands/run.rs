//! `ioprof run`.

use std::{
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
    deliver::deliver,
    measurement::{Measurement, StopSignal, distinct, runtime},
};
use crate::{
    cli::Run,
    collector::{CpuTime, WorkloadInfo},
    error::Error,
    kernel::bpf::scope::EntryState,
    launch::{
        child::{Ended, Running, Waiting},
        destination::Destination,
        targets::{Target, targets},
    },
    model::report::{Exit, Kind},
    text::Text,
};

/// Profiles workloads or a command from their first instruction on.
///
/// # Errors
///
/// Everything that is ioprof's own failure; how the command ends is not one.
pub fn run(run: Run) -> Result<ExitCode, Error> {
    let (targets, options) = targets(run)?;
    let destination = Destination::open(options.common.output.as_deref())?;
    let sync = options.common.sync;
    let runtime = runtime()?;
    let (report, exits) = runtime.block_on(async {
        // The children first: one is a copy of ioprof until it executes its program, and its largest
        // resident set is never less than that.
        let waiting = targets
            .iter()
            .map(Waiting::start)
            .collect::<Result<Vec<_>, _>>()?;
        let children: Vec<_> = waiting.iter().map(|waiting| &waiting.process).collect();
        let mut measurement =
            Measurement::start(targets.len(), &children, &options.common, &destination)?;
        if let Some(asked) = measurement.has_been_asked().await {
            return Err(Error::Interrupted {
                signal: asked.0.as_str(),
            });
        }
        let mut runs = Runs::default();
        for (number, (target, waiting)) in (1..).zip(targets.iter().zip(waiting)) {
            if target.kind == Kind::Command {
                let session = measurement.session();
                let added = session.add_process(waiting.pid, number, EntryState::Waiting);
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
            if runs.asked.is_some() {
                break;
            }
        }
        runs.begin(&mut measurement).await?;
        runs.wait(&mut measurement, sync).await?;
        if sync {
            measurement.sync().await?;
        }
        let infos = runs.infos(&targets);
        let exits: Vec<Exit> = infos.iter().filter_map(|infos| infos.exit).collect();
        Ok::<_, Error>((measurement.finish(infos)?, exits))
    })?;
    // A thread may still wait for a child that the user no longer waits for.
    runtime.shutdown_background();
    deliver(&report, destination)?;
    Ok(end_as(&exits))
}

/// The children, in the order of the targets.
#[derive(Default)]
struct Runs {
    children: Vec<Child>,
    /// The signal that has asked for the end, if one has.
    asked: Option<StopSignal>,
    /// Where the measured phases of built-in workloads are told to be over, by their place in `children`.
    over: Option<mpsc::UnboundedReceiver<(usize, Arc<UnixStream>)>>,
}

struct Child {
    /// The number of its workload.
    number: u32,
    running: Running,
    /// When it was let go; a built-in workload, when it was given the word to begin.
    released: Instant,
    ended: Option<Ended>,
    /// When the measured phase of a built-in workload was over.
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

    /// Waits until every built-in workload has made its data, brings them into scope, and has them begin
    /// together: making the data is no part of what is profiled.
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
        for (at, _) in &ready {
            let child = &self.children[*at];
            let session = measurement.session();
            session.add_process(child.running.pid, child.number, EntryState::Paused)?;
        }
        let (tell, over) = mpsc::unbounded_channel();
        for (at, start) in ready {
            let (start, tell) = (Arc::new(start), tell.clone());
            self.children[at].released = Instant::now();
            // It may have ended in this moment.
            let _ = start.try_write(&[1]);
            tokio::spawn(async move {
                if said(&start).await {
                    let _ = tell.send((at, start));
                }
            });
        }
        self.over = Some(over);
        Ok(())
    }

    /// Whether a workload says that it is ready; false where it has ended instead.
    async fn is_ready(&mut self, start: &UnixStream, measurement: &mut Measurement) -> bool {
        loop {
            tokio::select! {
                ready = said(start) => return ready,
                signal = measurement.asked_to_end() => self.pass_on(signal, measurement),
            }
        }
    }

    /// Waits until all have ended.
    async fn wait(&mut self, measurement: &mut Measurement, sync: bool) -> Result<(), Error> {
        while let Some(child) = self.children.iter_mut().find(|child| child.ended.is_none()) {
            tokio::select! {
                ended = &mut child.running.ended => {
                    let ended = ended
                        .unwrap_or_else(|_| Err(std::io::Error::other("nobody waited")))
                        .map_err(Error::system("waiting for the command"))?;
                    child.ended = Some(ended);
                }
                Some((at, start)) = told(&mut self.over) => {
                    let child = &mut self.children[at];
                    child.over = Some(Instant::now());
                    measurement
                        .session()
                        .retire_process(child.running.pid, child.number)?;
                    // Its files are gone when it has cleared up.
                    if sync {
                        measurement.sync().await?;
                    }
                    let _ = start.try_write(&[1]);
                }
                signal = measurement.asked_to_end() => self.pass_on(signal, measurement),
            }
        }
        Ok(())
    }

    /// The first signal is passed on where the terminal has not done that; a second one kills what still
    /// runs.
    fn pass_on(&mut self, signal: StopSignal, measurement: &Measurement) {
        if self.asked.is_some() {
            self.send(Signal::SIGKILL, measurement);
            return;
        }
        if !has_reached_children(signal) {
            self.send(signal.0, measurement);
        }
        self.asked = Some(signal);
    }

    fn send(&self, signal: Signal, measurement: &Measurement) {
        for (place, child) in self.children.iter().enumerate() {
            if child.ended.is_none() {
                measurement.send((place, child.running.pid), signal);
            }
        }
    }

    fn infos(self, targets: &[Target]) -> Vec<WorkloadInfo> {
        let names = distinct(targets.iter().map(|target| target.name.clone()));
        let mut children = self.children.into_iter();
        targets
            .iter()
            .zip(names)
            .map(|(target, name)| {
                // Those that a signal kept from being started have none.
                let child = children.next();
                let ended = child.as_ref().and_then(|child| child.ended);
                WorkloadInfo {
                    name,
                    kind: target.kind,
                    argv: target.argv.iter().map(Text::of).collect(),
                    root_pid: child.as_ref().map_or(0, |child| child.running.pid),
                    exit: ended.map(|ended| ended.exit),
                    wall: child.as_ref().map_or_else(Default::default, Child::wall),
                    // What a built-in workload used before it began is not asked for.
                    cpu: ended
                        .filter(|_| target.kind == Kind::Command)
                        .map(|ended| CpuTime {
                            user_ns: ended.cpu_user_ns,
                            system_ns: ended.cpu_system_ns,
                        }),
                    max_rss_bytes: ended.map(|ended| ended.max_rss_bytes),
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

/// Whether a workload says that a phase is over; false where it has ended instead.
async fn said(start: &UnixStream) -> bool {
    loop {
        if start.readable().await.is_err() {
            return false;
        }
        match start.try_read(&mut [0]) {
            Ok(bytes) => return bytes == 1,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// The next that is over, if any is still to be.
async fn told(
    over: &mut Option<mpsc::UnboundedReceiver<(usize, Arc<UnixStream>)>>,
) -> Option<(usize, Arc<UnixStream>)> {
    match over {
        Some(over) => over.recv().await,
        None => None,
    }
}

/// Whether a signal came from the terminal, which sends it to the whole foreground process group. A terminal that
/// hangs up does, too, but is none any more by then.
fn has_reached_children(asked: StopSignal) -> bool {
    let in_foreground = std::fs::File::open("/dev/tty")
        .is_ok_and(|terminal| unistd::tcgetpgrp(terminal) == Ok(unistd::getpgrp()));
    asked.0 == Signal::SIGINT && in_foreground
}

/// Ends as the first workload that failed did.
fn end_as(exits: &[Exit]) -> ExitCode {
    for exit in exits {
        match *exit {
            Exit::Code(0) => {}
            Exit::Code(code) => return ExitCode::from(code as u8),
            Exit::Signal(number) => return raise(number),
        }
    }
    ExitCode::SUCCESS
}

/// Raises the signal that ended the command, so that who started ioprof sees the same end.
fn raise(number: i32) -> ExitCode {
    if let Ok(signal) = Signal::try_from(number) {
        // A second core file would say nothing of the command's.
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
        // SAFETY: the default action needs no handler.
        let _ = unsafe { signal::signal(signal, SigHandler::SigDfl) };
        let _ = signal::raise(signal);
    }
    // Some cannot be raised; a shell reports them so.
    ExitCode::from((128 + number) as u8)
}
