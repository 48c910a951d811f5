//! Whether a path leads to a file that the kernel knows by its inode, and which one does.

use std::{
    collections::HashMap,
    ffi::{CString, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, XFS_SUPER_MAGIC, fstatfs};

use super::{
    handle::{Handle, Inode, status},
    listing::Listing,
    mounts::Mounts,
};

/// What a mount namespace shows.
#[derive(Debug, Default)]
pub struct View {
    mounts: Mounts,
    /// The names below mount points, once one was looked for.
    listings: HashMap<PathBuf, Listing>,
}

impl From<Mounts> for View {
    fn from(mounts: Mounts) -> Self {
        Self {
            mounts,
            listings: HashMap::new(),
        }
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    /// To the file.
    There,
    /// Nowhere, or to another file: this one has no name any more.
    Deleted,
    /// To another file or nowhere; what became of this one is not known.
    Elsewhere,
    /// It cannot be told.
    #[default]
    Unknown,
}

impl Lead {
    const ALL: [Self; 4] = [Self::There, Self::Deleted, Self::Elsewhere, Self::Unknown];

    /// As a number.
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// From a number.
    pub fn of_number(number: u64) -> Self {
        let found = Self::ALL.into_iter().find(|lead| lead.number() == number);
        found.unwrap_or_default()
    }
}

/// Follows a path as this process sees it, where these are the mounts; a link at its end is not followed. Where its file
/// system shows no generations, a number that is used again is taken for the same file.
///
/// # Errors
///
/// Where it cannot be looked at, other than by not being there.
pub fn leads_to(path: &Path, inode: &Inode, mounts: &Mounts) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let found = match status(libc::AT_FDCWD, &path) {
        Ok(found) => found,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    if found.stx_ino != inode.number || device(&found, mounts).is_some_and(|it| it != inode.device)
    {
        return Ok(false);
    }
    let handle = Handle::of(libc::AT_FDCWD, &path);
    let generation = handle.and_then(|handle| handle.generation(inode.number));
    Ok(generation.is_none_or(|generation| generation == inode.generation))
}

/// The device of the file system. Some show devices of their own making to stat(2), one for each subvolume or layer: that
/// of the mount is the kernel's.
fn device(found: &libc::statx, mounts: &Mounts) -> Option<(u32, u32)> {
    let is_told = found.stx_mask & libc::STATX_MNT_ID != 0;
    is_told.then(|| mounts.device(found.stx_mnt_id)).flatten()
}

/// Where a path leads, and another one that leads to the file where this one does not, in what is seen. This is the folder /proc, which need not be mounted where the path is.
pub fn follow(
    path: Option<&Path>,
    inode: &Inode,
    view: &mut View,
    proc: BorrowedFd,
) -> (Lead, Option<PathBuf>) {
    let leads = path.map(|path| leads_to(path, inode, &view.mounts));
    if matches!(leads, Some(Ok(true))) {
        return (Lead::There, None);
    }
    let found = by_handle(path, inode, &view.mounts, proc);
    match found.or_else(|| by_name(path, inode, view).map(Found::At)) {
        Some(Found::At(path)) => (Lead::There, Some(path)),
        Some(Found::Nowhere) => (Lead::Deleted, None),
        None if matches!(leads, Some(Ok(false))) => (Lead::Elsewhere, None),
        None => (Lead::Unknown, None),
    }
}

/// What became of a file.
enum Found {
    /// A path leads to it.
    At(PathBuf),
    /// None does: it was deleted.
    Nowhere,
}

/// How many mounts of a file system are tried: each may show another part of it.
const MOUNTS: usize = 4;

/// Looks for a file by its handle; none where that does not tell.
fn by_handle(
    near: Option<&Path>,
    inode: &Inode,
    mounts: &Mounts,
    proc: BorrowedFd,
) -> Option<Found> {
    let points = mounts.points(inode.device, near);
    let mut places = points.into_iter().take(MOUNTS);
    places.find_map(|point| below(point, inode, mounts, proc))
}

/// Looks for a file by its names, on a tmpfs: the path of one that is this file and no other with its number.
fn by_name(near: Option<&Path>, inode: &Inode, view: &mut View) -> Option<PathBuf> {
    let View { mounts, listings } = view;
    let points = mounts.points(inode.device, near);
    points.into_iter().take(MOUNTS).find_map(|point| {
        let listing = match listings.get(point) {
            Some(listing) => listing,
            None => listings
                .entry(point.to_owned())
                .or_insert_with(|| Listing::of(point)),
        };
        let mut paths = listing.paths(inode.number);
        let found = paths.find(|path| is_surely(path, inode, mounts))?;
        Some(found.to_owned())
    })
}

/// Whether a path leads to a file whose generation is told, too.
fn is_surely(path: &Path, inode: &Inode, mounts: &Mounts) -> bool {
    let tells = || {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        Handle::of(libc::AT_FDCWD, &path)?.generation(inode.number)
    };
    leads_to(path, inode, mounts).is_ok_and(|leads| leads) && tells() == Some(inode.generation)
}

/// Looks for a file below a mount point.
fn below(point: &Path, inode: &Inode, mounts: &Mounts, proc: BorrowedFd) -> Option<Found> {
    let folder = File::open(point).ok()?;
    let number = folder.as_raw_fd();
    // Something else may be mounted above.
    if device(&status(number, c"").ok()?, mounts)? != inode.device {
        return None;
    }
    let handle = Handle::of(number, c"")?.for_inode(inode)?;
    let file = match handle.open(&folder) {
        Ok(file) => file,
        Err(error) => {
            let is_gone = error.raw_os_error() == Some(libc::ESTALE) && finds_all(&folder);
            return is_gone.then_some(Found::Nowhere);
        }
    };
    // A handle of generation 0 opens whatever has the number.
    let found = Handle::of(file.as_raw_fd(), c"")?;
    if found.generation(inode.number)? != inode.generation {
        return None;
    }
    if status(file.as_raw_fd(), c"").ok()?.stx_nlink == 0 {
        return Some(Found::Nowhere);
    }
    let link = format!("self/fd/{}", file.as_raw_fd());
    let path: OsString = nix::fcntl::readlinkat(proc.as_fd(), link.as_str()).ok()?;
    let path = PathBuf::from(path);
    // Where the kernel has no name at hand, the path is none.
    leads_to(&path, inode, mounts)
        .is_ok_and(|leads| leads)
        .then_some(Found::At(path))
}

/// Of linux/magic.h.
const F2FS_SUPER_MAGIC: FsType = FsType(0xf2f5_2010);

/// Whether a file system finds every file by its handle. A tmpfs finds only those that somebody has asked for a handle of,
/// others may have forgotten some.
fn finds_all(folder: &File) -> bool {
    fstatfs(folder).is_ok_and(|found| {
        [
            EXT4_SUPER_MAGIC,
            XFS_SUPER_MAGIC,
            BTRFS_SUPER_MAGIC,
            F2FS_SUPER_MAGIC,
        ]
        .contains(&found.filesystem_type())
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn a_path_leads_to_one_file_and_to_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        fs::write(&path, "x").expect("written");
        let found = fs::metadata(&path).expect("it is there");
        let mounts = Mounts::now();
        let inode = Inode {
            number: found.ino() + 1,
            ..Inode::default()
        };
        let leads = |path: &Path| leads_to(path, &inode, &mounts).expect("it can be looked at");
        assert!(!leads(&path));
        assert!(!leads(&folder.path().join("none")));
        assert!(!leads(&path.join("none")));
    }

    #[test]
    fn where_a_path_leads_is_a_number_to_the_helper() {
        for lead in Lead::ALL {
            assert_eq!(Lead::of_number(lead.number()), lead);
        }
        assert_eq!(Lead::of_number(9), Lead::Unknown);
    }
}
