//! `cargo xtask fuzz`: libFuzzer on the parsers of untrusted input.
//!
//! The flags are those of cargo-fuzz without a sanitizer, which stable compilers take: what is looked for is a panic,
//! an endless run, or memory without bound. The code under test is safe Rust, and made with all its own checks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::process;
use crate::requirements::{self, Consent, Purpose};
use crate::workspace::{Workspace, cargo};

const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];

/// No input takes longer than so many seconds, or the process more than so much memory.
const LIMITS: &[&str] = &["-timeout=10", "-rss_limit_mb=1024", "-max_len=65536"];

#[derive(clap::Args)]
pub struct Args {
    /// Targets; all where none is named
    targets: Vec<String>,

    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,

    #[command(flatten)]
    consent: Consent,
}

/// `cargo xtask fuzz`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let known = targets(workspace)?;
    if let Some(wrong) = args.targets.iter().find(|name| !known.contains(*name)) {
        return Err(Error::Fuzz(format!(
            "there is no target {wrong}; there are {}",
            known.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    requirements::require(Purpose::Fuzzing, &args.consent)?;
    let program = build(workspace)?;
    let words = words(workspace)?;
    let chosen = known
        .iter()
        .filter(|name| args.targets.is_empty() || args.targets.contains(*name));
    for name in chosen {
        let target = Target::new(workspace, &program, name)?;
        println!("fuzzing {name} for {} s", args.seconds);
        target.fuzz(args.seconds, &words)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Those that have a corpus, and each has one: a test of theirs sees to that.
fn targets(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let corpus = corpus(workspace);
    let failed = Error::file("read", &corpus);
    let entries = fs::read_dir(&corpus).map_err(failed)?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.into_string().ok()).collect())
}

fn corpus(workspace: &Workspace) -> PathBuf {
    workspace.join("profiler/fuzz/corpus")
}

/// Builds libFuzzer's program, apart from what is built without its flags.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Error::malformed("rustc -vV", "it names no host"))?;
    let folder = workspace.join("target/fuzz");
    let mut build = Command::new(cargo());
    build
        .current_dir(workspace.root())
        .args(["build", "--package", "ioprof-fuzz", "--release", "--locked"])
        // With a target named, build scripts and macros are made without the flags.
        .args(["--target", host, "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    process::run(&mut build)?;
    Ok(folder.join(host).join("release/ioprof-fuzz"))
}

/// The words of a report, for libFuzzer to put in: every text of the sample without blanks.
fn words(workspace: &Workspace) -> Result<PathBuf> {
    let sample = workspace.join("profiler/tests/fixtures/report.json");
    let text = fs::read_to_string(&sample).map_err(Error::file("read", &sample))?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let words: BTreeSet<_> = text
        .split('"')
        .filter(|text| (2..40).contains(&text.len()) && text.chars().all(is_word))
        .map(|word| format!("\"\\\"{word}\\\"\"\n"))
        .collect();
    let file = workspace.join("target/fuzz/words");
    fs::write(&file, String::from_iter(words)).map_err(Error::file("write", &file))?;
    Ok(file)
}

/// A target with its folders.
struct Target<'a> {
    program: &'a Path,
    name: &'a str,
    /// The examples and regressions in the repository.
    kept: PathBuf,
    /// A cache of what reached more code, which later runs begin with.
    found: PathBuf,
    failures: PathBuf,
    log: PathBuf,
}

/// libFuzzer's closing line: how many runs there were, and how many edges (cov) and features (ft) they reached.
fn summary(log: &str) -> &str {
    let mut lines = log.lines().rev();
    let done = lines.find(|line| line.contains("DONE"));
    done.map_or("libFuzzer printed no summary", str::trim)
}

impl<'a> Target<'a> {
    fn new(workspace: &Workspace, program: &'a Path, name: &'a str) -> Result<Self> {
        let target = Self {
            program,
            name,
            kept: corpus(workspace).join(name),
            found: workspace.join("target/fuzz/corpus").join(name),
            failures: workspace.join("target/fuzz/failures").join(name),
            log: workspace.join("target/fuzz").join(format!("{name}.log")),
        };
        for folder in [&target.found, &target.failures] {
            fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        Ok(target)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env("IOPROF_FUZZ_TARGET", self.name).args(LIMITS);
        command
    }

    fn fuzz(&self, seconds: u32, words: &Path) -> Result<()> {
        let failed = Error::file("write", &self.log);
        let log = File::create(&self.log).map_err(failed)?;
        let failures = self.failures.display();
        let mut fuzz = self.command();
        fuzz.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={failures}/"))
            .arg(format!("-dict={}", words.display()))
            .args([&self.found, &self.kept])
            .stderr(log);
        let ended = process::run(&mut fuzz);
        let log = fs::read(&self.log).map_err(Error::file("read", &self.log))?;
        let log = String::from_utf8_lossy(&log);
        if ended.is_ok() {
            println!("  {}", summary(&log));
            return Ok(());
        }
        let last: Vec<_> = log.lines().rev().take(40).collect();
        eprintln!("{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        Err(Error::Fuzz(format!(
            "{} fails on the input in {failures}; move it to {}, named after what it shows, and mend that",
            self.name,
            self.kept.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_last_word_says_what_was_done() {
        let log = "#2\tINITED cov: 9\n#86313\tDONE   cov: 1234 ft: 4567\n## Dictionary ##\n";
        assert_eq!(summary(log), "#86313\tDONE   cov: 1234 ft: 4567");
        assert!(summary("").contains("no summary"));
    }
}
