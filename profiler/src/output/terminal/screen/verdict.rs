//! The verdict in words, and the time as a bar.

use super::super::{
    line::WIDTH,
    style::Style,
    summary::{moved, moved_bytes, span},
};
use crate::{
    analysis::{Activity, Busiest, Part, TimeSpent, busiest, time_spent, time_spent_by},
    model::report::{Exit, Kind, Workload},
    output::{
        format::{count, filled, time, wrapped},
        text::shortened,
    },
    transfer::Direction,
};

/// How wide a name may be.
const NAME: usize = 30;
/// How many parts are named, the least share of all but the first, and that below which the first is no answer.
const PARTS: usize = 3;
const LEAST: f64 = 0.05;
const DOMINANT: f64 = 0.4;
/// A part that is less than this is no answer, and what is unknown is told from this on.
pub const ONE_PERCENT: f64 = 0.01;
/// A call with so much of a part is where it is; one with less has most of it.
const NEARLY_ALL: f64 = 0.9;
/// A sign of percent behind a space where no line ends.
const NO_BREAK: &str = "\u{a0}%";

/// What the workload's time went into, and how much it moved: two lines or three.
pub fn render(workload: &Workload, style: Style) -> String {
    let busiest = busiest(workload);
    let answer = told(workload, busiest.as_ref());
    let answer = answer.as_ref().map_or_else(
        || unknown(workload).to_owned(),
        |spent| named(&spent.parts).join(", "),
    );
    let threads = busiest.map_or_else(String::new, |busiest| threads(workload, &busiest));
    let text = format!("{}{threads}: {answer}", subject(workload));
    // A number stays with its sign: names have no such space.
    let verdict = filled(text.replace(" %", NO_BREAK).split(' '), WIDTH, "  ");
    let verdict = verdict.replace(NO_BREAK, " %");
    let verdict: Vec<_> = verdict.lines().map(|line| style.heading(line)).collect();
    format!(
        "{}\n{}\n",
        verdict.join("\n"),
        sums(workload, time_spent(workload).as_ref())
    )
}

/// The time that the verdict is about: that of the busiest threads, or of all.
pub fn told<'a>(workload: &'a Workload, busiest: Option<&Busiest<'a>>) -> Option<TimeSpent<'a>> {
    match busiest {
        Some(busiest) => time_spent_by(workload, busiest),
        None => time_spent(workload),
    }
}

/// Whose time it is, where it is not that of all threads.
fn threads(workload: &Workload, busiest: &Busiest<'_>) -> String {
    // The kernel has less of a long name, and the second workload of a name has more.
    let last = workload.executed.as_ref().and_then(|one| one.last.as_ref());
    let is_of_all = *busiest.name == workload.name || last == Some(busiest.name);
    let name = match is_of_all {
        true => String::new(),
        false => format!(" ({})", shortened(&busiest.name.to_string(), NAME)),
    };
    match busiest.threads {
        1 => format!(", its busiest thread{name}"),
        number => format!(", its {} busiest threads{name}", count(number)),
    }
}

const fn unknown(workload: &Workload) -> &'static str {
    match workload.time {
        None => "where its time went is unknown, a probe for it is missing",
        Some(_) => "no time was measured",
    }
}

fn subject(workload: &Workload) -> String {
    let name = shortened(&workload.name.to_string(), NAME);
    let wall = format!("{}{}", time(workload.wall_ns), span(workload));
    match (workload.exit, workload.kind) {
        (Some(Exit::Code(0)), _) => format!("{name} took {wall}"),
        (Some(Exit::Code(code)), _) => format!("{name} (exit {code}) took {wall}"),
        (Some(Exit::Signal(signal)), _) => {
            format!("{name} (ended by signal {signal}) took {wall}")
        }
        (None, Kind::Attached) => format!("{name} in {}", time(workload.span_ns())),
        (None, _) if workload.root_pid == 0 => format!("{name} was not started"),
        (None, _) => format!("{name}, still running after {wall}"),
    }
}

/// The largest parts in words, and what is unknown.
fn named(parts: &[Part<'_>]) -> Vec<String> {
    let is_named = |(at, part): (usize, &Part<'_>)| {
        at == 0
            || at < PARTS && part.share >= LEAST
            || part.activity == Activity::Unknown && part.share >= ONE_PERCENT
    };
    let mut words: Vec<_> = (0..)
        .zip(parts)
        .filter(|part| is_named(*part))
        .map(|(_, part)| in_words(part))
        .collect();
    let first = parts.first().map_or(0.0, |part| part.share);
    if let Some(word) = words.first_mut().filter(|_| first < DOMINANT) {
        *word = format!("nothing dominates; {word}");
    }
    words
}

fn in_words(part: &Part<'_>) -> String {
    let what = match part.activity {
        Activity::Device => "waits for the device",
        Activity::Calls => "CPU in calls",
        Activity::User => "CPU outside of calls",
        Activity::Cpu => "CPU",
        Activity::Probes => "CPU in ioprof's probes",
        Activity::Runnable => "waits for a CPU",
        Activity::Throttled => "held back by dirty pages",
        Activity::Journal => "waits for the journal or writeback",
        Activity::Fault => "waits in page faults",
        Activity::Asleep => "asleep in calls (locks, pipes, sockets)",
        Activity::Idle => "idle",
        Activity::Exit => "exiting",
        Activity::Stolen => "CPU stolen by the hypervisor or interrupts",
        Activity::Unknown => "unknown",
    };
    let of_call = match part.activity {
        Activity::Calls => "CPU",
        Activity::Asleep => "asleep",
        _ => what,
    };
    let what = match part.call {
        Some((call, share)) if share >= NEARLY_ALL => format!("{of_call} in {call}"),
        Some((call, _)) if part.activity == Activity::Asleep => {
            format!("asleep in calls (most in {call})")
        }
        Some((call, _)) => format!("{what} (most in {call})"),
        None => what.to_owned(),
    };
    format!("{} {what}", percent(part.share))
}

pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Processes, threads, and the bytes of calls.
fn sums(workload: &Workload, spent: Option<&TimeSpent<'_>>) -> String {
    let counted = |number, one: &str, several: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{} {several}", count(number)),
    };
    let mut parts = vec![
        counted(workload.processes, "process", "processes"),
        counted(workload.threads, "thread", "threads"),
    ];
    let asleep = spent.map_or(0, |spent| spent.asleep_beside_ns);
    if let (Some(threads), true) = (parts.last_mut(), asleep > 0) {
        threads.push_str(&format!(" ({} asleep left out)", time(asleep)));
    }
    for (direction, word) in [
        (Direction::Read, "read"),
        (Direction::Written, "written"),
        (Direction::Copied, "copied"),
    ] {
        if moved(workload, direction).operations > 0 {
            parts.push(format!("{word} {}", moved_bytes(workload, direction)));
        }
    }
    wrapped(&parts, WIDTH, "  ")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::{
        off_cpu::{CallTime, OffCpu, Time},
        report::{Executed, Report},
        row::{Did, ProcessRows, ProcessesOfName},
    };

    /// A workload of one thread, with its time off the CPU.
    pub fn workload(off_cpu: OffCpu) -> Workload {
        let text = include_str!("../../../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let mut workload = report.workloads.remove(0);
        workload.wall_ns = off_cpu.total();
        workload.span_ns = None;
        workload.time = Some(Time {
            thread_ns: off_cpu.total(),
            off_cpu,
            ..Time::default()
        });
        workload
    }

    fn verdict(workload: &Workload) -> String {
        let text = render(workload, Style::PLAIN);
        let words: Vec<_> = text
            .lines()
            .take(2)
            .flat_map(str::split_whitespace)
            .collect();
        words.join(" ")
    }

    #[test]
    fn the_largest_parts_are_named_and_small_ones_are_not() {
        let mut one = workload(OffCpu {
            service_ns: 50,
            queue_ns: 5,
            runnable_ns: 30,
            throttled_ns: 11,
            sleep_ns: 4,
            ..OffCpu::default()
        });
        for (call_ns, where_it_is) in [(0, ""), (30, " (most in pread64)"), (53, " in pread64")] {
            let mut split = CallTime::default();
            split.off_cpu.service_ns = call_ns;
            one.syscalls.retain(|call| call.name == "pread64");
            one.syscalls[0].breakdown = Some(split);
            let expected = format!(
                "async took 100 ns: 55 % waits for the device{where_it_is}, 30 % waits for a CPU, \
                 11 % held back by dirty pages"
            );
            assert_eq!(verdict(&one), expected);
        }
    }

    #[test]
    fn what_was_counted_for_longer_than_the_command_took_is_divided_by_that() {
        let mut one = workload(OffCpu {
            service_ns: 60,
            idle_ns: 100,
            ..OffCpu::default()
        });
        (one.wall_ns, one.span_ns) = (2, Some(100));
        let said = verdict(&one);
        let expected = "async took 2 ns, counted for 100 ns: 60 % waits for the device";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains(", 40 % idle"), "{said}");
    }

    #[test]
    fn where_nothing_dominates_and_what_is_unknown_is_said() {
        let one = workload(OffCpu {
            service_ns: 30,
            runnable_ns: 28,
            throttled_ns: 20,
            journal_ns: 19,
            unknown_ns: 3,
            ..OffCpu::default()
        });
        let said = verdict(&one);
        assert!(said.contains(": nothing dominates; 30 % waits"), "{said}");
        assert!(said.contains("pages, 3 % unknown"), "{said}");
    }

    #[test]
    fn the_busiest_threads_are_spoken_of_and_not_all() {
        let time = |cpu_ns, sleep_ns| Time {
            thread_ns: cpu_ns + sleep_ns,
            cpu_ns,
            off_cpu: OffCpu {
                sleep_ns,
                ..OffCpu::default()
            },
            ..Time::default()
        };
        let mut one = workload(OffCpu::default());
        (one.time, one.threads, one.wall_ns) = (Some(time(100, 700)), 8, 100);
        let named = |name: &str, threads, time| ProcessesOfName {
            name: Some(name.into()),
            processes: threads,
            threads,
            did: Did {
                time: Some(time),
                ..Did::default()
            },
        };
        for (name, threads, expected) in [
            (
                "async",
                1,
                "async took 100 ns, its busiest thread: 100 % CPU",
            ),
            (
                "main",
                1,
                "async took 100 ns, its busiest thread (main): 100 % CPU",
            ),
            (
                "main",
                2,
                "async took 100 ns, its 2 busiest threads (main): 100 % CPU",
            ),
        ] {
            one.process_rows = Some(ProcessRows {
                processes: Vec::new(),
                by_name: vec![
                    named(name, threads, time(100, 0)),
                    named("pool", 8 - threads, time(0, 700)),
                ],
            });
            let said = verdict(&one);
            assert!(said.starts_with(expected), "{said}");
            let spent = told(&one, busiest(&one).as_ref()).expect("it is known");
            assert_eq!(spent.parts[0].activity, Activity::Cpu);
        }
        // The second workload of a name.
        one.executed = Some(Executed {
            programs: 1,
            last: Some("main".into()),
        });
        let said = verdict(&one);
        assert!(said.contains(", its 2 busiest threads: 100"), "{said}");
        one.process_rows = None;
        let said = verdict(&one);
        assert!(said.contains("took 100 ns: 100 % CPU"), "{said}");
    }

    #[test]
    fn what_was_moved_is_whole_however_long_the_line() {
        let mut one = workload(OffCpu {
            runnable_ns: 500_000_000,
            sleep_ns: 1_234_000_000,
            ..OffCpu::default()
        });
        one.wall_ns = 500_000_000;
        (one.processes, one.threads) = (1_234_567, 12_345_678);
        let mut copied = one.syscalls[0].clone();
        copied.name = "splice".into();
        copied.bytes = Some(4_380_000_000);
        one.syscalls.push(copied);
        let text = render(&one, Style::PLAIN);
        let wide = text
            .lines()
            .find(|line| crate::output::text::width(line) > WIDTH);
        assert_eq!(wide, None, "{text}");
        assert!(text.contains("(1.23 s asleep left out), "), "{text}");
        assert!(text.contains("copied 4.08 GiB\n"), "{text}");
    }

    #[test]
    fn how_it_ended_is_said() {
        let mut one = workload(OffCpu::default());
        for (exit, kind, root_pid, expected) in [
            (Some(Exit::Code(3)), Kind::Command, 1, "async (exit 3) took"),
            (
                Some(Exit::Signal(9)),
                Kind::Command,
                1,
                "async (ended by signal 9) took",
            ),
            (None, Kind::Attached, 1, "async in "),
            (None, Kind::Command, 1, "async, still running after"),
            (None, Kind::Command, 0, "async was not started:"),
        ] {
            (one.exit, one.kind, one.root_pid) = (exit, kind, root_pid);
            let said = verdict(&one);
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
