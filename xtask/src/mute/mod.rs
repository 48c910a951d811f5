//! `cargo xtask mute`: whether the tests notice a probe that is not attached, though the report believes that it is.

mod table;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::ebpf;
use crate::error::{Error, Result};
use crate::process;
use crate::requirements::{self, Consent, Purpose};
use crate::test;
use crate::workspace::{Workspace, cargo};

use self::table::Table;

const TABLE: &str = "profiler/tests/kernel/mute.toml";

/// How long the tests of one probe may take: a test may wait for what a muted probe never tells.
const SECONDS: &str = "300";

#[derive(clap::Args)]
pub struct Args {
    /// Programs of probes to mute; where none is named, today's third of them
    #[arg(value_name = "PROBE")]
    probes: Vec<String>,

    /// Mute all, one after the other
    #[arg(long, conflicts_with_all = ["probes", "part"])]
    all: bool,

    /// Mute the Nth part of M
    #[arg(long, value_name = "N/M", value_parser = Part::parse, conflicts_with = "probes")]
    part: Option<Part>,

    #[command(flatten)]
    consent: Consent,
}

/// One part of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 0.
    index: u64,
    of: u64,
}

impl Part {
    const ALL: Self = Self { index: 0, of: 1 };

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let numbers = text.split_once('/').map(|(n, m)| (n.parse(), m.parse()));
        match numbers {
            Some((Ok(number @ 1_u64..), Ok(of))) if number <= of => Ok(Self {
                index: number - 1,
                of,
            }),
            _ => Err("it takes a form like 2/3".to_owned()),
        }
    }

    /// A third for each day, so that each probe has its turn in three days.
    fn of_day(day: u64) -> Self {
        Self {
            index: day % 3,
            of: 3,
        }
    }

    fn today() -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::of_day(time.map_or(0, |time| time.as_secs() / 86_400))
    }

    /// Every `of`th, so that the probes of one subject are in different parts.
    fn choose<'a>(self, all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        (0..)
            .zip(all)
            .filter(|(at, _)| at % self.of == self.index)
            .map(|(_, probe)| probe)
            .collect()
    }
}

/// `cargo xtask mute`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let path = workspace.join(TABLE);
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let table = Table::parse(&text, &ebpf::probes(workspace)?)?;
    let probes = chosen(&table, args)?;
    requirements::provide(Purpose::Tests, &args.consent)?;
    let tests = table.tests_of(&probes);
    exist(workspace, &tests)?;
    println!("{} tests, nothing muted", tests.len());
    let unmuted = Outcome::of(workspace, &tests, None)?;
    if !unmuted.passed {
        print!("{}", unmuted.said);
        return Err(Error::Mute(format!(
            "tests fail with no probe muted: {}",
            unmuted.failed.join(", ")
        )));
    }
    let width = probes.iter().map(|probe| probe.len()).max().unwrap_or(0);
    let mut unnoticed = Vec::new();
    for probe in probes {
        let tests = table.tests_of(&[probe]);
        let began = Instant::now();
        let muted = Outcome::of(workspace, &tests, Some(probe))?;
        let seconds = began.elapsed().as_secs();
        println!(
            "{probe:<width$}  {seconds:>3} s  {}",
            muted.line(tests.len())
        );
        if muted.failed.is_empty() {
            unnoticed.push(probe);
        }
    }
    if unnoticed.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::Mute(format!(
            "muted, and no test fails: {}",
            unnoticed.join(", ")
        )))
    }
}

/// The probes to mute, of those that are called here.
fn chosen<'a>(table: &'a Table, args: &'a Args) -> Result<Vec<&'a str>> {
    let unknown = |name: &&String| !table.probes.contains_key(*name);
    if let Some(name) = args.probes.iter().find(unknown) {
        return Err(Error::Mute(format!("{TABLE} has no tests of {name}")));
    }
    if !args.probes.is_empty() {
        return Ok(args.probes.iter().map(String::as_str).collect());
    }
    let part = if args.all {
        Part::ALL
    } else {
        args.part.unwrap_or_else(Part::today)
    };
    Ok(part.choose(table.probes.keys().map(String::as_str)))
}

/// Has cargo take the kernel tests in a build where a probe can be muted.
fn of_kernel_tests(mut cargo: Command, workspace: &Workspace) -> Result<Command> {
    cargo
        .args(["test", "--package", "ioprof"])
        .args(["--features", "mute", "--test", "kernel"])
        .args(test::as_root()?)
        .current_dir(workspace.root())
        .env("IOPROF_FORBID_SKIP", "1");
    Ok(cargo)
}

fn cargo_test(workspace: &Workspace) -> Result<Command> {
    of_kernel_tests(Command::new(cargo()), workspace)
}

fn cargo_test_in_time(workspace: &Workspace) -> Result<Command> {
    let mut timeout = Command::new("timeout");
    timeout.args(["--kill-after=5", SECONDS]).arg(cargo());
    of_kernel_tests(timeout, workspace)
}

/// Builds the tests, and fails where one of these is not among them: the test harness would pass it over.
fn exist(workspace: &Workspace, tests: &BTreeSet<&str>) -> Result<()> {
    let mut build = cargo_test(workspace)?;
    process::run(build.arg("--no-run"))?;
    let mut list = cargo_test(workspace)?;
    let listed = process::output(list.args(["--", "--list", "--format=terse"]))?;
    let known: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let missing: Vec<_> = tests.difference(&known).copied().collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Mute(format!(
            "{TABLE} names tests that are not there: {}",
            missing.join(", ")
        )))
    }
}

/// What became of some tests.
struct Outcome {
    passed: bool,
    failed: Vec<String>,
    said: String,
}

impl Outcome {
    fn of(workspace: &Workspace, tests: &BTreeSet<&str>, muted: Option<&str>) -> Result<Self> {
        let mut command = match muted {
            None => cargo_test(workspace)?,
            Some(probe) => {
                let mut command = cargo_test_in_time(workspace)?;
                command.env("IOPROF_MUTE", probe);
                command
            }
        };
        command
            .args(["--", "--exact", "--format=pretty"])
            .args(tests);
        let (passed, said) = process::verdict(&mut command)?;
        Ok(Self {
            passed,
            failed: failed(&said),
            said,
        })
    }

    fn line(&self, tests: usize) -> String {
        match (self.failed.len(), self.passed) {
            (0, true) => format!("NOT NOTICED: {tests} tests pass"),
            (0, false) => format!("NOT NOTICED: the tests did not end in {SECONDS} s"),
            (count, _) => format!("noticed by {count} of {tests}: {}", self.failed.join(", ")),
        }
    }
}

/// The tests that failed, as the test harness names them.
fn failed(said: &str) -> Vec<String> {
    said.lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Part, failed};

    #[test]
    fn each_probe_has_its_turn_in_three_days() {
        let all = ["a", "b", "c", "d", "e", "f", "g"];
        let of_day = |day| Part::of_day(day).choose(all.into_iter());
        assert_eq!(of_day(20_000), ["c", "f"]);
        let mut three_days: Vec<_> = (20_000..20_003).flat_map(of_day).collect();
        three_days.sort_unstable();
        assert_eq!(three_days, all);
        assert_eq!(Part::ALL.choose(all.into_iter()), all);
    }

    #[test]
    fn a_part_is_one_of_those_there_are() {
        assert_eq!(Part::parse("2/3"), Ok(Part { index: 1, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/", "a/b", "1/0"] {
            assert!(Part::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn failing_tests_are_those_that_the_harness_names() {
        let said = "running 2 tests\ntest block::merges ... ok\ntest block::requeues ... FAILED\n\n\
            failures:\n    block::requeues\n\ntest result: FAILED. 1 passed; 1 failed;\n";
        assert_eq!(failed(said), ["block::requeues"]);
    }
}
