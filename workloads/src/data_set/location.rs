//! Chooses the directory for data sets, and checks its free space.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access, geteuid};

use crate::error::Error;

/// ramfs, which is memory as tmpfs is (linux/magic.h); nix has no name for it.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Free space that is left to other programs on the file system.
const RESERVE_BYTES: u64 = 64 << 20;

/// A folder for data sets, and whether it is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder, which exists.
    pub dir: PathBuf,
    /// Whether its file system is in memory, without a device.
    pub in_memory: bool,
}

impl Location {
    /// The folder the user named, or the first suitable one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the named folder is missing, no folder or not writable, or no folder is found at all.
    pub fn choose(named: Option<&Path>) -> Result<Self, Error> {
        if let Some(dir) = named {
            if !std::fs::metadata(dir)
                .map_err(Error::io("use the folder", dir))?
                .is_dir()
            {
                return Err(Error::io("use the folder", dir)(
                    std::io::Error::from_raw_os_error(libc::ENOTDIR),
                ));
            }
            return Ok(Self {
                dir: dir.to_path_buf(),
                in_memory: in_memory(dir),
            });
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let candidates = [
            Some(std::env::temp_dir()),
            Some(PathBuf::from("/var/tmp")),
            home,
            Some(PathBuf::from(".")),
        ];
        let usable: Vec<PathBuf> = candidates
            .into_iter()
            .flatten()
            .filter(|dir| {
                dir.is_dir()
                    && access(dir.as_path(), AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
                    && is_safe(dir)
            })
            .collect();
        if let Some(dir) = usable.iter().find(|dir| !in_memory(dir)) {
            return Ok(Self {
                dir: dir.clone(),
                in_memory: false,
            });
        }
        match usable.into_iter().next() {
            Some(dir) => Ok(Self {
                dir,
                in_memory: true,
            }),
            None => Err(Error::Options(
                "no temporary folder can be written to; name one with --dir".to_owned(),
            )),
        }
    }

    /// Whether `bytes` in `files` fit.
    ///
    /// # Errors
    ///
    /// [`Error::Space`] where they do not.
    pub fn check_space(&self, bytes: u64, files: u64) -> Result<(), Error> {
        let status = statvfs(&self.dir)
            .map_err(|errno| Error::io("ask for the free space of", &self.dir)(errno.into()))?;
        let available_bytes = status
            .blocks_available()
            .saturating_mul(status.fragment_size());
        let needed_bytes = bytes.saturating_add(RESERVE_BYTES);
        if available_bytes < needed_bytes {
            return Err(Error::Space {
                dir: self.dir.clone(),
                needed_bytes,
                available_bytes,
            });
        }
        // File systems without a fixed number of inodes (btrfs) report 0 of 0.
        if status.files() > 0 && status.files_available() < files {
            return Err(Error::Options(format!(
                "{} has {} inodes left, {files} are needed; choose another --dir or fewer --files",
                self.dir.display(),
                status.files_available()
            )));
        }
        Ok(())
    }
}

/// Whether only root can replace what root creates in a folder; the owner of a TMPDIR, for one, can. Checked for root alone,
/// and not for a folder that the user named.
fn is_safe(dir: &Path) -> bool {
    let has_only_root = |found: std::fs::Metadata| {
        found.uid() == 0 && (found.mode() & 0o022 == 0 || found.mode() & 0o1000 != 0)
    };
    !geteuid().is_root() || std::fs::metadata(dir).is_ok_and(has_only_root)
}

/// Whether the file system of `dir` keeps everything in memory.
fn in_memory(dir: &Path) -> bool {
    statfs(dir).is_ok_and(|status| matches!(status.filesystem_type(), TMPFS_MAGIC | RAMFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_and_a_file_are_refused() {
        assert!(matches!(
            Location::choose(Some(Path::new("/nonexistent"))),
            Err(Error::Io { .. })
        ));
        assert!(matches!(
            Location::choose(Some(Path::new("/proc/version"))),
            Err(Error::Io { .. })
        ));
    }

    #[test]
    fn root_does_not_work_where_others_can_replace_its_files() {
        use std::os::unix::fs::{PermissionsExt, chown};
        if !geteuid().is_root() {
            // Checked for root alone.
            assert!(is_safe(Path::new("/nonexistent")));
            return;
        }
        let dir = tempfile::tempdir().expect("temporary folder");
        let mode = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path(), mode).expect("it is root's");
            is_safe(dir.path())
        };
        assert!(mode(0o700) && mode(0o755) && mode(0o1777));
        assert!(!mode(0o777) && !mode(0o775));
        chown(dir.path(), Some(61_001), None).expect("it is root's");
        assert!(!mode(0o700) && !mode(0o1777));
    }

    #[test]
    fn more_than_there_is_does_not_fit() {
        let location = Location::choose(None).expect("some temporary folder");
        assert!(matches!(
            location.check_space(u64::MAX / 2, 1),
            Err(Error::Space { .. })
        ));
        location.check_space(1, 1).expect("one byte fits");
    }
}
