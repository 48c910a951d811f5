//! The disk that a file is on, and how it is set, by /sys (Documentation/ABI/stable/sysfs-block).

use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::{AsRawFd as _, BorrowedFd},
        unix::{ffi::OsStrExt as _, fs::FileTypeExt as _, fs::MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use nix::sys::stat::{fstat, major, minor};

use super::{Mounts, device::DeviceStat, mounts::MountedAs};
use crate::text::Text;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its folder in /sys.
    folder: PathBuf,
    /// Its name in /sys/block.
    pub name: Text,
    /// Its major and minor number.
    pub number: (u32, u32),
    /// The partition, where the file is on one.
    pub partition: Option<Text>,
}

/// How a disk is set, and what it says of itself; none where the kernel does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskFacts {
    /// Its model.
    pub model: Option<Text>,
    /// The revision of its firmware.
    pub firmware: Option<Text>,
    /// Its serial number.
    pub serial: Option<Text>,
    /// Its worldwide name, or the UUID of a device of the device mapper or of md.
    pub uuid: Option<Text>,
    /// The file behind a loop device.
    pub backing_file: Option<Text>,
    /// Its capacity.
    pub size_bytes: Option<u64>,
    /// The scheduler of its queue.
    pub scheduler: Option<Text>,
    /// How many requests the scheduler takes.
    pub nr_requests: Option<u64>,
    /// "write back" or "write through".
    pub write_cache: Option<Text>,
    /// Whether it is said to rotate.
    pub rotational: Option<bool>,
}

/// A file is on no disk.
#[derive(Debug, thiserror::Error)]
#[error("is on {kind}, and on no disk that the kernel tells of; name a folder on a disk")]
pub struct NoDisk {
    /// The type of its file system.
    kind: String,
}

impl Disk {
    /// That of an open file, and what its file system is mounted as, as far as the kernel tells.
    ///
    /// # Errors
    ///
    /// Where the kernel tells of no disk.
    pub fn of(file: BorrowedFd<'_>) -> Result<(Self, MountedAs), NoDisk> {
        let mount = mount_number(file).and_then(|number| Mounts::now().mounted_as(number));
        let by_number = fstat(file).ok().and_then(|status| {
            Self::numbered((major(status.st_dev) as u32, minor(status.st_dev) as u32))
        });
        // Btrfs has numbers of its own; the device stands in the line of the mount.
        let by_source = || {
            let source = Path::new(OsStr::from_bytes(mount.as_ref()?.source.as_bytes())).metadata();
            let source = source
                .ok()
                .filter(|found| found.file_type().is_block_device())?;
            Self::numbered((major(source.rdev()) as u32, minor(source.rdev()) as u32))
        };
        let disk = by_number.or_else(by_source);
        let mount = mount.unwrap_or_default();
        match disk {
            Some(disk) => Ok((disk, mount)),
            None => Err(NoDisk { kind: mount.kind }),
        }
    }

    /// The disk of a number, or that of the partition of it.
    pub fn numbered((major, minor): (u32, u32)) -> Option<Self> {
        let found = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        let is_partition = found.join("partition").exists();
        let folder = if is_partition {
            found.parent()?
        } else {
            &found
        };
        let text = fs::read_to_string(folder.join("dev")).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self {
            name: Text::of(folder.file_name()?),
            number: (major.parse().ok()?, minor.parse().ok()?),
            partition: is_partition
                .then(|| found.file_name().map(Text::of))
                .flatten(),
            folder: folder.to_owned(),
        })
    }

    /// What the kernel has counted for it.
    pub fn stat(&self) -> Option<DeviceStat> {
        DeviceStat::parse(&fs::read_to_string(self.folder.join("stat")).ok()?)
    }

    /// How it is set now.
    pub fn facts(&self) -> DiskFacts {
        let first = |names: &[&str]| names.iter().find_map(|name| self.read(name));
        let number = |name: &str| self.read(name).and_then(|text| text.parse().ok());
        let sectors: Option<u64> = number("size");
        DiskFacts {
            model: first(&["device/model"]).map(Text::from),
            firmware: first(&["device/firmware_rev", "device/rev"]).map(Text::from),
            serial: first(&["serial", "device/serial"]).map(Text::from),
            uuid: first(&["wwid", "device/wwid", "dm/uuid", "md/uuid"]).map(Text::from),
            backing_file: first(&["loop/backing_file"]).map(Text::from),
            size_bytes: sectors.map(|sectors| sectors.saturating_mul(512)),
            scheduler: self.read("queue/scheduler").map(|all| chosen(&all)),
            nr_requests: number("queue/nr_requests"),
            write_cache: first(&["queue/write_cache"]).map(Text::from),
            rotational: self.read("queue/rotational").map(|text| text != "0"),
        }
    }

    /// The content of a file of it; none of an empty one.
    fn read(&self, name: &str) -> Option<String> {
        let bytes = fs::read(self.folder.join(name)).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The scheduler in brackets: `none [mq-deadline] kyber`; where there is no choice, the only one.
pub fn chosen(all: &str) -> Text {
    let chosen = all
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    Text::from(chosen.map_or(all, |(name, _)| name))
}

/// The number of the mount that a file was opened by.
pub fn mount_number(file: BorrowedFd<'_>) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_its_folder_and_what_is_missing_is_not_known() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [
            ("device/model", "FAST 1  \n"),
            ("serial", "\n"),
            ("device/serial", "S1\n"),
            ("size", "8\n"),
            ("queue/scheduler", "none [mq-deadline] kyber \n"),
            ("queue/rotational", "0\n"),
        ] {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("it has one")).expect("made");
            fs::write(file, text).expect("written");
        }
        let disk = Disk {
            folder: folder.path().to_owned(),
            name: "x".into(),
            number: (1, 2),
            partition: None,
        };
        let expected = DiskFacts {
            model: Some("FAST 1".into()),
            serial: Some("S1".into()),
            size_bytes: Some(4096),
            scheduler: Some("mq-deadline".into()),
            rotational: Some(false),
            ..DiskFacts::default()
        };
        assert_eq!(disk.facts(), expected);
        assert_eq!(chosen("none"), "none");
    }
}
