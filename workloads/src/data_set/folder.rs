//! The folder of a data set, and the marker by which ioprof knows that it may remove the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::mix;
use crate::error::Error;

/// The file that marks a folder as made by ioprof.
pub const MARKER: &str = ".ioprof-data-set";

/// The marker's first line.
const HEADER: &str = "made by ioprof; it removes this folder";

/// A folder of ioprof's own, locked while it is used, removed when dropped unless it is to be kept.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held open for its lock: no other run uses or removes the folder meanwhile.
    marker: Flock<File>,
    keep: AtomicBool,
}

impl Folder {
    /// A new folder under `parent` for this run alone.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the file system refuses.
    pub fn temporary(parent: &Path) -> Result<Self, Error> {
        // mkdtemp(3) makes a name that did not exist, for this user alone.
        let path = nix::unistd::mkdtemp(&parent.join("ioprof-XXXXXX"))
            .map_err(|errno| Error::io("make a folder in", parent)(errno.into()))?;
        match Self::mark(&path) {
            Ok(marker) => Ok(Self {
                path,
                marker,
                keep: false.into(),
            }),
            Err(error) => {
                // Empty, or with an empty marker: both were made above.
                let _ = fs::remove_file(path.join(MARKER));
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    /// The folder under `parent` that runs with the same fingerprint share.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] where something else has its name, [`Error::Busy`] where another run uses it.
    pub fn kept(parent: &Path, workload: &str, fingerprint: &str) -> Result<Self, Error> {
        let number = fingerprint
            .bytes()
            .fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        let path = parent.join(format!("ioprof-{workload}-{number:016x}"));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_marked(&path) {
                    return Err(Error::Foreign { dir: path });
                }
            }
            Err(error) => return Err(Error::io("make the folder", &path)(error)),
        }
        let marker = Self::mark(&path)?;
        Ok(Self {
            path,
            marker,
            keep: true.into(),
        })
    }

    fn mark(path: &Path) -> Result<Flock<File>, Error> {
        let file = path.join(MARKER);
        let failed = |error: io::Error| Error::io("mark the folder", path)(error);
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&file)
            .map_err(failed)?;
        let mut lock = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(Error::Busy {
                    dir: path.to_path_buf(),
                });
            }
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        if lock.metadata().map_err(failed)?.len() == 0 {
            lock.write_all(format!("{HEADER}\n").as_bytes())
                .map_err(failed)?;
        }
        Ok(lock)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the marker records that all files exist with the seed's bytes.
    pub fn is_complete(&self) -> bool {
        read_marker(&self.path).is_some_and(|text| {
            text.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("complete "))
        })
    }

    /// Records that all files exist.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the marker cannot be written.
    pub fn mark_complete(&self, fingerprint: &str) -> Result<(), Error> {
        self.write_marker(&format!("{HEADER}\ncomplete {fingerprint}\n"))
    }

    /// Records that contents are about to change.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the marker cannot be written.
    pub fn mark_incomplete(&self) -> Result<(), Error> {
        self.write_marker(&format!("{HEADER}\n"))
    }

    fn write_marker(&self, text: &str) -> Result<(), Error> {
        let mut file: &File = &self.marker;
        file.rewind()
            .and_then(|()| file.set_len(0))
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(Error::io("mark the folder", &self.path))
    }

    /// Has the folder removed when it is dropped, although it was to be kept: it is incomplete.
    pub fn discard(&self) {
        self.keep.store(false, Ordering::Relaxed);
    }
}

impl Drop for Folder {
    #[allow(clippy::print_stderr, reason = "there is nobody to return an error to")]
    fn drop(&mut self) {
        // Checked again: the name may belong to another folder by now.
        if !self.keep.load(Ordering::Relaxed)
            && is_marked(&self.path)
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!(
                "ioprof: cannot remove {:?}: {error}; remove it by hand",
                self.path
            );
        }
    }
}

/// Whether the folder itself (no link to it) bears the marker, and is this user's alone: its name can be known before,
/// and in the folder of another their links would be followed.
fn is_marked(path: &Path) -> bool {
    let is_own = |found: fs::Metadata| {
        found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
    };
    fs::symlink_metadata(path).is_ok_and(is_own)
        && read_marker(path).is_some_and(|text| text.lines().next() == Some(HEADER))
}

fn read_marker(path: &Path) -> Option<String> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path.join(MARKER))
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}
