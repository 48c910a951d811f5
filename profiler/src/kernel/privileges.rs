//! What this process may do, and giving up of it what it no longer needs.

use std::{collections::HashSet, io};

use caps::{CapSet, Capability, errors::CapsError};

/// The capabilities that matter, as bits of `CapEff` in /proc/self/status; see capabilities(7).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// The effective capabilities of this process, as the bits of capabilities(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Those of this process; none where /proc cannot be read.
    pub fn effective() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::parse(&status).unwrap_or(Self(0))
    }

    fn parse(status: &str) -> Option<Self> {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(mask.trim(), 16).ok().map(Self)
    }

    const fn has(self, bit: u32) -> bool {
        self.0 & 1 << bit != 0
    }

    /// Those that probes take and that are missing.
    pub fn missing(self) -> Vec<&'static str> {
        [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
            .into_iter()
            .filter(|(bit, _)| !self.has(*bit) && !self.has(CAP_SYS_ADMIN))
            .map(|(_, name)| name)
            .collect()
    }
}

/// Whether the probes' capabilities are there.
pub fn can_load() -> bool {
    Capabilities::effective().missing().is_empty()
}

/// Gives up every capability but these, for this thread, and any way to more: nothing that it executes will
/// have others.
///
/// # Errors
///
/// The kernel's reason.
pub fn keep(kept: &HashSet<Capability>) -> io::Result<()> {
    let permitted = caps::read(None, CapSet::Permitted).map_err(refused)?;
    let kept = kept.intersection(&permitted).copied().collect();
    nix::sys::prctl::set_no_new_privs()?;
    // Not an effective one that is not permitted, at any moment.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(refused)?;
    }
    for set in [CapSet::Inheritable, CapSet::Ambient] {
        caps::clear(None, set).map_err(refused)?;
    }
    Ok(())
}

/// Makes no use of any capability, for this thread, without giving them up.
///
/// # Errors
///
/// The kernel's reason.
pub fn use_none() -> io::Result<()> {
    caps::clear(None, CapSet::Effective).map_err(refused)
}

fn refused(error: CapsError) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let missing = |mask: &str| {
            Capabilities::parse(&format!("Name:\tx\nCapEff:\t{mask}\n")).map(Capabilities::missing)
        };
        assert_eq!(
            missing("0000000000000000"),
            Some(vec!["CAP_BPF", "CAP_PERFMON"])
        );
        assert_eq!(missing("0000008000000000"), Some(vec!["CAP_PERFMON"]));
        assert_eq!(missing("000000c000000000"), Some(vec![]));
        assert_eq!(missing("0000000000200000"), Some(vec![]));
        assert_eq!(Capabilities::parse("Name:\tx\n"), None);
    }
}
