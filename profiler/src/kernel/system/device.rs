//! Block devices, by /sys.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::device_stack::DeviceTopology;
use crate::text::Text;

/// What the kernel has counted for a device since boot, from /sys/block/DEV/stat
/// (Documentation/block/stat.rst); it counts in sectors of 512 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStat {
    /// Reads completed.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes completed.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes discarded.
    pub discarded_bytes: u64,
    /// Flushes that the device has executed.
    pub flushes: u64,
}

const SECTOR: u64 = 512;

/// The place of the discarded sectors in the file; Linux has them since 4.18.
const DISCARD_SECTORS: usize = 13;
/// That of the flushes; Linux has them since 5.5.
const FLUSHES: usize = 15;

impl DeviceStat {
    /// Parses the file; none where it has another format.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        let [reads, _, read_sectors, _, writes, _, written_sectors, ..] = numbers[..] else {
            return None;
        };
        Some(Self {
            reads,
            read_bytes: read_sectors.saturating_mul(SECTOR),
            writes,
            written_bytes: written_sectors.saturating_mul(SECTOR),
            discarded_bytes: numbers
                .get(DISCARD_SECTORS)
                .map_or(0, |sectors| sectors.saturating_mul(SECTOR)),
            flushes: numbers.get(FLUSHES).copied().unwrap_or(0),
        })
    }
}

/// The folder of all block devices.
const DEVICES: &str = "/sys/block";

/// The folder of the queues of requests, in that of a device.
const QUEUES: &str = "mq";

/// The devices of this machine at one moment.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<Device>);

/// A device, and the kernel's counts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name in /sys/block.
    pub name: Text,
    /// Its major and minor number.
    pub number: (u32, u32),
    /// Whether its driver takes bios, and makes no requests of them.
    pub takes_bios: bool,
    /// The kernel's counts before the moment.
    pub stat: DeviceStat,
    /// Those after it, once [`Devices::read_again`] was called: it takes time to read them.
    pub again: DeviceStat,
    /// The devices above and below it, once [`Devices::read_topology`] was called.
    pub topology: DeviceTopology,
}

/// In which way a device is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By its requests.
    Requests,
    /// By its bios.
    Bios,
    /// On the devices that it is made of.
    HandedDown,
}

impl Way {
    /// What is counted.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Requests => "by requests (blk-mq): queue and service time, merges, depth",
            Self::Bios => "by bios, as the driver makes no requests: service time, depth",
            Self::HandedDown => {
                "made of other devices without requests of its own: counted on the devices below"
            }
        }
    }
}

impl Device {
    /// In which way it is counted, by its folder in /sys; its topology must have been read.
    pub fn way(&self) -> Way {
        match (self.takes_bios, self.topology.slaves.is_empty()) {
            (false, _) => Way::Requests,
            (true, true) => Way::Bios,
            (true, false) => Way::HandedDown,
        }
    }
}

/// The drivers of block devices with the major number of each, by /proc/devices.
pub fn block_drivers() -> Vec<(u32, String)> {
    let text = fs::read_to_string("/proc/devices").unwrap_or_default();
    parse_block_drivers(&text)
}

fn parse_block_drivers(text: &str) -> Vec<(u32, String)> {
    let lines = text.lines().skip_while(|line| *line != "Block devices:");
    let driver = |line: &str| {
        let (major, name) = line.trim().split_once(' ')?;
        Some((major.parse().ok()?, name.trim().to_owned()))
    };
    lines.skip(1).filter_map(driver).collect()
}

impl Devices {
    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Device> {
        self.0.iter()
    }

    /// Those of `/sys/block`; none where it is not mounted.
    pub fn now() -> Self {
        let Ok(entries) = fs::read_dir(DEVICES) else {
            return Self::default();
        };
        Self(
            entries
                .flatten()
                .filter_map(|entry| device(&entry.path()))
                .collect(),
        )
    }

    /// Reads the counts of each once more, after the moment to which they belong.
    pub fn read_again(&mut self) {
        for device in &mut self.0 {
            let folder = Path::new(DEVICES).join(OsStr::from_bytes(&device.name.bytes()));
            // It may be gone.
            device.again = stat(&folder).unwrap_or(device.stat);
        }
    }

    /// Reads the devices above and below each. It is separate from the counts, which belong to one moment.
    pub fn read_topology(&mut self) {
        for device in &mut self.0 {
            device.topology = DeviceTopology::of(
                &Path::new(DEVICES).join(OsStr::from_bytes(&device.name.bytes())),
            );
        }
    }

    /// The device of a number.
    pub fn find(&self, number: (u32, u32)) -> Option<&Device> {
        self.0.iter().find(|device| device.number == number)
    }
}

fn device(path: &Path) -> Option<Device> {
    let number = fs::read_to_string(path.join("dev")).ok()?;
    let (major, minor) = number.trim().split_once(':')?;
    let stat = stat(path)?;
    Some(Device {
        name: Text::of(path.file_name()?),
        number: (major.parse().ok()?, minor.parse().ok()?),
        takes_bios: !path.join(QUEUES).exists(),
        stat,
        again: stat,
        topology: DeviceTopology::default(),
    })
}

fn stat(folder: &Path) -> Option<DeviceStat> {
    DeviceStat::parse(&fs::read_to_string(folder.join("stat")).ok()?)
}

/// Whether a device has no request in flight, by /sys/dev/block/MAJOR:MINOR/inflight; false where that
/// cannot be known, as of bios, which not every driver counts.
pub fn is_idle((major, minor): (u32, u32)) -> bool {
    let folder = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    folder.join(QUEUES).exists()
        && fs::read_to_string(folder.join("inflight"))
            .is_ok_and(|text| text.split_whitespace().all(|count| count == "0"))
}

/// How many disks there are.
pub fn disks() -> u32 {
    fs::read_dir(DEVICES).map_or(0, |entries| entries.count() as u32)
}

/// How many requests can exist at once: the tags of all hardware queues and of their schedulers.
pub fn requests_at_most() -> u32 {
    let number = |path: &Path| -> u32 {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    };
    let Ok(entries) = fs::read_dir(DEVICES) else {
        return MOST_REQUESTS;
    };
    let sum: u32 = entries
        .flatten()
        .map(|entry| {
            let scheduled = number(&entry.path().join("queue/nr_requests"));
            fs::read_dir(entry.path().join(QUEUES)).map_or(0, |queues| {
                queues
                    .flatten()
                    .map(|queue| scheduled.saturating_add(number(&queue.path().join("nr_tags"))))
                    .fold(0, u32::saturating_add)
            })
        })
        .fold(0, u32::saturating_add);
    // Devices may be added.
    sum.saturating_mul(2).clamp(4096, MOST_REQUESTS)
}

const MOST_REQUESTS: u32 = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_counted_in_one_way() {
        let way = |takes_bios, slaves: &[&str]| {
            let topology = DeviceTopology {
                slaves: slaves
                    .iter()
                    .map(|name| Text::of_bytes(name.as_bytes()))
                    .collect(),
                ..DeviceTopology::default()
            };
            Device {
                name: "x".into(),
                number: (1, 2),
                takes_bios,
                stat: DeviceStat::default(),
                again: DeviceStat::default(),
                topology,
            }
            .way()
        };
        assert_eq!(way(false, &[]), Way::Requests);
        assert_eq!(way(false, &["sda"]), Way::Requests);
        assert_eq!(way(true, &[]), Way::Bios);
        assert_eq!(way(true, &["sda", "sdb"]), Way::HandedDown);
    }

    #[test]
    fn drivers_of_block_devices_are_those_behind_the_heading() {
        let text = "Character devices:\n  1 mem\n\nBlock devices:\n  7 loop\n259 blkext\n";
        let found = parse_block_drivers(text);
        assert_eq!(found, [(7, "loop".to_owned()), (259, "blkext".to_owned())]);
        assert!(parse_block_drivers("Character devices:\n  1 mem\n").is_empty());
    }

    #[test]
    fn the_stat_file_is_read_by_its_documented_order() {
        let text = "    4539     2545   764042     2641      395     3379    68736      751        5     1220     3559     2987       61    37824      165        6        0\n";
        let expected = DeviceStat {
            reads: 4539,
            read_bytes: 764_042 * 512,
            writes: 395,
            written_bytes: 68_736 * 512,
            discarded_bytes: 37_824 * 512,
            flushes: 6,
        };
        assert_eq!(DeviceStat::parse(text), Some(expected));
        assert_eq!(DeviceStat::parse("1 2 3"), None);
        assert_eq!(DeviceStat::parse("1 2 x 4 5 6 7"), None);
    }
}
