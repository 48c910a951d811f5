//! Stacks of devices: which are made of which others.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, path::Path};

use super::disk::chosen;
use crate::text::Text;

/// The devices above and below a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceTopology {
    /// The devices made of it or of its partitions.
    pub holders: Vec<Text>,
    /// The devices it is made of.
    pub slaves: Vec<Text>,
    /// The file behind a loop device.
    pub backing_file: Option<Text>,
    /// The I/O scheduler of its requests.
    pub scheduler: Option<Text>,
    /// Its limit of dirty pages.
    pub dirty_limit: Option<DirtyLimit>,
}

/// The limit of a device's dirty pages (Documentation/ABI/testing/sysfs-class-bdi).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirtyLimit {
    /// How many bytes of it may be dirty.
    pub bytes: u64,
    /// Whether it holds whatever else is dirty.
    pub is_strict: bool,
}

impl DirtyLimit {
    /// That of a device, by its folder in /sys/block; none before Linux 6.2.
    fn of(device: &Path) -> Option<Self> {
        let number = |name: &str| -> Option<u64> {
            let text = fs::read_to_string(device.join("bdi").join(name)).ok()?;
            text.trim().parse().ok()
        };
        Some(Self {
            bytes: number("max_bytes")?,
            is_strict: number("strict_limit")? != 0,
        })
    }
}

impl DeviceTopology {
    /// Those of a device, by its folder in /sys/block, where `holders` and `slaves` are folders of links
    /// (Documentation/ABI/testing/sysfs-block).
    pub fn of(device: &Path) -> Self {
        let mut holders = names(&device.join("holders"));
        for inner in names(device) {
            // A partition is a folder in the folder of its disk.
            let partition = device.join(OsStr::from_bytes(&inner.bytes()));
            if partition.join("partition").exists() {
                holders.extend(names(&partition.join("holders")));
            }
        }
        Self {
            holders,
            slaves: names(&device.join("slaves")),
            backing_file: fs::read(device.join("loop/backing_file"))
                .ok()
                .map(|path| Text::of_bytes(path.trim_ascii_end())),
            scheduler: fs::read_to_string(device.join("queue/scheduler"))
                .ok()
                .map(|all| chosen(all.trim())),
            dirty_limit: DirtyLimit::of(device),
        }
    }
}

/// The sorted names in a folder; none where there is no such folder.
fn names(folder: &Path) -> Vec<Text> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| Text::of(entry.file_name()))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_of_a_disk_are_those_of_its_partitions_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = folder.path();
        for place in [
            "holders/md0",
            "slaves",
            "sda1/holders/dm-0",
            "sda2/holders",
            "queue",
        ] {
            fs::create_dir_all(disk.join(place)).expect("made");
        }
        for partition in ["sda1", "sda2"] {
            fs::write(disk.join(partition).join("partition"), "1").expect("written");
        }
        let found = DeviceTopology::of(disk);
        assert_eq!(found.holders, ["md0", "dm-0"]);
        assert!(found.slaves.is_empty());
        assert_eq!(found.backing_file, None);
    }

    #[test]
    fn a_loop_device_is_made_of_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("loop")).expect("made");
        fs::write(folder.path().join("loop/backing_file"), "/srv/image\n").expect("written");
        let found = DeviceTopology::of(folder.path());
        assert_eq!(found.backing_file, Some("/srv/image".into()));
        assert_eq!(found.dirty_limit, None);
    }

    #[test]
    fn a_device_has_a_limit_of_its_own_where_the_kernel_tells_all_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bdi = folder.path().join("bdi");
        fs::create_dir(&bdi).expect("made");
        fs::write(bdi.join("max_bytes"), "4194304\n").expect("written");
        assert_eq!(DeviceTopology::of(folder.path()).dirty_limit, None);
        for (text, is_strict) in [("0\n", false), ("1\n", true)] {
            fs::write(bdi.join("strict_limit"), text).expect("written");
            let found = DeviceTopology::of(folder.path()).dirty_limit;
            let bytes = 4 << 20;
            assert_eq!(found, Some(DirtyLimit { bytes, is_strict }));
        }
    }
}
