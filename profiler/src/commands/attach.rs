//! `ioprof attach`.

use std::{
    iter,
    os::fd::AsFd as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::io::{Interest, unix::AsyncFd};

use super::{
    deliver::{deliver, say_left_out, say_ready},
    gate,
    measurement::{Measurement, runtime},
};
use crate::{
    cli::Attach,
    collector::WorkloadInfo,
    error::Error,
    kernel::{
        bpf::scope::EntryState,
        system::{
            process::{Process, process},
            tree::Tree,
        },
    },
    model::report::{Descendants, Kind},
};

/// Profiles running processes until they and their descendants end, the time is over, or a signal arrives.
///
/// # Errors
///
/// Where a process is not there, or the probes cannot be attached.
pub fn attach(attach: &Attach) -> Result<ExitCode, Error> {
    let mut pids = attach.pids.clone();
    pids.sort_unstable();
    pids.dedup();
    let processes = pids
        .iter()
        .map(|pid| process(*pid))
        .collect::<Result<Vec<_>, _>>()?;
    let workloads = if attach.separate {
        processes.iter().map(|process| vec![process]).collect()
    } else {
        by_program(&processes)
    };
    let runtime = runtime()?;
    let (report, destination) = runtime.block_on(async {
        let (mut measurement, destination) =
            Measurement::start(workloads.len(), &[], &attach.common)?;
        let numbered = || {
            let all = (1..).zip(&workloads);
            all.flat_map(|(number, all)| all.iter().map(move |process| (*process, number)))
        };
        for (number, all) in (1..).zip(&workloads) {
            let others = iter::repeat(EntryState::RunningToo);
            let entries = iter::once(EntryState::Running).chain(others);
            for (process, entry) in all.iter().zip(entries) {
                let session = measurement.session();
                session.add_process((process.pid, &process.descriptor), number, entry)?;
            }
        }
        let mut tree = Tree::of(numbered().map(|(process, number)| (process.pid, number)));
        let below = if attach.tree {
            measurement.session().add_tree(&mut tree)?
        } else {
            tree.grow()?.iter().map(|below| below.workload).collect()
        };
        let began = Instant::now();
        measurement.begin()?;
        let max_rss = || {
            let largest = |all: &Vec<&Process>| {
                let known = all.iter().filter_map(|process| process.max_rss_bytes());
                known.max()
            };
            workloads.iter().map(largest).collect::<Vec<_>>()
        };
        let before_end = max_rss();
        say_ready(&pids);
        if !attach.tree && !below.is_empty() {
            say_left_out(below.len());
        }
        measurement.show_status();
        tokio::select! {
            ended = ended(&processes, &mut measurement) => ended?,
            () = time_over(attach.duration) => {}
        }
        let wall = began.elapsed();
        if attach.common.sync {
            measurement.sync().await?;
        }
        let rss = max_rss()
            .into_iter()
            .zip(before_end)
            .map(|(now, before)| now.max(before));
        let firsts = || workloads.iter().filter_map(|all| all.first());
        let infos = (1..)
            .zip(firsts())
            .zip(rss)
            .map(|((number, process), max_rss_bytes)| WorkloadInfo {
                name: process.name.clone(),
                kind: Kind::Attached,
                argv: process.argv.clone(),
                root_pid: process.pid,
                exit: None,
                wall,
                cpu: None,
                max_rss_bytes,
                self_reported: None,
                descendants_at_attach: Some(descendants(&below, number, attach.tree)),
                retired_threads: 0,
            })
            .collect();
        Ok::<_, Error>((measurement.finish(infos).await?, destination))
    })?;
    // A sync that a signal interrupted may still be running.
    runtime.shutdown_background();
    deliver(&report, &attach.common, destination, None)?;
    Ok(gate::status(&report, attach.common.fail_on))
}

/// The processes that execute the same file together, each in its order. Who may not be asked what it executes is alone.
fn by_program(processes: &[Process]) -> Vec<Vec<&Process>> {
    let mut all: Vec<Vec<&Process>> = Vec::new();
    for process in processes {
        let is_same = |group: &&mut Vec<&Process>| {
            let of_group = group.first().and_then(|first| first.program);
            of_group.is_some() && of_group == process.program
        };
        match all.iter_mut().find(is_same) {
            Some(group) => group.push(process),
            None => all.push(vec![process]),
        }
    }
    all
}

/// The processes that existed below those of a workload, by the workloads of all of them.
fn descendants(below: &[u32], number: u32, are_taken: bool) -> Descendants {
    let existing = below.iter().filter(|workload| **workload == number).count() as u64;
    Descendants {
        existing,
        in_scope: if are_taken { existing } else { 0 },
    }
}

/// Waits until the processes and their descendants have ended, or a signal asks to stop.
async fn ended(processes: &[Process], measurement: &mut Measurement) -> Result<(), Error> {
    tokio::select! {
        ended = all_ended(processes) => ended?,
        _ = measurement.stop_signal() => return Ok(()),
    }
    measurement.descendants_ended().await
}

/// Waits until every process has ended: its descriptor becomes readable, by pidfd_open(2).
async fn all_ended(processes: &[Process]) -> Result<(), Error> {
    for process in processes {
        let descriptor = process.descriptor.as_fd();
        // SAFETY: the descriptor is borrowed for longer than the AsyncFd is there.
        let process = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
            .map_err(Error::system("watching the process"))?;
        process
            .readable()
            .await
            .map_err(Error::system("watching the process"))?
            .retain_ready();
    }
    Ok(())
}

async fn time_over(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
