//! The programs that tasks call, the Debian packages that bring them, and what to do where one is missing.

use std::env;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::apt;
use crate::error::{Error, Result};
use crate::privileges::{is_root, sudo_works};
use crate::process;

/// What a program is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Tests,
    Fuzzing,
    Packaging,
    VirtualMachines,
    Benchmarks,
}

use Purpose::{Benchmarks, Fuzzing, Packaging, Tests, VirtualMachines};

/// A program, the package that brings it, and what calls it.
#[derive(Debug)]
pub struct Tool {
    pub program: &'static str,
    package: &'static str,
    purposes: &'static [Purpose],
}

const fn tool(program: &'static str, package: &'static str, purposes: &'static [Purpose]) -> Tool {
    Tool {
        program,
        package,
        purposes,
    }
}

const TOOLS: &[Tool] = &[
    tool("cc", "build-essential", &[Tests, Benchmarks]),
    tool("c++", "build-essential", &[Fuzzing]),
    tool("bash", "bash", &[Tests, Packaging]),
    tool("blkdiscard", "util-linux", &[Tests, VirtualMachines]),
    tool("bpftool", "bpftool", &[Tests, VirtualMachines]),
    tool("bpftrace", "bpftrace", &[Tests]),
    tool("btrfs", "btrfs-progs", &[Tests, VirtualMachines]),
    tool("capsh", "libcap2-bin", &[VirtualMachines]),
    tool("cpio", "cpio", &[VirtualMachines]),
    tool("dmsetup", "dmsetup", &[VirtualMachines]),
    tool("dpkg-shlibdeps", "dpkg-dev", &[Packaging]),
    tool("fio", "fio", &[Tests, VirtualMachines, Benchmarks]),
    tool("fish", "fish", &[Tests]),
    tool("fsfreeze", "util-linux", &[Tests, VirtualMachines]),
    tool("fstrim", "util-linux", &[Tests]),
    tool("git", "git", &[Tests, Packaging]),
    tool("go", "golang-go", &[Benchmarks]),
    tool("lintian", "lintian", &[Packaging]),
    tool("losetup", "mount", &[Tests, VirtualMachines]),
    tool("lz4", "lz4", &[VirtualMachines]),
    tool("man", "man-db", &[Tests, Packaging]),
    tool("mdadm", "mdadm", &[VirtualMachines]),
    tool("mkfs.btrfs", "btrfs-progs", &[Tests, VirtualMachines]),
    tool("mkfs.ext4", "e2fsprogs", &[Tests, VirtualMachines]),
    tool("mkfs.xfs", "xfsprogs", &[Tests, VirtualMachines]),
    tool("mksquashfs", "squashfs-tools", &[Tests]),
    tool("mkswap", "util-linux", &[Tests, VirtualMachines]),
    tool("modprobe", "kmod", &[VirtualMachines]),
    tool("perf", "linux-perf", &[Tests]),
    tool("qemu-system-x86_64", "qemu-system-x86", &[VirtualMachines]),
    tool("setcap", "libcap2-bin", &[Tests, VirtualMachines]),
    tool("setpriv", "util-linux", &[Tests, VirtualMachines]),
    tool("sqlite3", "sqlite3", &[Tests, VirtualMachines]),
    tool("strace", "strace", &[Tests, VirtualMachines]),
    tool("swapoff", "mount", &[Tests, VirtualMachines]),
    tool("swapon", "mount", &[Tests, VirtualMachines]),
    tool("unshare", "util-linux", &[Tests, VirtualMachines]),
    tool("xxhsum", "xxhash", &[Benchmarks]),
    tool("xz", "xz-utils", &[VirtualMachines]),
    tool("zsh", "zsh", &[Tests]),
    tool("zstd", "zstd", &[VirtualMachines]),
];

#[derive(clap::Args)]
pub struct Consent {
    /// Install missing programs without asking, as CI=true does
    #[arg(long)]
    pub yes: bool,
}

/// Whether this is a run of CI, where nothing is asked and nothing skipped.
pub fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// Installs what is missing for a purpose where that is allowed; what is missing still, is the answer.
pub fn provide(purpose: Purpose, consent: &Consent) -> Result<Vec<&'static Tool>> {
    let missing = missing(purpose, is_there);
    if missing.is_empty() {
        return Ok(missing);
    }
    println!("not installed: {}", programs(&missing));
    let packages = packages(&missing);
    let command = format!("apt-get install {}", packages.join(" "));
    let situation = Situation {
        has_apt: apt::is_there(),
        can_be_root: is_root() || sudo_works(),
        agreed: consent.yes || in_ci(),
        on_terminal: io::stdin().is_terminal() && io::stdout().is_terminal(),
    };
    let install = match situation.action() {
        Action::Install => true,
        Action::Ask => ask(&command)?,
        Action::NameCommand => {
            println!("run `{command}` as root, or add --yes");
            false
        }
        Action::NamePackages => {
            println!("install them; Debian's packages: {}", packages.join(", "));
            false
        }
    };
    if install {
        apt::install(&packages)?;
    }
    Ok(self::missing(purpose, is_there))
}

/// As [`provide`], for tasks that cannot do without.
pub fn require(purpose: Purpose, consent: &Consent) -> Result<()> {
    let missing = provide(purpose, consent)?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Missing {
            programs: programs(&missing),
        })
    }
}

fn is_there(program: &str) -> bool {
    process::find_on_path(program).is_some()
}

fn missing(purpose: Purpose, is_there: impl Fn(&str) -> bool) -> Vec<&'static Tool> {
    TOOLS
        .iter()
        .filter(|tool| tool.purposes.contains(&purpose) && !is_there(tool.program))
        .collect()
}

/// The names of some programs, for a message.
pub fn programs(tools: &[&Tool]) -> String {
    let programs: Vec<_> = tools.iter().map(|tool| tool.program).collect();
    programs.join(", ")
}

/// The packages that bring these, each once.
fn packages(tools: &[&Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// What decides whether packages may be installed.
#[derive(Clone, Copy)]
struct Situation {
    has_apt: bool,
    can_be_root: bool,
    agreed: bool,
    on_terminal: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Install,
    Ask,
    NameCommand,
    NamePackages,
}

impl Situation {
    const fn action(self) -> Action {
        match self {
            Self { has_apt: false, .. } => Action::NamePackages,
            Self {
                can_be_root: false, ..
            } => Action::NameCommand,
            Self { agreed: true, .. } => Action::Install,
            Self {
                on_terminal: true, ..
            } => Action::Ask,
            Self { .. } => Action::NameCommand,
        }
    }
}

fn ask(command: &str) -> Result<bool> {
    let failed = |source| Error::Terminal { source };
    print!("run `{command}` now? [Y/n] ");
    io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(is_yes(&answer))
}

/// A line without a word is a yes, the end of the input is not.
fn is_yes(answer: &str) -> bool {
    answer.ends_with('\n') && ["", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_purpose_has_its_own_programs() {
        let names = |purpose| programs(&missing(purpose, |_| false));
        assert_eq!(names(Benchmarks), "cc, fio, go, xxhsum");
        assert_eq!(names(Fuzzing), "c++");
        assert!(missing(Tests, |_| true).is_empty());
        let without_fio = missing(Tests, |program| program != "fio");
        assert_eq!(programs(&without_fio), "fio");
    }

    #[test]
    fn what_a_kernel_test_requires_is_provided() {
        // Packages that every Debian has: tar, coreutils, util-linux and mount.
        let always = [
            "cat", "sh", "sleep", "tar", "dd", "mkfifo", "taskset", "setsid", "setarch", "mount",
            "umount",
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiler/tests/kernel");
        let mut required = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the tests").flatten() {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            for line in text.split("requires!(").skip(1) {
                let arguments = line.split(')').next().unwrap_or_default();
                let quoted = arguments.split('"').skip(1).step_by(2);
                required.extend(quoted.flat_map(str::split_whitespace).map(str::to_owned));
            }
        }
        assert!(required.contains("cc"), "{required:?}");
        for program in required {
            let provided = TOOLS
                .iter()
                .any(|tool| tool.program == program && tool.purposes.contains(&Tests));
            assert!(provided || always.contains(&program.as_str()), "{program}");
        }
    }

    #[test]
    fn a_package_of_two_programs_is_named_once() {
        let tools = missing(Tests, |program| {
            !["setpriv", "unshare", "fio"].contains(&program)
        });
        assert_eq!(packages(&tools), ["fio", "util-linux"]);
    }

    #[test]
    fn nothing_is_installed_without_leave() {
        let all = Situation {
            has_apt: true,
            can_be_root: true,
            agreed: true,
            on_terminal: true,
        };
        let action = |change: fn(&mut Situation)| {
            let mut situation = all;
            change(&mut situation);
            situation.action()
        };
        assert_eq!(all.action(), Action::Install);
        assert_eq!(action(|s| s.agreed = false), Action::Ask);
        assert_eq!(action(|s| s.can_be_root = false), Action::NameCommand);
        assert_eq!(action(|s| s.has_apt = false), Action::NamePackages);
        let unattended = action(|s| (s.agreed, s.on_terminal) = (false, false));
        assert_eq!(unattended, Action::NameCommand);
    }

    #[test]
    fn the_answer_may_be_left_out_but_not_the_line() {
        for yes in ["\n", "y\n", " Yes\n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "n\n", "yes, but\n", "y"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
