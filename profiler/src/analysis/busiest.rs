//! The threads that a workload waits for: those that are busy for most of the time in which any is.

use std::collections::BTreeMap;

use crate::{
    model::{
        off_cpu::Time,
        report::Workload,
        row::{Did, ProcessRows},
        sum::sum,
    },
    text::Text,
};

/// So many parts in `OF` of the busy time are most of it.
const MOST: u64 = 2;
const OF: u64 = 3;

/// Threads of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busiest<'a> {
    /// Their name.
    pub name: &'a Text,
    /// How many.
    pub threads: u64,
    /// Their time.
    pub time: Time,
}

/// The threads of one name that are busy for two thirds of the time in which threads of the workload are, others being there;
/// none where no name has as much, or it is not known.
///
/// A thread that sleeps, in whatever call, is not busy: it waits for others.
pub fn busiest(workload: &Workload) -> Option<Busiest<'_>> {
    let mut classes = BTreeMap::<&Text, Busiest<'_>>::new();
    let mut busy = 0_u64;
    for (name, threads, did) in rows(workload.process_rows.as_ref()?) {
        let time = did.time.as_ref()?;
        busy = busy.saturating_add(busy_ns(time));
        let Some(name) = name else {
            continue;
        };
        let class = classes.entry(name).or_insert_with(|| Busiest {
            name,
            threads: 0,
            time: Time::none(),
        });
        class.threads = class.threads.saturating_add(threads);
        class.time = class.time.plus(time);
    }
    let classes = classes.into_values();
    let most = classes.max_by_key(|class| busy_ns(&class.time))?;
    let has_most = busy_ns(&most.time).saturating_mul(OF) >= busy.saturating_mul(MOST);
    (has_most && busy > 0 && most.threads < workload.threads).then_some(most)
}

/// All rows of threads with their names and how many they are. Folded processes count with all their threads.
fn rows(rows: &ProcessRows) -> impl Iterator<Item = (Option<&Text>, u64, &Did)> {
    let own = rows.processes.iter().flat_map(|process| {
        let own = process.thread_rows.iter();
        let own = own.map(|thread| (Some(&thread.name), 1, &thread.did));
        let named = process.threads_by_name.iter();
        own.chain(named.map(|named| (named.name.as_ref(), named.threads, &named.did)))
    });
    let named = rows.by_name.iter();
    own.chain(named.map(|named| (named.name.as_ref(), named.threads, &named.did)))
}

/// The time in which a thread does not wait for others.
fn busy_ns(time: &Time) -> u64 {
    let waits = sum([time.off_cpu.idle_ns, time.off_cpu.sleep_ns]);
    time.thread_ns.saturating_sub(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{off_cpu::OffCpu, report::Report, row::ProcessesOfName};

    /// Threads of a name, with so much time on a CPU and asleep.
    fn threads(name: &str, threads: u64, cpu_ns: u64, sleep_ns: u64) -> ProcessesOfName {
        ProcessesOfName {
            name: Some(name.into()),
            processes: threads,
            threads,
            did: Did {
                time: Some(Time {
                    thread_ns: sum([cpu_ns, sleep_ns]),
                    cpu_ns,
                    off_cpu: OffCpu {
                        sleep_ns,
                        ..OffCpu::default()
                    },
                    ..Time::default()
                }),
                ..Did::default()
            },
        }
    }

    fn workload(by_name: Vec<ProcessesOfName>) -> Workload {
        let text = include_str!("../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let mut workload = report.workloads.remove(0);
        workload.threads = sum(by_name.iter().map(|named| named.threads));
        workload.process_rows = Some(ProcessRows {
            processes: Vec::new(),
            by_name,
        });
        workload
    }

    #[test]
    fn threads_that_sleep_are_not_the_busiest_however_many() {
        let one = workload(vec![
            threads("main", 1, 100, 0),
            threads("pool", 8, 10, 790),
        ]);
        let found = busiest(&one).expect("main is busy");
        assert_eq!((found.name.as_str(), found.threads), ("main", 1));
        assert_eq!(found.time.cpu_ns, 100);
    }

    #[test]
    fn rows_of_one_name_are_one_class() {
        let one = workload(vec![
            threads("main", 1, 10, 90),
            threads("worker", 3, 40, 0),
            threads("worker", 1, 60, 0),
        ]);
        let found = busiest(&one).expect("the workers are busy");
        assert_eq!((found.name.as_str(), found.threads), ("worker", 4));
        assert_eq!(found.time.thread_ns, 100);
    }

    #[test]
    fn where_no_name_has_most_or_there_is_one_alone_it_is_all_threads() {
        let equal = [threads("a", 1, 50, 0), threads("b", 1, 50, 0)];
        for rows in [equal.to_vec(), vec![threads("a", 4, 50, 0)], Vec::new()] {
            assert_eq!(busiest(&workload(rows)), None);
        }
        let mut unknown = workload(equal.to_vec());
        unknown.process_rows = None;
        assert_eq!(busiest(&unknown), None);
    }
}
