//! What the time of a workload went into, in the few kinds that a verdict needs.

use super::busiest::Busiest;
use crate::{
    model::{
        off_cpu::{CallTime, Time},
        report::Workload,
        sum::sum,
    },
    text::Text,
};

/// What a thread does with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It waits for a request to a device, queued or in service.
    Device,
    /// It is on a CPU in calls, on the way into them, or out of them.
    Calls,
    /// It is on a CPU outside of calls: in user mode, and in page faults.
    User,
    /// It is on a CPU, in calls or not: of a thread of io_uring, or where that is not known.
    Cpu,
    /// It is on a CPU in ioprof's probes.
    Probes,
    /// It is ready to run and waits for a CPU.
    Runnable,
    /// It is held back because too many pages are dirty.
    Throttled,
    /// It waits for a thread of the kernel that commits a journal or writes back.
    Journal,
    /// It waits in a page fault outside of calls.
    Fault,
    /// It sleeps in a call that has a row of its own, as for a lock, a pipe or a socket, while no other thread of the workload
    /// is active.
    Asleep,
    /// It sleeps in another call, or is stopped, while no other thread of the workload is active.
    Idle,
    /// It exits.
    Exit,
    /// The hypervisor or an interrupt has its CPU.
    Stolen,
    /// It is not known.
    Unknown,
}

impl Activity {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Device,
        Self::Calls,
        Self::User,
        Self::Cpu,
        Self::Probes,
        Self::Runnable,
        Self::Throttled,
        Self::Journal,
        Self::Fault,
        Self::Asleep,
        Self::Idle,
        Self::Exit,
        Self::Stolen,
        Self::Unknown,
    ];

    /// As a part of a metric's name.
    pub fn key(self) -> String {
        self.word().replace(' ', "_").to_lowercase()
    }

    /// In a word, as it stands in a bar.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Calls => "calls",
            Self::User => "user",
            Self::Cpu => "CPU",
            Self::Probes => "probes",
            Self::Runnable => "CPU wait",
            Self::Throttled => "dirty limit",
            Self::Journal => "journal",
            Self::Fault => "faults",
            Self::Asleep => "asleep",
            Self::Idle => "idle",
            Self::Exit => "exit",
            Self::Stolen => "stolen",
            Self::Unknown => "unknown",
        }
    }
}

/// The time of one activity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part<'a> {
    /// The activity.
    pub activity: Activity,
    /// Nanoseconds of all threads.
    pub ns: u64,
    /// Its part of the whole, from 0 to 1.
    pub share: f64,
    /// The call with at least half of it, and that call's part of it, from 0 to 1.
    pub call: Option<(&'a Text, f64)>,
}

/// Where the time went, the largest part first. The parts add up to `whole_ns`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSpent<'a> {
    /// Nanoseconds of all threads, without those in `asleep_beside_ns`.
    pub whole_ns: u64,
    /// Nanoseconds that threads were asleep or idle while others may have been active: as a pool's threads that wait for
    /// work, or a shell for its child. They say nothing about what the workload waited for.
    pub asleep_beside_ns: u64,
    /// The parts that are not 0.
    pub parts: Vec<Part<'a>>,
}

/// Where the time of a workload's threads went; none where that is not known, or there was none.
///
/// Threads that sleep, in whatever call, count only as far as they may have done so all at once: the rest of the wall time
/// that the active time of all threads leaves.
pub fn time_spent(workload: &Workload) -> Option<TimeSpent<'_>> {
    let time = workload.time.as_ref().filter(|time| time.thread_ns > 0)?;
    Some(divided(workload, time, time))
}

/// Where the time of these threads of it went; none where there was none.
pub fn time_spent_by<'a>(workload: &'a Workload, threads: &Busiest<'a>) -> Option<TimeSpent<'a>> {
    let all = workload.time.as_ref()?;
    (threads.time.thread_ns > 0).then(|| divided(workload, &threads.time, all))
}

/// Nanoseconds of the wall time that a workload had a CPU for, where it needed one: what is at stake is set against these,
/// so that a fault does not vanish as others use the machine. They are no more than its threads spent on all but
/// waiting for a CPU.
pub fn wall_without_cpu_wait_ns(workload: &Workload) -> u64 {
    let spent = time_spent(workload).map(|spent| {
        let waits = [Activity::Runnable, Activity::Stolen];
        let others = spent
            .parts
            .iter()
            .filter(|part| !waits.contains(&part.activity));
        sum(others.map(|part| part.ns))
    });
    spent.map_or(workload.span_ns(), |ns| ns.min(workload.span_ns()))
}

/// Divides the time of threads, of which all of the workload have `all`.
fn divided<'a>(workload: &'a Workload, time: &Time, all: &Time) -> TimeSpent<'a> {
    let active_of = |kinds: &[(Activity, u64)]| sum(kinds.iter().map(|(_, ns)| *ns));
    let (active, active_of_all) = (kinds(time), kinds(all));
    let may_sleep_ns = workload.span_ns().saturating_sub(active_of(&active_of_all));
    let asleep_ns = time.off_cpu.sleep_ns.min(may_sleep_ns);
    // Of all threads: these may have been there for a part of the time only, as a child that a shell slept before.
    let asleep_others_ns = all.off_cpu.sleep_ns.saturating_sub(time.off_cpu.sleep_ns);
    let idle_ns = sum([all.off_cpu.idle_ns, asleep_others_ns]);
    let idle_ns = idle_ns.min(may_sleep_ns.saturating_sub(asleep_ns));
    let whole_ns = sum([active_of(&active), asleep_ns, idle_ns]).max(1);
    let of_others = |activity: Activity, ns: u64| {
        let mut of_all = active_of_all
            .iter()
            .copied()
            .chain([(Activity::Asleep, all.off_cpu.sleep_ns)]);
        let all = of_all.find(|(one, _)| *one == activity);
        all.map_or(0, |(_, all)| all.saturating_sub(ns))
    };
    let mut parts: Vec<_> = active
        .into_iter()
        .chain([(Activity::Asleep, asleep_ns), (Activity::Idle, idle_ns)])
        .filter(|(_, ns)| *ns > 0)
        .map(|(activity, ns)| Part {
            activity,
            ns,
            share: part(ns, whole_ns),
            call: call_of(workload, activity, ns, of_others(activity, ns)),
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.ns));
    let slept_ns = sum([time.off_cpu.sleep_ns, time.off_cpu.idle_ns]);
    TimeSpent {
        whole_ns,
        asleep_beside_ns: slept_ns.saturating_sub(sum([asleep_ns, idle_ns])),
        parts,
    }
}

/// All but the time in which it sleeps in calls or is idle.
fn kinds(time: &Time) -> Vec<(Activity, u64)> {
    let off = &time.off_cpu;
    let cpu = time.cpu.map_or_else(
        || vec![(Activity::Cpu, time.cpu_ns)],
        |cpu| {
            vec![
                (Activity::User, cpu.user_ns),
                (Activity::Calls, sum([cpu.entry_exit_ns, cpu.calls_ns])),
                (Activity::Probes, cpu.probes_ns),
                (Activity::Cpu, cpu.io_uring_ns),
            ]
        },
    );
    let others = [
        (
            Activity::Device,
            sum([off.queue_ns, off.service_ns, off.device_ns]),
        ),
        (Activity::Runnable, off.runnable_ns),
        (Activity::Throttled, off.throttled_ns),
        (Activity::Journal, off.journal_ns),
        (Activity::Fault, off.fault_ns),
        (Activity::Exit, time.exit_ns),
        (Activity::Stolen, time.stolen_ns),
        (
            Activity::Unknown,
            sum([off.unknown_ns, time.unexplained_ns]),
        ),
    ];
    cpu.into_iter().chain(others).collect()
}

/// What of a call's time is of an activity; none where a call has no such time.
fn of_call(activity: Activity, call: &CallTime) -> Option<u64> {
    let off = &call.off_cpu;
    match activity {
        Activity::Device => Some(sum([off.queue_ns, off.service_ns, off.device_ns])),
        Activity::Calls => Some(call.cpu_ns),
        Activity::Throttled => Some(off.throttled_ns),
        Activity::Journal => Some(off.journal_ns),
        Activity::Asleep => Some(off.sleep_ns),
        _ => None,
    }
}

/// The call with at least half of the time, whatever other threads did in it: calls are summed over all threads, and these
/// may have had so much of the call's time.
fn call_of(
    workload: &Workload,
    activity: Activity,
    ns: u64,
    of_others_ns: u64,
) -> Option<(&Text, f64)> {
    let calls = workload.syscalls.iter().filter_map(|call| {
        let of_call = of_call(activity, call.breakdown.as_ref()?)?;
        Some((&call.name, of_call))
    });
    let (name, most) = calls.max_by_key(|(_, ns)| *ns)?;
    let most = most.saturating_sub(of_others_ns);
    // `other` is no call.
    (*name != "other" && most > 0 && most >= ns / 2).then(|| (name, part(most, ns).min(1.0)))
}

#[expect(clippy::cast_precision_loss, reason = "a share is compared and shown")]
fn part(ns: u64, of: u64) -> f64 {
    ns as f64 / of.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{off_cpu::OffCpu, report::Report};

    fn workload() -> Workload {
        let text = include_str!("../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        report.workloads.remove(0)
    }

    /// A workload that was there for `span_ns`, and that had so much of its time idle and waiting for a CPU.
    fn with(span_ns: u64, idle_ns: u64, runnable_ns: u64) -> Workload {
        let mut workload = workload();
        workload.span_ns = Some(span_ns);
        workload.time = Some(Time {
            thread_ns: sum([idle_ns, runnable_ns]),
            off_cpu: OffCpu {
                idle_ns,
                runnable_ns,
                ..OffCpu::default()
            },
            ..Time::default()
        });
        workload
    }

    #[test]
    fn the_parts_add_up_and_the_largest_is_first() {
        let workload = workload();
        let spent = time_spent(&workload).expect("it is known");
        let time = workload.time.expect("it is known");
        assert_eq!(
            sum(spent.parts.iter().map(|part| part.ns)) + spent.asleep_beside_ns,
            time.thread_ns
        );
        assert!(
            spent
                .parts
                .is_sorted_by_key(|part| std::cmp::Reverse(part.ns))
        );
        assert_eq!(spent.parts[0].activity, Activity::Runnable);
    }

    #[test]
    fn idle_threads_count_as_far_as_no_other_was_active() {
        // Five threads, one of them active; one that sleeps; and one that is active for a tenth of the time.
        for (wall, idle, active, counted) in
            [(100, 400, 100, 0), (100, 99, 1, 99), (100, 390, 10, 90)]
        {
            let workload = with(wall, idle, active);
            let spent = time_spent(&workload).expect("it is known");
            assert_eq!(spent.whole_ns, active + counted);
            assert_eq!(spent.asleep_beside_ns, idle - counted);
        }
    }

    /// The same, with so much of the time asleep in the first call; what counts as asleep, and what as idle.
    fn asleep(mut workload: Workload, sleep_ns: u64) -> (u64, u64, Option<String>) {
        let time = workload.time.as_mut().expect("it is set");
        time.off_cpu.sleep_ns = sleep_ns;
        time.thread_ns = sum([time.thread_ns, sleep_ns]);
        workload.syscalls.truncate(1);
        workload.syscalls[0].name = "flock".into();
        let mut split = CallTime::default();
        split.off_cpu.sleep_ns = sleep_ns;
        workload.syscalls[0].breakdown = Some(split);
        let spent = time_spent(&workload).expect("it is known");
        let parts = sum(spent.parts.iter().map(|part| part.ns));
        assert_eq!(parts, spent.whole_ns);
        let thread_ns = workload.time.map_or(0, |time| time.thread_ns);
        assert_eq!(sum([parts, spent.asleep_beside_ns]), thread_ns);
        let of = |activity| spent.parts.iter().find(|part| part.activity == activity);
        let ns = |activity| of(activity).map_or(0, |part| part.ns);
        let call = of(Activity::Asleep).and_then(|part| part.call);
        let call = call.map(|(name, _)| name.to_string());
        (ns(Activity::Asleep), ns(Activity::Idle), call)
    }

    #[test]
    fn threads_asleep_in_calls_count_as_far_as_no_other_was_active() {
        let call = || Some("flock".to_owned());
        // One thread that waits for a lock; two of which one waits for the other all the time, and for a part of it; a
        // shell that is idle while its child waits for a lock.
        assert_eq!(asleep(with(100, 0, 10), 90), (90, 0, call()));
        assert_eq!(asleep(with(100, 0, 100), 100), (0, 0, None));
        assert_eq!(asleep(with(100, 0, 30), 170), (70, 0, call()));
        assert_eq!(asleep(with(100, 100, 10), 60), (60, 30, call()));
        // Eight that wait for one another's CPU, and more of them for a pipe.
        assert_eq!(asleep(with(100, 0, 500), 800), (0, 0, None));
    }

    #[test]
    fn the_busiest_threads_are_asleep_where_they_are_and_idle_where_others_sleep() {
        let mut workload = with(100, 0, 60);
        let time = workload.time.as_mut().expect("it is set");
        let of_main = Time {
            off_cpu: OffCpu {
                sleep_ns: 10,
                ..time.off_cpu
            },
            thread_ns: 70,
            ..*time
        };
        (time.off_cpu.sleep_ns, time.thread_ns) = (110, 170);
        let name = "main".into();
        let main = Busiest {
            name: &name,
            threads: 1,
            time: of_main,
        };
        let spent = time_spent_by(&workload, &main).expect("it had some");
        let parts = spent.parts.iter().map(|part| (part.activity, part.ns));
        let expected = [
            (Activity::Runnable, 60),
            (Activity::Idle, 30),
            (Activity::Asleep, 10),
        ];
        assert_eq!(parts.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_idle_time_before_a_thread_was_there_counts() {
        let mut workload = with(100, 190, 5);
        let of_child = Time {
            thread_ns: 2,
            cpu_ns: 2,
            ..Time::default()
        };
        let time = workload.time.as_mut().expect("it is set");
        *time = time.plus(&of_child);
        let name = "cat".into();
        let child = Busiest {
            name: &name,
            threads: 1,
            time: of_child,
        };
        let spent = time_spent_by(&workload, &child).expect("it had some");
        let parts: Vec<_> = spent
            .parts
            .iter()
            .map(|part| (part.activity, part.ns))
            .collect();
        assert_eq!(parts, [(Activity::Idle, 93), (Activity::Cpu, 2)]);
    }

    #[test]
    fn the_wall_time_without_the_wait_for_a_cpu_is_no_more_than_its_threads_had() {
        // One thread, idle at times; five of which one is active; four that wait for each other's CPU, and are on two.
        for (idle, runnable, cpu, expected) in
            [(30, 50, 20, 50), (400, 90, 10, 10), (0, 200, 200, 100)]
        {
            let mut workload = with(100, idle, runnable);
            let time = workload.time.as_mut().expect("it is set");
            (time.thread_ns, time.cpu_ns) = (sum([time.thread_ns, cpu]), cpu);
            assert_eq!(wall_without_cpu_wait_ns(&workload), expected);
        }
        let mut workload = with(100, 0, 100);
        workload.time = None;
        assert_eq!(wall_without_cpu_wait_ns(&workload), 100);
    }

    #[test]
    fn a_call_is_named_where_it_has_half_of_the_time() {
        let mut workload = with(100, 0, 0);
        let time = workload.time.as_mut().expect("it is set");
        (time.thread_ns, time.off_cpu.service_ns) = (100, 100);
        workload.syscalls.truncate(2);
        for (first, second, name, expected) in [
            (60, 40, "fdatasync", Some("fdatasync")),
            (40, 30, "fdatasync", None),
            (60, 40, "other", None),
            (0, 0, "fdatasync", None),
        ] {
            for (call, service_ns) in workload.syscalls.iter_mut().zip([first, second]) {
                let mut split = CallTime::default();
                split.off_cpu.service_ns = service_ns;
                call.breakdown = Some(split);
            }
            workload.syscalls[0].name = name.into();
            let spent = time_spent(&workload).expect("it is known");
            let found = spent.parts[0].call.map(|(name, _)| name.as_str());
            assert_eq!(found, expected, "{name} {first} {second}");
        }
    }

    #[test]
    fn what_is_not_known_is_none() {
        let mut workload = workload();
        workload.time = None;
        assert_eq!(time_spent(&workload), None);
        assert_eq!(time_spent(&with(100, 0, 0)), None);
    }
}
