//! Much of one thing under ioprof: what it counts is set against what was done, and its memory is watched.
//! `kernel/load.rs` does a little of it, `cargo xtask soak` as much as is promised.

pub mod cycles;
pub mod scenarios;

use std::{
    ffi::OsString,
    fs,
    io::{BufReader, Read as _, Write as _},
    process::{Child, ChildStdout, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use ioprof::text::Text;
use ioprof_ebpf::abi::loss::Loss;

use crate::support::{Report, ioprof, leftovers::Names, line, program::Program, reader};

/// The aim: ioprof's largest resident set, in bytes. The program itself is some 15 MB larger where it was not optimised.
const MOST_RESIDENT: u64 = if cfg!(debug_assertions) {
    56_000_000
} else {
    40_000_000
};

/// How often ioprof's memory is looked at.
const WATCHED_EACH: Duration = Duration::from_millis(20);

/// What a scenario came to, in one line.
pub struct Figures {
    /// What was done and counted.
    pub done: String,
    /// How long it took.
    pub took: Duration,
    /// What the ledger says is lost.
    pub lost: String,
    /// ioprof's memory.
    pub memory: Memory,
}

/// The resident memory of ioprof, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// When the work began.
    pub begin: u64,
    /// The most in each tenth of the work.
    pub tenths: Vec<u64>,
    /// When it was done.
    pub end: u64,
    /// Its anonymous memory after the first tenth and at the end: that of its own making.
    pub anonymous: (u64, u64),
    /// What the kernel holds for its maps, at the beginning and at the end.
    pub maps: (u64, u64),
    /// The most of all, from the start of ioprof to its report.
    pub most: u64,
}

impl Figures {
    /// The line.
    pub fn line(&self) -> String {
        let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        let memory = &self.memory;
        let tenths: Vec<_> = memory.tenths.iter().map(|bytes| mb(*bytes)).collect();
        format!(
            "{} in {:.1} s; lost: {}; resident MB: begin {}, tenths {}, end {}, most {}; maps {} MB",
            self.done,
            self.took.as_secs_f64(),
            self.lost,
            mb(memory.begin),
            tenths.join(" "),
            mb(memory.end),
            mb(memory.most),
            mb(memory.maps.1),
        )
    }
}

/// How the program comes under ioprof.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// `ioprof run`.
    Run,
    /// `ioprof attach`, when it is ready.
    Attach,
}

/// `programs/load.c` under ioprof, ready to work.
pub struct Load {
    ioprof: Child,
    /// The program, where it is not ioprof's child.
    attached: Option<Child>,
    stdin: std::process::ChildStdin,
    stdout: BufReader<ChildStdout>,
    names: Names,
    folder: tempfile::TempDir,
    _program: Program,
}

/// A number with its thousands set apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Load {
    /// Starts the program with what it is to do, in a folder of its own with a file in it.
    pub fn start(how: How, what: &str, counts: &[u64]) -> Self {
        let program = Program::compile("load");
        let folder = crate::support::folder();
        let file = folder.path().join("data");
        fs::write(&file, [1; 4096]).expect("a file can be written");
        let place = if what == "files" {
            fs::create_dir(folder.path().join("many")).expect("a folder can be made");
            folder.path().join("many")
        } else {
            file
        };
        let mut words: Vec<OsString> = vec![program.path().into(), what.into(), place.into()];
        words.extend(counts.iter().map(|count| count.to_string().into()));
        let pipes = |command: &mut std::process::Command| {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it can be started")
        };
        let out = folder.path().join("run.json");
        let run = |options: &[OsString]| {
            let mut ioprof = ioprof();
            ioprof.args(options).stderr(Stdio::piped());
            ioprof
        };
        let (mut child, attached) = match how {
            How::Run => {
                let mut options = vec!["run".into(), "-o".into(), out.into(), "--".into()];
                options.append(&mut words);
                (pipes(&mut run(&options)), None)
            }
            How::Attach => {
                let mut target = std::process::Command::new(&words[0]);
                (pipes(target.args(&words[1..])), Some(out))
            }
        };
        let stdin = child.stdin.take().expect("a pipe");
        let mut stdout = reader(&mut child.stdout);
        assert_eq!(line(&mut stdout), "ready\n");
        let (ioprof, attached) = match attached {
            None => (child, None),
            Some(out) => {
                let pid = child.id().to_string();
                let options = ["attach", "-p", &pid, "-o"].map(Into::into);
                let mut ioprof = run(&[&options[..], &[out.into()]].concat())
                    .stdin(Stdio::null())
                    .spawn()
                    .expect("ioprof can be started");
                let said = line(
                    ioprof
                        .stderr
                        .as_mut()
                        .map(BufReader::new)
                        .as_mut()
                        .expect("a pipe"),
                );
                assert!(said.starts_with("ioprof: profiling "), "{said}");
                (ioprof, Some(child))
            }
        };
        Self {
            names: Names::of(ioprof.id()),
            ioprof,
            attached,
            stdin,
            stdout,
            folder,
            _program: program,
        }
    }

    /// Has the program do its work and end. Fails where ioprof's memory does not stay as it was.
    pub fn work(mut self) -> (Report, Duration, Memory) {
        let pid = self.ioprof.id();
        let mut memory = Memory {
            begin: resident(pid),
            maps: (maps(pid), 0),
            ..Memory::default()
        };
        let began = Instant::now();
        self.stdin
            .write_all(b"x")
            .expect("the program waits for it");
        let (done, told) = mpsc::channel();
        let stdout = &mut self.stdout;
        let samples = thread::scope(|scope| {
            scope.spawn(move || done.send(line(stdout)));
            let mut samples = Vec::new();
            loop {
                samples.push((resident(pid), anonymous(pid)));
                match told.recv_timeout(WATCHED_EACH) {
                    Err(RecvTimeoutError::Timeout) => {}
                    said => {
                        assert_eq!(said.as_deref(), Ok("done\n"), "the program failed");
                        return samples;
                    }
                }
            }
        });
        let took = began.elapsed();
        let tenths = samples.chunks(samples.len().div_ceil(10));
        memory.anonymous.0 = tenths
            .clone()
            .next()
            .and_then(<[_]>::last)
            .map_or(0, |last| last.1);
        memory.tenths = tenths
            .filter_map(|tenth| tenth.iter().map(|sample| sample.0).max())
            .collect();
        memory.end = resident(pid);
        memory.anonymous.1 = anonymous(pid);
        memory.maps.1 = maps(pid);
        (self.end(&mut memory), took, memory)
    }

    fn end(mut self, memory: &mut Memory) -> Report {
        drop(self.stdin);
        if let Some(mut target) = self.attached {
            assert!(target.wait().expect("a child").success());
        }
        // What wait4(2) tells is no less than what this process had when it started ioprof.
        let pid = self.ioprof.id();
        let watch = thread::spawn(move || {
            let mut most = 0;
            loop {
                // It has none any more when it has ended.
                match status(pid, "VmHWM") {
                    0 => return most,
                    now => most = now,
                }
                thread::yield_now();
            }
        });
        let mut said = String::new();
        let stderr = self.ioprof.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut said).expect("it can be read");
        memory.most = watch.join().expect("it watches only");
        let ended = self.ioprof.wait().expect("a child");
        assert!(ended.success(), "{ended}: {said}");
        assert!(memory.most < MOST_RESIDENT, "resident: {memory:?}");
        assert_eq!(memory.maps.0, memory.maps.1, "the maps have grown");
        self.names.assert_nothing_left();
        Report::read(&self.folder.path().join("run.json"))
    }
}

/// A line of /proc/PID/status, in bytes.
fn status(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    1024 * kib.unwrap_or(0_u64)
}

fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS")
}

fn anonymous(pid: u32) -> u64 {
    status(pid, "RssAnon")
}

/// What the kernel says it holds for the maps of a process, in bytes.
fn maps(pid: u32) -> u64 {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it runs");
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .filter(|text| text.lines().any(|line| line.starts_with("map_id:")))
        .filter_map(|text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("memlock:"))?;
            line.trim().parse::<u64>().ok()
        })
        .sum()
}

/// What the ledger says is lost; fails where that is of another kind than these.
pub fn losses(report: &Report, allowed: &[Loss]) -> String {
    let mut lost = report.losses().clone();
    lost.retain(|_, count| *count > 0);
    let is_allowed = |kind: &Text| {
        let mut named = Loss::ALL.iter().filter(|(_, name)| *kind == *name);
        named.any(|(kind, _)| allowed.contains(kind))
    };
    assert!(lost.keys().all(is_allowed), "lost: {lost:?}");
    assert!(!report.has_skipped_runs(), "{:?}", report.ledger.probes);
    if lost.is_empty() {
        return "nothing".into();
    }
    let lines = lost
        .iter()
        .map(|(kind, count)| format!("{kind} {}", grouped(*count)));
    lines.collect::<Vec<_>>().join(", ")
}
