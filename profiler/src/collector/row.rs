//! What each process and each thread of a workload did.
//!
//! The probes keep a row for each thread. A process is the sum of its threads. Short-lived ones are folded by their names, and
//! so are the least active where there are many: the rows of a report are few, and add up.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use ioprof_ebpf::abi::{merge::Merge as _, off_cpu::WaitKind, row::Row};

use super::{name, off_cpu};
use crate::{
    kernel::snapshot::Snapshot,
    model::{
        off_cpu::Time,
        row::{Did, ProcessRow, ProcessRows, ProcessesOfName, ThreadRow, ThreadsOfName},
    },
    text::Text,
};

/// Processes with a row of their own, threads with one, and names with one.
const PROCESSES: usize = 128;
const THREADS: usize = 256;
const NAMES: usize = 64;

/// Where so many of one name live for less than this part of the workload's time, they are folded.
const SHORT_LIVED: u64 = 10;
const MANY: usize = 8;

/// A process, and what is known of its threads.
#[derive(Default)]
struct Process {
    sum: Row,
    /// By number: 0 for threads of one name.
    threads: Vec<(u32, Row)>,
}

/// From the moment that the first thread of a workload came into scope to the end of the last, or of the window; 0 where
/// none did anything.
pub fn span_ns(snapshot: &Snapshot, workload: u32) -> u64 {
    let rest = &snapshot.workloads[workload as usize - 1].rest;
    let own = snapshot.rows.rows.iter();
    let own = own.filter(|(key, _)| key.workload == workload);
    let rows = own.map(|(_, row)| row).chain([rest]);
    // 0 is of what is not known.
    let rows = rows.filter(|row| row.began_ns != 0);
    let began = rows.clone().map(|row| row.began_ns).min();
    let ended = rows.map(|row| row.ended_ns.min(snapshot.ended_ns)).max();
    began
        .zip(ended)
        .map_or(0, |(began, ended)| ended.saturating_sub(began))
}

/// The rows of a workload of which all threads have the time `whole`, and which took so long.
pub fn process_rows(
    snapshot: &Snapshot,
    workload: u32,
    whole: Option<&Time>,
    span_ns: u64,
) -> ProcessRows {
    let collector = Collector {
        snapshot,
        workload,
        whole,
        short_ns: span_ns / SHORT_LIVED,
    };
    let (processes, mut folded) = collector.processes();
    let (kept, more) = fold(
        processes,
        PROCESSES,
        |(_, process)| collector.is_short(&process.sum),
        |(_, process)| &process.sum,
    );
    folded.extend(more.into_iter().map(|(_, process)| process.sum));
    let rest = snapshot.workloads[workload as usize - 1].rest;
    let least_active = Collector::least_active(&kept);
    let rows = kept
        .into_iter()
        .map(|(pid, process)| collector.process(pid, process, least_active));
    let named = by_name(folded, rest).into_iter();
    ProcessRows {
        processes: rows.collect(),
        by_name: named
            .map(|(name, row)| ProcessesOfName {
                name,
                processes: row.processes,
                threads: row.threads,
                did: collector.did(&row),
            })
            .collect(),
    }
}

struct Collector<'a> {
    snapshot: &'a Snapshot,
    workload: u32,
    whole: Option<&'a Time>,
    short_ns: u64,
}

impl Collector<'_> {
    /// The processes by their numbers, and the sums over processes of one name: of those that the probes have kept together,
    /// and of threads whose process is in one.
    fn processes(&self) -> (Vec<(u32, Process)>, Vec<Row>) {
        let mut processes: BTreeMap<u32, Process> = BTreeMap::new();
        let mut folded = Vec::new();
        let own = self.snapshot.rows.rows.iter();
        for (key, row) in own.filter(|(key, _)| key.workload == self.workload) {
            if key.process == 0 {
                folded.push(*row);
                continue;
            }
            let process = processes.entry(key.process).or_default();
            if key.process == key.thread {
                // The name of a process is that of its first thread.
                process.sum.name = row.name;
            }
            process.threads.push((key.thread, *row));
        }
        for process in processes.values_mut() {
            let name = process.sum.name;
            for (_, row) in &process.threads {
                process.sum.merge(row);
            }
            if process.sum.processes > 0 {
                process.sum.name = name;
            }
        }
        let (whole, parts): (Vec<_>, Vec<_>) = processes
            .into_iter()
            .partition(|(_, process)| process.sum.processes > 0);
        folded.extend(parts.into_iter().map(|(_, process)| process.sum));
        (whole, folded)
    }

    fn is_short(&self, row: &Row) -> bool {
        lifetime_ns(row) < self.short_ns
    }

    /// How active a thread of these is at least to have a row of its own: as many as may.
    fn least_active(processes: &[(u32, Process)]) -> u64 {
        let threads = processes.iter().flat_map(|(_, process)| &process.threads);
        let mut active: Vec<_> = threads.map(|(_, row)| active(row)).collect();
        active.sort_unstable_by_key(|active| Reverse(*active));
        active.get(THREADS).map_or(0, |active| active + 1)
    }

    fn process(&self, pid: u32, process: Process, least_active: u64) -> ProcessRow {
        let (own, mut folded): (Vec<_>, Vec<_>) = process
            .threads
            .into_iter()
            .partition(|(tid, row)| *tid != 0 && active(row) >= least_active);
        let most = own.len();
        let (own, more) = fold(own, most, |(_, row)| self.is_short(row), |(_, row)| row);
        folded.extend(more);
        let folded = folded.into_iter().map(|(_, row)| row).collect();
        let row = process.sum;
        ProcessRow {
            pid,
            name: name::of_thread(&row.name),
            argv: self.snapshot.rows.command_lines.get(&pid).cloned(),
            running: row.running > 0,
            began_ns: self.began_ns(&row),
            lifetime_ns: lifetime_ns(&row),
            threads: row.threads,
            did: self.did(&row),
            thread_rows: own
                .iter()
                .map(|(tid, row)| ThreadRow {
                    tid: *tid,
                    name: name::of_thread(&row.name),
                    running: row.running > 0,
                    began_ns: self.began_ns(row),
                    lifetime_ns: lifetime_ns(row),
                    did: self.did(row),
                })
                .collect(),
            threads_by_name: by_name(folded, Row::default())
                .into_iter()
                .map(|(name, row)| ThreadsOfName {
                    name,
                    threads: row.threads,
                    did: self.did(&row),
                })
                .collect(),
        }
    }

    fn began_ns(&self, row: &Row) -> Option<u64> {
        (row.began_ns != 0).then(|| self.snapshot.since_it_began(row.began_ns))
    }

    fn did(&self, row: &Row) -> Did {
        let (tally, accounts) = (&row.tally, &row.accounts);
        Did {
            calls: tally.calls,
            read_bytes: tally.read_bytes,
            written_bytes: tally.written_bytes,
            copied_bytes: tally.copied_bytes,
            device_read_bytes: accounts.read_bytes,
            device_write_bytes: accounts.write_bytes,
            time: self.whole.map(|whole| {
                off_cpu::time_of_part(self.snapshot, self.workload, &row.times, tally.calls, whole)
            }),
        }
    }
}

/// Those that keep a row of their own, the most active first, and those that are folded: the short-lived ones where many
/// have one name, and what is beyond `most`.
fn fold<T>(
    mut all: Vec<T>,
    most: usize,
    is_short: impl Fn(&T) -> bool,
    row: impl Fn(&T) -> &Row,
) -> (Vec<T>, Vec<T>) {
    let mut short: HashMap<_, usize> = HashMap::new();
    for one in all.iter().filter(|one| is_short(one)) {
        *short.entry(row(one).name).or_default() += 1;
    }
    all.sort_by_key(|one| Reverse(active(row(one))));
    let (mut folded, mut kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| {
        is_short(one)
            && short
                .get(&row(one).name)
                .is_some_and(|number| *number >= MANY)
    });
    folded.extend(kept.drain(most.min(kept.len())..));
    (kept, folded)
}

/// Sums by name, the most active first, and the last of all further names.
fn by_name(rows: Vec<Row>, rest: Row) -> Vec<(Option<Text>, Row)> {
    let mut sums: HashMap<_, Row> = HashMap::new();
    for row in rows {
        sums.entry(row.name).or_default().merge(&row);
    }
    let mut sums: Vec<_> = sums.into_values().collect();
    sums.sort_by_key(|row| (Reverse(active(row)), row.name));
    let mut rest = rest;
    for row in sums.drain(NAMES.min(sums.len())..) {
        rest.merge(&row);
    }
    let named = sums
        .into_iter()
        .map(|row| (Some(name::of_thread(&row.name)), row));
    let rest = (rest.threads > 0).then_some((None, rest));
    named.chain(rest).collect()
}

/// How active a thread was: its time but for that in which it was idle, and where no time is known, its calls.
fn active(row: &Row) -> u64 {
    let times = &row.times;
    let idle = times.parts[WaitKind::Idle as usize];
    match times.thread_ns {
        0 => row.tally.calls,
        all => all.saturating_sub(idle),
    }
}

/// How long it was in scope; 0 where that is not known.
fn lifetime_ns(row: &Row) -> u64 {
    match row.began_ns {
        0 => 0,
        began => row.ended_ns.saturating_sub(began),
    }
}
