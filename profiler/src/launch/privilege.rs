//! Giving up privileges once the probes are attached.

use std::{collections::HashSet, path::Path};

use caps::Capability;
use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    sys::stat::{lstat, stat},
    unistd::{AccessFlags, faccessat, geteuid},
};

use super::{destination::Destination, path::is_sticky, user::User};
use crate::{
    error::Error,
    kernel::{Session, system::capabilities},
};

/// Keeps only the privileges that reading the maps and renaming the report require, mostly none: under sudo this
/// becomes a process of the caller, otherwise it stays root's without capabilities.
///
/// Capabilities belong to threads: call this before there is a second one.
///
/// # Errors
///
/// Where the kernel rejects it: ioprof does not go on with more privileges than needed.
pub fn give_up(session: &mut Session, report: &Destination) -> Result<(), Error> {
    let refused = Error::system::<std::io::Error>;
    let refused = || refused("giving up privileges");
    let fits = || report.pending().is_none_or(may_be_put);
    if let Some(caller) = User::caller()
        && caller.act_as(fits)?
    {
        // The permitted ones are reduced below; none is effective from here on.
        nix::sys::prctl::set_keepcaps(true).map_err(|error| refused()(error.into()))?;
        caller.become_for_good().map_err(refused())?;
    }
    capabilities::use_none().map_err(refused())?;
    let mut kept = HashSet::new();
    if !session.can_be_read() {
        kept.insert(Capability::CAP_BPF);
    }
    if !fits() {
        kept.extend([Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER]);
    }
    capabilities::keep(&kept).map_err(refused())
}

/// Whether a file may be renamed to a path.
fn may_be_put((file, place): (&Path, &Path)) -> bool {
    let folder = match place.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let may = AccessFlags::W_OK | AccessFlags::X_OK;
    if faccessat(AT_FDCWD, folder, may, AtFlags::AT_EACCESS).is_err() {
        return false;
    }
    let Ok(folder) = stat(folder) else {
        return false;
    };
    let me = geteuid().as_raw();
    let is_ours = |path: &Path| lstat(path).is_ok_and(|found| found.st_uid == me);
    !is_sticky(&folder)
        || folder.st_uid == me
        || (is_ours(file) && (is_ours(place) || !place.exists()))
}
