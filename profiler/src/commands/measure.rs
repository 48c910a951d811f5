//! A measurement from the attaching of the probes to the report.

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use nix::{
    sys::utsname::uname,
    unistd::{Pid, SysconfVar, sysconf},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{destination::Destination, privilege};
use crate::{
    cli::Common,
    collector::{self, Context, CpuTime},
    error::Error,
    kernel::{
        Helper, Session, Settings,
        bpf::{Overhead, probes::ProbeSelection},
        sync_file_system,
    },
    model::{
        asynchronous::Direction,
        report::{Exit, Host, Kind, Report, SCHEMA, Workload},
    },
    text,
};

/// What is known of a workload beside what the probes count.
pub struct WorkloadInfo {
    /// What the report calls it.
    pub name: String,
    /// What kind it is.
    pub kind: Kind,
    /// Its command line.
    pub argv: Vec<String>,
    /// Its first process.
    pub root_pid: i32,
    /// How that ended; none where it still runs.
    pub exit: Option<Exit>,
    /// From its coming into scope to its end.
    pub wall: Duration,
    /// Its CPU time, user and system, where the kernel has told at its end.
    pub cpu_ns: Option<(u64, u64)>,
    /// The largest resident set of any of its processes.
    pub max_rss_bytes: Option<u64>,
    /// What a built-in workload says it did.
    pub self_reported: Option<ioprof_workloads::Summary>,
    /// Threads that were taken out of scope before they ended.
    pub retired_threads: u64,
}

/// A measurement under way.
pub struct Measurement {
    session: Session,
    helper: Option<Arc<Helper>>,
    /// Another, which may wait for a disk while the first has other things to do.
    syncing: Option<Arc<Helper>>,
    started_at: jiff::Timestamp,
    next_tick: tokio::time::Instant,
    signals: [Signal; 3],
}

/// A signal that asks ioprof to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal(pub nix::sys::signal::Signal);

const SIGNALS: [(fn() -> SignalKind, nix::sys::signal::Signal); 3] = [
    (SignalKind::interrupt, nix::sys::signal::Signal::SIGINT),
    (SignalKind::terminate, nix::sys::signal::Signal::SIGTERM),
    (SignalKind::hangup, nix::sys::signal::Signal::SIGHUP),
];

impl Measurement {
    /// Attaches the probes, and gives up the privileges that this took. The children of this process are
    /// those that signals may be sent to.
    ///
    /// # Errors
    ///
    /// Those of [`Session::start`].
    pub fn start(
        workloads: usize,
        children: &[&OwnedFd],
        common: &Common,
        report: &Destination,
    ) -> Result<Self, Error> {
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
        let mut session = Session::start(&Settings {
            workloads: u32::try_from(workloads).unwrap_or(u32::MAX),
            probes: ProbeSelection {
                without: common.without_probe.clone(),
                minor_fault_time: common.minor_fault_time,
            },
            helper: helper.clone(),
        })?;
        privilege::give_up(&mut session, report)?;
        Ok(Self {
            session,
            helper,
            syncing,
            started_at: jiff::Timestamp::now(),
            next_tick: tokio::time::Instant::now() + Overhead::first_tick(),
            signals,
        })
    }

    /// The probes.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// A signal that has asked to end already.
    pub async fn has_been_asked(&mut self) -> Option<StopSignal> {
        // What has come is known when the event loop has gone round once.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            asked = self.asked_to_end() => Some(asked),
            () = std::future::ready(()) => None,
        }
    }

    /// Sends a signal to a child, by its place and its number.
    pub fn send(&self, (place, pid): (usize, i32), signal: nix::sys::signal::Signal) {
        // It may have ended in this moment.
        let _ = match &self.helper {
            Some(helper) => helper.signal(place, signal),
            None => nix::sys::signal::kill(Pid::from_raw(pid), signal).map_err(Into::into),
        };
    }

    /// Waits for a signal that asks to end, and meanwhile keeps the measuring of the probes' cost going.
    pub async fn asked_to_end(&mut self) -> StopSignal {
        loop {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => return StopSignal(SIGNALS[0].1),
                _ = terminate.recv() => return StopSignal(SIGNALS[1].1),
                _ = hangup.recv() => return StopSignal(SIGNALS[2].1),
                () = tokio::time::sleep_until(self.next_tick) => {
                    self.next_tick += self.session.tick();
                }
            }
        }
    }

    /// Waits until what the workloads made dirty is written, by syncfs(2) on the file systems that hold it, or
    /// until a signal asks to end.
    ///
    /// # Errors
    ///
    /// Where the map of it cannot be read.
    pub async fn sync(&mut self) -> Result<(), Error> {
        for number in self.session.dirty_file_systems()? {
            let helper = self.syncing.clone();
            let mut synced = tokio::task::spawn_blocking(move || match helper {
                Some(helper) => helper.sync_file_system(number),
                None => sync_file_system(number),
            });
            let failed = tokio::select! {
                synced = &mut synced => synced.ok().and_then(Result::err).map(why_not_synced),
                _ = self.asked_to_end() => Some("a signal came".into()),
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

    /// Reads the maps, detaches the probes and makes the report.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub fn finish(self, infos: Vec<WorkloadInfo>) -> Result<Report, Error> {
        let snapshot = self.session.finish()?;
        let names: Vec<String> = infos.iter().map(|infos| infos.name.clone()).collect();
        let context = Context {
            names: &names,
            before: &snapshot.before,
            after: &snapshot.after,
            duration_ns: snapshot.duration_ns,
        };
        let workloads: Vec<Workload> = (1..)
            .zip(infos)
            .map(|(number, infos)| {
                let totals = snapshot.workloads[number as usize - 1];
                let accounted = CpuTime::of(&snapshot, number);
                let (cpu_user_ns, cpu_system_ns) = infos
                    .cpu_ns
                    .unwrap_or((accounted.cpu_user_ns, accounted.cpu_system_ns));
                let syscalls = collector::syscalls(&snapshot, number);
                let wall_ns = nanoseconds(infos.wall);
                let io_uring = collector::io_uring(&snapshot, number, wall_ns);
                let aio = collector::aio(&snapshot, number, wall_ns);
                let beside = |direction| {
                    collector::moved_via_async(io_uring.as_ref(), &aio, &syscalls, direction)
                };
                let (read, written) = (beside(Direction::Read), beside(Direction::Written));
                let block = collector::block(&snapshot, &context, number);
                Workload {
                    name: infos.name,
                    kind: infos.kind,
                    argv: infos.argv,
                    root_pid: infos.root_pid,
                    exit: infos.exit,
                    wall_ns,
                    cpu_user_ns,
                    cpu_system_ns,
                    max_rss_bytes: infos.max_rss_bytes,
                    processes: totals.processes,
                    threads: totals.threads,
                    threads_running: totals
                        .threads
                        .saturating_sub(totals.threads_exited + infos.retired_threads),
                    time: collector::time(&snapshot, number),
                    cache: collector::cache(&snapshot, number, read, block.as_deref()),
                    files: collector::files(&snapshot, number),
                    self_checks: infos.self_reported.as_ref().map_or_else(Vec::new, |said| {
                        collector::self_checks(said, &syscalls, io_uring.as_ref())
                    }),
                    writeback: collector::writeback(
                        &snapshot,
                        number,
                        &syscalls,
                        written,
                        block.as_deref(),
                    ),
                    syscalls,
                    block,
                    io_uring,
                    aio,
                    faults: collector::faults(&snapshot, number),
                    self_reported: infos.self_reported,
                }
            })
            .collect();
        let devices = collector::devices(&snapshot, &context);
        let touched = devices.as_deref().unwrap_or_default();
        let ledger = collector::ledger(&snapshot, &context, &workloads, touched);
        Ok(Report {
            schema: SCHEMA.into(),
            ioprof_version: env!("CARGO_PKG_VERSION").into(),
            host: host(),
            started_at: self.started_at.to_string(),
            duration_ns: snapshot.duration_ns,
            workloads,
            devices,
            ledger,
        })
    }
}

fn why_not_synced(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not mounted here".into(),
        _ => error.to_string(),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn host() -> Host {
    let uname = uname();
    let part = |get: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        uname
            .as_ref()
            .map(|uname| text::of(get(uname)))
            .unwrap_or_default()
    };
    Host {
        name: part(|uname| uname.nodename()),
        kernel: part(|uname| uname.release()),
        architecture: part(|uname| uname.machine()),
        cpus: sysconf(SysconfVar::_NPROCESSORS_ONLN)
            .ok()
            .flatten()
            .map_or(1, i64::cast_unsigned),
    }
}

/// Names that tell the workloads apart: the second of a name is NAME#2.
pub fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    names
        .into_iter()
        .map(|name| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{name}#{count}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn workloads_of_the_same_name_are_told_apart() {
        let names = super::distinct(["a", "b", "a", "a"].map(String::from));
        assert_eq!(names, ["a", "b", "a#2", "a#3"]);
    }
}
