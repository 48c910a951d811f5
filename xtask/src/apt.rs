//! Installing Debian's packages.

use std::ffi::OsStr;
use std::process::Command;

use crate::error::Result;
use crate::privileges::as_root;
use crate::process;

/// Another installation may be under way; apt then waits for it.
const LOCK: &str = "DPkg::Lock::Timeout=300";

/// Whether packages are installed by apt here.
pub fn is_there() -> bool {
    process::find_on_path("apt-get").is_some()
}

/// Installs those of these packages that the distribution has, and names the others.
pub fn install(packages: &[impl AsRef<OsStr> + AsRef<str>]) -> Result<()> {
    process::run(as_root("apt-get").args(["update", "--quiet", "-o", LOCK]))?;
    let policy = process::output(
        Command::new("apt-cache")
            .arg("policy")
            .args(packages)
            .env("LC_ALL", "C"),
    )?;
    let (available, unknown): (Vec<&str>, Vec<&str>) = packages
        .iter()
        .map(AsRef::<str>::as_ref)
        .partition(|package| has_candidate(&policy, package));
    if !unknown.is_empty() {
        println!("no such package here: {}", unknown.join(", "));
    }
    if available.is_empty() {
        return Ok(());
    }
    process::run(
        as_root("env")
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install"])
            .args(["--yes", "--quiet", "--no-install-recommends", "-o", LOCK])
            .args(available),
    )
}

/// Whether `apt-cache policy` knows a version of this package that could be installed.
fn has_candidate(policy: &str, package: &str) -> bool {
    policy
        .lines()
        .skip_while(|line| line.strip_suffix(':') != Some(package))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .is_some_and(|version| version != "(none)")
}

#[cfg(test)]
mod tests {
    use super::has_candidate;

    #[test]
    fn only_what_has_a_candidate_is_installed() {
        let policy = "fio:\n  Installed: (none)\n  Candidate: 3.33-3\n  Version table:\n     3.33-3 500\n\
            linux-perf:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        assert!(has_candidate(policy, "fio"));
        assert!(!has_candidate(policy, "linux-perf"), "a virtual package");
        assert!(!has_candidate(policy, "perf"), "an unknown one");
        assert!(!has_candidate(policy, "io"));
    }
}
