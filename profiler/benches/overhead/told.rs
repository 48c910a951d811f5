//! What the probes add to a call, measured, beside what the report tells of it.
//!
//! Loops of calls that cost the probes differently. Each is run without ioprof and just after that with it; their CPU time
//! by call, the least of ten parts, is compared with the report's row of the probes. That includes the beginning, in
//! which the statistics of BPF programs are on and make the probes dearer; what the report tells of this is taken off.

use std::{
    env,
    fs::File,
    io::Write as _,
    os::unix::fs::FileExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

use super::{IOPROF, Result, median};

/// Stands for "be such a loop" on the command line.
pub const LOOP: &str = "call-loop";
const ROUNDS: usize = 9;
const CALLS: u64 = 1_500_000;
const PARTS: u64 = 10;

/// The loops, by what they call.
const LOOPS: [&str; 4] = [
    "getppid",
    "pread of one file",
    "pread of two files in turns",
    "pread by two descriptors",
];

/// A loop: prints the nanoseconds of CPU time of a call.
pub fn be_loop(what: &str, calls: u64) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().write_all(b"x")?;
    let mut another = tempfile::tempfile()?;
    another.write_all(b"x")?;
    let (first, second) = (File::open(file.path())?, File::open(file.path())?);
    let turns = match LOOPS.iter().position(|name| *name == what) {
        Some(0) => None,
        Some(1) => Some([&first, &first]),
        Some(2) => Some([&first, &another]),
        _ => Some([&first, &second]),
    };
    let mut least = f64::INFINITY;
    for _ in 0..PARTS {
        let began = cpu()?;
        for _ in 0..calls / PARTS / 2 {
            for turn in 0..2 {
                match turns {
                    None => {
                        std::hint::black_box(nix::unistd::getppid());
                    }
                    Some(files) => {
                        files[turn].read_at(&mut [0], 0)?;
                    }
                }
            }
        }
        let took = cpu()? - began;
        least = least.min(took.as_nanos() as f64 / (calls / PARTS) as f64);
    }
    println!("{least}");
    Ok(())
}

fn cpu() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// A pair of runs, in nanoseconds of a call.
struct Pair {
    bare: f64,
    added: f64,
    told: f64,
}

/// Prints the table.
pub fn compare() -> Result<()> {
    let mut pairs = LOOPS.map(|_| Vec::new());
    for round in 0..ROUNDS {
        for (what, pairs) in LOOPS.into_iter().zip(&mut pairs) {
            pairs.push(pair(what)?);
        }
        eprint!("\rround {} of {ROUNDS}", round + 1);
    }
    eprintln!();
    println!(
        "\nAdded to a call by the probes, in CPU ns, medians of {ROUNDS} pairs (least and most):"
    );
    println!(
        "{:<28} {:>6} {:>18} {:>18} {:>18}",
        "", "call", "measured", "told by the report", "told / measured"
    );
    for (what, pairs) in LOOPS.into_iter().zip(&pairs) {
        let over = |value: fn(&Pair) -> f64| pairs.iter().map(value).collect::<Vec<_>>();
        let bare = median(&over(|pair| pair.bare));
        println!(
            "{what:<28} {bare:>6.0} {:>18} {:>18} {:>18}",
            spread(&over(|pair| pair.added), 0),
            spread(&over(|pair| pair.told), 0),
            spread(&over(|pair| pair.told / pair.added), 2),
        );
    }
    Ok(())
}

/// A median with the least and the most.
fn spread(samples: &[f64], digits: usize) -> String {
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = median(samples);
    format!("{middle:.digits$} ({least:.digits$} {most:.digits$})")
}

fn pair(what: &str) -> Result<Pair> {
    let own = env::current_exe()?;
    let own = own.to_str().ok_or("a path that is no text")?;
    let calls = CALLS.to_string();
    let words = [own, LOOP, what, &calls];
    let run = |words: &[&str]| -> Result<f64> {
        let mut command = Command::new(words[0]);
        let output = command.args(&words[1..]).stderr(Stdio::null()).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    let bare = run(&words)?;
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("run.json");
    let path = report.to_str().ok_or("a path that is no text")?;
    let profiled = [&[IOPROF, "run", "--no-save", "-o", path, "--"], &words[..]].concat();
    let with = run(&profiled)?;
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let number = |pointer: &str| {
        let found = report.pointer(pointer).and_then(|found| found.as_f64());
        found.ok_or_else(|| format!("the report does not tell {pointer}"))
    };
    // The calls before the loop are few.
    let told = number("/workloads/0/time/cpu/probes_ns")? / CALLS as f64;
    let statistics =
        number("/ledger/call_cost/with_statistics_ns")? - number("/ledger/call_cost/in_scope_ns")?;
    let share = number("/ledger/probe_cpu_measured_share")?;
    Ok(Pair {
        bare,
        added: with - bare,
        told: told - share * statistics,
    })
}
