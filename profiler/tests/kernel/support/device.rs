//! Devices to do I/O on: one of the test's own, and the machine's disk.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use memmap2::Mmap;

use super::{requirements::tool, succeed, text};

/// A file system that a loop device can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    Ext4,
    Xfs,
    Btrfs,
}

impl FileSystem {
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The program that makes one.
    pub const fn maker(self) -> &'static str {
        match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
            Self::Btrfs => "mkfs.btrfs",
        }
    }

    /// Its options, so that there is nothing left to write: no tables to be initialised later.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
            Self::Xfs | Self::Btrfs => &["-q", "-f"],
        }
    }

    /// What it is mounted as: without times that go to the journal while a test runs, and without a commit by the
    /// clock.
    const fn mounted_as(self) -> [&'static str; 4] {
        match self {
            Self::Ext4 => ["-t", "ext4", "-o", "noatime,lazytime,commit=600"],
            Self::Xfs => ["-t", "xfs", "-o", "noatime,lazytime"],
            Self::Btrfs => ["-t", "btrfs", "-o", "noatime"],
        }
    }

    /// Makes one on a device, or in an image.
    pub fn make(self, on: &Path) {
        let mut mkfs = tool(self.maker());
        succeed(mkfs.args(self.options()).arg(on));
    }

    /// Mounts that of a device.
    pub fn mount(self, node: &Path, at: &Path) {
        let mut mount = tool("mount");
        succeed(mount.args(self.mounted_as()).arg(node).arg(at));
    }

    /// Unmounts it and mounts it again: nothing of it is in the cache then.
    pub fn remount(self, node: &Path, at: &Path) {
        succeed(tool("umount").arg(at));
        self.mount(node, at);
    }
}

/// Whether the kernel is older than a release: file systems had other types then.
pub fn kernel_is_before(release: (u32, u32)) -> bool {
    let running =
        fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel has a release");
    let mut numbers = running
        .split(['.', '-', '+'])
        .map_while(|word| word.parse().ok());
    let number = |found: Option<u32>| found.expect("a release begins with two numbers");
    (number(numbers.next()), number(numbers.next())) < release
}

/// A loop device with a file system that is mounted; unmounted and freed with this value.
pub struct Loop {
    name: String,
    folder: tempfile::TempDir,
}

/// What the kernel has counted for a device since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub reads: u64,
    pub read_bytes: u64,
    pub writes: u64,
    /// Bios and requests that became part of other requests that write.
    pub write_merges: u64,
    pub written_bytes: u64,
    pub discards: u64,
    pub discarded_bytes: u64,
    /// Flushes that it has executed.
    pub flushes: u64,
}

impl Loop {
    /// Makes an ext4.
    pub fn new(bytes: u64) -> Self {
        Self::with(FileSystem::Ext4, bytes)
    }

    /// Makes no file system, and mounts none.
    pub fn unmounted(bytes: u64) -> Self {
        Self::of_image(super::folder(), bytes, |_| ())
    }

    /// The same, of an image on the file system of another.
    pub fn unmounted_on(other: &Self, bytes: u64) -> Self {
        Self::of_image(other.folder_on(), bytes, |_| ())
    }

    /// Makes an ext4 in an image on the file system of another.
    pub fn on(other: &Self, bytes: u64) -> Self {
        Self::mounted_in(other.folder_on(), FileSystem::Ext4, bytes)
    }

    /// A new folder on its file system.
    fn folder_on(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(self.mounted()).expect("a folder can be made")
    }

    /// Has it read and write its image by direct I/O.
    pub fn go_past_the_cache(&self) {
        succeed(tool("losetup").arg("--direct-io=on").arg(self.node()));
    }

    fn of_image(folder: tempfile::TempDir, bytes: u64, fill: impl FnOnce(&Path)) -> Self {
        let image = folder.path().join("image");
        let made = File::create(&image).and_then(|file| file.set_len(bytes));
        made.expect("an image can be made");
        fill(&image);
        let shown = succeed(tool("losetup").args(["--find", "--show"]).arg(&image));
        let name = text(&shown.stdout);
        let name = name.trim().rsplit('/').next().expect("a device has a name");
        let made = Self {
            name: name.to_owned(),
            folder,
        };
        // Of a test that was killed.
        made.lift_limits();
        made
    }

    /// Makes a file system.
    pub fn with(file_system: FileSystem, bytes: u64) -> Self {
        Self::mounted_in(super::folder(), file_system, bytes)
    }

    fn mounted_in(folder: tempfile::TempDir, file_system: FileSystem, bytes: u64) -> Self {
        let made = Self::of_image(folder, bytes, |image| file_system.make(image));
        fs::create_dir(made.mounted()).expect("a folder can be made");
        file_system.mount(&made.node(), &made.mounted());
        if super::requirements::find_tool("udevadm").is_some() {
            // Whoever looks at new devices is to be done with this one.
            super::output(tool("udevadm").args(["settle", "--timeout=10"]));
        }
        made
    }

    /// Makes a squashfs of what a folder holds.
    pub fn squashed(files: &Path) -> Self {
        let made = Self::of_image(super::folder(), 0, |image| {
            let mut pack = tool("mksquashfs");
            succeed(pack.arg(files).arg(image).args(["-noappend", "-quiet"]));
        });
        fs::create_dir(made.mounted()).expect("a folder can be made");
        let mut mount = tool("mount");
        mount.args(["-t", "squashfs", "-o", "ro"]);
        succeed(mount.arg(made.node()).arg(made.mounted()));
        made
    }

    /// Has everybody's dirty pages written, by a process in no workload.
    pub fn sync(&self) {
        let folder = File::open(self.mounted()).expect("the folder is there");
        nix::unistd::syncfs(folder).expect("the file system can be synced");
    }

    /// Unmounts an ext4 and mounts it again.
    pub fn remount(&self) {
        FileSystem::Ext4.remount(&self.node(), &self.mounted());
    }

    /// Its name in /sys/block.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it is made of.
    pub fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Its node in /dev.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Sets what /sys/block has for it.
    pub fn set(&self, what: &str, value: &str) {
        let file = self.place(what);
        let set = fs::write(&file, value);
        set.unwrap_or_else(|error| panic!("{} refuses {value}: {error}", file.display()));
    }

    /// Holds back who makes more of it dirty.
    pub fn limit_dirty_pages(&self, bytes: u64) {
        self.set("bdi/strict_limit", "1");
        self.set("bdi/max_bytes", &bytes.to_string());
    }

    /// Lifts that: the kernel keeps it for the next who uses the device.
    fn lift_limits(&self) {
        for (what, value) in [("bdi/strict_limit", "0"), ("bdi/max_ratio", "100")] {
            // Before Linux 6.2 there are none.
            let _ = fs::write(self.place(what), value);
        }
    }

    /// The place of what /sys/block has for it.
    fn place(&self, what: &str) -> PathBuf {
        Path::new("/sys/block").join(&self.name).join(what)
    }

    /// Where it is mounted.
    pub fn mounted(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// What the kernel has counted.
    pub fn stat(&self) -> Stat {
        stat(&self.name)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.lift_limits();
        // A test that fails is not to hide why behind a second failure.
        super::output(tool("umount").arg(self.mounted()));
        super::output(tool("losetup").args(["--detach", &format!("/dev/{}", self.name)]));
    }
}

/// What the kernel has counted for a device; Documentation/block/stat.rst has the order.
fn stat(device: &str) -> Stat {
    let text =
        fs::read_to_string(format!("/sys/block/{device}/stat")).expect("the device is there");
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect();
    Stat {
        reads: numbers[0],
        read_bytes: numbers[2] * 512,
        writes: numbers[4],
        write_merges: numbers[5],
        written_bytes: numbers[6] * 512,
        discards: numbers[11],
        discarded_bytes: numbers[13] * 512,
        flushes: numbers[15],
    }
}

/// A file of so many bytes whose blocks are all written: writing them again changes nothing but them.
pub fn written_file(folder: &Path, bytes: usize) -> PathBuf {
    let path = folder.join(format!("data-{bytes}"));
    let mut file = File::create(&path).expect("a file can be made");
    file.write_all(&vec![b'0'; bytes])
        .and_then(|()| file.sync_all())
        .expect("the file can be written");
    // Of the whole file system, so that its journal is quiet.
    nix::unistd::syncfs(&file).expect("the file system can be synced");
    path
}

/// The request-based device below a folder, or why there is none.
pub fn device_below(folder: &Path) -> Result<String, String> {
    let number = fs::metadata(folder).expect("the folder is there").dev();
    let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let place = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    let Ok(mut place) = place.canonicalize() else {
        return Err(format!("{} is not on a disk", folder.display()));
    };
    if place.join("partition").exists() {
        place.pop();
    }
    if !place.join("mq").exists() {
        return Err(format!(
            "{} is on a device without requests",
            folder.display()
        ));
    }
    let name = place.file_name().expect("a device has a name");
    Ok(name.to_string_lossy().into_owned())
}

/// Keeps a file in the page cache while the value lives: pages that are locked into memory (mlock(2)) are neither reclaimed
/// nor dropped by the built-in workload of another test, which empties the machine's cache. At most 8 MiB, the limit
/// for who has no CAP_IPC_LOCK.
pub fn keep_cached(path: &Path) -> Mmap {
    let file = File::open(path).expect("the file is there");
    // SAFETY: nobody reads the mapping.
    let mapping = unsafe { Mmap::map(&file) }.expect("a file can be mapped");
    mapping.lock().expect("its pages can be locked");
    mapping
}
