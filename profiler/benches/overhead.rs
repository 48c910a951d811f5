//! What profiling adds to a system call, side by side with other tools, from one run.
//!
//! The call is a cached 1-byte pread(2), the cheapest that ioprof keeps full records of. Each tool in turn
//! runs over the same loop; the rounds alternate, so that a change of the machine's speed meets all alike,
//! and what is printed is the median over the rounds.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    process::{Child, ChildStdout, Command, Stdio},
    time::Instant,
};

use ioprof::kernel::Floor;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const IOPROF: &str = env!("CARGO_BIN_EXE_ioprof");
/// Stands for "be the loop" on the command line.
const LOOP: &str = "pread-loop";
/// What the others are set against.
const FLOOR: &str = "two empty probes (the floor)";
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
    Ok(())
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
    Floor,
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
        tool(FLOOR, "true", CALLS, How::Floor),
        tool(
            "ioprof, profiled",
            IOPROF,
            CALLS,
            How::Starts(&[IOPROF, "run", "--"]),
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
        tried.is_ok() || self.name == FLOOR
    }

    /// Nanoseconds of a call under the tool.
    fn measure(&self, path: &str) -> Result<f64> {
        match self.how {
            How::Bare => self.run_loop(&[], path),
            How::Floor => {
                let _floor = Floor::attach()?;
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
    let floor = median(&samples[1]);
    println!(
        "A cached 1-byte pread takes {:.0} ns; added to it by:",
        median(&bare)
    );
    println!("{:<30} {:>10} {:>10}", "", "ns", "floors");
    for (tool, samples) in tools.iter().zip(&samples).skip(1) {
        let added = median(samples);
        println!("{:<30} {added:>10.0} {:>10.2}", tool.name, added / floor);
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
