//! The queues of block devices: what they are, what the kernel makes them, and who sets them.

use std::path::PathBuf;

use super::{
    Files, Saved,
    configured::{first, in_folders, lines, tuned},
    glob::is_of,
    udev,
};

/// The queue of a device. What the kernel does not tell is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The device, by its name in /sys/block.
    pub device: String,
    /// KiB that are read ahead.
    pub read_ahead_kb: Option<u64>,
    /// The scheduler.
    pub scheduler: Option<String>,
    /// The schedulers that are offered.
    pub schedulers: Vec<String>,
    /// How many requests there may be.
    pub nr_requests: Option<u64>,
    /// How many the driver takes.
    pub nr_tags: Option<u64>,
    /// KiB of the largest request, as it is set, and as the driver takes it.
    pub largest_kb: [Option<u64>; 2],
    /// The bytes of a request that the device does best.
    pub io_opt: Option<u64>,
}

impl Queue {
    /// That of a device.
    pub fn of(files: &Files, device: &str) -> Self {
        let number = |name: &str| files.number(&in_queue(device, name));
        let offered = files.read(&in_queue(device, "scheduler")).ok();
        let offered = offered.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let hardware = format!("sys/block/{device}/mq");
        let tags = files.names(&hardware).into_iter();
        let tags = tags.filter_map(|queue| files.number(&format!("{hardware}/{queue}/nr_tags")));
        Self {
            device: device.to_owned(),
            read_ahead_kb: number("read_ahead_kb"),
            scheduler: files.value(&in_queue(device, "scheduler")),
            schedulers: offered
                .iter()
                .flat_map(|all| all.split_whitespace())
                .map(|name| name.trim_matches(['[', ']']).to_owned())
                .collect(),
            nr_requests: number("nr_requests"),
            nr_tags: tags.max(),
            largest_kb: ["max_sectors_kb", "max_hw_sectors_kb"].map(number),
            io_opt: number("optimal_io_size"),
        }
    }

    /// Whether there are requests, so that there may be a scheduler.
    pub const fn has_requests(&self) -> bool {
        self.nr_requests.is_some()
    }

    /// Whether the kernel may have made the read-ahead what it is: 128 KiB, or two of the best or the largest requests
    /// (`blk_apply_bdi_limits` of block/blk-settings.c). It does not lower it with the largest request, so that the one that the
    /// driver takes may be the reason.
    pub fn is_default_read_ahead(&self, kib: u64) -> bool {
        let best = self.io_opt.map(|bytes| bytes / 1024);
        let mut requests = self.largest_kb.into_iter().chain([best]).flatten();
        kib == 128 || (kib > 0 && requests.any(|request| request.saturating_mul(2) == kib))
    }

    /// What the kernel makes the number of requests: twice that of the driver, of at most 128, with a scheduler; that of
    /// the driver without one (`blk_mq_init_sched` of block/blk-mq-sched.c, `elevator_disable` of block/elevator.c).
    pub fn default_nr_requests(&self) -> Option<u64> {
        let tags = self.nr_tags?;
        match self.scheduler.as_deref()? {
            "none" => Some(tags),
            _ => Some(tags.min(128).saturating_mul(2)),
        }
    }

    /// All that the kernel changes with the scheduler, in the order in which it is had back.
    pub fn save(&self, files: &Files) -> Saved {
        let of_scheduler = in_queue(&self.device, "iosched");
        let parameters = files.names(&of_scheduler).into_iter();
        let parameters = parameters.map(|name| format!("{of_scheduler}/{name}"));
        let names = ["scheduler", "nr_requests", "async_depth", "wbt_lat_usec"];
        let paths = names.map(|name| in_queue(&self.device, name)).into_iter();
        let paths = paths.chain(parameters);
        let ahead = in_queue(&self.device, "read_ahead_kb");
        Saved::files(files, paths.chain([ahead]))
    }
}

/// A file of the queue of a device.
pub fn in_queue(device: &str, name: &str) -> String {
    format!("sys/block/{device}/queue/{name}")
}

/// The devices that one is made of, and those that these are made of.
pub fn below(files: &Files, device: &str) -> Vec<String> {
    let mut found = vec![device.to_owned()];
    let mut at = 0;
    while let Some(above) = found.get(at) {
        let folder = format!("sys/block/{above}/slaves");
        for name in files.names(&folder) {
            let disk = disk_of(files, &folder, &name);
            if let Some(disk) = disk.filter(|disk| !found.contains(disk)) {
                found.push(disk);
            }
        }
        at += 1;
    }
    found.split_off(1)
}

/// The disk of a device, which may be a partition.
fn disk_of(files: &Files, folder: &str, name: &str) -> Option<String> {
    let found = files
        .place(&format!("{folder}/{name}"))
        .canonicalize()
        .ok()?;
    let disk = if found.join("partition").exists() {
        found.parent()?
    } else {
        &found
    };
    disk.file_name()?.to_str().map(String::from)
}

/// The file that sets an attribute of the queue of a device: rules of udev, the profile of TuneD, tmpfiles.d(5), or
/// sysfs.d of sysfsutils.
pub fn queue_set_by(files: &Files, device: &str, name: &str) -> Option<PathBuf> {
    let attribute = format!("queue/{name}");
    let rules = in_folders(files, "udev/rules.d", ".rules");
    let of_udev = first(files, rules, |text| {
        udev::sets(text, files, device, &attribute)
    });
    let key = match name {
        "read_ahead_kb" => "readahead",
        "scheduler" => "elevator",
        other => other,
    };
    let mut others = in_folders(files, "tmpfiles.d", ".conf");
    others.push("etc/sysfs.conf".to_owned());
    others.extend(in_folders(files, "sysfs.d", ".conf"));
    of_udev
        .or_else(|| tuned(files, &[key, &attribute]))
        .or_else(|| {
            first(files, others, |text| {
                lines(text).any(|line| names_file(line, device, &attribute))
            })
        })
}

/// Whether a line has the path of an attribute of a device.
fn names_file(line: &str, device: &str, attribute: &str) -> bool {
    let mut words = line.split(|c: char| c.is_whitespace() || c == '=');
    words.any(|word| {
        let path = word.split_once("block/").map(|(_, path)| path);
        let named = path.and_then(|path| path.strip_suffix(attribute));
        named.is_some_and(|named| is_of(device, named.trim_end_matches('/')))
    })
}

/// By what udev(7) knows a device on every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// An attribute.
    pub attribute: &'static str,
    /// Its value.
    pub value: String,
}

impl Identity {
    /// By what the device tells of itself; none where it tells nothing that a rule can have.
    pub fn of(files: &Files, device: &str) -> Option<Self> {
        let attributes = ["wwid", "device/wwid", "dm/uuid", "md/uuid", "serial"];
        attributes.into_iter().find_map(|attribute| {
            let value = value_of_attribute(files, device, attribute)?;
            // Machines give all their virtual disks the same serial number at times.
            let is_anothers = |other: &String| {
                other != device
                    && value_of_attribute(files, other, attribute).as_ref() == Some(&value)
            };
            let is_its_own =
                attribute != "serial" || !files.names("sys/block").iter().any(is_anothers);
            // Neither a pattern nor the end of the word.
            let is_plain = |c: char| c.is_ascii_graphic() && !"\"\\*?[]|".contains(c);
            let is_plain = value.chars().all(|c| c == ' ' || is_plain(c));
            (is_plain && is_its_own).then_some(Self { attribute, value })
        })
    }
}

fn value_of_attribute(files: &Files, device: &str, attribute: &str) -> Option<String> {
    let bytes = files
        .read(&format!("sys/block/{device}/{attribute}"))
        .ok()?;
    let value = String::from_utf8(bytes).ok()?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::kernel::system::tunable::{Change, tests::folder};

    const VDA: [(&str, &str); 10] = [
        (
            "sys/block/vda/queue/scheduler",
            "none [mq-deadline] kyber\n",
        ),
        ("sys/block/vda/queue/nr_requests", "300\n"),
        ("sys/block/vda/queue/read_ahead_kb", "8192\n"),
        ("sys/block/vda/queue/max_sectors_kb", "4096\n"),
        ("sys/block/vda/queue/max_hw_sectors_kb", "5000\n"),
        ("sys/block/vda/queue/optimal_io_size", "0\n"),
        ("sys/block/vda/queue/iosched/read_expire", "77\n"),
        ("sys/block/vda/mq/0/nr_tags", "128\n"),
        ("sys/block/vda/serial", "S 1\n"),
        ("sys/block/zram0/queue/read_ahead_kb", "128\n"),
    ];

    #[test]
    fn a_queue_tells_what_it_is_and_what_the_kernel_makes_it() {
        let (_folder, files) = folder(&VDA);
        let queue = Queue::of(&files, "vda");
        assert_eq!(queue.schedulers, ["none", "mq-deadline", "kyber"]);
        assert_eq!(queue.scheduler.as_deref(), Some("mq-deadline"));
        for kib in [128, 8192, 10000] {
            assert!(queue.is_default_read_ahead(kib), "{kib}");
        }
        for kib in [0, 4096] {
            assert!(!queue.is_default_read_ahead(kib), "{kib}");
        }
        assert_eq!(queue.default_nr_requests(), Some(256));
        let none = Queue {
            scheduler: Some("none".into()),
            ..queue
        };
        assert_eq!(none.default_nr_requests(), Some(128));
        assert!(!Queue::of(&files, "zram0").has_requests());
    }

    #[test]
    fn what_goes_with_the_scheduler_is_had_back_behind_it() {
        let (_folder, files) = folder(&VDA);
        let saved = Queue::of(&files, "vda").save(&files);
        let change = Change::Value {
            path: in_queue("vda", "scheduler"),
            value: "kyber".into(),
        };
        change.make(&files).expect("it is made");
        // As the kernel does.
        for (name, value) in [("nr_requests", "256"), ("iosched/read_expire", "500")] {
            let set = files.write(&in_queue("vda", name), value.as_bytes());
            set.expect("it is written");
        }
        assert_eq!(saved.restore(&files), []);
        for (name, value) in [
            ("scheduler", "mq-deadline"),
            ("nr_requests", "300"),
            ("iosched/read_expire", "77"),
        ] {
            assert_eq!(files.value(&in_queue("vda", name)).as_deref(), Some(value));
        }
    }

    #[test]
    fn the_disks_below_are_found_once_each() {
        let (folder, files) = folder(&[
            ("sys/devices/sda/sda1/partition", "1"),
            ("sys/devices/sdb/size", "1"),
            ("sys/devices/md0/size", "1"),
        ]);
        let root = folder.path();
        let link = |to: &str, name: &str| {
            let name = root.join("sys/block").join(name);
            fs::create_dir_all(name.parent().expect("it has one")).expect("made");
            std::os::unix::fs::symlink(root.join("sys/devices").join(to), name).expect("linked");
        };
        link("sda/sda1", "md0/slaves/sda1");
        link("sdb", "md0/slaves/sdb");
        link("md0", "dm-0/slaves/md0");
        link("sdb", "dm-0/slaves/sdb");
        assert_eq!(below(&files, "dm-0"), ["md0", "sdb", "sda"]);
        assert!(below(&files, "sda").is_empty());
    }

    #[test]
    fn files_that_set_an_attribute_are_found() {
        for (file, line) in [
            ("etc/udev/rules.d/9.rules", "ATTR{queue/scheduler}=\"bfq\""),
            ("etc/sysfs.conf", "block/vda/queue/scheduler = bfq"),
            (
                "etc/tmpfiles.d/x.conf",
                "w /sys/block/vd*/queue/scheduler - - - - bfq",
            ),
        ] {
            let (_folder, files) = folder(&[(file, line)]);
            let found = queue_set_by(&files, "vda", "scheduler");
            assert_eq!(found, Some(PathBuf::from("/").join(file)));
            let other = match file.contains("udev") {
                true => queue_set_by(&files, "vda", "nr_requests"),
                false => queue_set_by(&files, "sda", "scheduler"),
            };
            assert_eq!(other, None, "{line}");
        }
        // A file of the same name goes before it, and sets nothing.
        let (_folder, files) = folder(&[
            ("etc/udev/rules.d/9.rules", ""),
            (
                "usr/lib/udev/rules.d/9.rules",
                "ATTR{queue/scheduler}=\"bfq\"",
            ),
        ]);
        assert_eq!(queue_set_by(&files, "vda", "scheduler"), None);
    }

    #[test]
    fn a_device_is_known_by_what_it_tells_of_itself() {
        let (_folder, files) = folder(&VDA);
        let identity = Identity::of(&files, "vda").expect("it has a serial number");
        assert_eq!(
            (identity.attribute, identity.value.as_str()),
            ("serial", "S 1")
        );
        assert_eq!(Identity::of(&files, "zram0"), None);
        for [first, second] in [["a\"b", "c"], ["a", "a"], ["", "b"]] {
            let (_folder, files) = folder(&[
                ("sys/block/vda/serial", first),
                ("sys/block/vdb/serial", second),
            ]);
            assert_eq!(Identity::of(&files, "vda"), None, "{first} {second}");
        }
    }
}
