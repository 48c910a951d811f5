//! Mount points of file systems, by /proc/self/mountinfo; see proc_pid_mountinfo(5).

use std::{
    cmp::Reverse,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

/// The mounted file systems of this mount namespace.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<Mount>);

#[derive(Clone, Debug)]
struct Mount {
    number: u64,
    device: (u32, u32),
    is_whole: bool,
    /// The upper layer, where it is an overlayfs.
    upper: Option<PathBuf>,
    mounted_as: MountedAs,
}

/// What a file system is mounted as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountedAs {
    /// The type of the file system.
    pub kind: String,
    /// What is mounted: the node of a device, for most.
    pub source: String,
    /// The options of the mount, and those of the file system that are not among them.
    pub options: String,
    /// Where it is mounted.
    pub point: PathBuf,
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

    /// The device of a mount, by its number.
    pub fn device(&self, number: u64) -> Option<(u32, u32)> {
        let found = self.0.iter().find(|mount| mount.number == number);
        found.map(|mount| mount.device)
    }

    /// What a mount is mounted as, by its number.
    pub fn mounted_as(&self, number: u64) -> Option<MountedAs> {
        let found = self.0.iter().find(|mount| mount.number == number);
        found.map(|mount| mount.mounted_as.clone())
    }

    /// The mount points of a file system, those that a path is below first.
    pub fn points(&self, device: (u32, u32), near: Option<&Path>) -> Vec<&Path> {
        let places = self.0.iter().filter(|mount| mount.device == device);
        let mut points: Vec<&Path> = places
            .map(|mount| mount.mounted_as.point.as_path())
            .collect();
        let is_far = |point: &&Path| !near.is_some_and(|path| path.starts_with(point));
        points.sort_by_key(|point| (is_far(point), Reverse(point.components().count())));
        points
    }

    /// A path in an overlayfs, of a file in its upper layer: the mount point, and the path below it.
    pub fn above(&self, device: (u32, u32), upper: &Path) -> Option<(&Path, PathBuf)> {
        let mut mounts = self.0.iter().filter(|mount| mount.device == device);
        mounts.find_map(|mount| {
            let below = upper.strip_prefix(mount.upper.as_ref()?).ok()?;
            Some((mount.mounted_as.point.as_path(), below.to_owned()))
        })
    }

    fn find(&self, wanted: impl Fn(&Mount) -> bool) -> Option<PathBuf> {
        let found = self.0.iter().find(|mount| wanted(mount));
        found.map(|mount| mount.mounted_as.point.clone())
    }
}

/// Parses a line: the first field is the mount's number, the third the device, the fourth the root, the fifth the mount point;
/// behind a dash are the kind, the source and the options.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let number = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let (major, minor) = str::from_utf8(fields.nth(1)?).ok()?.split_once(':')?;
    let is_whole = fields.next()? == b"/";
    let point = OsString::from_vec(unescaped(fields.next()?));
    let of_mount = fields.next()?;
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = rest.next()?;
    let source = rest.next().unwrap_or_default();
    let options = rest.next().unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(&unescaped(bytes)).into_owned();
    let mounted_as = MountedAs {
        kind: text(kind),
        source: text(source),
        options: all_options(&text(of_mount), &text(options)),
        point: point.into(),
    };
    let mut options = options.split(|byte| *byte == b',');
    let upper = options.find_map(|option| option.strip_prefix(b"upperdir="));
    let upper = upper.filter(|_| kind == b"overlay");
    let upper = upper.map(|path| PathBuf::from(OsString::from_vec(unescaped(path))));
    Some(Mount {
        number,
        device: (major.parse().ok()?, minor.parse().ok()?),
        is_whole,
        upper: upper.filter(|path| path.is_absolute()),
        mounted_as,
    })
}

fn all_options(of_mount: &str, further: &str) -> String {
    let mut all: Vec<_> = of_mount.split(',').collect();
    for option in further.split(',').filter(|option| !option.is_empty()) {
        if !all.contains(&option) {
            all.push(option);
        }
    }
    all.join(",")
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
        assert!(super::mount(b"36 35 98:x / /mnt").is_none());
        let expected = MountedAs {
            kind: "ext4".into(),
            source: "/dev/root".into(),
            options: "rw,noatime".into(),
            point: "/mnt a".into(),
        };
        assert_eq!(mount.mounted_as, expected);
    }

    #[test]
    fn a_file_of_an_upper_layer_has_a_path_above() {
        let mounts = Mounts::parse(
            br"36 35 0:7 / /m rw - overlay none rw,lowerdir=/l,upperdir=/a\040u,workdir=/w
37 35 0:8 / /n rw - ext4 /dev/x rw,upperdir=/a",
        );
        let above = |minor, path: &str| mounts.above((0, minor), Path::new(path));
        let found = Some((Path::new("/m"), PathBuf::from("x/y")));
        assert_eq!(above(7, "/a u/x/y"), found);
        assert_eq!(above(7, "/b/x/y"), None);
        assert_eq!(above(8, "/a/x"), None);
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(br"/a\040b\134c"), br"/a b\c");
        assert_eq!(unescaped(br"/a\04"), br"/a\04");
    }
}
