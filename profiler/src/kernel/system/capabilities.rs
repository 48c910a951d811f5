//! The capabilities of this process, and giving up those it no longer needs.

use std::{collections::HashSet, io};

use caps::{CapSet, Capability, errors::CapsError};

/// The capabilities that loading the probes requires and that this process does not have; CAP_SYS_ADMIN includes them.
pub fn missing() -> Vec<&'static str> {
    missing_of(&caps::read(None, CapSet::Effective).unwrap_or_default())
}

fn missing_of(effective: &HashSet<Capability>) -> Vec<&'static str> {
    let has = |capability| effective.contains(&capability);
    [
        (Capability::CAP_BPF, "CAP_BPF"),
        (Capability::CAP_PERFMON, "CAP_PERFMON"),
    ]
    .into_iter()
    .filter(|(capability, _)| !has(*capability) && !has(Capability::CAP_SYS_ADMIN))
    .map(|(_, name)| name)
    .collect()
}

/// Whether this process has the capabilities that loading the probes requires.
pub fn can_load() -> bool {
    missing().is_empty()
}

/// Gives up all capabilities of this thread but these, for good: programs that it executes get no others either.
///
/// # Errors
///
/// The kernel's reason.
pub fn keep(kept: &HashSet<Capability>) -> io::Result<()> {
    let permitted = caps::read(None, CapSet::Permitted).map_err(refused)?;
    let kept = kept.intersection(&permitted).copied().collect();
    nix::sys::prctl::set_no_new_privs()?;
    // The effective set first: it must stay within the permitted set.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(refused)?;
    }
    for set in [CapSet::Inheritable, CapSet::Ambient] {
        caps::clear(None, set).map_err(refused)?;
    }
    Ok(())
}

/// Makes no capability of this thread effective, without giving them up.
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
    fn missing_capabilities_are_named() {
        let missing = |effective: &[Capability]| missing_of(&effective.iter().copied().collect());
        assert_eq!(missing(&[]), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(&[Capability::CAP_BPF]), ["CAP_PERFMON"]);
        assert!(missing(&[Capability::CAP_BPF, Capability::CAP_PERFMON]).is_empty());
        assert!(missing(&[Capability::CAP_SYS_ADMIN]).is_empty());
    }
}
