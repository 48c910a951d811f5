//! Where a calibration measures: a file without a name, and the disk that it is on.

use std::{
    fs::File,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use ioprof_workloads::ceiling::set_direct;
use nix::sys::statvfs::statvfs;

use crate::{
    commands::ceilings::described,
    error::Error,
    kernel::system::disk::Disk,
    model::calibration::{CalibratedDevice, FileSystem},
    output::format::bytes,
};

/// Room that is left to others, and for appends.
const RESERVE: u64 = 128 << 20;
/// The smallest file to measure with.
pub const LEAST: u64 = 16 << 20;

/// The place.
pub struct Place {
    folder: PathBuf,
    /// The file to measure with, open for direct I/O.
    pub file: File,
    /// The disk.
    pub disk: Disk,
    /// Its file system.
    pub file_system: FileSystem,
    /// How long the file may become.
    pub bytes: u64,
}

impl Place {
    /// Makes the file in a folder, or beside a file: of `wanted` bytes, or what half of the free space has room for.
    ///
    /// # Errors
    ///
    /// Where there is no disk below, no room, or no direct I/O.
    pub fn open(path: &Path, wanted: u64) -> Result<Self, Error> {
        let refused = |reason: String| Error::Calibrate {
            path: path.to_owned(),
            reason,
        };
        // Without symbolic links: a file is where it lies, and not where a link to it does.
        let found = path.canonicalize().and_then(|path| {
            let kind = path.metadata()?.file_type();
            Ok((path, kind))
        });
        let folder = match &found {
            Ok((path, kind)) if kind.is_dir() => Some(path.as_path()),
            Ok((path, kind)) if kind.is_file() => path.parent(),
            Ok(_) => None,
            Err(error) => return Err(refused(error.to_string())),
        };
        let Some(folder) = folder.map(Path::to_owned) else {
            return Err(refused("name a folder, or a file in one".into()));
        };
        let file = unnamed(&folder)
            .map_err(|error| refused(format!("{error}; name a folder that you may write to")))?;
        let (disk, mount) =
            Disk::of(file.as_fd()).map_err(|no_disk| refused(format!("it {no_disk}")))?;
        set_direct(file.as_fd(), true).map_err(|error| {
            let kind = &mount.kind;
            refused(format!(
                "{kind} has no direct I/O here ({error}); name a folder on another file system"
            ))
        })?;
        let free = free(&folder).map_err(|error| refused(error.to_string()))?;
        let room = free.saturating_sub(RESERVE).min(free / 2);
        if room < LEAST {
            let least = LEAST.saturating_add(RESERVE);
            return Err(refused(format!(
                "{} are free and {} are needed; free some, or name another folder",
                bytes(free),
                bytes(least)
            )));
        }
        let whole = 1 << 20;
        Ok(Self {
            folder,
            file,
            disk,
            file_system: FileSystem {
                kind: mount.kind.into(),
                options: mount.options.into(),
            },
            bytes: wanted.min(room) / whole * whole,
        })
    }

    /// Another file without a name.
    ///
    /// # Errors
    ///
    /// The kernel's reason.
    pub fn another(&self) -> Result<File, Error> {
        unnamed(&self.folder).map_err(Error::system("making a file"))
    }

    /// The disk, and how it is set.
    pub fn device(&self) -> CalibratedDevice {
        described(&self.disk)
    }
}

/// By `O_TMPFILE`, or removed as soon as it is open: nothing is left however this process ends.
fn unnamed(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// What this user may still write.
fn free(folder: &Path) -> io::Result<u64> {
    let found = statvfs(folder)?;
    Ok(found
        .blocks_available()
        .saturating_mul(found.fragment_size()))
}
