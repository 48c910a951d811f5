//! Files that are written under one name and have another one when the run is over.

use std::{fs, path::Path};

use ioprof::text::Text;

use crate::support::{
    self, Report,
    device::{FileSystem, Loop},
    overlay::Overlay,
    plain, profile,
    program::Program,
    report::{File, PathState, known},
    requirements::tool,
    succeed,
};

/// The files that have a name at the end, the one that they were opened as where that is another, and their bytes.
const RENAMED: [(&str, Option<&str>, u64); 14] = [
    ("within", Some("within.tmp"), 1001),
    ("to/moved", Some("from/moved.tmp"), 1002),
    // Both files that had this path, one after the other.
    ("over", Some("over.tmp"), 1003 + 1004),
    ("before", Some("before.tmp"), 1005),
    ("chain", Some("chain.1"), 1006),
    ("linked", Some("linked.tmp"), 1007),
    ("two", Some("one"), 1008),
    ("one", Some("two"), 1009),
    ("parent/inner/data", Some("parent.tmp/inner/data"), 1010),
    ("child", Some("child.tmp"), 1011),
    ("back", None, 1012),
    ("reused", Some("reused.tmp"), 1014),
    ("reused.tmp", None, 1015),
    ("kept", None, 1016),
];

fn renamed(way: &str, folder: &Path) -> Report {
    let program = Program::compile("renames");
    fs::write(folder.join("before"), "x").expect("it can be made");
    profile(&[], &program.with(&[way, plain(folder)]))
}

/// The path, what it was opened as, and what became of it.
type Told<'a> = (Option<&'a str>, Option<PathState>, Option<bool>);

fn told(row: &File) -> Told<'_> {
    let opened_as = row.opened_as.as_ref().map(Text::as_str);
    (opened_as, row.path_state, row.is_deleted)
}

/// Fails where a file is not found under its last name.
fn assert_renamed(report: &Report, folder: &Path) {
    for (name, opened_as, bytes) in RENAMED {
        let row = report.file(&folder.join(name));
        let opened_as = opened_as.map(|name| folder.join(name));
        let opened_as = opened_as.as_deref().map(plain);
        assert_eq!(row.counts.written_bytes, bytes, "{row:#?}");
        let expected = (opened_as, Some(PathState::Current), Some(false));
        assert_eq!(told(row), expected, "{row:#?}");
    }
    // It was opened under no name.
    let row = report.file(&folder.join("anonymous"));
    let expected = (None, Some(PathState::Current), Some(false));
    assert_eq!((row.counts.written_bytes, told(row)), (1017, expected));
    // The last of its names is not known.
    let row = report.file(&folder.join("lost.tmp"));
    assert_eq!(
        (row.counts.written_bytes, row.opened_as.as_ref()),
        (1013, None)
    );
    assert_eq!(row.path_state, Some(PathState::Gone));
}

#[test]
fn files_on_disks_are_found_under_their_last_names() {
    requires!("cc", "losetup mount umount mkfs.ext4 mkfs.xfs mkfs.btrfs");
    for kind in FileSystem::ALL {
        let disk = Loop::with(kind, 512 << 20);
        let report = renamed("all", &disk.mounted());
        assert_renamed(&report, &disk.mounted());
        let row = report.file(&disk.mounted().join("lost.tmp"));
        assert_eq!(row.is_deleted, Some(true), "{row:#?}");
    }
}

#[test]
fn files_on_a_tmpfs_are_found_under_their_last_names() {
    requires!("cc", "mount umount");
    let memory = Memory::new();
    let report = renamed("all", memory.0.path());
    assert_renamed(&report, memory.0.path());
    // Whether it has a name that nobody has looked for is not known.
    let row = report.file(&memory.0.path().join("lost.tmp"));
    assert_eq!(row.is_deleted, None, "{row:#?}");
}

#[test]
fn files_on_overlayfs_are_found_under_their_last_names() {
    requires!("cc", "losetup mount umount mkfs.ext4");
    let disk = Loop::with(FileSystem::Ext4, 512 << 20);
    let overlay = Overlay::of(&disk.mounted(), &[]);
    let report = renamed("all", &overlay.merged());
    assert_renamed(&report, &overlay.merged());
    let row = report.file(&overlay.merged().join("lost.tmp"));
    assert_eq!(row.is_deleted, Some(true), "{row:#?}");
}

/// A tmpfs, unmounted with this value.
struct Memory(tempfile::TempDir);

impl Memory {
    fn new() -> Self {
        let folder = support::folder();
        let mut mount = tool("mount");
        succeed(mount.args(["-t", "tmpfs", "none"]).arg(folder.path()));
        Self(folder)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        support::output(tool("umount").arg(self.0.path()));
    }
}

#[test]
fn many_files_are_a_group_of_their_last_names() {
    const COUNT: u64 = 10_000;
    requires!("cc", "losetup mount umount mkfs.ext4");
    let disk = Loop::with(FileSystem::Ext4, 512 << 20);
    let report = renamed(&COUNT.to_string(), &disk.mounted());
    let files = known(&report.workload(0).files);
    let groups = &files.groups.as_ref().expect("they are told").top;
    let [group] = &groups[..] else {
        panic!("not one of {groups:#?}");
    };
    let pattern = disk.mounted().join("file-*");
    assert_eq!(group.pattern, *plain(&pattern));
    assert_eq!((group.files, group.deleted_files), (COUNT, 0), "{group:#?}");
    assert_eq!(group.counts.written_bytes, COUNT, "{group:#?}");
}
