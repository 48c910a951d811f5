//! What profiling costs: what it adds to a system call, side by side with other tools, and what it leaves of
//! the reads that a disk does.
//!
//! The call is a cached 1-byte pread(2), the cheapest that ioprof keeps full records of. Each tool in turn
//! runs over the same loop; the rounds alternate, so that a change of the machine's speed meets all alike,
//! and what is printed is the median over the rounds. The reads are fio's, by io_uring, past the page cache;
//! each run with ioprof is set against one without it just before.
//!
//! `told` as an argument prints only what the report itself tells of its cost, beside what is measured.

mod told;

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Instant,
};

use ioprof::kernel::bpf::Baseline;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const IOPROF: &str = env!("CARGO_BIN_EXE_ioprof");
/// Stands for "be the loop" on the command line.
const LOOP: &str = "pread-loop";
/// What the others are set against.
const BASELINE: &str = "two empty probes (baseline)";
const ROUNDS: usize = 7;
/// Calls of a fast tool; slow ones make fewer, or one round would take minutes.
const CALLS: u64 = 400_000;
const FEW_CALLS: u64 = 20_000;

fn main() -> Result<()> {
    let words: Vec<String> = env::args().collect();
    if let [_, first, calls, path] = &words[..]
        && first == LOOP
    {
        return pread_loop(calls.parse()?, path);
    }
    if let [_, first, what, calls] = &words[..]
        && first == told::LOOP
    {
        return told::be_loop(what, calls.parse()?);
    }
    if words.iter().any(|word| word == "told") {
        return told::compare();
    }
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().write_all(b"x")?;
    let path = file.path().to_str().ok_or("a path that is no text")?;
    let tools: Vec<Tool> = tools()
        .into_iter()
        .filter(Tool::is_installed)
        .filter(|tool| tool.works(path))
        .collect();
    let mut samples = vec![Vec::new(); tools.len()];
    for round in 0..ROUNDS {
        for (tool, samples) in tools.iter().zip(&mut samples) {
            samples.push(tool.measure(path)?);
        }
        eprint!("\rround {} of {ROUNDS}", round + 1);
    }
    eprintln!();
    print(&tools, samples);
    told::compare()?;
    reads()
}

/// The loop: prints the nanoseconds of a call, the least of ten parts.
fn pread_loop(calls: u64, path: &str) -> Result<()> {
    // The name that the bpftrace program looks for.
    std::fs::write("/proc/self/comm", "loop")?;
    let file = File::open(path)?;
    let part = (calls / 10).max(1);
    let mut least = f64::MAX;
    for _ in 0..10 {
        let began = Instant::now();
        for _ in 0..part {
            file.read_at(&mut [0], 0)?;
        }
        least = least.min(began.elapsed().as_nanos() as f64 / part as f64);
    }
    println!("{least}");
    Ok(())
}

/// A way to have the loop traced.
struct Tool {
    name: &'static str,
    /// The program it needs.
    program: &'static str,
    calls: u64,
    how: How,
}

enum How {
    /// Nothing is attached.
    Bare,
    /// The empty probes are.
    Baseline,
    /// The tool starts the loop, which stands behind these words.
    Starts(&'static [&'static str]),
    /// The tool is started beside it, and says with one of [`READY`] that it is attached.
    Beside(&'static [&'static str]),
}

fn tools() -> Vec<Tool> {
    let tool = |name, program, calls, how| Tool {
        name,
        program,
        calls,
        how,
    };
    vec![
        tool("nothing", "true", CALLS, How::Bare),
        tool(BASELINE, "true", CALLS, How::Baseline),
        tool(
            "ioprof, profiled",
            IOPROF,
            CALLS,
            How::Starts(&[IOPROF, "run", "--no-save", "--"]),
        ),
        tool(
            "ioprof, another process",
            IOPROF,
            CALLS,
            How::Beside(&[
                IOPROF,
                "run",
                "--",
                "sh",
                "-c",
                "echo ready; exec sleep 1000",
            ]),
        ),
        tool(
            "bpftrace, histogram",
            "bpftrace",
            CALLS,
            How::Beside(&[
                "bpftrace",
                "-e",
                "BEGIN { printf(\"ready\\n\"); } \
                 tracepoint:raw_syscalls:sys_enter /comm == \"loop\"/ { @s[tid] = nsecs; } \
                 tracepoint:raw_syscalls:sys_exit /@s[tid]/ \
                 { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
            ]),
        ),
        tool(
            "libbpf-tools syscount -L",
            "syscount",
            CALLS,
            How::Beside(&["stdbuf", "-oL", "syscount", "-L", "-d", "1000"]),
        ),
        tool(
            "perf trace -s",
            "perf",
            FEW_CALLS,
            How::Starts(&["perf", "trace", "-s", "-o", "/dev/null", "--"]),
        ),
        tool(
            "strace -c",
            "strace",
            FEW_CALLS,
            How::Starts(&["strace", "-c", "-o", "/dev/null", "--"]),
        ),
    ]
}

impl Tool {
    fn is_installed(&self) -> bool {
        let found = Command::new("which").arg(self.program).output();
        let found = found.is_ok_and(|output| output.status.success());
        if !found {
            eprintln!("{} is not installed, and not measured", self.program);
        }
        found
    }

    /// Tries it once. Others' tools may not work here (bpftrace wants tracefs mounted); ours must.
    fn works(&self, path: &str) -> bool {
        let tried = self.measure(path);
        if let Err(error) = &tried {
            eprintln!(
                "{} does not work here, and is not measured: {error}",
                self.name
            );
        }
        tried.is_ok() || self.name == BASELINE
    }

    /// Nanoseconds of a call under the tool.
    fn measure(&self, path: &str) -> Result<f64> {
        match self.how {
            How::Bare => self.run_loop(&[], path),
            How::Baseline => {
                let _floor = Baseline::attach()?;
                self.run_loop(&[], path)
            }
            How::Starts(words) => self.run_loop(words, path),
            How::Beside(words) => {
                let beside = Beside::start(words)?;
                let measured = self.run_loop(&[], path);
                drop(beside);
                measured
            }
        }
    }

    fn run_loop(&self, before: &[&str], path: &str) -> Result<f64> {
        let own = env::current_exe()?;
        let own = own.to_str().ok_or("a path that is no text")?;
        let calls = self.calls.to_string();
        let words: Vec<&str> = before
            .iter()
            .copied()
            .chain([own, LOOP, &calls, path])
            .collect();
        let output = Command::new(words[0])
            .args(&words[1..])
            .stderr(Stdio::null())
            .output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }
}

/// What tools print when they are attached.
const READY: [&str; 2] = ["ready", "Tracing"];

/// A tool that runs beside the loop until this is dropped.
struct Beside {
    child: Child,
    /// Held, or the tool would end at its next word.
    _stdout: BufReader<ChildStdout>,
}

impl Beside {
    fn start(words: &[&str]) -> Result<Self> {
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("there is no pipe")?);
        let mut line = String::new();
        while !READY.iter().any(|word| line.contains(word)) {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                return Err(format!("{} ended before it was attached", words[0]).into());
            }
        }
        Ok(Self {
            child,
            _stdout: stdout,
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn print(tools: &[Tool], mut samples: Vec<Vec<f64>>) {
    // Differences within a round, so that a slow round is slow in both.
    let bare = samples[0].clone();
    for samples in &mut samples {
        for (sample, bare) in samples.iter_mut().zip(&bare) {
            *sample -= bare;
        }
    }
    let baseline = median(&samples[1]);
    println!(
        "A cached 1-byte pread takes {:.0} ns; added to it by:",
        median(&bare)
    );
    println!("{:<30} {:>10} {:>10}", "", "ns", "floors");
    for (tool, samples) in tools.iter().zip(&samples).skip(1) {
        let added = median(samples);
        println!("{:<30} {added:>10.0} {:>10.2}", tool.name, added / baseline);
    }
}

/// How many pairs of runs of fio there are, of how many seconds each.
const PAIRS: usize = 5;
const SECONDS: &str = "5";

/// What fio says of a run.
struct Reads {
    iops: f64,
    /// Microseconds of CPU time for each read, the probes' included.
    cpu_us: f64,
}

/// Direct reads of 4 KiB at random places, 32 at once, without ioprof and with it.
fn reads() -> Result<()> {
    let fio = Command::new("which").arg("fio").output();
    if !fio.is_ok_and(|output| output.status.success()) {
        eprintln!("fio is not installed, and reads are not measured");
        return Ok(());
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let output = folder.path().join("fio.json");
    let file = format!("--filename={}", folder.path().join("data").display());
    let to = format!("--output={}", output.display());
    let common = [
        "fio",
        "--name=reads",
        "--rw=randread",
        "--bs=4k",
        "--size=1G",
        "--direct=1",
        "--ioengine=io_uring",
        "--iodepth=32",
        "--thread=0",
        "--output-format=json",
        &file,
        &to,
    ];
    let run = |before: &[&str], options: &[&str]| -> Result<()> {
        let words = [before, &common, options].concat();
        let status = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} has failed", words.join(" ")).into())
        }
    };
    let timed = ["--time_based", "--runtime", SECONDS];
    run(&[], &["--create_only=1"])?;
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        run(&[], &timed)?;
        let bare = said(&output)?;
        run(&[IOPROF, "run", "--no-save", "--"], &timed)?;
        pairs.push((bare, said(&output)?));
        eprint!("\rpair {} of {PAIRS}", pair + 1);
    }
    eprintln!();
    let over = |value: fn(&(Reads, Reads)) -> f64| -> f64 {
        median(&pairs.iter().map(value).collect::<Vec<_>>())
    };
    println!("\nDirect reads of 4 KiB by io_uring, 32 at once:");
    println!("{:<30} {:>10} {:>10}", "", "IOPS", "CPU us");
    let row = |name, iops: f64, cpu: f64| println!("{name:<30} {iops:>10.0} {cpu:>10.2}");
    row(
        "nothing",
        over(|pair| pair.0.iops),
        over(|pair| pair.0.cpu_us),
    );
    row(
        "ioprof",
        over(|pair| pair.1.iops),
        over(|pair| pair.1.cpu_us),
    );
    let ratio = over(|pair| pair.1.iops / pair.0.iops);
    println!("IOPS with ioprof over those without, median of {PAIRS} pairs: {ratio:.3}");
    Ok(())
}

/// The figures of a run, from what fio has written.
fn said(output: &Path) -> Result<Reads> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(output)?)?;
    let job = &json["jobs"][0];
    let number = |value: &serde_json::Value| value.as_f64().ok_or("fio has written no number");
    let iops = number(&job["read"]["iops"])?;
    let cpu = number(&job["usr_cpu"])? + number(&job["sys_cpu"])?;
    Ok(Reads {
        iops,
        cpu_us: cpu / 100.0 * 1e6 / iops,
    })
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
