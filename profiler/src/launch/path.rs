//! Resolves a path component by component, so that no other user can redirect it meanwhile.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, openat, readlinkat},
    sys::{
        stat::{FileStat, Mode, SFlag, fstat, stat},
        statfs::{PROC_SUPER_MAGIC, fstatfs},
    },
    unistd::geteuid,
};

use super::user::User;
use crate::text::Text;

/// The kernel's limit of links in one path.
const MOST_LINKS: usize = 40;

/// The folder and the name that a path leads to.
#[derive(Debug)]
pub struct ResolvedPath {
    /// The folder.
    pub folder: OwnedFd,
    /// The name in it.
    pub name: OsString,
    /// The file of that name; none where there is none.
    pub found: Option<FileStat>,
    /// The descriptor of this process that the path means, as `/dev/stdout` does.
    pub descriptor: Option<i32>,
}

impl ResolvedPath {
    /// Resolves a path. Links are followed, the last one included, if [`may_be_trusted`] allows it.
    ///
    /// # Errors
    ///
    /// Where a folder on the way is missing or may not be entered, or the path leads to a folder.
    pub fn find(path: &Path) -> io::Result<Self> {
        let mut folder = open_folder(AT_FDCWD, ".")?;
        let mut rest = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == "/" || part == ".." {
                folder = open_folder(&folder, part.as_os_str())?;
                continue;
            }
            let is_last = rest.is_empty();
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let found = match openat(&folder, part.as_os_str(), flags, Mode::empty()) {
                Err(Errno::ENOENT) if is_last => return Ok(Self::of(folder, part, None)),
                found => found?,
            };
            let status = fstat(&found)?;
            match kind(&status) {
                SFlag::S_IFDIR => folder = found,
                // The kernel's own links; their targets may have no path.
                SFlag::S_IFLNK if fstatfs(&folder)?.filesystem_type() == PROC_SUPER_MAGIC => {
                    if is_last {
                        return Self::of_process(folder, part);
                    }
                    folder = open_folder(&folder, part.as_os_str())?;
                }
                SFlag::S_IFLNK => {
                    if !may_be_trusted(&status, &fstat(&folder)?) {
                        return Err(not_trusted(&part, "a symbolic link"));
                    }
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    rest.extend(parts(Path::new(&readlinkat(&found, "")?)));
                }
                _ if is_last => return Ok(Self::of(folder, part, Some(status))),
                _ => return Err(Errno::ENOTDIR.into()),
            }
        }
        Err(Errno::EISDIR.into())
    }

    const fn of(folder: OwnedFd, name: OsString, found: Option<FileStat>) -> Self {
        Self {
            folder,
            name,
            found,
            descriptor: None,
        }
    }

    /// A link in /proc.
    fn of_process(folder: OwnedFd, name: OsString) -> io::Result<Self> {
        let (there, own) = (fstat(&folder)?, stat("/proc/self/fd")?);
        let is_own = (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino);
        let number = name.to_str().and_then(|name| name.parse().ok());
        let found = openat(&folder, name.as_os_str(), OFlag::O_PATH, Mode::empty())?;
        let found = Some(fstat(&found)?);
        Ok(Self {
            descriptor: number.filter(|_| is_own),
            ..Self::of(folder, name, found)
        })
    }

    /// A path of the folder that survives renames.
    pub fn folder_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()))
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let parts = parts.filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

fn open_folder(at: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat(at, name.as_ref(), flags, Mode::empty())?)
}

/// The type of a file.
pub fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits())
}

/// Whether only owners may replace their files in a folder (the sticky bit).
pub fn is_sticky(folder: &FileStat) -> bool {
    Mode::from_bits_truncate(folder.st_mode).contains(Mode::S_ISVTX)
}

/// Whether a link or a pipe may be followed: root, this user or the sudo caller owns it. For other users than root the
/// rule is that of fs.protected_symlinks, see proc_sys_fs(5), whether it is set or not: in a sticky world-writable
/// folder a link of another user is not followed, unless the folder's owner owns it.
pub fn may_be_trusted(found: &FileStat, folder: &FileStat) -> bool {
    let me = geteuid();
    let trusted = [
        Some(0),
        Some(me.as_raw()),
        User::caller().map(|caller| caller.uid().as_raw()),
    ];
    let is_shared =
        is_sticky(folder) && Mode::from_bits_truncate(folder.st_mode).contains(Mode::S_IWOTH);
    trusted.contains(&Some(found.st_uid))
        || (!me.is_root() && (!is_shared || found.st_uid == folder.st_uid))
}

/// The error where it may not be followed.
pub fn not_trusted(name: &OsStr, what: &str) -> io::Error {
    let name = Text::of(name);
    io::Error::other(format!("{name} is {what} of another user"))
}
