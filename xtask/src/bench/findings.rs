//! `cargo xtask bench findings`: what a finding says that its cure saves, and what it does save.
//!
//! The pairs are those of the tests. Fault and cure run in turns, without probes; ioprof looks at the fault alone. A shared
//! machine is slow for seconds on end, which a pair of neighbouring runs shares: medians over rounds are compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::Value;

use super::limited::Limited;
use crate::error::{Error, Result};
use crate::privileges::as_root;
use crate::process;
use crate::profile;
use crate::workspace::{Workspace, make_empty};

const PROGRAMS: &str = "profiler/tests/programs";
const PAGE: &str = "docs/findings/accuracy.md";
/// The rule whose pair takes a device on which few pages may be dirty.
const ON_A_LIMITED_DEVICE: &str = "THROTTLE001";

#[derive(clap::Args)]
pub struct Args {
    /// Rounds of each pair
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// This ioprof, and not a release that is built before
    #[arg(long, value_name = "FILE")]
    ioprof: Option<PathBuf>,
    /// Only these rules; docs/findings/accuracy.md stays as it is
    rules: Vec<String>,
}

/// A mode of the program, and its count.
type Mode = [String; 2];

struct Pair {
    rule: String,
    fault: Mode,
    cure: Mode,
}

/// What came of the rounds of a pair, in milliseconds. No bounds where the finding has none.
struct Outcome {
    rule: String,
    fault: Vec<f64>,
    cure: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

/// Measures all pairs, prints the table and writes the page.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let folder = workspace.join("target/bench-findings");
    make_empty(&folder)?;
    let bench = Bench {
        ioprof: match &args.ioprof {
            Some(given) => given.clone(),
            None => profile::build(workspace)?,
        },
        program: compile(workspace, &folder)?,
        folder,
    };
    let mut outcomes = Vec::new();
    for pair in pairs(workspace)? {
        if args.rules.is_empty() || args.rules.contains(&pair.rule) {
            outcomes.push(bench.measure_where_it_belongs(&pair, args.rounds)?);
        }
    }
    let table = table(&outcomes);
    print!("{table}");
    if args.rules.is_empty() {
        let page = workspace.join(PAGE);
        let text = PREFACE.replace("ROUNDS", &args.rounds.to_string()) + &table;
        fs::write(&page, text).map_err(Error::file("write", &page))?;
    }
    fs::remove_dir_all(&bench.folder).map_err(Error::file("remove", &bench.folder))?;
    Ok(ExitCode::SUCCESS)
}

fn compile(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let programs = workspace.join(PROGRAMS);
    let options = read(&programs.join("options"))?;
    let program = folder.join("findings");
    let mut cc = Command::new("cc");
    cc.args(options.split_whitespace()).arg("-o").arg(&program);
    process::run(cc.arg(programs.join("findings.c")))?;
    Ok(program)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::file("read", path))
}

fn pairs(workspace: &Workspace) -> Result<Vec<Pair>> {
    let path = workspace.join(PROGRAMS).join("findings.pairs");
    let text = read(&path)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let [rule, fault, of_fault, cure, of_cure, ..] = &words[..] else {
                return Err(Error::malformed(path.display().to_string(), line));
            };
            Ok(Pair {
                rule: rule.clone(),
                fault: [fault.clone(), of_fault.clone()],
                cure: [cure.clone(), of_cure.clone()],
            })
        })
        .collect()
}

#[derive(Clone)]
struct Bench {
    ioprof: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn measure_where_it_belongs(&self, pair: &Pair, rounds: usize) -> Result<Outcome> {
        if pair.rule != ON_A_LIMITED_DEVICE {
            return self.measure(pair, rounds);
        }
        let limited = Limited::new(&self.folder)?;
        let there = Self {
            folder: limited.mounted.clone(),
            ..self.clone()
        };
        there.measure(pair, rounds)
    }

    fn measure(&self, pair: &Pair, rounds: usize) -> Result<Outcome> {
        let mut found = Outcome {
            rule: pair.rule.clone(),
            fault: Vec::new(),
            cure: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
        };
        for round in 0..rounds {
            eprintln!("{} {}/{rounds}", pair.rule, round + 1);
            // Each is first in every other round.
            if round % 2 == 0 {
                found.fault.push(self.time(&pair.fault)?);
                found.cure.push(self.time(&pair.cure)?);
            } else {
                found.cure.push(self.time(&pair.cure)?);
                found.fault.push(self.time(&pair.fault)?);
            }
            if let Some((low, high)) = self.predict(pair)? {
                found.low.push(low);
                found.high.push(high);
            }
        }
        Ok(found)
    }

    /// The command of a mode, with what it needs written, and all that is dirty written back.
    fn ready(&self, [mode, count]: &Mode) -> Result<Vec<String>> {
        let data = self.folder.join("data").display().to_string();
        let program = self.program.display().to_string();
        let words = [program, mode.clone(), data, count.clone()];
        for old in fs::read_dir(&self.folder).map_err(Error::file("read", &self.folder))? {
            let old = old.map_err(Error::file("read", &self.folder))?;
            if old.file_name().to_string_lossy().starts_with("data") {
                fs::remove_file(old.path()).map_err(Error::file("remove", &old.path()))?;
            }
        }
        let (program, rest) = words.split_first().expect("there are four");
        process::run(Command::new(program).args(rest).arg("prepare"))?;
        process::run(Command::new("sync").arg("-f").arg(&self.folder))?;
        Ok(words.to_vec())
    }

    /// Milliseconds of a run without probes, but for those that its first thread was ready and waited for a CPU.
    fn time(&self, mode: &Mode) -> Result<f64> {
        let words = self.ready(mode)?;
        let mut command = Command::new(&words[0]);
        let begin = Instant::now();
        let printed = process::output(command.args(&words[1..]))?;
        let elapsed = begin.elapsed().as_secs_f64() * 1e3;
        Ok(elapsed - waited_ms(&printed)?)
    }

    /// The bounds of the finding, in milliseconds; the upper one without what the run waited for a CPU. Nothing where it has
    /// none.
    fn predict(&self, pair: &Pair) -> Result<Option<(f64, f64)>> {
        let words = self.ready(&pair.fault)?;
        let file = self.folder.join("report.json");
        let mut ioprof = as_root(&self.ioprof);
        ioprof.args(["run", "--no-save", "-o"]).arg(&file).arg("--");
        let (succeeded, printed) = process::verdict(ioprof.args(words))?;
        if !succeeded {
            return Err(Error::malformed(process::describe(&ioprof), printed));
        }
        let malformed = |why: &str| Error::malformed(file.display().to_string(), why);
        let report: Value =
            serde_json::from_str(&read(&file)?).map_err(|error| malformed(&error.to_string()))?;
        let findings = report["findings"].as_array();
        let found = findings
            .into_iter()
            .flatten()
            .find(|one| one["id"] == pair.rule.as_str());
        let found = found.ok_or_else(|| malformed("the rule finds nothing"))?;
        let gain = &found["gain"];
        let bound = |key: &str| Some(gain[key].as_u64()? as f64 / 1e6);
        let waited = waited_ms(&printed)? * part_of_runnable(&report, found);
        let bounds = bound("low_ns").zip(bound("high_ns"));
        Ok(bounds.map(|(low, high)| (low, low.max(high - waited))))
    }
}

/// What the program says of itself: how long it was ready and waited for a CPU, by the kernel's account. ioprof's begins with
/// the waking, and so has the way to another CPU, which a cure saves.
fn waited_ms(printed: &str) -> Result<f64> {
    let mut lines = printed.lines();
    let waited = lines.find_map(|line| line.strip_prefix("waited ")?.parse::<f64>().ok());
    let waited = waited.ok_or_else(|| Error::malformed("what the program prints", printed))?;
    Ok(waited / 1e6)
}

/// The part of the time that the run was ready and waited for a CPU in which it was in the calls of a finding; all where it
/// names none.
fn part_of_runnable(report: &Value, found: &Value) -> f64 {
    let evidence = found["evidence"].as_array().into_iter().flatten();
    let pointers = evidence.filter_map(|one| one["pointer"].as_str());
    let calls: BTreeSet<_> = pointers
        .filter_map(|pointer| {
            let call = pointer.strip_prefix("/workloads/0/syscalls/")?;
            call.strip_suffix("/time_ns")?.parse::<usize>().ok()
        })
        .collect();
    let workload = &report["workloads"][0];
    let all = workload["time"]["runnable_ns"].as_f64().unwrap_or(0.0);
    if calls.is_empty() || all == 0.0 {
        return 1.0;
    }
    let of = |call: usize| workload["syscalls"][call]["breakdown"]["runnable_ns"].as_f64();
    calls.into_iter().filter_map(of).sum::<f64>() / all
}

impl Outcome {
    /// What the cure saves in each round.
    fn saved(&self) -> Vec<f64> {
        let rounds = self.fault.iter().zip(&self.cure);
        rounds.map(|(fault, cure)| fault - cure).collect()
    }

    /// Whether the finding said in each round what the cure saves.
    fn has_bounds(&self) -> bool {
        self.low.len() == self.fault.len()
    }

    fn bounds(&self) -> (f64, f64) {
        (median(&self.low), median(&self.high))
    }

    fn holds(&self) -> bool {
        let (low, high) = self.bounds();
        (low..=high).contains(&median(&self.saved()))
    }

    /// By how much of it the middle of the bounds is off.
    fn error(&self) -> f64 {
        let (low, high) = self.bounds();
        let saved = median(&self.saved());
        (f64::midpoint(low, high) - saved).abs() / saved.abs()
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[at],
        _ => f64::midpoint(sorted[at - 1], sorted[at]),
    }
}

/// The median, with the least and the most.
fn spread(of: &[f64]) -> String {
    let least = of.iter().copied().fold(f64::INFINITY, f64::min);
    let most = of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.1} ({least:.1} to {most:.1})", median(of))
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| rule | fault, ms | saved, ms | at least, ms | at most, ms | within | error of the middle |\n\
         |---|---:|---:|---:|---:|---|---:|\n",
    );
    for one in outcomes {
        if !one.has_bounds() {
            let _ = writeln!(
                text,
                "| {} | {:.1} | {} | unknown | unknown | | |",
                one.rule,
                median(&one.fault),
                spread(&one.saved())
            );
            continue;
        }
        let _ = writeln!(
            text,
            "| {} | {:.1} | {} | {} | {} | {} | {:.0} % |",
            one.rule,
            median(&one.fault),
            spread(&one.saved()),
            spread(&one.low),
            spread(&one.high),
            if one.holds() { "yes" } else { "no" },
            one.error() * 100.0
        );
    }
    let bounded = outcomes.iter().filter(|one| one.has_bounds());
    let within = bounded.clone().filter(|one| one.holds()).count();
    let errors: Vec<_> = bounded.map(Outcome::error).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let _ = writeln!(
        text,
        "\nWithin the bounds: {within} of {} pairs with bounds. Error of the middle: mean {:.0} %, median {:.0} %.",
        errors.len(),
        mean * 100.0,
        median(&errors) * 100.0
    );
    text
}

const PREFACE: &str = "# How right the gains are

    cargo xtask bench findings        needs cc, and root or sudo; writes this page

For each rule the program of its test that has the fault, and the one that has it cured
(`profiler/tests/programs/findings.pairs`), in turns and without probes: what the cure saves. Beside it the bounds of the
finding, of runs of the fault under ioprof in the same rounds. Medians of ROUNDS rounds, with the least and the most. `within`:
the median of what is saved lies between the medians of the bounds. The error is that of the middle of the bounds, of what is
saved. Some findings say that what their cure saves in wall time is unknown.

Times are without what the program was ready and waited for a CPU, by its /proc/self/schedstat: of upper bounds, the part of it
that was in the finding's calls, or all where it names none. How long that is depends on what else the machine does, more than
on the program.

";
