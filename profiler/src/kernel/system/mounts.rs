//! Mount points of file systems, by /proc/self/mountinfo; see proc_pid_mountinfo(5).

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt as _, path::PathBuf};

/// The mounted file systems of this mount namespace.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<Mount>);

#[derive(Clone, Debug)]
struct Mount {
    device: (u32, u32),
    is_whole: bool,
    point: PathBuf,
}

impl Mounts {
    /// Reads the current mounts.
    pub fn now() -> Self {
        Self::parse(&fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    /// Parses the file. Lines of another format are ignored.
    pub fn parse(mountinfo: &[u8]) -> Self {
        Self(
            mountinfo
                .split(|byte| *byte == b'\n')
                .filter_map(mount)
                .collect(),
        )
    }

    /// The mount point of the root of a device's file system.
    pub fn of_whole(&self, device: (u32, u32)) -> Option<PathBuf> {
        self.find(|mount| mount.is_whole && mount.device == device)
    }

    /// The mount point of the file system, or of a part of it.
    pub fn of(&self, device: (u32, u32)) -> Option<PathBuf> {
        self.find(|mount| mount.device == device)
    }

    fn find(&self, wanted: impl Fn(&Mount) -> bool) -> Option<PathBuf> {
        let found = self.0.iter().find(|mount| wanted(mount));
        found.map(|mount| mount.point.clone())
    }
}

/// Parses a line: the third field is the device, the fourth the root, the fifth the mount point.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let (major, minor) = str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let is_whole = fields.next()? == b"/";
    let point = OsString::from_vec(unescaped(fields.next()?));
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        is_whole,
        point: point.into(),
    })
}

/// Decodes blanks, tabs, line ends and backslashes, which are a backslash and three octal digits.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_device_the_root_and_the_place() {
        let line = br"36 35 98:0 / /mnt\040a rw,noatime shared:1 - ext4 /dev/root rw";
        let mount = mount(line).expect("a mount");
        assert_eq!((mount.device, mount.is_whole), ((98, 0), true));
        assert_eq!(mount.point, PathBuf::from("/mnt a"));
        assert!(super::mount(b"36 35 98:x / /mnt").is_none());
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(br"/a\040b\134c"), br"/a b\c");
        assert_eq!(unescaped(br"/a\04"), br"/a\04");
    }
}
