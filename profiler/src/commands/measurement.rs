//! A measurement from the attaching of the probes to the report.

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ceilings, status::StatusLine};
use crate::{
    analysis,
    cli::Common,
    collector::{self, WorkloadInfo},
    error::Error,
    kernel::{
        Helper, Session, Settings,
        bpf::{Overhead, probes::ProbeSelection},
        sync_file_system,
    },
    launch::{destination::Destination, privilege},
    model::report::Report,
};

/// A measurement in progress.
pub struct Measurement {
    session: Session,
    helper: Option<Arc<Helper>>,
    /// A second one, which may wait for a disk while the first serves other requests.
    syncing: Option<Arc<Helper>>,
    started_at: jiff::Timestamp,
    has_begun: bool,
    next_tick: tokio::time::Instant,
    drain: Duration,
    signals: [Signal; 3],
    status: Option<StatusLine>,
}

/// How long requests in flight are waited for at the end.
const DRAIN: Duration = Duration::from_secs(1);

/// How often the requests in flight are counted while they are waited for.
const DRAIN_PAUSE: Duration = Duration::from_millis(2);

/// How often to look for living descendants of processes that have ended.
const LOOKED_FOR_EACH: Duration = Duration::from_millis(100);

/// A signal that asks ioprof to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal(pub nix::sys::signal::Signal);

const SIGNALS: [(fn() -> SignalKind, nix::sys::signal::Signal); 3] = [
    (SignalKind::interrupt, nix::sys::signal::Signal::SIGINT),
    (SignalKind::terminate, nix::sys::signal::Signal::SIGTERM),
    (SignalKind::hangup, nix::sys::signal::Signal::SIGHUP),
];

impl Measurement {
    /// Opens where the report goes, attaches the probes, then gives up the privileges for it. `children` are the
    /// processes that signals may be sent to.
    ///
    /// # Errors
    ///
    /// Those of [`Destination::open`] and [`Session::start`].
    pub fn start(
        workloads: usize,
        children: &[&OwnedFd],
        common: &Common,
    ) -> Result<(Self, Destination), Error> {
        let attend = |children| {
            let helper = Helper::start(children);
            let helper = helper.map_err(Error::system("starting a process"))?;
            Ok::<_, Error>(helper.map(Arc::new))
        };
        let helper = attend(children)?;
        let syncing = if common.sync { attend(&[])? } else { None };
        let catch = |(kind, _): (fn() -> SignalKind, _)| {
            signal(kind()).map_err(Error::system("catching signals"))
        };
        let [interrupt, terminate, hangup] = SIGNALS;
        let signals = [catch(interrupt)?, catch(terminate)?, catch(hangup)?];
        // Not before signals are caught: one that ends ioprof would leave an unfinished file behind.
        let destination = Destination::open(common.output.as_deref())?;
        let mut session = Session::start(&Settings {
            workloads: u32::try_from(workloads).unwrap_or(u32::MAX),
            probes: ProbeSelection {
                without: common.without_probe.clone(),
                minor_fault_time: common.minor_fault_time,
            },
            helper: helper.clone(),
        })?;
        privilege::give_up(&mut session, &destination)?;
        let measurement = Self {
            session,
            helper,
            syncing,
            started_at: jiff::Timestamp::now(),
            has_begun: false,
            next_tick: tokio::time::Instant::now() + Overhead::first_tick(),
            drain: common.drain.unwrap_or(DRAIN),
            signals,
            status: None,
        };
        Ok((measurement, destination))
    }

    /// Begins to count, where it does not count already.
    ///
    /// # Errors
    ///
    /// As for [`Session::begin`].
    pub fn begin(&mut self) -> Result<(), Error> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        self.started_at = jiff::Timestamp::now();
        self.session.begin()?;
        self.next_tick = tokio::time::Instant::now() + Overhead::first_tick();
        Ok(())
    }

    /// Shows from now on what the workloads do, where somebody sees it.
    pub fn show_status(&mut self) {
        self.status = StatusLine::begin();
    }

    fn draw_status(&mut self) {
        if let Some(status) = self.status.as_mut().filter(|status| status.is_due())
            // What cannot be read is told at the end.
            && let Ok(so_far) = self.session.so_far()
        {
            status.draw(collector::progress(&so_far));
        }
    }

    /// The probes.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// A signal that has arrived already.
    pub async fn pending_signal(&mut self) -> Option<StopSignal> {
        // Pending signals are known after one round of the event loop.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            signal = self.stop_signal() => Some(signal),
            () = std::future::ready(()) => None,
        }
    }

    /// Sends a signal to a child, by its index and its PID.
    pub fn send(&self, (place, pid): (usize, i32), signal: nix::sys::signal::Signal) {
        // It may have ended in this moment.
        let _ = match &self.helper {
            Some(helper) => helper.signal(place, signal),
            None => nix::sys::signal::kill(Pid::from_raw(pid), signal).map_err(Into::into),
        };
    }

    /// Waits for a signal that asks to stop; measures the probes' overhead meanwhile, and shows what the workloads do.
    pub async fn stop_signal(&mut self) -> StopSignal {
        loop {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => return StopSignal(SIGNALS[0].1),
                _ = terminate.recv() => return StopSignal(SIGNALS[1].1),
                _ = hangup.recv() => return StopSignal(SIGNALS[2].1),
                () = tokio::time::sleep_until(self.next_tick), if self.has_begun => {
                    let pause = self.session.tick();
                    self.next_tick += pause;
                    // Its own calls are not measured.
                    if pause > Overhead::SPAN {
                        self.draw_status();
                    }
                }
            }
        }
    }

    /// Waits until all processes in scope have ended, or a signal asks to stop.
    ///
    /// # Errors
    ///
    /// As for [`Session::any_process_lives`].
    pub async fn descendants_ended(&mut self) -> Result<(), Error> {
        // There are no descriptors of the descendants to wait for.
        while self.session.any_process_lives()? {
            tokio::select! {
                () = tokio::time::sleep(LOOKED_FOR_EACH) => {}
                _ = self.stop_signal() => break,
            }
        }
        Ok(())
    }

    /// Waits until the workloads' dirty pages are written, by syncfs(2) on their file systems, or until a signal asks
    /// to stop.
    ///
    /// # Errors
    ///
    /// Where the map of dirty pages cannot be read.
    pub async fn sync(&mut self) -> Result<(), Error> {
        for number in self.session.dirty_file_systems()? {
            let helper = self.syncing.clone();
            let mut synced = tokio::task::spawn_blocking(move || match helper {
                Some(helper) => helper.sync_file_system(number),
                None => sync_file_system(number),
            });
            let failed = tokio::select! {
                synced = &mut synced => synced.ok().and_then(Result::err).map(why_not_synced),
                _ = self.stop_signal() => Some("interrupted by a signal".into()),
            };
            if let Some(reason) = failed {
                let (major, minor) = number;
                self.session.warn(format!(
                    "file system {major}:{minor} was not synced: {reason}"
                ));
            }
        }
        Ok(())
    }

    /// Waits for the requests of workloads that have ended, until the time for it is over or a signal asks to stop.
    async fn drain(&mut self) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + self.drain;
        while tokio::time::Instant::now() < deadline
            && self.session.requests_in_flight()? > 0
            && !self.session.any_process_lives()?
        {
            tokio::select! {
                _ = self.stop_signal() => break,
                () = tokio::time::sleep(DRAIN_PAUSE) => {}
            }
        }
        Ok(())
    }

    /// Waits for requests in flight, reads the maps, detaches the probes and makes the report.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub async fn finish(mut self, workloads: Vec<WorkloadInfo>) -> Result<Report, Error> {
        self.drain().await?;
        self.status = None;
        let snapshot = self.session.finish()?;
        let mut report = collector::report(&snapshot, workloads, self.started_at);
        ceilings::set(&mut report);
        analysis::judge(&mut report);
        Ok(report)
    }
}

fn why_not_synced(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not mounted here".into(),
        _ => error.to_string(),
    }
}

/// The event loop, on this thread alone.
///
/// # Errors
///
/// Where the kernel rejects it.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("starting the event loop"))
}
