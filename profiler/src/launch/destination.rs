//! Where the JSON report goes: checked to be writable before the run, and written completely or not at all.
//!
//! ioprof runs as root, and may be asked to write where others can: into /tmp, or into the home of the sudo caller.
//!
//! - Under sudo the file is opened with the caller's rights: the caller owns the report, and ioprof writes nothing
//!   that the caller may not write. Where these rights do not suffice, root's are used, and root owns the report.
//! - The path is resolved component by component. A symbolic link is followed only if root, the caller or this user
//!   owns it: see [`super::path`]. The same holds for pipes.
//! - From then on a descriptor holds the folder. The report is written to a new file in it with mode 0600, and renamed
//!   into place when complete; the rename follows no link. A user who can rename files there can make the
//!   report disappear, but cannot redirect it.
//! - Pipes and character devices are written to directly. Block devices are rejected.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{FromRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, openat},
    sys::stat::{FileStat, Mode, SFlag, fstat},
    unistd::geteuid,
};
use tempfile::NamedTempFile;

use super::{
    path::{ResolvedPath, is_sticky, kind, may_be_trusted, not_trusted},
    user::User,
};
use crate::{error::Error, text::Text};

/// Where a report can be written to.
pub enum Destination {
    /// No report was asked for.
    None,
    /// The standard output.
    Stdout,
    /// A file that is renamed into place when complete; only its owner may read it.
    File(Pending, PathBuf),
    /// A device, a pipe or an open descriptor, written to directly.
    Special(File, PathBuf),
}

/// A file that is not yet in its place.
pub struct Pending {
    file: NamedTempFile,
    /// Its final path, through the folder's descriptor.
    destination: PathBuf,
    /// Holds the folder.
    _folder: OwnedFd,
}

impl Destination {
    /// Opens the destination. To be called while this process has a single thread.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where it cannot be written to.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::None);
        };
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let opened = match User::caller() {
            Some(caller) => match caller.act_as(|| open(path))? {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open(path),
                done => done,
            },
            None => open(path),
        };
        opened.map_err(|source| Error::Output {
            path: path.to_owned(),
            source,
        })
    }

    /// The temporary file and its final path.
    pub fn pending(&self) -> Option<(&Path, &Path)> {
        match self {
            Self::File(pending, _) => Some((pending.file.path(), &pending.destination)),
            _ => None,
        }
    }

    /// Whether a path means the standard output.
    pub fn is_stdout(path: &Path) -> bool {
        let is_first = |found: ResolvedPath| found.descriptor == Some(libc::STDOUT_FILENO);
        path == Path::new("-") || ResolvedPath::find(path).is_ok_and(is_first)
    }

    /// Whether it means a file, or one that may be made, so that others may be named like it.
    pub fn may_be_numbered(path: &Path) -> bool {
        let is_file = |found: ResolvedPath| {
            let kind = found.found.as_ref().map(kind);
            found.descriptor.is_none() && kind.is_none_or(|kind| kind == SFlag::S_IFREG)
        };
        match ResolvedPath::find(path) {
            Ok(found) => path != Path::new("-") && is_file(found),
            // Why else it cannot be resolved is told by the first run.
            Err(error) => error.kind() != io::ErrorKind::IsADirectory,
        }
    }

    /// The name of the file that can be read again; none where there is none.
    pub fn name(&self) -> Option<Text> {
        match self {
            Self::File(_, path) => Some(Text::of(path)),
            _ => None,
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where that fails; an existing file is unchanged then.
    pub fn write(self, json: &[u8]) -> Result<(), Error> {
        let (path, written) = match self {
            Self::None => return Ok(()),
            Self::Stdout => ("stdout".into(), io::stdout().lock().write_all(json)),
            Self::Special(mut file, path) => (path, file.write_all(json)),
            Self::File(pending, path) => (path, pending.write(json)),
        };
        written.map_err(|source| Error::Output { path, source })
    }
}

fn open(path: &Path) -> io::Result<Destination> {
    let resolved = ResolvedPath::find(path)?;
    let name = path.to_owned();
    if let Some(number) = resolved.descriptor {
        return Ok(Destination::Special(copy_of(number)?, name));
    }
    match resolved.found.as_ref().map(kind) {
        None | Some(SFlag::S_IFREG) => Ok(Destination::File(Pending::new(resolved)?, name)),
        Some(SFlag::S_IFBLK) => Err(io::Error::other("it is a block device")),
        Some(_) => Ok(Destination::Special(special(&resolved)?, name)),
    }
}

/// A duplicate of the descriptor, which shares its offset.
fn copy_of(number: i32) -> io::Result<File> {
    // SAFETY: it is only duplicated, and was open a moment ago; if it is closed, fcntl fails.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    let mode = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?);
    if mode & OFlag::O_ACCMODE == OFlag::O_RDONLY {
        return Err(Errno::EBADF.into());
    }
    let copy = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(0))?;
    // SAFETY: the call has made it, for this alone.
    Ok(unsafe { File::from_raw_fd(copy) })
}

/// Opens a pipe or a device. On a pipe it may wait for a reader.
fn special(resolved: &ResolvedPath) -> io::Result<File> {
    let is_the_same = |one: &FileStat, other: &FileStat| {
        (one.st_dev, one.st_ino, one.st_mode) == (other.st_dev, other.st_ino, other.st_mode)
    };
    let Some(found) = &resolved.found else {
        return Err(Errno::ENOENT.into());
    };
    let folder = fstat(&resolved.folder)?;
    if kind(found) == SFlag::S_IFIFO && !may_be_trusted(found, &folder) {
        return Err(not_trusted(&resolved.name, "a pipe"));
    }
    let flags = OFlag::O_WRONLY | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = openat(
        &resolved.folder,
        resolved.name.as_os_str(),
        flags,
        Mode::empty(),
    )?;
    if !is_the_same(&fstat(&file)?, found) {
        return Err(io::Error::other("it was replaced while it was opened"));
    }
    Ok(file.into())
}

impl Pending {
    fn new(resolved: ResolvedPath) -> io::Result<Self> {
        // The kernel would reject the rename at the end.
        let folder = fstat(&resolved.folder)?;
        let me = geteuid();
        let is_others = |status: &FileStat| status.st_uid != me.as_raw();
        if !me.is_root()
            && is_sticky(&folder)
            && is_others(&folder)
            && resolved.found.as_ref().is_some_and(is_others)
        {
            return Err(Errno::EPERM.into());
        }
        let path = resolved.folder_path();
        let mut made = tempfile::Builder::new();
        Ok(Self {
            file: made.prefix(".ioprof-").tempfile_in(&path)?,
            destination: path.join(&resolved.name),
            _folder: resolved.folder,
        })
    }

    fn write(mut self, json: &[u8]) -> io::Result<()> {
        self.file.write_all(json)?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.destination)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.json");
        std::fs::write(&path, "before").expect("written");
        let destination = Destination::open(Some(&path)).expect("writable");
        assert_eq!(std::fs::read(&path).expect("read"), b"before");
        destination.write(b"after").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"after");
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn what_cannot_be_written_to_is_found_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for wrong in [
            folder.path().to_owned(),
            folder.path().join("none/run.json"),
        ] {
            assert!(matches!(
                Destination::open(Some(&wrong)),
                Err(Error::Output { .. })
            ));
        }
    }

    #[test]
    fn a_link_stays_and_what_it_stands_for_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("run.json"), folder.path().join("link"));
        std::fs::write(&file, "before").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        let destination = Destination::open(Some(&link)).expect("writable");
        destination.write(b"after").expect("written");
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        assert_eq!(std::fs::read(&file).expect("read"), b"after");
    }

    #[test]
    fn a_link_to_nothing_has_its_file_made_and_a_circle_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (link, other) = (folder.path().join("link"), folder.path().join("other"));
        std::os::unix::fs::symlink("sub/../run.json", &link).expect("linked");
        assert!(Destination::open(Some(&link)).is_err(), "there is no sub");
        std::fs::create_dir(folder.path().join("sub")).expect("made");
        let destination = Destination::open(Some(&link)).expect("writable");
        destination.write(b"after").expect("written");
        let file = folder.path().join("run.json");
        assert_eq!(std::fs::read(file).expect("read"), b"after");
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        std::os::unix::fs::symlink(&other, folder.path().join("one")).expect("linked");
        std::os::unix::fs::symlink(folder.path().join("one"), &other).expect("linked");
        assert!(Destination::open(Some(&other)).is_err());
    }

    #[test]
    fn a_folder_that_is_renamed_meanwhile_still_has_the_report() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let (before, after) = (parent.path().join("before"), parent.path().join("after"));
        std::fs::create_dir(&before).expect("made");
        let destination = Destination::open(Some(&before.join("run.json"))).expect("writable");
        std::fs::rename(&before, &after).expect("renamed");
        std::os::unix::fs::symlink(parent.path(), &before).expect("linked");
        destination.write(b"{}").expect("written");
        assert_eq!(std::fs::read(after.join("run.json")).expect("read"), b"{}");
        assert_eq!(std::fs::read_dir(parent.path()).expect("read").count(), 2);
    }

    #[test]
    fn an_open_descriptor_is_written_to_where_it_stands() {
        use std::{io::Write as _, os::fd::AsRawFd as _};
        let path = NamedTempFile::new().expect("a temporary file");
        let mut file = File::create(path.path()).expect("opened");
        file.write_all(b"before ").expect("written");
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        let destination = Destination::open(Some(Path::new(&name))).expect("writable");
        destination.write(b"after").expect("written");
        assert_eq!(std::fs::read(path.path()).expect("read"), b"before after");
        let read_only = File::open(path.path()).expect("opened");
        let name = format!("/proc/self/fd/{}", read_only.as_raw_fd());
        assert!(Destination::open(Some(Path::new(&name))).is_err());
    }

    #[test]
    fn what_is_not_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("run.json");
        let destination = Destination::open(Some(&place)).expect("writable");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
        drop(destination);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let null = Path::new("/dev/null");
        Destination::open(Some(null))
            .expect("writable")
            .write(b"{}")
            .expect("written");
        assert!(!null.metadata().expect("it is there").is_file());
    }
}
