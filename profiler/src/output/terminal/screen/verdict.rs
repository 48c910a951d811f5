//! The verdict in words, and the time as a bar.

use super::super::{line::WIDTH, style::Style, summary::moved};
use crate::{
    analysis::{Activity, Part, TimeSpent, time_spent},
    model::report::{Exit, Kind, Workload},
    output::{
        format::{bytes, count, filled, time},
        text::{shortened, width},
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
const ONE_PERCENT: f64 = 0.01;
/// A call with so much of a part is where it is; one with less has most of it.
const NEARLY_ALL: f64 = 0.9;
/// A sign of percent behind a space where no line ends.
const NO_BREAK: &str = "\u{a0}%";

/// What the workload's time went into, and how much it moved: two lines or three.
pub fn render(workload: &Workload, style: Style) -> String {
    let spent = time_spent(workload);
    let answer = spent.as_ref().map_or_else(
        || unknown(workload).to_owned(),
        |spent| named(&spent.parts).join(", "),
    );
    let text = format!("{}: {answer}", subject(workload));
    // A number stays with its sign: names have no such space.
    let verdict = filled(text.replace(" %", NO_BREAK).split(' '), WIDTH, "  ");
    let verdict = verdict.replace(NO_BREAK, " %");
    let verdict: Vec<_> = verdict.lines().map(|line| style.heading(line)).collect();
    format!(
        "{}\n{}\n",
        verdict.join("\n"),
        sums(workload, spent.as_ref())
    )
}

const fn unknown(workload: &Workload) -> &'static str {
    match workload.time {
        None => "where its time went is unknown, a probe for it is missing",
        Some(_) => "no time was measured",
    }
}

fn subject(workload: &Workload) -> String {
    let name = shortened(&workload.name.to_string(), NAME);
    let wall = time(workload.wall_ns);
    match (workload.exit, workload.kind) {
        (Some(Exit::Code(0)), _) => format!("{name} took {wall}"),
        (Some(Exit::Code(code)), _) => format!("{name} (exit {code}) took {wall}"),
        (Some(Exit::Signal(signal)), _) => {
            format!("{name} (ended by signal {signal}) took {wall}")
        }
        (None, Kind::Attached) => format!("{name} in {wall}"),
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

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Processes, threads, and the bytes of calls.
fn sums(workload: &Workload, spent: Option<&TimeSpent<'_>>) -> String {
    let counted = |number, one: &str, several: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{} {several}", count(number)),
    };
    let idle = spent.map_or(0, |spent| spent.idle_beside_ns);
    let idle = match idle {
        0 => String::new(),
        ns => format!(" ({} idle left out)", time(ns)),
    };
    let threads = counted(workload.threads, "thread", "threads");
    let mut parts = vec![
        counted(workload.processes, "process", "processes"),
        format!("{threads}{idle}"),
    ];
    for (direction, word) in [
        (Direction::Read, "read"),
        (Direction::Written, "written"),
        (Direction::Copied, "copied"),
    ] {
        let sum = moved(workload, direction);
        if sum.operations > 0 {
            parts.push(format!("{word} {}", bytes(sum.bytes)));
        }
    }
    shortened(&parts.join(", "), WIDTH)
}

/// So many columns are kept for blocks.
const BLOCKS: usize = 20;

/// The parts of the time, each as a word and as blocks; nothing where they are unknown.
pub fn bar(workload: &Workload, style: Style) -> String {
    let Some(spent) = time_spent(workload) else {
        return String::new();
    };
    let columns = WIDTH.saturating_add(style.spare());
    let mut parts: Vec<(&str, f64)> = spent
        .parts
        .iter()
        .filter(|part| part.share >= ONE_PERCENT)
        .map(|part| (part.activity.word(), part.share))
        .collect();
    let labels = |parts: &[(&str, f64)]| -> Vec<String> {
        let rest = 1.0 - parts.iter().fold(0.0, |sum, (_, share)| sum + share);
        let rest = Some(("other", rest)).filter(|(_, share)| *share >= ONE_PERCENT);
        let all = parts.iter().copied().chain(rest);
        all.map(|(word, share)| format!("{word} {}", percent(share)))
            .collect()
    };
    let taken = |labels: &[String]| {
        let widths = labels.iter().map(|label| width(label).saturating_add(2));
        widths.fold(0, usize::saturating_add)
    };
    while parts.len() > 1 && taken(&labels(&parts)).saturating_add(BLOCKS) > columns {
        parts.pop();
    }
    let labels = labels(&parts);
    let blocks = columns.saturating_sub(taken(&labels));
    let shares = parts.iter().map(|(_, share)| *share);
    let shares = shares.chain(std::iter::once(0.0)).take(labels.len());
    let drawn: Vec<_> = labels
        .iter()
        .zip(shares)
        .map(|(label, share)| {
            let blocks = "#".repeat(blocks_of(share, blocks));
            format!("{label} {blocks}").trim_end().to_owned()
        })
        .collect();
    format!("{}\n", drawn.join(" "))
}

/// Never more than fit: what a fraction of a block is left out.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 of some hundred columns"
)]
fn blocks_of(share: f64, all: usize) -> usize {
    (share.clamp(0.0, 1.0) * all as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        off_cpu::{CallTime, OffCpu, Time},
        report::Report,
    };

    /// A workload of one thread, with its time off the CPU.
    fn workload(off_cpu: OffCpu) -> Workload {
        let text = include_str!("../../../../tests/fixtures/report.json");
        let mut report: Report = serde_json::from_str(text).expect("the fixture is a report");
        let mut workload = report.workloads.remove(0);
        workload.wall_ns = off_cpu.total();
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

    #[test]
    fn the_bar_has_the_width_it_is_given_and_no_more() {
        let one = workload(OffCpu {
            service_ns: 40,
            runnable_ns: 20,
            throttled_ns: 12,
            journal_ns: 10,
            fault_ns: 8,
            sleep_ns: 6,
            idle_ns: 2,
            unknown_ns: 2,
            ..OffCpu::default()
        });
        assert_eq!(
            bar(&one, Style::PLAIN),
            "device 40 % ######## CPU wait 20 % #### dirty limit 12 % ## other 28 %\n"
        );
        let wide = bar(&one, Style::PLAIN.of_width(160));
        assert!(
            wide.contains("unknown 2 %") && width(wide.trim()) <= 160,
            "{wide}"
        );
        for part in ["device 100 %", "\n"] {
            let one = workload(OffCpu {
                service_ns: 1,
                ..OffCpu::default()
            });
            assert!(bar(&one, Style::PLAIN).contains(part));
        }
    }
}
