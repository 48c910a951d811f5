//! Assembles the report from its parts.

use std::{ffi::OsStr, time::Duration};

use nix::{
    sys::utsname::{UtsName, uname},
    unistd::{SysconfVar, sysconf},
};

use super::{
    aio, block, context::Context, device, fault, file, io_uring, ledger, name, off_cpu, page_cache,
    row, self_report, syscall, under_way, writeback,
};
use crate::{
    kernel::{snapshot::Snapshot, system::machine},
    model::{
        report::{Descendants, DirtyLimits, Exit, Host, Kind, Report, SCHEMA, Workload},
        transferred::knows_asynchronous,
    },
    text::Text,
    transfer::Direction,
};

/// What is known of a workload besides what the probes count.
pub struct WorkloadInfo {
    /// What it was started as, or the name of the process that was attached to.
    pub name: Text,
    /// What kind it is.
    pub kind: Kind,
    /// Its command line.
    pub argv: Vec<Text>,
    /// Its first process.
    pub root_pid: i32,
    /// How it ended; none where it still runs.
    pub exit: Option<Exit>,
    /// From its coming into scope to its end.
    pub wall: Duration,
    /// Its CPU time, where the kernel has told it at its end.
    pub cpu: Option<CpuTime>,
    /// The largest resident set of any of its processes.
    pub max_rss_bytes: Option<u64>,
    /// What a built-in workload reports of itself.
    pub self_reported: Option<ioprof_workloads::Summary>,
    /// The processes that existed below it as it was attached to.
    pub descendants_at_attach: Option<Descendants>,
    /// Threads that were taken out of scope before they ended.
    pub retired_threads: u64,
}

/// The report of a run: of what the probes counted, and of what else is known of its workloads, the first of number 1.
pub fn report(
    snapshot: &Snapshot,
    infos: Vec<WorkloadInfo>,
    started_at: jiff::Timestamp,
) -> Report {
    let names = name::of_workloads(snapshot, &infos);
    let context = Context {
        names: &names,
        before: &snapshot.before,
        after: &snapshot.after,
        duration_ns: snapshot.duration_ns,
    };
    let workloads: Vec<_> = (1..)
        .zip(infos)
        .map(|(number, info)| workload(snapshot, &context, number, info))
        .collect();
    let devices = device::devices(snapshot, &context);
    let touched = devices.as_deref().unwrap_or_default();
    let ledger = ledger::ledger(snapshot, &context, &workloads, touched);
    Report {
        schema: SCHEMA.into(),
        ioprof_version: env!("CARGO_PKG_VERSION").into(),
        host: host(),
        started_at: started_at.to_string().into(),
        duration_ns: snapshot.duration_ns,
        workloads,
        devices,
        ledger,
        findings: Vec::new(),
        ruled_out: Vec::new(),
        undecided: Vec::new(),
    }
}

fn workload(
    snapshot: &Snapshot,
    context: &Context<'_>,
    number: u32,
    info: WorkloadInfo,
) -> Workload {
    let totals = snapshot.workloads[number as usize - 1];
    let cpu = info.cpu.unwrap_or_else(|| CpuTime::of(snapshot, number));
    let wall_ns = u64::try_from(info.wall.as_nanos()).unwrap_or(u64::MAX);
    let (wall_ns, span_ns) = match (info.kind, row::span_ns(snapshot, number)) {
        // Its threads wait for ioprof before its phase and after it.
        (Kind::Builtin, _) | (_, 0) => (wall_ns, wall_ns),
        (Kind::Command, span_ns) => (wall_ns, wall_ns.max(span_ns)),
        // It may have ended before others, and goes on until the window is closed.
        (Kind::Attached, span_ns) => (span_ns, span_ns),
    };
    let syscalls = syscall::syscalls(snapshot, number);
    let io_uring = io_uring::io_uring(snapshot, number, span_ns);
    let aio = aio::aio(snapshot, number, span_ns);
    let knows = |direction| knows_asynchronous(io_uring.as_ref(), &aio, &syscalls, direction);
    let (reads, writes) = (knows(Direction::Read), knows(Direction::Written));
    let block = block::block(snapshot, context, number);
    let requests = block.as_deref();
    let time = off_cpu::time(snapshot, number);
    Workload {
        name: context.workload(number).unwrap_or_default(),
        executed: name::executed(snapshot, number),
        kind: info.kind,
        argv: info.argv,
        root_pid: info.root_pid,
        exit: info.exit,
        core_dumps: Some(totals.core_dumps),
        wall_ns,
        span_ns: Some(span_ns),
        cpu_user_ns: cpu.user_ns,
        cpu_system_ns: cpu.system_ns,
        max_rss_bytes: info.max_rss_bytes,
        processes: totals.processes,
        threads: totals.threads,
        descendants_at_attach: info.descendants_at_attach,
        threads_running: totals
            .threads
            .saturating_sub(totals.threads_exited + info.retired_threads),
        process_rows: Some(row::process_rows(snapshot, number, time.as_ref(), span_ns)),
        time,
        page_cache: page_cache::page_cache(snapshot, number, reads, requests),
        files: file::files(snapshot, number, writes),
        self_checks: info
            .self_reported
            .as_ref()
            .map_or_else(Vec::new, |reported| {
                self_report::self_checks(reported, &syscalls, io_uring.as_ref())
            }),
        writeback: writeback::writeback(snapshot, number, writes, requests),
        calls_under_way: Some(under_way::calls_under_way(snapshot, number)),
        syscalls,
        block,
        io_uring,
        aio,
        faults: fault::faults(snapshot, number),
        self_reported: info.self_reported,
    }
}

/// CPU time by the kernel's count of a workload's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTime {
    /// In user mode.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
}

impl CpuTime {
    /// The CPU time of a workload: the scheduler's clock, divided between user and kernel as the ticks
    /// fell, which is how the kernel itself does it (`cputime_adjust` in kernel/sched/cputime.c).
    fn of(snapshot: &Snapshot, workload: u32) -> Self {
        let accounts = snapshot
            .workloads
            .get(workload as usize - 1)
            .map(|totals| totals.accounts)
            .unwrap_or_default();
        let ticks = u128::from(accounts.user_ns) + u128::from(accounts.system_ns);
        let runtime = u128::from(accounts.runtime_ns);
        // Without a tick it counts as time in the kernel, as the kernel does it.
        let user = (runtime * u128::from(accounts.user_ns))
            .checked_div(ticks)
            .unwrap_or(0) as u64;
        Self {
            user_ns: user,
            system_ns: accounts.runtime_ns.saturating_sub(user),
        }
    }
}

fn host() -> Host {
    let uname = uname();
    let part = |get: fn(&UtsName) -> &OsStr| {
        uname
            .as_ref()
            .map(|uname| Text::of(get(uname)))
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
        dirty_limits: machine::dirty_limits().map(|(background_bytes, bytes)| DirtyLimits {
            background_bytes,
            bytes,
        }),
    }
}
