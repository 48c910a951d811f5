//! A disk in memory, whose driver takes bios and makes no requests of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{device::FileSystem, output, requirements::tool};

/// A zram device with an ext4 that is mounted; gone with this value.
pub struct Zram {
    number: String,
    folder: tempfile::TempDir,
}

/// Where devices are made and removed.
const CONTROL: &str = "/sys/class/zram-control";

impl Zram {
    /// What is missing where none can be made.
    pub const MISSING: &str = "the kernel has no zram";

    pub fn new(bytes: u64) -> Option<Self> {
        let made = Self::unmounted(bytes)?;
        FileSystem::Ext4.make(&made.node());
        fs::create_dir(made.mounted()).expect("a folder can be made");
        FileSystem::Ext4.mount(&made.node(), &made.mounted());
        Some(made)
    }

    /// Makes no file system.
    pub fn unmounted(bytes: u64) -> Option<Self> {
        if !Path::new(CONTROL).exists() {
            output(tool("modprobe").arg("zram"));
        }
        // The reading makes one.
        let number = fs::read_to_string(format!("{CONTROL}/hot_add")).ok()?;
        let made = Self {
            number: number.trim().to_owned(),
            folder: super::folder(),
        };
        let size = format!("/sys/block/{}/disksize", made.name());
        fs::write(size, bytes.to_string()).expect("it takes a size");
        Some(made)
    }

    /// Unmounts it and mounts it again.
    pub fn remount(&self) {
        FileSystem::Ext4.remount(&self.node(), &self.mounted());
    }

    /// Its name in /sys/block.
    pub fn name(&self) -> String {
        format!("zram{}", self.number)
    }

    /// Its node in /dev.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(self.name())
    }

    /// Where it is mounted.
    pub fn mounted(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        // A test that fails is not to hide why behind a second failure.
        output(tool("umount").arg(self.mounted()));
        let _ = fs::write(format!("{CONTROL}/hot_remove"), &self.number);
    }
}
