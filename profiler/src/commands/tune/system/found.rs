//! The settings as they are found, and what is to be tried of them.

use std::{
    fs::OpenOptions,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use super::settings::{
    of_atime, of_background, of_dirty, of_read_ahead, of_requests, of_scheduler,
};
use crate::{
    analysis::tune_system::{Name, Setting},
    error::Error,
    kernel::system::{
        MountedAs,
        disk::{Disk, mount_number},
        tunable::{Change, DirtyLimits, Files, Place, Queue, Saved, below},
    },
    text::Text,
};

/// What is below a path.
pub struct Below {
    /// The disk, and those below it.
    pub devices: Vec<String>,
    /// The mount, where the kernel tells of it.
    pub place: Option<Place>,
    /// What is mounted.
    pub mounted: MountedAs,
    /// Whether the file system reads ahead as the disk is set: not where it has a number of its own, and so a read-ahead.
    pub reads_ahead_by_disk: bool,
}

impl Below {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// Where there is no disk, or no such path.
    pub fn of(files: &Files, path: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::TuneSystem { reason };
        let told = Text::of(path);
        let mut options = OpenOptions::new();
        let opened = options.read(true).custom_flags(libc::O_PATH).open(path);
        let opened = opened.map_err(|error| refused(format!("{told}: {error}")))?;
        let status = opened.metadata();
        let status = status.map_err(|error| refused(format!("{told}: {error}")))?;
        if !status.is_dir() && !status.is_file() {
            return Err(refused(format!("{told}: name a folder or a file")));
        }
        let opened = OwnedFd::from(opened);
        let (disk, mounted) =
            Disk::of(opened.as_fd()).map_err(|no_disk| refused(format!("{told} {no_disk}")))?;
        let number = mount_number(opened.as_fd());
        let point = mounted.point.clone();
        let place = number.map(|number| Place { number, point });
        let first = disk.name.to_string();
        let below = below(files, &first);
        Ok(Self {
            devices: [first].into_iter().chain(below).collect(),
            place,
            mounted,
            reads_ahead_by_disk: nix::sys::stat::major(status.dev()) != 0,
        })
    }

    /// The folders of the settings of these names, of all without names.
    pub fn folders(&self, names: &[Name]) -> Vec<String> {
        let of_memory = [Name::DirtyRatio, Name::DirtyBackgroundRatio];
        let is_of_memory = |name: &Name| of_memory.contains(name);
        let has_memory = names.is_empty() || names.iter().any(is_of_memory);
        // What is only of the mount is of its disk, too.
        let has_disk = names.is_empty() || !names.iter().all(is_of_memory);
        let devices = self.devices.iter().filter(|_| has_disk);
        let devices = devices.map(|device| format!("sys/block/{device}"));
        let memory = has_memory.then(|| DirtyLimits::FOLDER.to_owned());
        devices.chain(memory).collect()
    }
}

/// The settings, and how they are changed and had back.
pub struct Found {
    /// The settings.
    pub items: Vec<Item>,
    /// The groups of settings that are had back together, as they were found.
    pub saved: Vec<Saved>,
}

/// A setting.
pub struct Item {
    /// What is told of it.
    pub setting: Setting,
    /// The changes to each of its values.
    pub changes: Vec<Change>,
    /// Its group.
    pub group: usize,
}

impl Found {
    /// The settings of these names of a disk and of those below it, of the memory and of the mount; all without names.
    pub fn of(files: &Files, place: &Below, names: &[Name]) -> Self {
        let mut found = Self {
            items: Vec::new(),
            saved: Vec::new(),
        };
        for (at, device) in place.devices.iter().enumerate() {
            let queue = Queue::of(files, device);
            let scheduler = of_scheduler(files, &queue);
            let requests = of_requests(files, &queue);
            let ahead = (at == 0).then(|| of_read_ahead(files, &queue, place));
            let all = [scheduler, requests].into_iter().chain(ahead);
            found.add(queue.save(files), all);
        }
        if let Some(limits) = DirtyLimits::of(files) {
            let both = [of_dirty(files, &limits), of_background(files, &limits)];
            found.add(DirtyLimits::save(files), both);
        }
        if let Some(mount) = &place.place
            && let Some(atime) = mount.atime()
        {
            let setting = of_atime(files, place, mount, atime);
            let place = mount.clone();
            found.add(Saved::Atime { place, atime }, [setting]);
        }
        let is_wanted = |item: &Item| names.is_empty() || names.contains(&item.setting.name);
        found.items.retain(is_wanted);
        found
    }

    /// Adds settings that are had back together.
    fn add(&mut self, saved: Saved, settings: impl IntoIterator<Item = (Setting, Vec<Change>)>) {
        let group = self.saved.len();
        self.saved.push(saved);
        let items = settings.into_iter().map(|(setting, changes)| Item {
            setting,
            changes,
            group,
        });
        self.items.extend(items);
    }

    /// How many values there are to try.
    pub fn values(&self) -> usize {
        self.items.iter().map(|item| item.changes.len()).sum()
    }
}
