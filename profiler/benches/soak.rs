//! What ioprof stands: `cargo xtask soak`. Each scenario prints a line of figures, and fails where something was
//! not counted, lost without a word, or left behind, or where ioprof grew.

#[path = "../tests/kernel/support/mod.rs"]
#[allow(
    unused,
    clippy::panic,
    reason = "the kernel tests use all of it, and this a part"
)]
mod support;

use std::{panic, process::ExitCode};

use clap::Parser;
use support::load::{self, How, cycles, scenarios};

/// Puts a load on ioprof, and fails where it loses something or grows.
#[derive(Parser)]
#[command(bin_name = "cargo xtask soak")]
struct Cli {
    /// What to do; all of it where nothing is named
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SCENARIOS.map(|scenario| scenario.0)))]
    scenarios: Vec<String>,

    /// Do a hundredth of it
    #[arg(long)]
    quick: bool,

    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// A name, and what prints its lines when it is given the divisor of its numbers.
type Scenario = (&'static str, fn(u64));

const SCENARIOS: [Scenario; 6] = [
    ("processes", |by| {
        show("processes", &scenarios::processes(100_000 / by))
    }),
    ("threads", |by| {
        for how in [How::Run, How::Attach] {
            show("threads", &scenarios::threads(how, 10_000 / by, 100));
        }
    }),
    ("files", |by| show("files", &scenarios::files(200_000 / by))),
    ("rate", rate),
    // Ten a second for eight hours.
    ("long", |by| show("long", &scenarios::pulses(288_000 / by))),
    ("cycles", |by| {
        println!("cycles: {}", cycles::in_one_process(1000 / by as u32));
        println!("cycles: {}", cycles::by_command(100 / by as u32));
    }),
];

fn rate(by: u64) {
    for (figures, each_second) in [
        scenarios::reads(32_000_000 / by),
        scenarios::nops(64_000_000 / by),
    ] {
        show("rate", &figures);
        assert!(by > 1 || each_second > 1e6, "less than a million a second");
    }
}

fn show(name: &str, figures: &load::Figures) {
    println!("{name}: {}", figures.line());
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let by = if cli.quick { 100 } else { 1 };
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS {
        let is_wanted =
            cli.scenarios.is_empty() || cli.scenarios.iter().any(|wanted| wanted == name);
        // What is wrong with one is no reason to leave out the others.
        if is_wanted && panic::catch_unwind(|| scenario(by)).is_err() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        eprintln!("failed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}
