//! The paths of files: put together from what the probes have kept, and followed.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path as FilePath, PathBuf},
};

use ioprof_ebpf::abi::{
    block::device_number,
    file::{FileKey, FileStats, PATH_BYTES, PATH_DEPTH, Path},
    layout::MAX_PATHS,
    names,
};

use crate::{
    error::Error,
    kernel::{
        bpf::{Ebpf, map::Array},
        helper::Helper,
        system::{
            Mounts,
            handle::Inode,
            lead::{Lead, leads_to},
            namespace,
        },
    },
};

/// Where a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its path: the one that leads to it now, where that is known; else as it was first seen. None where it was not.
    pub path: Option<PathBuf>,
    /// The path as it was first seen, where that is known and another one leads to the file now.
    pub opened_as: Option<Box<FilePath>>,
    /// The mount namespace in which that is its path; none where it is ioprof's own.
    pub namespace: Option<u32>,
    /// Where the path leads now.
    pub lead: Lead,
}

/// The paths that the probes have kept.
pub struct Paths<'a> {
    kept: Array<'a, Path>,
    mounts: Mounts,
    /// The number of ioprof's own mount namespace.
    namespace: u32,
    helper: Option<&'a Helper>,
}

/// Whether there was no room for a path, or for a part of one.
pub fn is_table_full(ebpf: &Ebpf) -> Result<bool, Error> {
    let used = Array::<u64>::of(ebpf, names::PATHS_USED)?.get(0)?;
    Ok(used >= MAX_PATHS.into())
}

/// A path as it was first seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// None where there is none, or where its file system is not mounted.
    path: Option<PathBuf>,
    /// Its flags.
    flags: u32,
    /// 0 where it is in none.
    namespace: u32,
}

impl<'a> Paths<'a> {
    /// All of them; the helper follows them where this process may not.
    pub fn of(ebpf: &'a Ebpf, helper: Option<&'a Helper>) -> Result<Self, Error> {
        Ok(Self {
            kept: Array::of(ebpf, names::PATHS)?,
            mounts: Mounts::now(),
            namespace: namespace::own().unwrap_or(0),
            helper,
        })
    }

    /// Where a file is.
    pub fn place(&self, key: &FileKey, stats: &FileStats) -> Result<Place, Error> {
        // Rows of kinds and of all others are of no file.
        if key.inode == 0 {
            return Ok(Place::default());
        }
        let seen = self.seen(stats.path, key.device)?;
        if seen.flags & Path::PLACELESS != 0 && seen.path.is_some() {
            // Nothing renames what is in no folder.
            return Ok(Place {
                path: seen.path,
                opened_as: None,
                namespace: None,
                lead: Lead::There,
            });
        }
        let inode = inode(key);
        let namespace = match seen.namespace {
            0 => self.namespace,
            number => number,
        };
        let followed = seen.path.as_deref().filter(|_| seen.can_be_followed());
        let (lead, now) = match self.follow(namespace, followed, &inode) {
            (Lead::Elsewhere, _) if stats.upper.workload != 0 => {
                self.above(namespace, &inode, &stats.upper)
            }
            found => found,
        };
        let is_seen = seen.path.is_some() || now.is_some();
        // What was cut, or was no name any more, is not what the file was opened as.
        let is_name = seen.can_be_followed() && seen.flags & Path::DELETED == 0;
        Ok(Place {
            lead: match lead {
                _ if !is_seen => Lead::Unknown,
                // As /proc has it.
                Lead::Elsewhere | Lead::Unknown if seen.flags & Path::DELETED != 0 => Lead::Deleted,
                lead => lead,
            },
            namespace: (is_seen && namespace != self.namespace).then_some(namespace),
            opened_as: now
                .as_ref()
                .and(seen.path.as_deref())
                .filter(|_| is_name)
                .map(Into::into),
            path: now.or(seen.path),
        })
    }

    /// A path as it was first seen, by its number, of a file of this device.
    pub fn first_seen(&self, number: u64, device: u32) -> Result<Option<PathBuf>, Error> {
        Ok(self.seen(number, device)?.path)
    }

    /// Where a path leads, and another one that leads to the file.
    fn follow(
        &self,
        namespace: u32,
        path: Option<&FilePath>,
        inode: &Inode,
    ) -> (Lead, Option<PathBuf>) {
        let here = path.filter(|_| namespace == self.namespace);
        let here = here.map(|path| leads_to(path, inode, &self.mounts));
        if let Some(Ok(true)) = here {
            return (Lead::There, None);
        }
        let followed = self
            .helper
            .and_then(|helper| helper.follow(namespace, path, inode).ok());
        followed.unwrap_or(match here {
            Some(Ok(false)) => (Lead::Elsewhere, None),
            _ => (Lead::Unknown, None),
        })
    }

    /// What became of a file on overlayfs, which has no handles: what the file in the upper layer tells, that it is.
    fn above(&self, namespace: u32, inode: &Inode, upper: &FileKey) -> (Lead, Option<PathBuf>) {
        let device = inode.device;
        let path = match self.follow(self.namespace, None, &self::inode(upper)) {
            (Lead::Deleted, _) => return (Lead::Deleted, None),
            (Lead::There, Some(path)) => path,
            _ => return (Lead::Elsewhere, None),
        };
        let Some((point, below)) = self.mounts.above(device, &path) else {
            return (Lead::Elsewhere, None);
        };
        // That of a container is at its root.
        let root = FilePath::new("/");
        let point = if namespace == self.namespace {
            point
        } else {
            root
        };
        let path = point.join(below);
        match self.follow(namespace, Some(&path), inode) {
            (Lead::There, None) => (Lead::There, Some(path)),
            _ => (Lead::Elsewhere, None),
        }
    }

    /// A path by its number, of a file of this device.
    fn seen(&self, number: u64, device: u32) -> Result<Seen, Error> {
        let mut parts = Vec::new();
        let mut next = number;
        // A number past the end was handed out when no room was left.
        while (1..u64::from(self.kept.count())).contains(&next) && parts.len() < PATH_DEPTH as usize
        {
            let part = self.kept.get(next as u32)?;
            next = part.next.into();
            parts.push(part);
        }
        Ok(Seen::of(&parts, device, &self.mounts))
    }
}

impl Seen {
    /// Puts a path together: the names stand in its parts from the file up.
    fn of(parts: &[Path], device: u32, mounts: &Mounts) -> Self {
        let Some(first) = parts.first() else {
            return Self::default();
        };
        let has = |flag| first.flags & flag != 0;
        let mut names: Vec<&[u8]> = parts.iter().flat_map(names_of).collect();
        names.reverse();
        let root = match () {
            () if has(Path::PLACELESS) => Some(PathBuf::new()),
            () if has(Path::TRUNCATED) => Some(PathBuf::from("...")),
            () if has(Path::IN_FILE_SYSTEM) => mounts.of_whole(device_number(device)),
            () => Some(PathBuf::from("/")),
        };
        // The kernel calls so what it has found by a handle alone.
        let is_named = !has(Path::PLACELESS) || names.first().is_some_and(|name| name != b"/");
        let path = root.filter(|_| is_named).map(|mut path| {
            path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
            path.shrink_to_fit();
            path
        });
        Self {
            path,
            flags: first.flags,
            namespace: first.namespace,
        }
    }

    /// Whether it is the whole path from the root of a mount namespace.
    const fn can_be_followed(&self) -> bool {
        let is_whole = self.flags & Path::TRUNCATED == 0;
        is_whole && (self.namespace != 0 || self.flags & Path::IN_FILE_SYSTEM != 0)
    }
}

/// The file that a key tells.
fn inode(key: &FileKey) -> Inode {
    Inode {
        device: device_number(key.device),
        number: key.inode,
        generation: key.generation,
        volume: key.instance,
    }
}

/// The names in a part. The last one may be longer than the half that is filled.
fn names_of(part: &Path) -> impl Iterator<Item = &[u8]> {
    let used = (part.length as usize).min(2 * PATH_BYTES);
    let names = part.names[..used].split(|byte| *byte == 0);
    names.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: &[u8], flags: u32) -> Path {
        let mut path = Path {
            length: names.len() as u32,
            flags,
            ..Path::EMPTY
        };
        path.names[..names.len()].copy_from_slice(names);
        path
    }

    #[test]
    fn a_path_is_put_together_from_the_root_down() {
        let mounts = Mounts::default();
        let of = |parts: &[Path]| Seen::of(parts, 0, &mounts).path;
        assert_eq!(
            of(&[kept(b"data\0lib\0var\0", 0)]),
            Some("/var/lib/data".into())
        );
        let parts = [kept(b"data\0lib\0", 0), kept(b"var\0", 0)];
        assert_eq!(of(&parts), Some("/var/lib/data".into()));
        let long = [
            kept(b"data\0", 0),
            kept(&[[b'x'; 255].as_slice(), b"\0"].concat(), 0),
        ];
        let whole = format!("/{}/data", "x".repeat(255));
        assert_eq!(of(&long), Some(whole.into()));
        let cut = of(&[kept(b"data\0lib\0", Path::TRUNCATED)]);
        assert_eq!(cut, Some(".../lib/data".into()));
        // Where the file system is mounted is not known.
        assert_eq!(of(&[kept(b"data\0", Path::IN_FILE_SYSTEM)]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_in_no_folder_has_its_name_alone() {
        let of = |name| Seen::of(&[kept(name, Path::PLACELESS)], 0, &Mounts::default()).path;
        assert_eq!(of(b"memfd:cache\0"), Some("memfd:cache".into()));
        assert_eq!(of(b"/\0"), None);
    }
}
