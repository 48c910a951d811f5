//! Giving up privileges once the probes are attached.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use caps::{CapSet, Capability, errors::CapsError};
use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat, geteuid},
};

use super::{destination::Destination, user::User};
use crate::{
    error::Error,
    kernel::{Session, privileges},
};

/// The bit of a folder in which only their owners replace files.
const STICKY: u32 = 0o1000;

/// Keeps only what reading the maps and putting the report into its place takes, mostly nothing: under sudo
/// this becomes a process of who called it, elsewhere it stays root's without any capability.
///
/// Capabilities are a thread's: this must come before there is another one.
///
/// # Errors
///
/// Where the kernel refuses it, rather than going on with more than is needed.
pub fn give_up(session: &mut Session, report: &Destination) -> Result<(), Error> {
    let refused = Error::system::<std::io::Error>;
    let refused = || refused("giving up privileges");
    let fits = || report.place().is_none_or(may_be_put);
    if let Some(caller) = User::caller()
        && caller.act_as(fits)?
    {
        // Those that are permitted are looked at below; none is effective from here on.
        nix::sys::prctl::set_keepcaps(true).map_err(|error| refused()(error.into()))?;
        caller.become_for_good().map_err(refused())?;
    }
    let cannot_clear = |error: CapsError| std::io::Error::other(error.to_string());
    caps::clear(None, CapSet::Effective)
        .map_err(cannot_clear)
        .map_err(refused())?;
    let mut kept = HashSet::new();
    if !session.can_be_read() {
        kept.insert(Capability::CAP_BPF);
    }
    if !fits() {
        kept.extend([Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER]);
    }
    privileges::keep(&kept).map_err(refused())
}

/// Whether a file may be moved to a place, both by their paths.
fn may_be_put((file, place): (&Path, &Path)) -> bool {
    let folder = match place.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let may = AccessFlags::W_OK | AccessFlags::X_OK;
    if faccessat(AT_FDCWD, folder, may, AtFlags::AT_EACCESS).is_err() {
        return false;
    }
    let Ok(folder) = fs::metadata(folder) else {
        return false;
    };
    let me = geteuid().as_raw();
    let is_ours = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.uid() == me);
    folder.permissions().mode() & STICKY == 0
        || folder.uid() == me
        || (is_ours(file) && (is_ours(place) || !place.exists()))
}
