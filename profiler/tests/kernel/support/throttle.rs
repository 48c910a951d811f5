//! A control group that limits what is read from a device.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::device::Loop;

/// A control group; gone with this value.
pub struct ThrottledReads(PathBuf);

impl ThrottledReads {
    /// What is missing where none can be made.
    pub const MISSING: &str = "no control group can limit a device";

    pub fn new(disk: &Loop, reads_per_second: u32) -> Option<Self> {
        let number = fs::read_to_string(format!("/sys/block/{}/dev", disk.name())).ok()?;
        let number = number.trim();
        let first = Self::of_version_1(disk.name(), &format!("{number} {reads_per_second}"));
        first.or_else(|| {
            Self::of_version_2(disk.name(), &format!("{number} riops={reads_per_second}"))
        })
    }

    fn of_version_1(name: &str, limit: &str) -> Option<Self> {
        let place = PathBuf::from(format!("/sys/fs/cgroup/blkio/ioprof-test-{name}"));
        Self::made(place, "blkio.throttle.read_iops_device", limit)
    }

    fn of_version_2(name: &str, limit: &str) -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        fs::write(root.join("cgroup.subtree_control"), "+io").ok()?;
        Self::made(root.join(format!("ioprof-test-{name}")), "io.max", limit)
    }

    fn made(place: PathBuf, file: &str, limit: &str) -> Option<Self> {
        fs::create_dir(&place).ok()?;
        let made = Self(place);
        fs::write(made.0.join(file), limit).ok()?;
        Some(made)
    }

    /// The command line that runs another in the group.
    pub fn command(&self, of: Vec<OsString>) -> Vec<OsString> {
        let enter = "echo 0 > $0/cgroup.procs && exec \"$@\"";
        let mut words: Vec<_> = ["sh", "-c", enter].map(OsString::from).into();
        words.push(self.0.clone().into());
        words.extend(of);
        words
    }
}

impl Drop for ThrottledReads {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
