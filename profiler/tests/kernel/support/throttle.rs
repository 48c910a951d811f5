//! A control group that limits what is read from a device.

use std::{ffi::OsString, fs, path::PathBuf};

use super::device::Loop;

/// A control group of version 1; gone with this value.
pub struct ThrottledReads(PathBuf);

impl ThrottledReads {
    /// What is missing where none can be made.
    pub const MISSING: &str = "no blkio controller of cgroup version 1";

    pub fn new(disk: &Loop, reads_per_second: u32) -> Option<Self> {
        let place = PathBuf::from(format!("/sys/fs/cgroup/blkio/ioprof-test-{}", disk.name()));
        fs::create_dir(&place).ok()?;
        let made = Self(place);
        let number = fs::read_to_string(format!("/sys/block/{}/dev", disk.name())).ok()?;
        let limit = format!("{} {reads_per_second}", number.trim());
        fs::write(made.0.join("blkio.throttle.read_iops_device"), limit).ok()?;
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
