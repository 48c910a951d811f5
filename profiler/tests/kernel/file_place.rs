//! Where a file is when the run is over: the path that leads to it, none any more, or one that cannot be followed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ioprof::text::Text;
use nix::sys::signal::Signal;

use crate::support::{
    self, Report,
    attached::Attached,
    device::{FileSystem, Loop},
    plain, profile,
    program::Program,
    report::{File, PathState, known},
    steps::Steps,
};

/// The report of a way of the program.
fn places(way: &str, folder: &Path) -> Report {
    let program = Program::compile("places");
    profile(&[], &program.with(&[way, plain(folder)]))
}

/// The only row to which so many bytes were written.
fn written(report: &Report, bytes: u64) -> &File {
    let rows = &known(&report.workload(0).files).top;
    let mut found = rows.iter().filter(|row| row.counts.written_bytes == bytes);
    match (found.next(), found.next()) {
        (Some(row), None) => row,
        _ => panic!("not one of {bytes} bytes in {rows:#?}"),
    }
}

/// Fails where a row has another path, or another state.
fn assert_place(row: &File, path: &Path, state: PathState, is_deleted: Option<bool>) {
    let told = row.path.as_ref().map(Text::as_str);
    assert_eq!(told, Some(plain(path)), "{row:#?}");
    assert_eq!(
        (row.path_state, row.is_deleted),
        (Some(state), is_deleted),
        "{row:#?}"
    );
}

#[test]
fn a_memfd_has_its_name() {
    requires!("cc");
    let report = places("memfd", support::folder().path());
    let path = PathBuf::from("memfd:cache");
    assert_place(
        written(&report, 1000),
        &path,
        PathState::Current,
        Some(false),
    );
    assert_eq!(report.shown("memfd:cache"), "memfd:cache");
}

#[test]
fn a_file_forty_folders_deep_has_its_path() {
    requires!("cc");
    let folder = support::folder();
    let report = places("deep", folder.path());
    let mut path = folder.path().to_owned();
    path.extend((0..40).map(|at| format!("folder-{at:013}")));
    let row = written(&report, 2000);
    assert_place(row, &path.join("data"), PathState::Current, Some(false));
    assert_eq!(report.shown("/data"), "/data");
}

/// A file system of each kind whose handles tell every file.
fn disks() -> impl Iterator<Item = Loop> {
    FileSystem::ALL
        .into_iter()
        .map(|kind| Loop::with(kind, 512 << 20))
}

#[test]
fn a_deleted_file_and_one_whose_path_another_takes_are_gone() {
    requires!("cc", "losetup mount umount mkfs.ext4 mkfs.xfs mkfs.btrfs");
    for disk in disks() {
        let path = disk.mounted().join("data");
        let report = places("deleted", &disk.mounted());
        assert_place(written(&report, 3000), &path, PathState::Gone, Some(true));
        assert_eq!(report.shown("/data"), "/data (deleted)");
        fs::write(disk.mounted().join("other"), "").expect("it can be made");
        let report = places("replaced", &disk.mounted());
        assert_place(written(&report, 4000), &path, PathState::Gone, Some(true));
    }
}

#[test]
fn a_file_that_was_renamed_has_its_new_path() {
    requires!("cc", "losetup mount umount mkfs.ext4 mkfs.xfs mkfs.btrfs");
    for disk in disks() {
        let report = places("renamed", &disk.mounted());
        let path = disk.mounted().join("moved");
        assert_place(
            written(&report, 5000),
            &path,
            PathState::Current,
            Some(false),
        );
        assert_eq!(report.shown("/moved"), "/moved (was data)");
        let report = places("linked", &disk.mounted());
        let path = disk.mounted().join("data");
        assert_place(
            written(&report, 6000),
            &path,
            PathState::Current,
            Some(false),
        );
    }
}

#[test]
fn a_file_in_another_mount_namespace_is_looked_for_there() {
    requires!("cc");
    let program = Program::compile("places");
    let folder = support::folder();
    let mut stays = Steps::start(&program, &["stays", plain(folder.path())]);
    let attached = Attached::to(&[stays.pid()], &[]);
    stays.tell("x");
    let report = attached.end(Signal::SIGINT);
    stays.end();
    let row = written(&report, 8000);
    let path = folder.path().join("data");
    assert_place(row, &path, PathState::Current, Some(false));
    assert!(row.mount_namespace.is_some(), "{row:#?}");
    let row = written(&report, 500);
    // A tmpfs does not tell what became of a file.
    assert_place(row, &folder.path().join("gone"), PathState::Gone, None);
}

#[test]
fn of_a_mount_namespace_that_has_ended_nothing_is_known() {
    requires!("cc");
    let folder = support::folder();
    let report = places("stays", folder.path());
    for (name, bytes) in [("data", 8000), ("gone", 500)] {
        let row = written(&report, bytes);
        assert_place(row, &folder.path().join(name), PathState::Unknown, None);
        assert!(row.mount_namespace.is_some(), "{row:#?}");
    }
    assert_eq!(report.shown("/data"), "/data?");
}
