//! Who runs this, what they may do, and how to ask for more.

use std::ffi::OsStr;
use std::fs;
use std::io::{IsTerminal as _, stdin};
use std::process::Command;

use crate::process;

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// What the process's status says it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    effective_uid: u32,
    effective_capabilities: u64,
}

impl Privileges {
    /// Those of this process; none where they cannot be read.
    pub fn current() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::parse(&status)
    }

    /// Reads the text of a `/proc/PID/status`.
    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let effective_uid = field("Uid")
            .and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(u32::MAX);
        let effective_capabilities = field("CapEff")
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0);
        Self {
            effective_uid,
            effective_capabilities,
        }
    }

    fn has(self, capability: u32) -> bool {
        self.effective_capabilities & (1 << capability) != 0
    }

    /// Whether this is the superuser.
    pub fn is_root(self) -> bool {
        self.effective_uid == 0
    }

    /// Whether probes can be loaded and attached.
    pub fn can_profile(self) -> bool {
        self.is_root() || self.has(CAP_SYS_ADMIN) || (self.has(CAP_BPF) && self.has(CAP_PERFMON))
    }
}

/// Whether `sudo` will work: without a password, or with somebody there to type it.
pub fn sudo_works() -> bool {
    process::find_on_path("sudo").is_some()
        && (process::succeeds(Command::new("sudo").args(["-n", "true"])) || stdin().is_terminal())
}

/// A command that runs as root: through `sudo` where that is needed.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if Privileges::current().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::Privileges;

    fn status(uid: u32, capabilities: u64) -> Privileges {
        Privileges::parse(&format!(
            "Name:\txtask\nUid:\t1000\t{uid}\t1000\t1000\nCapPrm:\t0000000000000000\n\
             CapEff:\t{capabilities:016x}\nCapBnd:\t000001ffffffffff\n"
        ))
    }

    #[test]
    fn root_may_profile_and_an_ordinary_user_may_not() {
        assert!(status(0, 0).is_root());
        assert!(status(0, 0).can_profile());
        assert!(!status(1000, 0).is_root());
        assert!(!status(1000, 0).can_profile());
    }

    #[test]
    fn both_capabilities_are_needed() {
        assert!(!status(1000, 1 << 38).can_profile());
        assert!(!status(1000, 1 << 39).can_profile());
        assert!(status(1000, 1 << 38 | 1 << 39).can_profile());
        assert!(status(1000, 1 << 21).can_profile());
    }

    #[test]
    fn what_cannot_be_read_is_no_privilege() {
        assert!(!Privileges::parse("").can_profile());
        assert!(!Privileges::parse("Uid:\tx\nCapEff:\tzz\n").can_profile());
    }
}
