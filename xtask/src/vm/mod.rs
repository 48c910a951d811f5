//! `cargo xtask vm`: the kernel tests on other kernels and in other configurations, in virtual machines.

mod configurations;
mod guest;
mod image;
mod initramfs;
mod kernels;
mod qemu;
mod vmlinux;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;

use self::configurations::Configuration;
use self::guest::Guest;
use self::kernels::{Archive, Kernel, Series};
use self::qemu::{Disk, Outcome};
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::{Workspace, cargo};

/// The tests that only a machine of its own can run.
const VM_TESTS: &str = "vm";

#[derive(clap::Args)]
pub struct Args {
    /// Kernels, by series and flavour (cloud, rt or pc), as in 6.1, 6.12-rt, newest
    #[arg(long = "kernel", value_name = "SERIES", value_delimiter = ',')]
    #[arg(default_value = "6.1,6.12,newest")]
    kernels: Vec<Series>,

    /// What the guest's disk is behind: virtio, nvme
    #[arg(
        long = "disk",
        value_name = "KIND",
        value_delimiter = ',',
        default_value = "virtio"
    )]
    disks: Vec<Disk>,

    /// Configurations: plain for the tests named by --test, or others, each for its own; all for each
    #[arg(long = "configuration", value_name = "NAME", value_delimiter = ',')]
    #[arg(value_parser = configurations::named, default_value = "plain")]
    configurations: Vec<Configuration>,

    /// The files of tests to run on a plain machine
    #[arg(
        long = "test",
        value_name = "FILE",
        value_delimiter = ',',
        default_value = "kernel*"
    )]
    tests: Vec<String>,

    /// How long a guest may take
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    seconds: u64,

    /// What the tests of a plain machine are given, as behind `cargo test --`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// `cargo xtask vm`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let folder = workspace.join(".vm-cache");
    let archive = Archive::open(&folder)?;
    let busybox = archive.busybox()?;
    let kernels = args
        .kernels
        .iter()
        .map(|series| Kernel::fetch(&archive, series))
        .collect::<Result<Vec<_>>>()?;
    let is_plain = |configuration: &Configuration| *configuration == configurations::PLAIN;
    let plain = args.configurations.iter().any(is_plain);
    let built = Built {
        ioprof_tests: if plain {
            build(workspace, &args.tests)?.0
        } else {
            Vec::new()
        },
        ..Built::of_vm_tests(workspace)?
    };
    let mut guests = VecDeque::new();
    for kernel in &kernels {
        for disk in &args.disks {
            for configuration in &args.configurations {
                let (tests, arguments) = if is_plain(configuration) {
                    (&built.ioprof_tests, quoted(&args.arguments))
                } else {
                    let name = format!(
                        "--ignored --nocapture --test-threads=1 {}::",
                        configuration.name
                    );
                    (&built.vm_tests, name)
                };
                guests.push_back(Guest {
                    workspace,
                    kernel,
                    disk: *disk,
                    configuration: *configuration,
                    busybox: &busybox,
                    ioprof: &built.ioprof,
                    tests,
                    arguments,
                    seconds: args.seconds,
                    folder: &folder,
                });
            }
        }
    }
    let table = boot_all(guests)?;
    for (name, outcome, seconds) in &table {
        println!("{name:<64} {:<10} {seconds:>5} s", outcome.to_string());
    }
    let all_well = table
        .iter()
        .all(|(_, outcome, _)| *outcome == Outcome::Status(0));
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What became of a guest, and after how many seconds.
type Row = (String, Outcome, u64);

/// Boots as many guests at a time as there are CPUs: an emulated one takes one, however many it has itself.
fn boot_all(guests: VecDeque<Guest<'_>>) -> Result<Vec<Row>> {
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let guests = Mutex::new(guests);
    let table = Mutex::new(Vec::new());
    let boot = || -> Result<()> {
        loop {
            let next = guests
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(guest) = next else {
                return Ok(());
            };
            let (outcome, seconds) = guest.boot()?;
            let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock, so that what one says is not mixed with another's.
            guest.show(outcome)?;
            table.push((guest.name(), outcome, seconds));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(boot)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    let mut table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    table.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(table)
}

/// Words as a shell reads them.
fn quoted(words: &[OsString]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
        .collect();
    words.join(" ")
}

/// What was built for the guests.
struct Built {
    ioprof_tests: Vec<PathBuf>,
    vm_tests: Vec<PathBuf>,
    ioprof: PathBuf,
}

impl Built {
    fn of_vm_tests(workspace: &Workspace) -> Result<Self> {
        let (vm_tests, ioprof) = build(workspace, &[VM_TESTS.to_owned()])?;
        Ok(Self {
            ioprof_tests: Vec::new(),
            vm_tests,
            ioprof,
        })
    }
}

/// What cargo says of an executable.
#[derive(serde::Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Target,
}

#[derive(serde::Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds files of tests and ioprof, and says where they are.
fn build(workspace: &Workspace, tests: &[String]) -> Result<(Vec<PathBuf>, PathBuf)> {
    let mut build = Command::new(cargo());
    build
        .current_dir(workspace.root())
        .args(["test", "--no-run", "--package", "ioprof"])
        .arg("--message-format=json-render-diagnostics");
    for test in tests {
        build.args(["--test", test]);
    }
    let messages = process::output(&mut build)?;
    let (mut tests, mut ioprof) = (Vec::new(), None);
    for artifact in messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
    {
        let Some(executable) = artifact.executable else {
            continue;
        };
        if artifact.target.kind.iter().any(|kind| kind == "test") {
            tests.push(executable);
        } else if artifact.target.name == "ioprof" {
            ioprof = Some(executable);
        }
    }
    let ioprof =
        ioprof.ok_or_else(|| Error::malformed("`cargo test`'s output", "it names no `ioprof`"))?;
    Ok((tests, ioprof))
}
