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
use crate::profile;
use crate::requirements::{self, Consent, Purpose};
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

    /// The test binaries to run on a plain machine
    #[arg(
        long = "test",
        value_name = "FILE",
        value_delimiter = ',',
        default_value = "kernel"
    )]
    tests: Vec<String>,

    /// How long a guest may take
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    seconds: u64,

    #[command(flatten)]
    consent: Consent,

    /// What the tests of a plain machine are given, as behind `cargo test --`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// `cargo xtask vm`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    requirements::require(Purpose::VirtualMachines, &args.consent)?;
    let folder = workspace.join(".vm-cache");
    let archive = Archive::open(&folder)?;
    let busybox = archive.busybox()?;
    let kernels = args
        .kernels
        .iter()
        .map(|series| Kernel::fetch(&archive, series))
        .collect::<Result<Vec<_>>>()?;
    let is_plain = |configuration: &Configuration| *configuration == configurations::PLAIN;
    let mut wanted = Vec::new();
    if args.configurations.iter().any(is_plain) {
        wanted.extend(args.tests.iter().map(String::as_str));
    }
    if !args.configurations.iter().all(is_plain) {
        wanted.push(VM_TESTS);
    }
    let built = build(workspace, &wanted)?;
    let mut guests = VecDeque::new();
    for kernel in &kernels {
        for disk in &args.disks {
            for configuration in &args.configurations {
                let (tests, arguments) = if is_plain(configuration) {
                    (&built.plain, quoted(&args.arguments))
                } else {
                    let name = format!(
                        "--ignored --nocapture --test-threads=1 {}::",
                        configuration.name
                    );
                    (&built.own, name)
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

/// Whether there is a configuration of this name.
pub fn is_configuration(name: &str) -> bool {
    configurations::named(name).is_ok()
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
        .map(|word| quote(&word.to_string_lossy()))
        .collect();
    words.join(" ")
}

/// A word as a shell reads it.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What was built for the guests.
struct Built {
    /// The tests that run on a plain machine.
    plain: Vec<PathBuf>,
    /// Those that take a machine of their own.
    own: Vec<PathBuf>,
    ioprof: PathBuf,
}

/// Builds files of tests and ioprof.
fn build(workspace: &Workspace, wanted: &[&str]) -> Result<Built> {
    let mut build = Command::new(cargo());
    build
        .current_dir(workspace.root())
        .args(["test", "--no-run", "--package", "ioprof"])
        .arg("--message-format=json-render-diagnostics");
    for test in wanted {
        build.args(["--test", test]);
    }
    let messages = process::output(&mut build)?;
    let (tests, others): (Vec<_>, Vec<_>) =
        profile::executables(&messages).partition(|built| built.is_test);
    let ioprof = others.into_iter().find(|built| built.name == "ioprof");
    let ioprof =
        ioprof.ok_or_else(|| Error::malformed("`cargo test`'s output", "it names no `ioprof`"))?;
    let (own, plain): (Vec<_>, Vec<_>) =
        tests.into_iter().partition(|built| built.name == VM_TESTS);
    let paths = |built: Vec<profile::Built>| built.into_iter().map(|one| one.executable).collect();
    Ok(Built {
        plain: paths(plain),
        own: paths(own),
        ioprof: ioprof.executable,
    })
}
