//! Who runs this, what they may do, and how to ask for more.

use std::ffi::OsStr;
use std::io::{IsTerminal as _, stdin};
use std::process::Command;

use caps::{CapSet, Capability};

use crate::process;

/// Whether this is the superuser.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether probes can be loaded and attached.
pub fn can_profile() -> bool {
    is_root()
        || suffices(|capability| {
            caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
        })
}

/// Whether these capabilities are enough for it.
fn suffices(has: impl Fn(Capability) -> bool) -> bool {
    has(Capability::CAP_SYS_ADMIN) || (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON))
}

/// Whether `sudo` will work: without a password, or with somebody there to type it.
pub fn sudo_works() -> bool {
    process::find_on_path("sudo").is_some()
        && (process::succeeds(Command::new("sudo").args(["-n", "true"])) || stdin().is_terminal())
}

/// A command that runs as root: through `sudo` where that is needed.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::{Capability, suffices};

    #[test]
    fn both_capabilities_are_needed() {
        let with = |capabilities: &[Capability]| suffices(|one| capabilities.contains(&one));
        assert!(!with(&[]));
        assert!(!with(&[Capability::CAP_PERFMON]));
        assert!(!with(&[Capability::CAP_BPF]));
        assert!(with(&[Capability::CAP_PERFMON, Capability::CAP_BPF]));
        assert!(with(&[Capability::CAP_SYS_ADMIN]));
    }
}
