//! All names of a tmpfs, which finds a file by its handle only where somebody has asked for that handle before.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    os::{
        fd::AsFd as _,
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use nix::{
    dir::{Dir, Type},
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::statfs::{TMPFS_MAGIC, fstatfs},
};

/// How many names are read at most: they are in memory, but somebody may have made very many.
const NAMES: usize = 200_000;

/// The names below a mount point, by the number of the file.
#[derive(Debug, Default)]
pub struct Listing(HashMap<u64, Vec<PathBuf>>);

impl Listing {
    /// Those below a folder, where it is a tmpfs. No link is followed and no other mount is entered.
    pub fn of(point: &Path) -> Self {
        let mut names = HashMap::<_, Vec<_>>::new();
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_DIRECTORY);
        let Ok(root) = options.open(point) else {
            return Self::default();
        };
        if !fstatfs(&root).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC) {
            return Self::default();
        }
        let mut left = NAMES;
        let mut folders = vec![PathBuf::from(".")];
        while let Some(folder) = folders.pop() {
            let Some(mut entries) = opened(&root, &folder) else {
                continue;
            };
            for entry in entries.iter().flatten() {
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let Some(rest) = left.checked_sub(1) else {
                    return Self(names);
                };
                left = rest;
                let path = folder.join(OsStr::from_bytes(name));
                match entry.file_type() {
                    Some(Type::Directory) => folders.push(path),
                    Some(Type::Symlink) => (),
                    _ => names
                        .entry(entry.ino())
                        .or_default()
                        .push(place(point, &path)),
                }
            }
        }
        Self(names)
    }

    /// The paths of a number: one that a file had as the names were read, by which it is to be compared.
    pub fn paths(&self, number: u64) -> impl Iterator<Item = &Path> {
        let found = self.0.get(&number).into_iter().flatten();
        found.map(PathBuf::as_path)
    }
}

/// A path from the root, of one below a folder.
fn place(point: &Path, below: &Path) -> PathBuf {
    point.join(below.strip_prefix(".").unwrap_or(below))
}

/// The entries of a folder below another one.
fn opened(root: &File, folder: &Path) -> Option<Dir> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_XDEV,
        );
    Dir::from_fd(openat2(root.as_fd(), folder, how).ok()?).ok()
}
